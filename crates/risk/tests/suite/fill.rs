//! I2, I3, 5.7: fills between two accounts.

use crate::common::*;
use keel_risk::*;
use proptest::prelude::*;

fn leg(size: i64, quote: i64) -> PositionLeg {
    PositionLeg {
        instrument: 3,
        size: Lots(size),
        quote: Atoms(quote),
    }
}

fn terms(size: i64, amount: i64, fee: i64) -> Fill {
    Fill {
        size: Lots(size),
        amount: Atoms(amount),
        fee: Atoms(fee),
    }
}

#[derive(Clone, Debug)]
struct Traded {
    taker: usize,
    maker: usize,
    size: i64,
    amount: i64,
    fee: i64,
}

fn any_fill() -> impl Strategy<Value = Traded> {
    (
        0usize..4,
        1usize..4,
        any_signed(20),
        any_signed(40),
        0i64..1 << 20,
    )
        .prop_map(|(taker, step, size, amount, fee)| Traded {
            taker,
            maker: (taker + step) % 4,
            size,
            amount,
            fee,
        })
}

proptest! {
    #![proptest_config(config(10_000))]

    /// I2, I3: over any sequence sizes sum to zero, quotes and fees sum to zero, and open interest
    /// is the sum of longs and of shorts.
    #[test]
    fn fills_are_zero_sum_and_open_interest_is_symmetric(fills in prop::collection::vec(any_fill(), 1..40)) {
        let mut legs = [leg(0, 0); 4];
        let (mut fees, mut long, mut short) = (0i64, 0i64, 0i64);
        for fill in fills {
            let plan = plan_fill(legs[fill.taker], legs[fill.maker], terms(fill.size, fill.amount, fill.fee), Carries::NONE).unwrap();
            legs[fill.taker] = plan.taker_after;
            legs[fill.maker] = plan.maker_after;
            fees += plan.fee.0;
            long += plan.open_interest_change_long;
            short += plan.open_interest_change_short;
            prop_assert_eq!(plan.open_interest_change_long, plan.open_interest_change_short);
        }
        prop_assert_eq!(legs.iter().map(|leg| leg.size.0).sum::<i64>(), 0);
        prop_assert_eq!(legs.iter().map(|leg| leg.quote.0).sum::<i64>() + fees, 0);
        prop_assert_eq!(legs.iter().map(|leg| leg.size.0.max(0)).sum::<i64>(), long);
        prop_assert_eq!(legs.iter().map(|leg| -leg.size.0.min(0)).sum::<i64>(), short);
    }

    /// I5: opening and closing at one price never gains.
    #[test]
    fn a_round_trip_at_one_price_never_gains(size in any_signed(26), mantissa in 1u64 << 29..1 << 40, shift in 14u8..30, spread in 0u32..10_000) {
        let mark = price(mantissa, shift);
        let pay = |size| fill_amount(Lots(size), mark, Ppm(spread)).unwrap().0;
        prop_assert!(pay(size) + pay(-size) >= 0);
    }
}

#[test]
fn a_fill_beyond_64_bits_is_refused() {
    let full = leg(i64::MAX, i64::MIN);
    let fill =
        |size, amount, fee| plan_fill(full, leg(0, 0), terms(size, amount, fee), Carries::NONE);
    assert_eq!(fill(1, 0, 0), Err(RiskError::TooLarge));
    assert_eq!(fill(i64::MIN, 0, 0), Err(RiskError::TooLarge));
    assert_eq!(fill(-1, 1, 0), Err(RiskError::TooLarge));
    assert_eq!(fill(-1, i64::MAX, 1), Err(RiskError::TooLarge));
    assert_eq!(fill(0, 1, 0), Err(RiskError::ZeroSize));
}

/// 10.2: a limit binds both sides to the atom.
#[test]
fn a_limit_price_binds_buyer_and_seller() {
    let mark = price(1_000_000 << 10, 10);
    let check =
        |size, amount, limit: u64| check_limit(Lots(size), Atoms(amount), mark, limit << 10);
    assert!(check(10, 10_100_000, 1_010_000).is_ok());
    assert!(check(10, 10_100_001, 1_010_000).is_err());
    assert!(check(-10, -9_900_000, 990_000).is_ok());
    assert!(check(-10, -9_899_999, 990_000).is_err());
    assert!(check(-10, -1, 0).is_ok());
}

/// 5.7: deviation is told in both directions.
#[test]
fn a_fill_stays_near_the_mark() {
    let mark = price(1_000_000 << 10, 10);
    let check = |size, amount| check_slip(Lots(size), Atoms(amount), mark, Ppm(10_000));
    assert!(check(10, 10_100_000).is_ok());
    assert!(check(10, 10_100_001).is_err());
    assert!(check(10, 9_899_999).is_err());
    assert!(check(-10, -9_900_000).is_ok());
    assert!(check(-10, -9_899_999).is_err());
}

/// 5.7: neither health may fall by more than the fees.
#[test]
fn reducing_risk_means_that_no_health_falls_beyond_the_fees() {
    let with = |maintenance, initial| Assessment {
        maintenance: Health {
            equity: Atoms(maintenance),
            requirement: Atoms(10),
        },
        initial: Health {
            equity: Atoms(initial),
            requirement: Atoms(20),
        },
        ..Assessment::default()
    };
    let judge = |after| is_risk_reducing(&with(0, 0), &after, Reduction { fees: Atoms(3) });
    assert!(judge(with(-3, -3)).is_ok());
    assert!(judge(with(5, 5)).is_ok());
    let refused = RiskError::NotRiskReducing {
        fell: Atoms(4),
        allowed: Atoms(3),
    };
    assert_eq!(judge(with(-4, 9)), Err(refused));
    assert_eq!(judge(with(9, -4)), Err(refused));
}
