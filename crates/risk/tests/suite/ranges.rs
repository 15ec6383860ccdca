//! 3.1 to 3.4, and the bounds of a listing that 5.5 rests on.

use crate::common::*;
use crate::reference::{ratio, whole};
use keel_risk::limits::{Charges, check_charges};
use keel_risk::*;
use num_rational::BigRational;
use num_traits::{One, ToPrimitive, Zero};
use proptest::prelude::*;

const NOW: i64 = 1_800_000_000;
const YEAR: u64 = 31_536_000;
const HOUR: i64 = 3_600;

const TERMS: RangeTerms = RangeTerms {
    k: Ppm(3_000_000),
    horizon_s: 3_600,
    tau_up_s: 43_200,
    tau_down_s: 864_000,
    floor: Ppm(10_000),
    cap: Ppm(300_000),
};

const START: VarianceState = VarianceState {
    variance: 1 << 39,
    price: 1 << 40,
    sampled: NOW,
};

/// 3.1: the clock's hour decides, not the time since the last sample; and only in tier Ok.
#[test]
fn a_sample_is_due_after_each_full_hour_and_beyond_the_range() {
    let full = NOW - NOW % HOUR + HOUR;
    let due = |price, time, ok| is_due(&START, price, time, Ppm(100_000), ok);
    let same = START.price;
    assert!(!due(same, full - 1, true));
    assert!(due(same, full, true));
    assert!(!due(same, full, false));
    assert!(due(same, full + 5 * HOUR, true));
    // Exactly the range is not beyond it.
    let tenth = same / 10;
    assert!(!due(same + tenth, NOW + 1, false));
    assert!(due(same + tenth + 1, NOW + 1, false));
    assert!(due(same - tenth - 1, NOW + 1, false));
}

/// 3.1, worked by hand: 1% in an hour is 0.876 a year; half a variance rises by a twelfth of the rest.
#[test]
fn a_variance_moves_by_its_share_of_the_sample() {
    let risen = sample_variance(&START, START.price + START.price / 100, NOW + HOUR, &TERMS);
    let got = risen.variance as f64 / (1u64 << 40) as f64;
    assert!((got - (0.5 + (0.876 - 0.5) / 12.0)).abs() < 1e-7, "{got}");
    let calm = sample_variance(&START, START.price, NOW + HOUR, &TERMS);
    assert_eq!(calm.variance, START.variance - START.variance / 240);
    // A whole memory later nothing of the past is left.
    let late = sample_variance(&START, START.price, NOW + 864_000, &TERMS);
    assert_eq!(late.variance, 0);
    assert_eq!(sample_variance(&START, 1, NOW, &TERMS), START);
    assert_eq!(sample_variance(&START, 1, i64::MIN, &TERMS), START);
}

/// 3.2: three deviations of an hour, between floor and cap.
#[test]
fn the_target_is_k_deviations_of_the_horizon() {
    // 0.5477 a year squared is 0.3: an hour's deviation is 0.585%.
    let target = target_range((3u64 << 40) / 10, &TERMS);
    assert_eq!(target, Ppm(17_557));
    assert_eq!(target_range(0, &TERMS), TERMS.floor);
    assert_eq!(target_range(u64::MAX, &TERMS), TERMS.cap);
}

/// 3.2: new risk pays at once.
#[test]
fn init_factor_covers_the_way_to_the_target() {
    let effective = |target, range, interest| {
        init_factor_effective(Ppm(1_500_000), Ppm(target), Ppm(range), Ppm(interest)).0
    };
    assert_eq!(effective(100_000, 100_000, 1_000_000), 1_500_000);
    assert_eq!(effective(50_000, 100_000, 1_000_000), 1_500_000);
    assert_eq!(effective(150_000, 100_000, 1_000_000), 2_250_000);
    assert_eq!(effective(100_001, 100_000, 1_000_000), 1_500_015);
    assert_eq!(effective(150_000, 100_000, 1_100_000), 2_475_000);
    assert_eq!(effective(150_000, 0, 1_000_000), 1_500_000);
    let huge = init_factor_effective(Ppm(u32::MAX), Ppm(u32::MAX), Ppm(1), Ppm(u32::MAX));
    assert_eq!(huge, Ppm(u32::MAX));
}

