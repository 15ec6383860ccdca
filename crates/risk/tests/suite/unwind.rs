//! 8.5, 10.3: what one call of `deleverage` does.

use crate::common::*;
use keel_risk::*;
use proptest::prelude::*;

const MARK: i64 = 1_000_000;

/// One asset at $1 a lot, range 10%; its market has `lots` on each side.
fn market(lots: u64) -> MarketLedger {
    let side = |sign: i64| SideLedger {
        open_interest: lots,
        carry: Carry48(0),
        keep: Keep::ONE,
        stray: Frac40(0),
        stray_quote: -sign,
    };
    MarketLedger {
        long: side(1),
        short: side(-1),
        fees: 0,
        insurance: 0,
        quotes: 0,
        residue: Dust48(0),
    }
}

fn book() -> TestBook {
    let mut book = empty_book();
    book.list(plain_asset(), [900_000, 800_000, 1_100_000, 1_200_000], 2);
    book
}

/// Long `size` lots at the mark, with `cash` atoms besides.
fn long(size: i64, cash: i64) -> TestAccount {
    TestAccount::default()
        .with_balance(0, cash)
        .with_position(0, size, -size * MARK)
}

fn terms(max_size: i64, lots: u64, live_s: u64) -> UnwindTerms {
    UnwindTerms {
        slot: 0,
        max_size: Lots(max_size),
        ledger: market(lots),
        clock: AuctionClock { started: 1_000 },
        live_time: 1_000 + live_s,
        liquidation: LiquidationTerms {
            buffer: Ppm(50_000),
            fee: Ppm(5_000),
            insurance_share: Ppm(400_000),
        },
    }
}

fn unwind(
    account: &TestAccount,
    pool: &TestAccount,
    terms: &UnwindTerms,
) -> Result<UnwindPlan, RiskError> {
    let mut lanes = vec![0; Scratch::MAX_LANES];
    let mut scratch = Scratch::new(&mut lanes);
    plan_unwind(&book(), (account, pool), 0, terms, &mut scratch)
}

fn unwind_pool(pool: &TestAccount, terms: &UnwindTerms) -> Result<UnwindPlan, RiskError> {
    let mut lanes = vec![0; Scratch::MAX_LANES];
    plan_unwind_pool(&book(), pool, terms, &mut Scratch::new(&mut lanes))
}

fn side(plan: &UnwindPlan) -> DeleveragePlan {
    match plan.step {
        UnwindStep::Side(plan) => plan,
        UnwindStep::Pool(_) => panic!("the pool took it"),
    }
}

/// 8.5: the pool is asked first; the other side only where the pool's limits leave nothing.
#[test]
fn the_pool_comes_before_the_side() {
    // MM 100, E 50.
    let account = long(1_000, 50 * MARK);
    let rich = TestAccount::default().with_balance(0, 10_000 * MARK);
    let plan = unwind(&account, &rich, &terms(1_000, 5_000, 600)).unwrap();
    let UnwindStep::Pool(taken) = plan.step else {
        panic!("the side was shrunk")
    };
    // 2% of $10,000.
    assert_eq!(
        (taken.size, taken.stopped_by),
        (Lots(200), StoppedBy::PoolLimit)
    );
    assert_eq!(plan.net_asset_value, Atoms(50 * MARK));

    for (pool, price) in [
        (TestAccount::default(), PriceQuality { ..FRESH }),
        (
            rich,
            PriceQuality {
                tier: Tier::Stale,
                ..FRESH
            },
        ),
    ] {
        let mut book = book();
        book.list(plain_asset(), [900_000, 800_000, 1_100_000, 1_200_000], 1);
        book.qualities[2] = price;
        let pool = pool.with_position(0, 0, 1).with_position(2, 5, -5 * MARK);
        let mut lanes = vec![0; Scratch::MAX_LANES];
        let mut scratch = Scratch::new(&mut lanes);
        let terms = terms(1_000, 5_000, 600);
        let plan = plan_unwind(&book, (&account, &pool), 0, &terms, &mut scratch).unwrap();
        // All of E goes into the price of the only leg.
        assert_eq!(side(&plan).size, Lots(1_000));
        assert_eq!(side(&plan).price, Carry48(950_000 << 48));
        assert_eq!((plan.after.equity, plan.clock.started), (Atoms(0), 0));
    }
}

