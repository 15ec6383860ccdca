//! 8.6: what a deficit stops until it is resolved. 8.4: which feeds a first step asks.

use crate::common::*;
use keel_risk::*;

/// Asset 1 at $1, with a perp.
fn one_asset() -> TestBook {
    let mut book = empty_book();
    book.list(plain_asset(), [900_000, 800_000, 1_100_000, 1_200_000], 1);
    book
}

fn deficit(net: i64, found_at: i64) -> Deficit {
    Deficit {
        net_asset_value: Atoms(net),
        found_at,
        now: 10_000,
    }
}

const fn bank(rate: u8, deposits: u64) -> Endangered {
    Endangered::Bank { rate, deposits }
}

const fn market(deposits: u64) -> Endangered {
    Endangered::Market {
        instrument: 0,
        deposits,
    }
}

/// 8.6: beyond a tenth of a percent of the deposits, for two hours from the first finding. The holes:
/// an account that owes a bank nothing cannot stop it, and none stops anything twice.
#[test]
fn a_deficit_halts_what_it_may_fall_on() {
    let book = one_asset();
    let account = TestAccount::default()
        .with_balance(0, 5)
        .with_balance(1, -2_000)
        .with_position(0, 10, -20_000_000);
    let plan = |deficit, ledger| plan_halt(&book, &account, deficit, ledger);
    let first = Some(Halt {
        found_at: 10_000,
        until: 17_200,
    });
    let price = book.asset(1).native_price;
    let worth = value_of(price, 1_000_000);
    assert_eq!(
        plan(deficit(-worth / 1_000 - 1, 0), bank(1, 1_000_000)),
        first
    );
    assert_eq!(plan(deficit(-worth / 1_000, 0), bank(1, 1_000_000)), None);
    assert_eq!(plan(deficit(-1_001, 0), market(1_000_000)), first);
    assert_eq!(plan(deficit(-1_000, 0), market(1_000_000)), None);
    // It owes no quote.
    assert_eq!(plan(deficit(-1_001, 0), bank(0, 1_000_000)), None);

    let again = Some(Halt {
        found_at: 2_801,
        until: 10_001,
    });
    assert_eq!(plan(deficit(-1_001, 2_801), market(1_000_000)), again);
    assert_eq!(plan(deficit(-1_001, 2_800), market(1_000_000)), None);

    let winner = TestAccount::default()
        .with_balance(0, -50_000_000)
        .with_position(0, 10, 20_000_000);
    let none = plan_halt(&book, &winner, deficit(-9_000_000, 0), market(1_000_000));
    assert_eq!(none, None);
    let none = plan_halt(
        &book,
        &TestAccount::default(),
        deficit(-9_000_000, 0),
        market(5),
    );
    assert_eq!(none, None);
}

fn value_of(price: Price, native: i64) -> i64 {
    num::value_floor(Lots(native), price).0
}

/// 2.8, 8.4. The hole: five dollars of an asset whose feed sleeps are never printed twice, so that
/// nobody could start the auction of an account that holds them.
#[test]
fn a_sleeping_feed_owes_no_prints() {
    let mut book = one_asset();
    book.list(plain_asset(), [900_000, 800_000, 1_100_000, 1_200_000], 1);
    let account = TestAccount::default()
        .with_balance(0, 99_000_000)
        .with_balance(2, 5)
        .with_position(0, 1_000, -1_000_000_000);
    let clock = |book: &TestBook, prints: fn(u8) -> Prints| {
        let mut lanes = vec![0; Scratch::MAX_LANES];
        let auction = Auction {
            clock: AuctionClock::default(),
            live_time: 9,
            prints,
        };
        plan_clock(book, &account, &auction, &mut Scratch::new(&mut lanes))
    };
    let but_two = |asset| Prints(if asset == 2 { 0 } else { 2 });
    assert_eq!(
        clock(&book, but_two),
        Err(RiskError::TooFewPrints { asset: 2, seen: 0 })
    );
    book.qualities[2].tier = Tier::Stale;
    let plan = clock(&book, but_two).expect("the other prices are fresh");
    assert_eq!(plan.after.started, 9);
    assert_eq!(
        clock(&book, |_| Prints(1)),
        Err(RiskError::TooFewPrints { asset: 1, seen: 1 })
    );
}