/// 3.4.
#[test]
fn open_interest_beyond_its_soft_cap_scales_initial() {
    let factor = |held, cap| open_interest_factor(Atoms(held), Atoms(cap), Ppm(500_000)).0;
    assert_eq!(factor(1_000, 1_000), 1_000_000);
    assert_eq!(factor(2_000, 1_000), 1_500_000);
    assert_eq!(factor(1_001, 1_000), 1_000_500);
    assert_eq!(factor(1_000_001, 1_000_000), 1_000_001);
    assert_eq!(factor(i64::MAX, 0), 1_000_000);
    assert_eq!(factor(i64::MAX, -5), 1_000_000);
    assert_eq!(factor(-5, 1_000), 1_000_000);
    assert_eq!(factor(i64::MAX, 1), u32::MAX);
}

/// 3.2: an hour in one step, in a thousand, and after a day's silence.
#[test]
fn a_range_rises_a_tenth_an_hour_and_falls_a_twentieth() {
    let start = RangeState::new(Ppm(100_000), 0);
    let after = |target, steps: i64, each| {
        let moved = (0..steps).fold(start, |range, _| range.moved(Ppm(target), each));
        moved.parts().0.0
    };
    assert_eq!(after(300_000, 1, HOUR), 109_531);
    assert_eq!(after(300_000, 3_600, 1), 110_000);
    assert_eq!(after(10_000, 1, HOUR), 95_000);
    assert_eq!(after(10_000, 3_600, 1), 95_123);
    assert_eq!(after(300_000, 1, 24 * HOUR), after(300_000, 1, HOUR));
    assert_eq!(after(100_500, 1, HOUR), 100_500);
    assert_eq!(after(99_500, 1, HOUR), 99_500);
    assert_eq!(after(300_000, 1, -5), 100_000);
}

/// 5.5: what a listing may charge at most.
#[test]
fn a_listing_whose_charges_are_too_steep_is_refused() {
    let check = |range, cap, basis| {
        let charges = Charges {
            range: Ppm(range),
            concentration_cap: Ppm(cap),
            basis_rate: Ppm(basis),
        };
        check_charges(&charges, &extremes(&SPAN_16))
    };
    let steep = |slope| Err(RiskError::ChargesTooSteep { slope: Ppm(slope) });
    assert_eq!(check(330_000, 1_000_000, 10_000), Ok(()));
    assert_eq!(check(330_001, 1_000_000, 10_000), steep(1_000_003));
    assert_eq!(check(1_000_000, 0, 0), Ok(()));
    assert_eq!(check(1_000_000, 0, 1), steep(1_000_001));
    assert_eq!(check(300_000, 3_000_000, 10_000), steep(2_110_000));
    assert!(check(u32::MAX, u32::MAX, u32::MAX).is_err());
    // Two ranges covered whole weigh twice.
    let wide = [Scenario {
        k_num: -2,
        k_den: 1,
        v: 0,
        w: Ppm::ONE,
    }];
    let charges = Charges {
        range: Ppm(500_001),
        concentration_cap: Ppm(0),
        basis_rate: Ppm(0),
    };
    assert_eq!(check_charges(&charges, &extremes(&wide)), steep(1_000_002));
}

/// 5.5, the hole that the condition closes: a deposit of the size of its depth, weighed 1 in
/// Maintenance and 0.99 in Initial. With a range of 40% and a multiplier of up to 2 the charge falls
/// by more than the equity, and Initial would be the laxer of the two.
#[test]
fn beyond_the_line_initial_would_be_laxer() {
    let healths = |range| {
        let mut book = empty_book();
        let terms = AssetTerms {
            range: Ppm(range),
            init_factor: Ppm::ONE,
            concentration_cap: Ppm::ONE,
            depth: Atoms(1_000_000_000_000),
            basis_rate: Ppm(0),
            ..plain_asset()
        };
        let token = book.list(terms, [1_000_000, 990_000, 1_000_000, 1_000_000], 0);
        let holder = TestAccount::default().with_balance(token, 1_000_000_000_000);
        let found = assess(&book, &holder);
        let charges = Charges {
            range: terms.range,
            concentration_cap: terms.concentration_cap,
            basis_rate: terms.basis_rate,
        };
        let accepted = check_charges(&charges, &book.group.extremes).is_ok();
        let healths = [found.maintenance, found.initial].map(|found| found.health().0);
        (accepted, healths)
    };
    assert_eq!(
        healths(400_000),
        (false, [200_000_000_000, 201_959_999_999])
    );
    let (accepted, [maintenance, initial]) = healths(333_333);
    assert!(
        accepted && initial <= maintenance,
        "{initial} {maintenance}"
    );
}