/// 8.4, 8.5: for ten live minutes the auction is the bidders'.
#[test]
fn the_auction_runs_for_ten_live_minutes() {
    let (account, pool) = (long(1_000, 50 * MARK), TestAccount::default());
    let running = |live_s| RiskError::AuctionRunning {
        live_s,
        needed_s: 600,
    };
    let at = |live_s| unwind(&account, &pool, &terms(1_000, 5_000, live_s));
    assert_eq!(at(599), Err(running(599)));
    assert!(at(600).is_ok());
    let mut unstarted = terms(1_000, 5_000, 600);
    unstarted.clock.started = 0;
    assert_eq!(unwind(&account, &pool, &unstarted), Err(running(0)));

    let healthy = unwind(&long(1_000, 500 * MARK), &pool, &terms(1_000, 5_000, 600));
    assert!(matches!(healthy, Err(RiskError::NotLiquidatable { .. })));
    let mut other = terms(1_000, 5_000, 600);
    other.slot = 1;
    let none = unwind(&account, &pool, &other);
    assert_eq!(none, Err(RiskError::NothingToLiquidate));
    let zero = unwind(&account, &pool, &terms(0, 5_000, 600));
    assert_eq!(zero, Err(RiskError::ZeroSize));
}

/// 8.5: with E below zero the leg closes at the mark, and the deficit is left to 8.6.
#[test]
fn a_deficit_is_no_part_of_the_price() {
    let account = long(1_000, -30 * MARK);
    let plan = unwind(&account, &TestAccount::default(), &terms(2_000, 5_000, 600)).unwrap();
    assert_eq!(side(&plan).price, Carry48(i128::from(MARK) << 48));
    assert_eq!(plan.after.equity, Atoms(-30 * MARK));
    assert_eq!(plan.clock.started, 1_000);
}

/// 8.5: a leg gives up its share of E, other tokens counted: a small leg beside a large borrow does
/// not give up everything.
#[test]
fn a_small_leg_gives_up_little() {
    let account = TestAccount::default()
        .with_balance(0, 1_060 * MARK)
        .with_balance(1, -1_000 * MARK)
        .with_position(0, 250, -250 * MARK);
    assert_eq!(notional_share(&book(), &account, 0), Ppm(200_000));
    // E is $60; its share $12 of 250 lots.
    let plan = unwind(&account, &TestAccount::default(), &terms(250, 5_000, 600)).unwrap();
    assert_eq!(side(&plan).price, Carry48(952_000 << 48));
}

/// 8.1, I8: what weighed most is not closed beyond the end, nor until another leg stands naked.
#[test]
fn unwinding_ends_where_a_liquidation_would() {
    // 1,000 lots naked at a tenth, 1,000 hedged at a hundredth: MM = 110, E = 105. Each lot of the long
    // leg gives up 3.5 cents: the end is at 150.
    let account = TestAccount::default()
        .with_balance(0, 105 * MARK)
        .with_position(0, 2_000, -2_000 * MARK)
        .with_position(1, -1_000, 1_000 * MARK);
    for asked in [2_000, 1_000, 200] {
        let none = TestAccount::default();
        let plan = unwind(&account, &none, &terms(asked, 5_000, 600)).unwrap();
        let closed = side(&plan);
        assert_eq!(closed.stopped_by, StoppedBy::End, "{asked}");
        let least = 150 - asked / 64;
        assert!(
            (least..=151).contains(&closed.size.0),
            "{asked}: {closed:?}"
        );
        assert!(plan.after.health() > plan.before.health());
    }
    // Both legs of a hedge weigh more alone; they go one after the other all the same.
    let hedged = TestAccount::default()
        .with_balance(0, 5 * MARK)
        .with_position(0, 1_000, -1_000 * MARK)
        .with_position(1, -1_000, 1_000 * MARK);
    let rich = TestAccount::default().with_balance(0, 1_000_000 * MARK);
    let plan = unwind(&hedged, &rich, &terms(1_000, 5_000, 600)).unwrap();
    assert_eq!(side(&plan).size, Lots(1_000));
}

/// 8.5: where the account holds a whole side the other cannot bear all of it: as much as it can.
#[test]
fn a_whole_side_is_closed_as_far_as_it_can_be_borne() {
    let account = long(1_000, -30 * MARK);
    let plan = unwind(&account, &TestAccount::default(), &terms(1_000, 1_000, 600)).unwrap();
    // F may reach 64 marks: at most 64 of 65 parts.
    let closed = side(&plan).size.0;
    assert!((970..=984).contains(&closed), "{closed}");
    let alone = unwind(&long(1, -30), &TestAccount::default(), &terms(1, 1, 600));
    let refused = RiskError::TooLittleOpposite {
        open_interest: 1,
        asked: 1,
    };
    assert_eq!(alone, Err(refused));
}

