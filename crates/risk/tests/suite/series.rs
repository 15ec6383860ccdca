//! 5.8: an option between refreshes, against exact rationals and exact payoffs.

use crate::common::*;
use crate::reference::{ratio, whole};
use keel_risk::*;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};
use proptest::prelude::*;

const ONE_LOT: i32 = 1 << 30;

fn kinds() -> impl Strategy<Value = InstrumentKind> {
    prop_oneof![Just(InstrumentKind::Call), Just(InstrumentKind::Put)]
}

/// Mantissas from coarse to the greatest.
fn mantissas() -> impl Strategy<Value = u64> {
    (1u64..1 << 48, 0u32..40).prop_map(|(mantissa, down)| (mantissa >> down).max(1))
}

/// A forward near `base`, rarely far away.
fn near(base: u64) -> impl Strategy<Value = u64> {
    let reach = (base / 8).max(1);
    let low = base.saturating_sub(reach).max(1);
    prop_oneof![
        8 => low..=base.saturating_add(reach).min((1 << 48) - 1),
        1 => mantissas(),
        1 => Just(base),
    ]
}

fn series() -> impl Strategy<Value = Series> {
    let gamma = prop_oneof![0i64..1 << 30, 0i64..1 << 38, Just(0)];
    (
        kinds(),
        mantissas(),
        0u64..1 << 20,
        0i32..=ONE_LOT,
        gamma,
        0u64..=1_000_000,
    )
        .prop_flat_map(|(kind, forward, share, delta, gamma, worth)| {
            near(forward).prop_map(move |strike| {
                let call = kind == InstrumentKind::Call;
                let low = intrinsic(kind, strike, forward);
                let high = if call { forward } else { strike };
                let mark = low + ((high - low) as u128 * u128::from(worth) / 1_000_000) as u64;
                Series {
                    instrument: 3,
                    kind,
                    shift: (share % 40) as u8,
                    strike,
                    expiry: 2_000_000,
                    mark,
                    delta: Delta30(if call { delta } else { delta - ONE_LOT }),
                    gamma,
                    made: Made {
                        forward,
                        range: Ppm(80_000),
                        sigma: Ppm(600_000),
                        at: 1_000_000,
                    },
                    sigma: Ppm(600_000),
                    settlement: None,
                }
            })
        })
}

fn moment(forward: u64) -> Moment {
    Moment {
        forward,
        range: Ppm(80_000),
        peak: Ppm(1_000_000),
        max_vol_step: Ppm(10_000),
        now: 1_000_000,
    }
}

/// A call struck at the money, fresh at `moment(1 << 40)`.
fn sample() -> Series {
    Series {
        instrument: 3,
        kind: InstrumentKind::Call,
        shift: 16,
        strike: 1 << 40,
        expiry: 2_000_000,
        mark: 1 << 36,
        delta: Delta30(ONE_LOT / 2),
        gamma: 1 << 26,
        made: Made {
            forward: 1 << 40,
            range: Ppm(80_000),
            sigma: Ppm(600_000),
            at: 1_000_000,
        },
        sigma: Ppm(600_000),
        settlement: None,
    }
}

/// The mark by the integral of the delta, which moves along a line and stops at its ends.
fn exact_mark(series: &Series, forward: u64) -> BigRational {
    let one = BigRational::one();
    let call = series.kind == InstrumentKind::Call;
    let end = |up: bool| match (call, up) {
        (true, true) => one.clone(),
        (false, false) => -one.clone(),
        _ => BigRational::zero(),
    };
    let up = forward > series.made.forward;
    let sign = if up { one.clone() } else { -one.clone() };
    let step = whole(forward.abs_diff(series.made.forward));
    let reference = whole(series.made.forward);
    let delta = ratio(series.delta.0, 1 << 30);
    let slope = ratio(BigInt::from(series.gamma) * 100, 1 << 30);
    let room = (end(up) - &delta).abs();
    let moved = (&step / &reference).min(one.clone()) * &slope;
    let gained = if moved <= room {
        &step * (&delta * &sign + moved / whole(2))
    } else {
        let bend = &reference * &room / slope;
        &bend * (&delta * &sign + room / whole(2)) + (&step - &bend) * end(up) * &sign
    };
    let low = whole(intrinsic(series.kind, series.strike, forward));
    let high = whole(if call { forward } else { series.strike });
    (whole(series.mark) + gained).min(high).max(low)
}