/// 3.1, exactly; `None` where the engine saturates.
fn exact_variance(
    state: &VarianceState,
    price: u64,
    dt: i64,
    terms: &RangeTerms,
) -> Option<BigRational> {
    let r = ratio(price.abs_diff(state.price), state.price);
    if r >= whole(4) {
        return None;
    }
    let sample = &r * &r * ratio(YEAR, dt);
    let before = ratio(state.variance, 1u64 << 40);
    let tau = if sample > before {
        terms.tau_up_s
    } else {
        terms.tau_down_s
    };
    let share = ratio(dt, tau).min(BigRational::one());
    Some(&before + (sample - &before) * share)
}

fn any_terms() -> impl Strategy<Value = RangeTerms> {
    (
        1_000_000u32..=10_000_000,
        60u32..=86_400,
        3_600u32..=864_000,
        1u32..=30,
    )
        .prop_map(|(k, horizon_s, tau_up_s, longer)| RangeTerms {
            k: Ppm(k),
            horizon_s,
            tau_up_s,
            tau_down_s: tau_up_s.saturating_mul(longer),
            floor: Ppm(1),
            cap: Ppm(1_000_000),
        })
}

/// An asset that obeys the listing's condition: half of them exactly at its line, and half with
/// nothing else that would lower Initial, so that the condition alone has to carry the promise.
fn any_listed() -> impl Strategy<Value = AssetTerms> {
    let wild = Shape {
        range: (1_000, 1_000_000),
        concentration_cap: 10_000_000,
        ..WILD
    };
    (any_asset(wild), any::<bool>(), any::<bool>()).prop_map(|(mut terms, at_line, bare)| {
        let steepest = 1_000_000 + 2 * u64::from(terms.concentration_cap.0);
        let left = u64::from(1_000_000 - terms.basis_rate.0);
        let most = u32::try_from(left * 1_000_000 / steepest).expect("a ratio");
        terms.range = if at_line {
            Ppm(most)
        } else {
            terms.range.min(Ppm(most))
        };
        if bare {
            (terms.down, terms.up, terms.init_factor) = (Frac40(0), Frac40(0), Ppm::ONE);
        }
        terms
    })
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 3.1: the variance is the exact one, never below it, by less than the return's last place.
    #[test]
    fn a_variance_is_the_exact_one(
        variance in any_magnitude(46), price in 1u64 << 29..1 << 47, moved in -900_000i64..3_000_000, dt in 1i64..4_000_000, terms in any_terms()
    ) {
        let state = VarianceState { variance, price, sampled: NOW };
        let next = u64::try_from(i128::from(price) * i128::from(1_000_000 + moved / 10) / 1_000_000).unwrap();
        let got = sample_variance(&state, next, NOW + dt, &terms);
        prop_assert_eq!((got.price, got.sampled), (next, NOW + dt));
        if let Some(exact) = exact_variance(&state, next, dt, &terms) {
            let found = ratio(got.variance, 1u64 << 40);
            // (r + 2^-30)^2 - r^2 <= 2^-28.9 r + 2^-60, times year over the time that counts.
            let r = ratio(next.abs_diff(price), price);
            let slack = (r * ratio(1, 1 << 28) + ratio(1, 1u64 << 59)) * ratio(YEAR, dt.min(3_600)) + ratio(2, 1u64 << 40);
            prop_assert!(found >= exact, "{} < {}", found, exact);
            prop_assert!(found.clone() - &exact <= slack, "{} > {}", found, exact);
        }
    }

    /// 3.2: the least whole ppm whose square is not below the exact one.
    #[test]
    fn a_target_is_the_exact_root_rounded_up(variance in any_magnitude(50), terms in any_terms()) {
        let got = target_range(variance, &terms).0;
        let k = ratio(terms.k.0, 1_000_000);
        let square = &k * &k * ratio(variance, 1u64 << 40) * ratio(terms.horizon_s, YEAR);
        let at = |ppm: u32| ratio(ppm, 1_000_000) * ratio(ppm, 1_000_000);
        prop_assert!(got == 1_000_000 || at(got) >= square);
        prop_assert!(got == 1 || at(got - 1) < square);
    }

    /// 3.2: a listing begins with the variance that asks for its range.
    #[test]
    fn a_listing_begins_at_its_own_range(range in 1_000u32..=1_000_000, terms in any_terms()) {
        let variance = initial_variance(Ppm(range), &terms);
        prop_assert_eq!(target_range(variance, &terms), Ppm(range));
    }

    /// 3.2: whatever the targets, the order and the splitting of updates, over any time up to an hour
    /// a range rises by at most 10% and falls by at most 5% of itself per hour, pro rata.
    #[test]
    fn ranges_never_move_faster_than_allowed(
        first in 1_000u32..=1_000_000, steps in prop::collection::vec((1_000u32..=1_000_000, prop_oneof![3 => 0i64..60, 1 => 0i64..20_000]), 1..40)
    ) {
        let mut times = vec![(0i64, RangeState::new(Ppm(first), 0))];
        for (target, dt) in &steps {
            let (time, range) = *times.last().expect("a range");
            let moved = range.moved(Ppm(*target), *dt);
            let (whole, short) = moved.parts();
            prop_assert_eq!(RangeState::new(whole, short), moved);
            prop_assert!(short < 1 << RANGE_FRACTION_BITS);
            // Towards its target, and never past it.
            let target = RangeState::new(Ppm(*target), 0);
            let (low, high) = (range.min(target), range.max(target));
            prop_assert!(low <= moved && moved <= high);
            times.push((time + dt, moved));
        }
        let fine = |range: RangeState| {
            let (whole, short) = range.parts();
            (i128::from(whole.0) << RANGE_FRACTION_BITS) - i128::from(short)
        };
        for (index, (from, before)) in times.iter().enumerate() {
            for (to, after) in &times[index..] {
                let seconds = i128::from(to - from);
                if seconds > i128::from(HOUR) {
                    break;
                }
                // after <= before * (1 + t / 10), after >= before * (1 - t / 20), t in hours.
                let (before, after) = (fine(*before), fine(*after));
                prop_assert!(after * 36_000 <= before * (36_000 + seconds));
                prop_assert!(after * 72_000 >= before * (72_000 - seconds));
            }
        }
    }

    /// 3.4: never below its parts, exact to the last place.
    #[test]
    fn the_effective_factor_is_the_exact_product(
        factor in 1_000_000u32..=10_000_000, target in 1u32..=1_000_000, range in 1u32..=1_000_000, held in 0i64..1 << 50, cap in 1i64..1 << 50, slope in 0u32..=10_000_000
    ) {
        let interest = open_interest_factor(Atoms(held), Atoms(cap), Ppm(slope));
        let exact = BigRational::one() + ratio(slope, 1_000_000) * (ratio(held, cap) - BigRational::one()).max(BigRational::zero());
        let got = ratio(interest.0, 1_000_000);
        prop_assert!(interest.0 == u32::MAX || (got >= exact && got - &exact < ratio(1, 1_000_000)));
        let effective = init_factor_effective(Ppm(factor), Ppm(target), Ppm(range), interest);
        let exact = ratio(factor, 1_000_000) * ratio(target, range).max(BigRational::one()) * ratio(interest.0, 1_000_000);
        let got = ratio(effective.0, 1_000_000);
        prop_assert!(effective.0 == u32::MAX || got >= exact);
        let apart = (got - exact).to_f64().unwrap_or(f64::MAX);
        prop_assert!(apart < 2e-6 * f64::from(interest.0) / 1e6 + 1e-6);
    }

    /// 5.5: with charges that a listing accepts, Initial health never exceeds Maintenance health,
    /// however large a position against its depth and however the weights lie; but for an atom per
    /// step of rounding.
    #[test]
    fn accepted_charges_keep_initial_below_maintenance(
        (book, values) in (prop::collection::vec((any_listed(), any_weights()), 1..=4), 0..=500_000u32).prop_flat_map(|(listed, gross)| {
            let mut book = empty_book();
            book.group.gross_min = Ppm(gross);
            (book.group.upnl_cap, book.group.upnl_weight) = (Atoms(i64::MAX), Ppm::ONE);
            let assets = listed.len();
            for (terms, weights) in listed {
                let charges = Charges { range: terms.range, concentration_cap: terms.concentration_cap, basis_rate: terms.basis_rate };
                assert!(check_charges(&charges, &book.group.extremes).is_ok());
                book.list(terms, weights, 2);
            }
            (Just(book), any_values(assets, 44))
        })
    ) {
        let found = assess(&book, &account(&book, &values));
        let rounding = 4 * book.assets.len() as i64;
        prop_assert!(found.initial.health().0 <= found.maintenance.health().0 + rounding);
    }
}