/// 8.5, 1.7: what the pool has room for is not taken where it is dust.
#[test]
fn the_pool_takes_no_dust() {
    let account = long(1_000, 50 * MARK);
    let pool = TestAccount::default().with_balance(0, 499 * MARK);
    let plan = unwind(&account, &pool, &terms(1_000, 5_000, 600)).unwrap();
    assert_eq!(side(&plan).size, Lots(1_000));
    let pool = TestAccount::default().with_balance(0, 500 * MARK);
    let plan = unwind(&account, &pool, &terms(1_000, 5_000, 600)).unwrap();
    assert!(matches!(plan.step, UnwindStep::Pool(_)));
}

/// 10.3: a pool below Maintenance is closed at the mark, at once, until Initial; what began below
/// Maintenance goes on above it, and a hedge is not taken apart.
#[test]
fn a_pool_is_unwound_until_initial() {
    let mut now = terms(1_000, 5_000, 0);
    now.clock.started = 0;
    let mut pool = long(1_000, 120 * MARK);
    // MM 100, IM 150: above Maintenance.
    let healthy = unwind_pool(&pool, &now);
    assert!(matches!(healthy, Err(RiskError::NotLiquidatable { .. })));

    pool = long(1_000, 90 * MARK);
    now.max_size = Lots(200);
    let first = unwind_pool(&pool, &now).unwrap();
    assert_eq!(side(&first).price, Carry48(i128::from(MARK) << 48));
    assert_eq!(first.clock.started, 1_000);
    assert!(first.after.health().0 > 0);
    pool.positions[0] = side(&first).after;
    now.clock = first.clock;
    now.max_size = Lots(800);
    let second = unwind_pool(&pool, &now).unwrap();
    // 600 lots need 90; eight tries come within a hundredth of the rest.
    let left = side(&second).after.size.0;
    assert!((600..=607).contains(&left), "{left}");
    pool.positions[0] = side(&second).after;
    now.clock = second.clock;
    now.max_size = Lots(left - 600);
    if now.max_size.0 > 0 {
        let third = unwind_pool(&pool, &now).unwrap();
        now.clock = third.clock;
        pool.positions[0] = side(&third).after;
    }
    assert_eq!((pool.positions[0].size, now.clock.started), (Lots(600), 0));

    let hedged = TestAccount::default()
        .with_balance(0, MARK)
        .with_position(0, 1_000, -1_000 * MARK)
        .with_position(1, -1_000, 1_000 * MARK);
    now.max_size = Lots(500);
    let broken = unwind_pool(&hedged, &now);
    assert!(matches!(broken, Err(RiskError::BreaksHedge { .. })));
}

/// 8.4, 10.3: a pool's unwinding is over where it is found at Initial, and no earlier; what is not under
/// way is not over.
#[test]
fn a_pool_found_at_initial_is_unwound_no_further() {
    let found = |cash: i64, started: u64| {
        let mut lanes = vec![0; Scratch::MAX_LANES];
        let clock = AuctionClock { started };
        let pool = long(1_000, cash);
        plan_recovery(&book(), &pool, clock, &mut Scratch::new(&mut lanes)).unwrap()
    };
    // MM 100, IM 150.
    assert_eq!(found(150 * MARK - 1, 700), None);
    assert_eq!(found(150 * MARK, 0), None);
    let over = found(150 * MARK, 700).unwrap();
    assert_eq!((over.before.started, over.after.started), (700, 0));
    assert_eq!(over.net_asset_value, Atoms(150 * MARK));
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 8.5, 8.6: whoever is unwound gives up no more than E, ends no better than it was short, and
    /// the ledger stays balanced.
    #[test]
    fn unwinding_never_takes_more_than_the_equity(size in 1i64..1 << 30, cash in -1i64 << 40..1 << 40, asked in 1i64..1 << 31, more in 1u64..1 << 30) {
        let lots = size.unsigned_abs() + more;
        let account = long(size, cash);
        let terms = terms(asked, lots, 600);
        let Ok(plan) = unwind(&account, &TestAccount::default(), &terms) else { return Ok(()) };
        let closed = side(&plan);
        prop_assert_eq!(terms.ledger.after(&closed.market).imbalance(), terms.ledger.imbalance());
        prop_assert!(closed.size.0 <= asked.min(size));
        prop_assert!(plan.before.is_liquidatable());
        let fell = plan.before.equity.0 - plan.after.equity.0;
        let most = plan.net_asset_value.0.max(0);
        // Rounded to atoms a lot's price cuts off at most an atom.
        prop_assert!((-1..=most + 2).contains(&fell), "{fell} of {most}");
        prop_assert!(plan.after.health().0 >= plan.before.health().0 - 2 || plan.net_asset_value.0 >= 0);
    }
}
