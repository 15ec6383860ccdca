//! 1.3, 2.1 to 2.4, 2.6.

use crate::common::*;
use crate::reference::{ratio, whole};
use keel_risk::*;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Signed;
use proptest::prelude::*;

const LIMITS: AcceptLimits = AcceptLimits {
    max_age_s: 60,
    max_future_s: 60,
};
const NOW: i64 = 1_800_000_000;

fn sol(price: i64, conf: u64, publish_time: i64) -> Reading {
    Reading {
        price,
        conf,
        expo: -8,
        publish_time,
    }
}

fn terms() -> PriceTerms {
    let range = ListedRange {
        low_e8: 1_000_000_000,
        high_e8: 100_000_000_000,
    };
    PriceTerms {
        lot: Unit::of_decimals(3, shift_for(range, 3, true).expect("lots")),
        native: Unit::of_decimals(9, shift_for(range, 9, false).expect("lamports")),
        band: BandTerms::default(),
        stable_speed: Ppm(2_000),
        max_jump: Ppm(100_000),
    }
}

/// 2.1.
#[test]
fn nonsense_is_refused_even_where_it_would_be_skipped() {
    let judge = |reading: Reading| accept(&reading, NOW, &LIMITS, NOW);
    assert_eq!(judge(sol(0, 1, NOW)), Err(RiskError::PriceNotPositive));
    assert_eq!(judge(sol(-5, 1, NOW)), Err(RiskError::PriceNotPositive));
    for exponent in [-13, 1, i32::MIN, i32::MAX] {
        let reading = Reading {
            expo: exponent,
            ..sol(100, 1, NOW)
        };
        assert_eq!(
            judge(reading),
            Err(RiskError::ExponentOutOfRange { exponent })
        );
    }
    let wide = RiskError::ConfidenceTooWide {
        conf: 21,
        price: 100,
    };
    assert_eq!(judge(sol(100, 21, NOW)), Err(wide));
    assert_eq!(judge(sol(100, 20, NOW)), Ok(Acceptance::Skip));
    let early = RiskError::PriceTooEarly {
        ahead_s: 61,
        limit_s: 60,
    };
    assert_eq!(judge(sol(100, 1, NOW + 61)), Err(early));
}

/// 2.1: a keeper landing first must not fail a user's transaction.
#[test]
fn a_print_that_is_not_newer_is_skipped_whatever_its_age() {
    let judge = |time| accept(&sol(100, 1, time), NOW - 30, &LIMITS, NOW);
    assert_eq!(judge(NOW - 30), Ok(Acceptance::Skip));
    assert_eq!(judge(NOW - 3_000), Ok(Acceptance::Skip));
    assert_eq!(judge(NOW - 29), Ok(Acceptance::Take));
    assert_eq!(judge(NOW + 60), Ok(Acceptance::Take));
    let old = RiskError::PriceTooOld {
        age_s: 61,
        limit_s: 60,
    };
    assert_eq!(accept(&sol(100, 1, NOW - 61), 0, &LIMITS, NOW), Err(old));
    assert!(accept(&sol(100, 1, i64::MIN), 0, &LIMITS, i64::MAX).is_ok());
}

/// 1.1, 1.3: $10 to $1,000, lots of 0.001 SOL.
#[test]
fn a_listing_keeps_30_bits_over_its_range() {
    let terms = terms();
    for unit in [terms.lot, terms.native] {
        let low = to_price(1_000_000_000, -8, unit).unwrap();
        let high = to_price(100_000_000_000, -8, unit).unwrap();
        assert_eq!(64 - low.mantissa().leading_zeros(), 30);
        assert!(high.mantissa() < 1 << 48);
    }
    // $150: 150,000 atoms per lot, 0.15 atoms per lamport.
    let lot = to_price(15_000_000_000, -8, terms.lot).unwrap();
    assert_eq!(num_of(lot), whole(150_000));
    let native = to_price(15_000_000_000, -8, terms.native).unwrap();
    let exact = ratio(15, 100);
    assert!(num_of(native) <= exact && num_of(native) > exact * ratio(999_999_999, 1_000_000_000));
}

fn num_of(price: Price) -> BigRational {
    ratio(
        price.mantissa(),
        BigInt::from(1) << usize::from(price.shift()),
    )
}

#[test]
fn a_listing_is_refused_for_lots_too_small_and_ranges_too_wide() {
    let range = |low_e8, high_e8| ListedRange { low_e8, high_e8 };
    // 0.001 of a $5 token is 5,000 atoms.
    let small = RiskError::LotTooSmall {
        atoms: 9_999,
        least: 10_000,
    };
    assert_eq!(
        shift_for(range(999_900_000, 1_000_000_000), 3, true),
        Err(small)
    );
    assert!(shift_for(range(1_000_000_000, 10_000_000_000), 3, true).is_ok());
    let refused = |low, high| {
        matches!(
            shift_for(range(low, high), 9, false),
            Err(RiskError::PriceRangeTooWide { .. })
        )
    };
    assert!(refused(1_000, 1_000_000_000));
    assert!(refused(0, 1_000));
    assert!(refused(2_000, 1_000));
}

