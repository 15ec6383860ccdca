//! The functions that margin-spec 5.8 and 6.1 need, against series in big integers.

use crate::common::*;
use crate::precise;
use keel_risk::Ppm;
use keel_risk::math::{cdf, density, exp, ln, power};
use num_bigint::BigInt;
use num_traits::{One, Signed};
use proptest::prelude::*;

/// `2^-bits`.
fn ulp(bits: u32) -> BigInt {
    BigInt::one() << (precise::BITS - bits)
}

/// Every place where a function changes its table's row, with two steps on each side.
fn seams(first: i64, last: i64, width: i64) -> impl Iterator<Item = i64> {
    (first / width..=last / width).flat_map(move |cell| (-2..=2).map(move |n| cell * width + n))
}

fn rises(values: impl Iterator<Item = i64>, f: impl Fn(i64) -> u64) {
    for x in values {
        assert!(f(x) <= f(x + 1), "at {x}: {} then {}", f(x), f(x + 1));
    }
}

fn check_ln(x: u64) {
    let error = precise::fixed(ln(x), 40) - precise::ln(&precise::fixed(x, 0));
    assert!(error < ulp(42) && error > -ulp(39), "{x}: {error}");
}

/// 31 ln 2, from where on the exponential is at its greatest, 32 fractional bits; a little less.
const SATURATED: i64 = 92_288_378_500;

fn check_exp(x: i64) {
    let exact = precise::exp(&precise::fixed(x, 32));
    let error = precise::fixed(exp(x), 32) - &exact;
    let noise = &exact >> 36;
    assert!(error <= noise && -error < ulp(32) + noise, "{x}");
}

fn check_normal(x: i64) {
    let at = precise::fixed(x, 28);
    let error = precise::fixed(density(x), 32) - precise::density(&at);
    assert!(error.abs() < ulp(32) * 11 / 10, "density of {x}: {error}");
    let error = precise::fixed(cdf(x), 32) - precise::cdf(&at);
    assert!(error.abs() < ulp(32) * 5 / 2, "cdf of {x}: {error}");
}

/// All 128 cells of the table in each of eight octaves, at their first and last places.
#[test]
fn the_logarithm_is_within_its_bound_at_every_seam() {
    assert_eq!(ln(0), 0);
    for octave in [0, 1, 7, 19, 20, 40, 47, 63] {
        let start = 1u64 << octave;
        for cell in 0..128 {
            let seam = start + ((u128::from(start) * cell) >> 7) as u64;
            for x in [seam.wrapping_sub(1).max(1), seam, seam + 1] {
                check_ln(x);
            }
        }
    }
}

/// Of all integers up to 2^21, hence at every node of Black-76, and around all seams of 41 bits,
/// which is the finest step that the function sees.
#[test]
fn the_logarithm_rises() {
    for x in 1..1u64 << 21 {
        assert!(ln(x) <= ln(x + 1), "{x}");
    }
    for cell in 0..=128u64 {
        let seam = (1 << 40) + (cell << 33);
        for x in seam - 500..seam + 500 {
            assert!(ln(x) <= ln(x + 1), "{x}");
        }
    }
}

/// Rows change every 1/64 below multiples of ln 2: all of them in the range, and all of the 2^-10
/// that the estimate of these multiples may be off.
#[test]
fn the_exponential_rises_and_is_within_its_bound_at_every_seam() {
    let end = 23i64 << 32;
    for halvings in -33..=33i128 {
        // ln 2 with 60 fractional bits.
        let multiple = (halvings * 799_144_290_325_165_979) >> 28;
        for cell in 0..=47 {
            let seam = multiple as i64 - (cell << 26);
            if seam.abs() < end {
                rises(seam - 40..seam + 40, exp);
            }
            if seam.abs() < SATURATED {
                check_exp(seam);
                check_exp(seam + 1);
            }
        }
    }
    rises(seams(-end, end, 1 << 22), exp);
    assert_eq!((exp(i64::MIN), exp(i64::MAX)), (0, u64::MAX));
    assert!(exp(SATURATED) < 1 << 63 && exp(SATURATED + 200) == u64::MAX);
}

/// The table's cells are sixteenths, those of the exponential lie elsewhere: steps of 2^-10 meet
/// both, and a stretch around zero is tried whole.
#[test]
fn the_normal_distribution_rises_and_is_within_its_bound_at_every_seam() {
    rises(seams(-8 << 28, 8 << 28, 1 << 18), cdf);
    rises(-200_000..200_000, cdf);
    rises(seams(-8 << 28, -1, 1 << 18), density);
    rises(-200_000..0, density);
    for x in seams(-8 << 28, 8 << 28, 1 << 24) {
        check_normal(x);
    }
    assert_eq!((cdf(i64::MIN), cdf(i64::MAX)), (0, 1 << 32));
    assert_eq!((density(i64::MIN), density(i64::MAX)), (0, 0));
}

proptest! {
    #![proptest_config(config(10_000))]

    #[test]
    fn the_logarithm_is_within_its_bound(x in any_magnitude(64)) {
        check_ln(x);
    }

    #[test]
    fn the_exponential_is_within_its_bound(x in -23i64 << 32..SATURATED) {
        check_exp(x);
    }

    #[test]
    fn neighbours_are_in_order(x in any::<i64>(), shift in 0u32..63, y in any::<u64>()) {
        let x = x >> shift;
        prop_assert!(ln(y) <= ln(y.saturating_add(1)));
        prop_assert!(exp(x) <= exp(x.saturating_add(1)));
        prop_assert!(cdf(x) <= cdf(x.saturating_add(1)));
        let inward = if x < 0 { x.saturating_add(1) } else { x.saturating_sub(1) };
        prop_assert!(density(x) <= density(inward));
        prop_assert!(density(x) == density(x.saturating_neg().max(-i64::MAX)) || x == i64::MIN);
        prop_assert_eq!(cdf(x) + cdf(x.saturating_neg()), 1 << 32);
    }

    /// 5.8: thirty days over one to 3,650 days, and any ratio and exponent.
    #[test]
    fn a_power_is_within_its_bound(
        n in any_magnitude(25),
        d in any_magnitude(32),
        exponent in prop_oneof![Just(300_000u32), Just(130_000), 0u32..1_200_000],
    ) {
        let ratio = precise::fixed(n, 0) / d;
        let exact = precise::exp(&(precise::ln(&ratio) * exponent / 1_000_000));
        let error = precise::fixed(power(n, d, Ppm(exponent)), 32) - &exact;
        let noise = (&exact * (2_000_000 + exponent) / 1_000_000) >> 32;
        prop_assert!(error <= noise && -error < ulp(32) + noise);
    }

    #[test]
    fn a_power_rises_with_its_ratio(
        n in any_magnitude(64),
        d in any_magnitude(64),
        exponent in any::<u32>(),
    ) {
        let at = |n, d| power(n, d, Ppm(exponent));
        prop_assert!(at(n, d) <= at(n.saturating_add(1), d));
        prop_assert!(at(n, d) >= at(n, d.saturating_add(1)));
        prop_assert_eq!(at(n, n), 1 << 32);
    }
}

proptest! {
    #![proptest_config(config(10_000))]

    #[test]
    fn the_normal_distribution_is_within_its_bound(x in -7i64 << 28..7 << 28) {
        check_normal(x);
    }
}