/// What the documentation allows between the mark and the exact expansion.
fn slack(series: &Series) -> BigRational {
    whole(2) + ratio(series.made.forward, 1 << 30)
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 5.8: the mark moves by delta and gamma.
    #[test]
    fn a_mark_follows_the_expansion((series, forward) in series().prop_flat_map(|s| (Just(s), near(s.made.forward)))) {
        let (mark, _) = series.moved(forward);
        let off = whole(mark) - exact_mark(&series, forward);
        prop_assert!(off.abs() <= slack(&series), "off by {off}");
    }

    /// 5.8: clamped to [intrinsic, F] for calls, [intrinsic, K] for puts, whatever is stored.
    #[test]
    fn a_mark_stays_within_its_bounds(mut series in series(), mark in any::<u64>(), delta in any::<i32>(), gamma in any::<i64>(), forward in mantissas()) {
        series.mark = mark;
        series.delta = Delta30(delta);
        series.gamma = gamma;
        let (moved, delta) = series.moved(forward);
        let high = if series.kind == InstrumentKind::Call { forward } else { series.strike };
        prop_assert!(moved >= intrinsic(series.kind, series.strike, forward) && moved <= high);
        if forward != series.made.forward {
            let low = if series.kind == InstrumentKind::Call { 0 } else { -ONE_LOT };
            prop_assert!(delta.0 >= low && delta.0 <= low + ONE_LOT);
        }
        let now = series.at(&moment(forward));
        prop_assert_eq!(now.mark.mantissa(), moved.max(1));
    }

    /// 5.8: a call never falls and a put never rises with the forward, and neither by more than it.
    #[test]
    fn a_mark_is_monotone_in_the_forward((series, a, b) in series().prop_flat_map(|s| (Just(s), near(s.made.forward), near(s.made.forward)))) {
        let (low, high) = (a.min(b), a.max(b));
        let rise = whole(series.moved(high).0) - whole(series.moved(low).0);
        let rise = if series.kind == InstrumentKind::Call { rise } else { -rise };
        let slack = slack(&series) * whole(2);
        prop_assert!(rise >= -slack.clone());
        prop_assert!(rise <= whole(high - low) + slack);
    }

    /// 6.2: the delta now is the slope of the mark, so it rises with the forward.
    #[test]
    fn a_delta_rises_with_the_forward((series, a, b) in series().prop_flat_map(|s| (Just(s), near(s.made.forward), near(s.made.forward)))) {
        prop_assert!(series.moved(a.min(b)).1 <= series.moved(a.max(b)).1);
    }

    /// 5.8: no option, moved mark and array together, is wrong by more than the surcharge. The option
    /// is any mixture of calls: monotone, and moving by at most the forward.
    #[test]
    fn the_surcharge_covers_what_a_stale_array_cannot_see(
        mixture in prop::collection::vec((1u64..2_000_000, 0u64..=100), 1..5),
        reference in 100_000u64..1_000_000,
        off in -250_000i64..250_000,
        range in 0u32..=500_000,
        which in 0usize..16,
        moved in 0u64..=1_000_000,
    ) {
        let forward = (reference as i64 + off * reference as i64 / 1_000_000) as u64;
        let weights: u64 = mixture.iter().map(|(_, weight)| weight).sum();
        let value = |at: &BigRational| {
            let payoff = |(strike, weight): &(u64, u64)| (at - whole(*strike)).max(BigRational::zero()) * whole(*weight);
            mixture.iter().map(payoff).fold(BigRational::zero(), |sum, part| sum + part) / whole(weights.max(1))
        };
        let scenario = SPAN_16[which];
        let (w, shock) = (ratio(scenario.w.0, 1_000_000), ratio(i64::from(scenario.k_num) * i64::from(range), i64::from(scenario.k_den) * 1_000_000));
        let shock = shock.max(-BigRational::one());
        let gain = |at: &BigRational| &w * (value(&(at * (BigRational::one() + &shock))) - value(at));
        let (then, now) = (whole(reference), whole(forward));

        // The mark has moved some part of the way from the old value by the forward's move.
        let reach = (&now - &then) * ratio(moved, 1_000_000);
        let seen = value(&then) + reach + gain(&then);
        let real = value(&now) + gain(&now);
        let series = Series { shift: 0, made: Made { forward: reference, range: Ppm(range), ..sample().made }, ..sample() };
        let surcharge = series.surcharge_ceil(&Moment { range: Ppm(range), ..moment(forward) });
        prop_assert!(whole(surcharge.0) >= (seen - real).abs(), "{surcharge:?}");
    }

    /// 5.8: the surcharge is its formula, ceil.
    #[test]
    fn a_surcharge_is_its_formula_rounded_up((series, forward) in series().prop_flat_map(|s| (Just(s), near(s.made.forward))), range in 0u32..=1_000_000, peak in 0u32..=3_000_000) {
        let surcharge = series.surcharge_ceil(&Moment { range: Ppm(range), peak: Ppm(peak), ..moment(forward) }).0;
        let range = range.max(series.made.range.0);
        let rate = whole(2) + ratio(BigInt::from(peak) * range, BigInt::from(1_000_000_000_000u64));
        let step = ratio(forward.abs_diff(series.made.forward), BigInt::from(1) << usize::from(series.shift));
        let exact = &step * rate;
        prop_assert!(whole(surcharge) >= exact);
        // The rate is rounded up to a ppm, the mantissa to a unit, the atoms to one.
        prop_assert!(whole(surcharge) <= exact + step * ratio(1, 1_000_000) + whole(3));
    }

    /// 5.8: an array is stale beyond min(range/8, sigma sqrt(T) / 4), compared by exact squares.
    #[test]
    fn staleness_by_price_is_exact_but_for_the_last_bits(
        forward in 1u64 << 20..1 << 48,
        off in 0u64..80_000,
        range in 0u32..=1_000_000,
        sigma in 1_000u32..8_000_000,
        left_s in 0i64..60_000_000,
        side in any::<bool>(),
    ) {
        let step = (u128::from(forward) * u128::from(off) / 1_000_000) as u64;
        let now = if side { forward.saturating_add(step).min((1 << 48) - 1) } else { forward - step };
        let step = whole(now.abs_diff(forward));
        let made = Made { forward, range: Ppm(range), sigma: Ppm(sigma), at: 0 };
        let series = Series { made, sigma: Ppm(sigma), expiry: left_s, ..sample() };
        let here = Moment { forward: now, range: Ppm(range), now: 0, ..moment(now) };

        let by_range = &step * whole(8_000_000) > whole(forward) * whole(range);
        let squared = |step: &BigRational| step * step * whole(16) * whole(31_536_000u64) * whole(1_000_000_000_000u64);
        let bound = whole(forward) * whole(forward) * whole(sigma) * whole(sigma) * whole(left_s);
        let nearly = &step + ratio(forward, 1u64 << 31);
        if by_range || squared(&step) > bound {
            prop_assert!(series.is_stale(&here));
        } else if squared(&nearly) < bound * ratio(999_999, 1_000_000) {
            prop_assert!(!series.is_stale(&here));
        }
    }
}