#[test]
fn a_price_outside_its_unit_is_named() {
    let unit = Unit { exp10: 0, shift: 0 };
    assert_eq!(to_price(1, -1, unit), Err(RiskError::PriceBelowUnit));
    assert_eq!(to_price_ceil(1, -1, unit), Ok(price(1, 0)));
    assert_eq!(to_price(1 << 48, 0, unit), Err(RiskError::PriceAboveUnit));
    assert_eq!(
        to_price(
            1,
            0,
            Unit {
                exp10: 120,
                shift: 0
            }
        ),
        Err(RiskError::PriceAboveUnit)
    );
    assert_eq!(
        to_price(
            u64::MAX,
            0,
            Unit {
                exp10: -120,
                shift: 62
            }
        ),
        Err(RiskError::PriceBelowUnit)
    );
}

/// 2.2.
#[test]
fn the_later_source_rules_and_disagreement_shows() {
    let (first, second) = (
        sol(10_000, 1, NOW),
        Reading {
            price: 101,
            expo: -6,
            ..sol(0, 1, NOW - 3)
        },
    );
    let one_percent = choose(Some(first), Some(second), Ppm(10_000)).unwrap();
    assert_eq!((one_percent.reading, one_percent.diverged), (first, false));
    assert!(
        choose(Some(first), Some(second), Ppm(9_999))
            .unwrap()
            .diverged
    );
    let later = Reading {
        publish_time: NOW + 4,
        ..second
    };
    let chosen = choose(Some(first), Some(later), Ppm(0)).unwrap();
    assert_eq!((chosen.reading, chosen.diverged), (later, false));
    assert_eq!(choose(None, Some(second), Ppm(0)).unwrap().reading, second);
    assert_eq!(choose(None, None, Ppm(0)), None);
}

/// 2.3, 4.3: $150 with confidence $0.15: 0.1% times 2.12.
#[test]
fn the_band_is_the_confidence_times_2_12_up_to_5_percent() {
    let state = advance(
        None,
        &sol(15_000_000_000, 15_000_000, NOW),
        None,
        &terms(),
        NOW,
    )
    .unwrap();
    assert_eq!(state.conf, Ppm(1_000));
    let share = |n: u64| Frac40(u64::try_from((u128::from(n) << 40).div_ceil(1_000_000)).unwrap());
    assert_eq!((state.down, state.up), (share(2_120), share(2_120)));
    let wide = advance(None, &sol(100, 20, NOW), None, &terms(), NOW).unwrap();
    assert_eq!((wide.down, wide.up), (share(50_000), share(50_000)));
}

/// 2.4: a fall of 10% moves the stable price by 2,000 ppm a minute, two minutes at most an update.
#[test]
fn the_stable_price_follows_slowly_and_pulls_the_worse_bound() {
    let start = advance(None, &sol(10_000_000_000, 0, NOW), None, &terms(), NOW).unwrap();
    let after = |seconds| {
        let reading = sol(9_000_000_000, 0, NOW + seconds);
        advance(Some(start), &reading, None, &terms(), NOW + seconds).unwrap()
    };
    assert_eq!(after(60).stable, start.stable - start.stable * 2 / 1_000);
    assert_eq!(after(120).stable, start.stable - start.stable * 4 / 1_000);
    assert_eq!(after(9_999).stable, after(120).stable);
    assert_eq!(after(0).stable, start.stable);
    let fallen = after(60);
    assert_eq!(fallen.down, Frac40(0));
    // (99.8 - 90) / 90 = 10.888..%
    assert_eq!((fallen.up.0 * 1_000_000) >> 40, 108_888);
}

/// 2.1: a stored time later than now gives no elapsed time, never an error.
#[test]
fn a_time_ahead_of_the_clock_moves_nothing() {
    let start = advance(None, &sol(100_000_000, 0, NOW + 50), None, &terms(), NOW).unwrap();
    let next = advance(
        Some(start),
        &sol(95_000_000, 0, NOW + 55),
        None,
        &terms(),
        NOW + 1,
    )
    .unwrap();
    assert_eq!(next.stable, start.stable);
}

/// 2.6.
#[test]
fn the_worst_tier_is_told() {
    let judge = |time, conf, diverged| tier(time, Ppm(conf), diverged, Ppm(10_000), 60, NOW);
    assert_eq!(judge(NOW, 10_000, false), Tier::Ok);
    assert_eq!(judge(NOW + 50, 10_001, false), Tier::Wide);
    assert_eq!(judge(NOW - 60, 10_001, true), Tier::Diverged);
    assert_eq!(judge(NOW - 61, 10_001, true), Tier::Stale);
    assert_eq!(judge(0, 0, false), Tier::Invalid);
}

