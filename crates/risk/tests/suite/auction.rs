//! 8.1 (penalty), 8.3 (discount, premium), 8.4 (clock, prints).

use crate::common::*;
use keel_risk::*;
use proptest::prelude::*;

fn health(of: i64) -> Health {
    Health {
        equity: Atoms(of),
        requirement: Atoms(0),
    }
}

/// 8.1, 8.3: what rises, from where to where, and when it is there.
#[test]
fn penalty_discount_and_premium_rise_with_live_time() {
    let start = Ppm(5_000);
    let penalties = [0, 300, 600, u64::MAX].map(|live_s| penalty_rate(start, live_s).0);
    assert_eq!(penalties, [5_000, 27_500, 50_000, 50_000]);
    assert_eq!(penalty_rate(Ppm(60_000), 300), Ppm(60_000));
    let discounts = [0, 900, 1_800, u64::MAX].map(|live_s| discount(live_s).0);
    assert_eq!(discounts, [0, 100_000, 200_000, 200_000]);
    let premiums = [0, 900, 1_800, u64::MAX].map(|live_s| premium(live_s).0);
    assert_eq!(premiums, [0, 250_000, 500_000, 500_000]);
    // Between seconds the penalty rounds up and what the bidder gains down.
    assert_eq!(penalty_rate(start, 1), Ppm(5_075));
    assert_eq!((discount(1), premium(1)), (Ppm(111), Ppm(277)));
}

/// 8.4: the first step below Maintenance starts the clock, later ones leave it, any at or above
/// clears it.
#[test]
fn the_clock_runs_from_the_first_finding() {
    let none = AuctionClock::default();
    let started = none.found(health(-1), 1_000);
    assert_eq!(started.started, 1_000);
    assert_eq!(started.found(health(-9), 1_400), started);
    assert_eq!((started.live_s(1_400), started.live_s(900)), (400, 0));
    assert_eq!(started.found(health(0), 1_400), none);
    assert_eq!(none.live_s(77), 0);
    // Live time zero is a time too.
    assert_eq!(none.found(health(-1), 0).started, 1);
}

/// 8.5: unbid for ten live minutes.
#[test]
fn the_backstop_waits_for_bids() {
    let clock = AuctionClock { started: 50 };
    assert!(!clock.is_unbid(649) && clock.is_unbid(650));
    assert!(!AuctionClock::default().is_unbid(u64::MAX));
}

/// 8.4: after a silence over a minute, or a restart of the cluster, two prints are needed anew.
#[test]
fn a_silence_forgets_prints() {
    let seen = Prints(2);
    assert!(seen.after_gap(60, false).suffice());
    for silent in [seen.after_gap(61, false), seen.after_gap(0, true)] {
        assert!(!silent.suffice() && !silent.printed().suffice());
        assert_eq!(silent.printed().printed().printed(), Prints(2));
    }
}

fn one_asset() -> TestBook {
    let mut book = empty_book();
    book.list(plain_asset(), [900_000, 800_000, 1_100_000, 1_200_000], 2);
    book
}

fn clock_of(account: &TestAccount, clock: u64, prints: u8) -> Result<ClockPlan, RiskError> {
    let mut lanes = vec![0; Scratch::MAX_LANES];
    let mut scratch = Scratch::new(&mut lanes);
    let auction = Auction {
        clock: AuctionClock { started: clock },
        live_time: 500,
        prints: |_| Prints(prints),
    };
    plan_clock(&one_asset(), account, &auction, &mut scratch)
}

/// 8.1, 8.4: the step of size 0 sets the clock. The hole: after an outage the first price may be a
/// wick, so one print starts no auction; but it may end one.
#[test]
fn a_step_of_size_zero_only_sets_the_clock() {
    let below = TestAccount::default()
        .with_balance(0, 99_000_000)
        .with_position(0, 1_000, -1_000_000_000);
    assert_eq!(clock_of(&below, 0, 2).unwrap().after.started, 500);
    assert_eq!(
        clock_of(&below, 0, 1),
        Err(RiskError::TooFewPrints { asset: 1, seen: 1 })
    );
    assert_eq!(clock_of(&below, 77, 0).unwrap().after.started, 77);
    let mut sound = below;
    sound.balances[0].shares.0 = 100_000_000;
    assert_eq!(clock_of(&sound, 77, 0).unwrap().after.started, 0);
}

/// 8.4: tokens that bring an account to Maintenance end its auction; an atom less does not, nor a price
/// that no liquidation could rest on, and a clock at rest is never started.
#[test]
fn an_inflow_to_maintenance_ends_the_auction() {
    let below = TestAccount::default()
        .with_balance(0, 90_000_000)
        .with_position(0, 1_000, -1_000_000_000);
    let with = |book: &TestBook, cash: i64, started: u64| {
        let mut lanes = vec![0; Scratch::MAX_LANES];
        let after = BalanceLeg {
            rate: QUOTE_RATE,
            shares: Shares(cash),
        };
        let cash = CashPlan {
            slot: 0,
            before: Shares(90_000_000),
            after,
            tokens: Native(cash - 90_000_000),
        };
        let clock = AuctionClock { started };
        clock_after_inflow(book, &below, &cash, clock, &mut Scratch::new(&mut lanes)).started
    };
    let mut book = one_asset();
    assert_eq!(with(&book, 99_999_999, 77), 77);
    assert_eq!(with(&book, 100_000_000, 77), 0);
    assert_eq!(with(&book, 91_000_000, 0), 0);
    book.qualities[1].age_s = 16;
    assert_eq!(with(&book, 100_000_000, 77), 77);
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 8.1, 8.2, 8.4: at any moment the penalty leaves at least half of what the step gains, so an
    /// account found just below Maintenance and closed whole keeps at least half of its equity.
    #[test]
    fn no_penalty_takes_more_than_half(notional in any_magnitude(50), start in 0u32..=50_000, live_s in 0u64..2_000, gain in any_signed(50)) {
        let rate = penalty_rate(Ppm(start), live_s);
        let paid = penalty(notional, rate, Atoms(gain)).0;
        prop_assert!(paid >= 0 && 2 * paid <= gain.max(0));
        prop_assert!(paid as u64 <= num::ppm_ceil(notional, MAX_PENALTY));
        prop_assert!(rate >= Ppm(start) && rate <= MAX_PENALTY);
    }
}