/// 5.8: at the array's own forward everything is as it was made.
#[test]
fn at_its_own_forward_a_series_stands_as_it_was_made() {
    let now = sample().at(&moment(1 << 40));
    assert_eq!(now.mark, price(1 << 36, 16));
    assert_eq!((now.delta, now.surcharge), (Delta30(ONE_LOT / 2), Atoms(0)));
}

/// 5.8.
#[test]
fn a_fresh_array_pays_no_surcharge_and_a_stale_one_does() {
    let series = sample();
    // range / 8 is 1%; sigma sqrt(T) / 4 is 0.6 * sqrt(1e6 / 31,536,000) / 4 = 2.7%.
    let edge = (1u64 << 40) + (1 << 40) / 100;
    assert_eq!(series.at(&moment(edge)).surcharge, Atoms(0));
    let beyond = series.at(&moment(edge + 1)).surcharge;
    // 1% of 2^24 atoms, times 2.08.
    assert_eq!(beyond, Atoms(348_967));
}

/// 5.8: each of the four causes.
#[test]
fn an_array_goes_stale_by_price_range_volatility_and_age() {
    let (series, here) = (sample(), moment(1 << 40));
    assert!(!series.is_stale(&here));
    let range = |range| Moment {
        range: Ppm(range),
        ..here
    };
    assert!(!series.is_stale(&range(88_000)) && !series.is_stale(&range(72_000)));
    assert!(series.is_stale(&range(88_001)) && series.is_stale(&range(71_999)));
    let sigma = |sigma| Series {
        sigma: Ppm(sigma),
        ..series
    };
    assert!(!sigma(610_000).is_stale(&here) && sigma(610_001).is_stale(&here));
    let later = |seconds: i64| Moment {
        now: 1_000_000 + seconds,
        ..here
    };
    assert!(!series.is_stale(&later(900)) && series.is_stale(&later(901)));
    // Sixteen minutes before the expiry an array lives one minute.
    let last = Series {
        expiry: 1_000_060 + 960,
        ..series
    };
    assert!(!last.is_stale(&later(60)) && last.is_stale(&later(61)));
    assert!(
        Series {
            made: Made::default(),
            ..series
        }
        .is_stale(&here)
    );
}