/// 2.6, 2.8: deposits are always open; nothing grows but at Ok.
#[test]
fn each_tier_permits_less_than_the_one_before() {
    use Action::*;
    let tiers = [
        Tier::Ok,
        Tier::Wide,
        Tier::Diverged,
        Tier::Stale,
        Tier::Invalid,
    ];
    let open = |action| tiers.iter().filter(|tier| permits(action, **tier)).count();
    assert_eq!(open(Increase), 1);
    assert_eq!(open(Deposit), 5);
    assert_eq!(open(Settle), 3);
    for action in [Reduce, Withdraw, Provide, Liquidate] {
        assert_eq!(open(action), 2);
        assert!(permits(action, Tier::Wide));
    }
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 1.3.
    #[test]
    fn a_price_is_the_exact_one_rounded_as_named(n in any_magnitude(63), expo in -12i32..=0, exp10 in -12i8..=6, shift in 0u8..=62) {
        let unit = Unit { exp10, shift };
        let power = |e: i32| if e < 0 { ratio(1, BigInt::from(10).pow(e.unsigned_abs())) } else { whole(BigInt::from(10).pow(e as u32)) };
        let exact = whole(n) * power(expo + i32::from(exp10)) * whole(BigInt::from(1) << usize::from(shift));
        let expected = |mantissa: BigInt| {
            if mantissa == BigInt::from(0) { return Err(RiskError::PriceBelowUnit); }
            u64::try_from(mantissa).ok().and_then(|m| Price::new(m, shift)).ok_or(RiskError::PriceAboveUnit)
        };
        prop_assert_eq!(to_price(n, expo, unit), expected(exact.floor().to_integer()));
        prop_assert_eq!(to_price_ceil(n, expo, unit), expected(exact.ceil().to_integer()));
    }

    /// 1.3: whatever range is accepted keeps 30 bits at its low end and 48 hold its high end.
    #[test]
    fn an_accepted_range_fits(low_e8 in any_magnitude(50), width in 1u64..2_000_000, decimals in 0u8..=12) {
        let range = ListedRange { low_e8, high_e8: low_e8.saturating_mul(width) };
        if let Ok(shift) = shift_for(range, decimals, true) {
            let unit = Unit::of_decimals(decimals, shift);
            prop_assert!(to_price(range.low_e8, -8, unit).unwrap().mantissa() >= 1 << 29);
            prop_assert!(to_price(range.high_e8, -8, unit).is_ok());
        }
    }

    /// 2.3, 2.4, 4.3: distances cover band and stable price, by less than one part in 2^39.
    #[test]
    fn distances_are_the_worse_of_band_and_stable_price(
        last in 1_000_000_000i64..100_000_000_000, next in 1_000_000_000i64..100_000_000_000, conf_share in 0u64..=200_000, dt in 1i64..400
    ) {
        let terms = PriceTerms { max_jump: Ppm(u32::MAX), ..terms() };
        let conf = u64::try_from(u128::from(next as u64) * u128::from(conf_share) / 1_000_000).unwrap();
        let start = advance(None, &sol(last, 0, NOW), None, &terms, NOW).unwrap();
        let state = advance(Some(start), &sol(next, conf, NOW + dt), None, &terms, NOW + dt).unwrap();

        let (now, stable) = (whole(state.lot.mantissa()), whole(state.stable));
        let band = (ratio(conf, next) * ratio(2_120_000, 1_000_000)).min(ratio(5, 100));
        for (got, stable) in [(state.down, (&now - &stable) / &now), (state.up, (&stable - &now) / &now)] {
            let exact = band.clone().max(stable);
            let got = ratio(got.0, Frac40::ONE.0);
            prop_assert!(got >= exact && got - exact <= ratio(2, Frac40::ONE.0));
        }
        let step = (whole(state.stable) - whole(start.stable)).abs();
        let most = whole(start.stable) * ratio(2_000 * dt.min(120), 60_000_000);
        prop_assert!(step <= most);
        let (gap, left) = (state.lot.mantissa().abs_diff(start.stable), state.lot.mantissa().abs_diff(state.stable));
        prop_assert!(left <= gap);
        prop_assert!(left == 0 || step > most - whole(1));
    }

    /// 2.3: whatever the price and the confidence, the band is exact, rounded up.
    #[test]
    fn a_band_is_the_exact_share_rounded_up(
        price in 1u64 << 20..1 << 60, part in any_magnitude(40), multiplier in any_magnitude(31), cap in any_magnitude(29)
    ) {
        let price = i64::try_from(price).unwrap();
        let conf = u64::try_from(i128::from(price) * i128::from(part) / (5 << 40)).unwrap();
        let unit = Unit { exp10: 0, shift: 8 };
        let band = BandTerms {
            conf_multiplier: Ppm(u32::try_from(multiplier).unwrap()),
            conf_cap: Ppm(u32::try_from(cap).unwrap()),
        };
        let terms = PriceTerms { lot: unit, native: unit, band, ..terms() };
        let state = advance(None, &sol(price, conf, NOW), None, &terms, NOW);
        // A price that the unit cannot hold is refused, which is another law's subject.
        if let Ok(state) = state {
            let share = (ratio(conf, price) * ratio(multiplier, 1_000_000)).min(ratio(cap, 1_000_000));
            let exact = (share * whole(Frac40::ONE.0)).ceil().to_integer();
            prop_assert_eq!(BigInt::from(state.band.0), exact);
            prop_assert_eq!((state.down, state.bound_up), (state.band, state.band));
        }
    }
}