/// 5.8: an account judged for liquidation, in a calm market an hour before expiry.
#[test]
fn a_liquidation_needs_every_own_series_fresh() {
    let (fresh, here) = (sample(), moment(1 << 40));
    let stale = Series {
        instrument: 9,
        made: Made {
            forward: 1 << 39,
            ..fresh.made
        },
        ..fresh
    };
    assert_eq!(check_all_fresh([(fresh, here); 16]), Ok(()));
    let refusal = RiskError::SeriesStale {
        instrument: 9,
        off: Ppm(1_000_000),
        age_s: 0,
    };
    assert_eq!(
        check_all_fresh([(fresh, here), (stale, here)]),
        Err(refusal)
    );
    let settled = Series {
        settlement: Some(1 << 40),
        ..stale
    };
    let future = Series {
        kind: InstrumentKind::Future,
        ..stale
    };
    assert_eq!(check_all_fresh([(settled, here), (future, here)]), Ok(()));
}

/// 5.8: a surcharge carries other accounts to range/2 and 15 minutes, no farther.
#[test]
fn a_fast_market_does_not_freeze_others_within_half_a_range() {
    let series = sample();
    let half = (1u64 << 40) - (1 << 40) * 4 / 100;
    assert!(series.is_stale(&moment(half)));
    assert_eq!(series.check_usable(&moment(half)), Ok(()));
    let refusal = RiskError::SeriesStale {
        instrument: 3,
        off: Ppm(40_001),
        age_s: 0,
    };
    assert_eq!(series.check_usable(&moment(half - (1 << 19))), Err(refusal));
    let old = Moment {
        now: 1_000_901,
        ..moment(1 << 40)
    };
    let refusal = RiskError::SeriesStale {
        instrument: 3,
        off: Ppm(0),
        age_s: 901,
    };
    assert_eq!(series.check_usable(&old), Err(refusal));
    let never = Series {
        made: Made::default(),
        ..series
    };
    assert!(never.check_usable(&moment(1 << 40)).is_err());
}

/// 5.8: an option is traded only at an array made at the stored price.
#[test]
fn a_fill_of_an_option_needs_an_array_made_at_the_stored_price() {
    let series = sample();
    assert_eq!(series.check_fill(&moment(1 << 40)), Ok(()));
    let refusal = RiskError::SeriesStale {
        instrument: 3,
        off: Ppm(1),
        age_s: 0,
    };
    assert_eq!(series.check_fill(&moment((1 << 40) + 1)), Err(refusal));
    let old_volatility = Series {
        sigma: Ppm(700_000),
        ..series
    };
    assert!(old_volatility.check_fill(&moment(1 << 40)).is_err());
    let future = Series {
        kind: InstrumentKind::Future,
        ..series
    };
    assert_eq!(future.check_fill(&moment((1 << 40) + 1)), Ok(()));
}

/// 5.8: a dated future is the case of delta one and no array.
#[test]
fn a_futures_mark_moves_one_for_one() {
    let future = Series {
        kind: InstrumentKind::Future,
        mark: (1 << 40) + 5_000,
        ..sample()
    };
    for forward in [1u64 << 30, (1 << 40) - 7, 1 << 40, (1 << 41) + 3] {
        let now = future.at(&moment(forward));
        assert_eq!(now.mark.mantissa(), forward + 5_000);
        assert_eq!((now.delta, now.surcharge), (Delta30::ONE, Atoms(0)));
    }
    let discount = Series { mark: 10, ..future };
    assert_eq!(discount.at(&moment(1 << 39)).mark.mantissa(), 1);
}

/// 6.4: valued at its settlement until settled, whatever the price does.
#[test]
fn an_expired_series_stands_at_its_settlement() {
    let settled = |kind, settlement| {
        let series = Series {
            kind,
            settlement: Some(settlement),
            ..sample()
        };
        series.at(&Moment {
            now: 9_000_000,
            ..moment(1 << 42)
        })
    };
    let strike = sample().strike;
    let (call, put) = (InstrumentKind::Call, InstrumentKind::Put);
    assert_eq!(settled(call, strike + 500).mark.mantissa(), 500);
    assert_eq!(settled(put, strike - 500).mark.mantissa(), 500);
    assert_eq!(settled(put, strike + 500).mark.mantissa(), 1);
    assert_eq!(
        settled(InstrumentKind::Future, strike + 9).mark.mantissa(),
        strike + 9
    );
    let now = settled(call, strike + 500);
    assert_eq!((now.delta, now.surcharge), (Delta30(0), Atoms(0)));
}
