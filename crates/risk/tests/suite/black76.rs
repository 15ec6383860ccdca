//! 6.1, 6.2: options against series in big integers, vectors, and the laws of their values.

use crate::common::*;
use crate::precise;
use keel_risk::Ppm;
use keel_risk::black76::*;
use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive};
use proptest::prelude::*;
use serde_json::Value;
use std::path::PathBuf;

const SIDES: [OptionSide; 2] = [OptionSide::Call, OptionSide::Put];
const SIZE_END: u64 = 1 << 48;

fn contract(side: OptionSide, forward: u64, strike: u64, sigma: u32, time_s: u32) -> Contract {
    Contract {
        side,
        forward,
        strike,
        sigma: Ppm(sigma),
        time_s,
    }
}

/// Forward and strike of all sizes: within a factor of 20, near each other, or a few units apart.
fn any_pair() -> impl Strategy<Value = (u64, u64)> {
    let apart = (any_magnitude(48), 1_000_000u64..=20_000_000).prop_map(|(n, ratio)| {
        let other = u128::from(n) * 1_000_000 / u128::from(ratio);
        (n, (other as u64).max(1))
    });
    let near = (any_magnitude(48), any_magnitude(44)).prop_map(|(n, step)| (n, below(n, step)));
    let close = (any_magnitude(48), 0..4u64).prop_map(|(n, step)| (n, below(n, step)));
    let pairs = prop_oneof![3 => apart, 3 => near, 1 => close];
    (pairs, any::<bool>()).prop_map(|((a, b), swap)| if swap { (b, a) } else { (a, b) })
}

fn below(n: u64, step: u64) -> u64 {
    n.saturating_sub(step).max(1)
}

/// Volatility and time of all sizes, or such that sigma sqrt T is ordinary, or near 5.
fn any_terms() -> impl Strategy<Value = (u32, u32)> {
    let any = (any_magnitude(32), any_magnitude(32)).prop_map(|(s, t)| (s as u32, t as u32));
    let ordinary = (10_000u32..5_000_000, 1u32..315_360_000);
    let wide = (4_500_000u32..5_100_000, 31_000_000u32..32_000_000);
    // Around the changes of grid and formula, sigma sqrt T 1 and 1/8, in a tenth of a year.
    let seam = (
        prop_oneof![3_162_270u32..3_162_285, 395_280u32..395_290],
        Just(3_153_600u32),
    );
    prop_oneof![2 => any, 4 => ordinary, 1 => wide, 1 => seam]
}

/// sigma sqrt T is in [1e-4, 5] and sigma has at most 24 bits.
fn certified((sigma, time_s): &(u32, u32)) -> bool {
    // sigma^2 T, in units of 1e-12 / 31,536,000.
    let variance = u128::from(*sigma).pow(2) * u128::from(*time_s);
    let year = 31_536_000u128 * 1_000_000_000_000;
    *sigma < 1 << 24 && variance * 100_000_000 >= year && variance <= 25 * year
}

/// Volatility and time with sigma sqrt T from 1e-4 to 5, all magnitudes alike.
fn certified_terms() -> impl Strategy<Value = (u32, u32)> {
    (any_magnitude(32), 0f64..1.0).prop_map(|(time_s, place)| {
        let root = (time_s as f64 / 31_536_000.0).sqrt();
        let (least, most) = ((100.0 / root).ceil(), (5e6 / root).floor());
        let most = most.min(16_777_215.0);
        ((least * (most / least).powf(place)) as u32, time_s as u32)
    })
}

/// Forward and strike within a factor of 20.
fn certified_pair() -> impl Strategy<Value = (u64, u64)> {
    any_pair().prop_map(|(f, k)| (f.max(k.div_ceil(20)), k.max(f.div_ceil(20))))
}

fn values(forward: u64, strike: u64, sigma: u32, time_s: u32) -> [i64; 2] {
    SIDES.map(|side| value(&contract(side, forward, strike, sigma, time_s)) as i64)
}

proptest! {
    #![proptest_config(config(20_000))]

    /// 6.1. Call and put of one strike: parity, exactly, and the bounds of no arbitrage.
    #[test]
    fn parity_is_exact_and_values_are_within_bounds(
        (f, k) in any_pair(),
        (sigma, t) in any_terms(),
    ) {
        let [call, put] = values(f, k, sigma, t);
        let (f, k) = (f as i64, k as i64);
        prop_assert_eq!(call - put, f - k);
        prop_assert!((0.max(f - k)..=f).contains(&call));
        prop_assert!((0.max(k - f)..=k).contains(&put));
    }

    /// 6.1. A put on (F, K) is a call on (K, F).
    #[test]
    fn a_put_is_a_call_seen_from_the_strike((f, k) in any_pair(), (sigma, t) in any_terms()) {
        let [call, put] = values(f, k, sigma, t);
        prop_assert_eq!([put, call], values(k, f, sigma, t));
    }

    /// 6.1. One unit of forward or strike, one ppm of volatility: never the wrong way, and no unit
    /// moves a value by more than itself.
    #[test]
    fn neighbours_are_in_order((f, k) in any_pair(), (sigma, t) in any_terms()) {
        let [call, put] = values(f, k, sigma, t);
        let [more_call, less_put] = values(f + 1, k, sigma, t);
        prop_assert!((0..=1).contains(&(more_call - call)), "F: {} {}", call, more_call);
        prop_assert!((0..=1).contains(&(put - less_put)), "F: {} {}", put, less_put);
        let [less_call, more_put] = values(f, k + 1, sigma, t);
        prop_assert!((0..=1).contains(&(call - less_call)), "K: {} {}", call, less_call);
        prop_assert!((0..=1).contains(&(more_put - put)), "K: {} {}", put, more_put);
        let wild = values(f, k, sigma.saturating_add(1), t);
        prop_assert!(wild[0] >= call && wild[1] >= put, "sigma: {} {}", call, wild[0]);
    }

    /// 6.1. Any two forwards, strikes, volatilities.
    #[test]
    fn values_are_monotone(
        (f, k) in any_pair(),
        (g, l) in any_pair(),
        (sigma, t) in any_terms(),
        other in any_terms(),
    ) {
        let of = |f, k, sigma| values(f, k, sigma, t);
        prop_assert!(of(f.min(g), k, sigma)[0] <= of(f.max(g), k, sigma)[0]);
        prop_assert!(of(f.min(g), k, sigma)[1] >= of(f.max(g), k, sigma)[1]);
        prop_assert!(of(f, k.min(l), sigma)[0] >= of(f, k.max(l), sigma)[0]);
        prop_assert!(of(f, k.min(l), sigma)[1] <= of(f, k.max(l), sigma)[1]);
        let (low, high) = (sigma.min(other.0), sigma.max(other.0));
        prop_assert!(of(f, k, low)[0] <= of(f, k, high)[0]);
    }

    /// 6.1. From node to node of the grid, where all of the noise is: the slope in F is between 0
    /// and 1, the value falls in K (value over forward rises with forward), and it rises in sigma.
    #[test]
    fn nodes_are_in_order(
        place in 0f64..1.0,
        (sigma, t) in prop_oneof![certified_terms(), any_terms()],
    ) {
        // 2^20 divides the strike: nodes are whole numbers of units. More of them near the money.
        let strike = SIZE_END - (1 << 20);
        for bits in [16, 20] {
            let node = (place.powf(0.25) * f64::from((1u32 << bits) - 1)) as u64;
            let width = strike >> bits;
            let at = |node: u64, sigma| values(width * node, strike, sigma, t)[0];
            let (near, far) = (at(node, sigma), at(node + 1, sigma));
            prop_assert!((0..=width as i64).contains(&(far - near)), "{near} {far}");
            let (node, rounding) = (node as i128, 1 << 20);
            let (near_share, far_share) = (near as i128 * (node + 1), far as i128 * node);
            prop_assert!(near_share <= far_share + rounding, "{near} {far}");
            prop_assert!(at(node as u64, sigma.saturating_add(1)) >= near);
        }
    }

    /// 6.1. Where the proof is tightest: the same just below 5 and near the money.
    #[test]
    fn nodes_are_in_order_at_the_widest_deviation(back in 1u64..2_000, sigma in 4_990_000u32..5_000_001) {
        let strike = SIZE_END - (1 << 16);
        let (node, width) = ((1 << 16) - back, strike >> 16);
        let at = |node: u64, sigma| values(width * node, strike, sigma, 31_536_000)[0];
        let (near, far) = (at(node, sigma), at(node + 1, sigma));
        prop_assert!((0..=width as i64).contains(&(far - near)), "{near} {far}");
        let node_wide = i128::from(node);
        prop_assert!(near as i128 * (node_wide + 1) <= far as i128 * node_wide + (1 << 16));
        prop_assert!(at(node, sigma + 1) >= near);
    }

    /// 6.1. No butterfly costs less than the error of its three options.
    #[test]
    fn values_are_convex_in_the_strike(
        (f, k) in certified_pair(),
        step in any_magnitude(40),
        terms in certified_terms(),
    ) {
        let step = step.min(k - 1);
        let call = |k| values(f, k, terms.0, terms.1)[0];
        let butterfly = call(k - step) - 2 * call(k) + call(k + step);
        let error = f.max(k + step) as i64 / 250_000_000 + 1;
        prop_assert!(butterfly >= -4 * error, "{butterfly} for {error}");
    }

    /// Total: everything has a value between the bounds, out of all domains.
    #[test]
    fn values_are_total(
        f in any::<u64>(),
        k in any::<u64>(),
        sigma in any::<u32>(),
        time_s in any::<u32>(),
        put in any::<bool>(),
    ) {
        let side = SIDES[usize::from(put)];
        let (most, least) = if put { (k, k.saturating_sub(f)) } else { (f, f.saturating_sub(k)) };
        let valued = greeks(&contract(side, f, k, sigma, time_s));
        prop_assert!((least..=most).contains(&valued.value));
        for (sigma, time_s) in [(0, time_s), (sigma, 0)] {
            prop_assert_eq!(value(&contract(side, f, k, sigma, time_s)), least);
        }
    }

    /// 6.2. Delta between its bounds, put and call one apart, the others equal and of their sign.
    #[test]
    fn greeks_of_call_and_put_agree((f, k) in any_pair(), (sigma, t) in any_terms()) {
        let [call, put] = SIDES.map(|side| greeks(&contract(side, f, k, sigma, t)));
        prop_assert!((0..=1i64 << 32).contains(&call.delta));
        prop_assert_eq!(call.delta - put.delta, 1i64 << 32);
        prop_assert_eq!((call.gamma, call.vega, call.theta), (put.gamma, put.vega, put.theta));
        prop_assert!(call.theta <= 0);
        prop_assert_eq!([call.value, put.value].map(|v| v as i64), values(f, k, sigma, t));
        let more = greeks(&contract(OptionSide::Call, f + 1, k, sigma, t));
        prop_assert!(more.delta + 16 >= call.delta);
    }

    /// 6.2. Delta and vega are what the value changes by, within curvature and error.
    #[test]
    fn greeks_are_slopes_of_the_value(
        (f, k) in any_pair(),
        (sigma, t) in (50_000u32..3_000_000, 86_400u32..63_072_000),
    ) {
        let (f, k) = (f << 16 >> 16 | 1 << 46, (k | 1 << 45).min(SIZE_END - 1));
        let at = |f: u64, sigma| greeks(&contract(OptionSide::Call, f, k, sigma, t));
        let (here, step) = (at(f, sigma), f >> 12);
        let s = certified(&(sigma, t));
        prop_assume!(s);
        let rise = (at(f + step, sigma).value - at(f - step, sigma).value) as f64;
        let slope = rise / (2 * step) as f64;
        let delta = here.delta as f64 / 2f64.powi(32);
        // The third derivative is below gamma / (F s); gamma is n / (F s).
        let spread = f64::from(sigma) / 1e6 * (f64::from(t) / 31_536_000.0).sqrt();
        let tolerance = 0.1 * (2f64.powi(-12) / spread).powi(2) + 1e-4;
        prop_assert!((slope - delta).abs() < tolerance, "{slope} {delta}");

        let bump = sigma / 256;
        let rise = (at(f, sigma + bump).value - at(f, sigma - bump).value) as f64;
        let slope = rise / f as f64 / (f64::from(bump) / 500_000.0);
        let vega = here.vega as f64 / 2f64.powi(40);
        let peak = 0.4 * (f64::from(t) / 31_536_000.0).sqrt();
        prop_assert!((slope - vega).abs() < 2e-4 * peak, "{slope} {vega}");
    }
}

/// The error of a call, in millionths of a millionth of the greater of forward and strike.
fn error(f: u64, k: u64, (sigma, t): (u32, u32)) -> i64 {
    let (exact, _) = precise::call(f, k, &precise::deviation(sigma, t));
    let found = precise::fixed(values(f, k, sigma, t)[0], 0);
    let error: BigInt = (found - exact) * 1_000_000_000_000i64 / f.max(k);
    (error >> precise::BITS).to_i64().expect("a number")
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 6.1. Values are within 1e-9 of the greater of forward and strike, and one unit.
    #[test]
    fn values_are_within_their_bound(
        (f, k) in certified_pair(),
        terms in certified_terms(),
    ) {
        let unit = 1_000_000_000_000 / f.max(k) as i64;
        let error = error(f, k, terms);
        prop_assert!(error.abs() <= 1_000 + unit, "{error}e-12 of max(F, K)");
    }

    /// 6.2. Greeks are within 1e-6 of their greatest values over all strikes, and 2^-40.
    #[test]
    fn greeks_are_within_their_bound(
        (f, k) in certified_pair(),
        terms in certified_terms(),
    ) {
        let s = precise::deviation(terms.0, terms.1);
        let (_, d1) = precise::call(f, k, &s);
        let found = greeks(&contract(OptionSide::Call, f, k, terms.0, terms.1));
        let last_bit = precise::one() >> 40;
        let close = |found: BigInt, exact: &BigInt, peak: &BigInt| {
            (found - exact).abs() <= peak.abs() / 1_000_000 + &last_bit
        };
        let (bell, peak) = (precise::density(&d1), precise::density(&BigInt::from(0)));
        let one = precise::one();
        prop_assert!(close(precise::fixed(found.delta, 32), &precise::cdf(&d1), &one));
        let scaled = |factor: &BigInt| [&bell, &peak].map(|n| precise::mul(n, factor));
        let [exact, greatest] = [&bell, &peak].map(|n| precise::div(n, &s));
        prop_assert!(close(precise::fixed(found.gamma, 32), &exact, &greatest));
        let root = precise::sqrt(&(precise::fixed(terms.1, 0) / 31_536_000));
        let [exact, greatest] = scaled(&root);
        prop_assert!(close(precise::fixed(found.vega, 40), &exact, &greatest));
        let decay = precise::div(&(-one * terms.0 / 2_000_000), &root);
        let [exact, greatest] = scaled(&decay);
        prop_assert!(close(precise::fixed(found.theta, 40), &exact, &greatest));
    }
}

/// A decimal as digits and places: `0.0105` is 105 of 4.
fn decimal(text: &str) -> (u64, u32) {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = [whole, rest].concat();
    (digits.parse().expect("a number"), rest.len() as u32)
}

/// Both in the finest decimal unit in which the greater is below 2^48, and that unit's inverse.
fn in_one_unit(forward: &str, strike: &str) -> (u64, u64, f64) {
    let (f, f_places) = decimal(forward);
    let (k, k_places) = decimal(strike);
    let mut places = f_places.max(k_places);
    let mut f = f * 10u64.pow(places - f_places);
    let mut k = k * 10u64.pow(places - k_places);
    while f.max(k) < SIZE_END / 10 {
        (f, k, places) = (f * 10, k * 10, places + 1);
    }
    (f, k, 10f64.powi(places as i32))
}

fn number(row: &Value, key: &str) -> f64 {
    row[key]
        .as_str()
        .expect("a number")
        .parse()
        .expect("a number")
}

/// Compares a row of a grid; the greatest error of its values, over the greater of F and K.
fn check_row(row: &Value) -> f64 {
    let text = |key: &str| row[key].as_str().expect("a number");
    let (f, k, unit) = in_one_unit(text("F"), text("K"));
    let whole = |key: &str| row[key].as_u64().expect("a number") as u32;
    let (sigma, t) = (whole("sigma_ppm"), whole("T_seconds"));
    let [call, put] = SIDES.map(|side| greeks(&contract(side, f, k, sigma, t)));
    let (forward, greater) = (f as f64 / unit, f.max(k) as f64 / unit);

    let mut worst = 0f64;
    for (found, key) in [(call.value, "call"), (put.value, "put")] {
        worst = worst.max((found as f64 / unit - number(row, key)).abs() / greater);
    }
    let root = (f64::from(t) / 31_536_000.0).sqrt();
    let s = f64::from(sigma) / 1e6 * root;
    let part = |n: f64, bits: i32| n / 2f64.powi(bits);
    let slopes = [
        ("delta_call", part(call.delta as f64, 32), 1.0),
        ("delta_put", part(put.delta as f64, 32), 1.0),
        (
            "gamma",
            part(call.gamma as f64, 32) / forward,
            0.4 / s / forward,
        ),
        (
            "vega",
            part(call.vega as f64, 40) * forward,
            0.4 * root * forward,
        ),
        (
            "theta_year",
            part(call.theta as f64, 40) * forward,
            0.2 * s / root / root * forward,
        ),
    ];
    for (key, found, peak) in slopes {
        let off = (found - number(row, key)).abs();
        assert!(off <= 1e-6 * peak, "{key} is off by {off}: {row}");
    }
    worst
}

/// Rows where 6.1 bounds the error.
fn in_domain(row: &Value) -> bool {
    let ratio = number(row, "F") / number(row, "K");
    let terms = ["sigma_ppm", "T_seconds"].map(|key| row[key].as_u64().expect("a number") as u32);
    (0.05..=20.0).contains(&ratio) && certified(&(terms[0], terms[1]))
}

/// Returns how many grid rows were compared.
fn check_vectors(text: &str) -> usize {
    let file: Value = serde_json::from_str(text).expect("JSON");
    let rows = file["grid"].as_array().expect("rows");
    let errors: Vec<f64> = rows
        .iter()
        .filter(|row| in_domain(row))
        .map(check_row)
        .collect();
    let worst = errors.iter().copied().fold(0.0, f64::max);
    println!(
        "{} rows, worst error {worst:.1e} of max(F, K)",
        errors.len()
    );
    assert!(worst <= 1e-9);

    for row in file["published"].as_array().expect("rows") {
        let plain = |key: &str| row[key].as_f64().expect("a number");
        let unit = 1e11;
        let side = SIDES[usize::from(row["type"] == "P")];
        let found = value(&contract(
            side,
            (number(row, "forward") * unit).round() as u64,
            (plain("K") * unit).round() as u64,
            (plain("sigma") * 1e6).round() as u32,
            (plain("T") * 31_536_000.0).round() as u32,
        ));
        let greater = number(row, "forward").max(plain("K"));
        let off = (found as f64 / unit - number(row, "undiscounted")).abs();
        assert!(off <= 1e-7 * greater, "{row}: {off}");
    }
    errors.len()
}

/// 6.1, 6.2: the project's own vectors.
#[test]
fn own_vectors_are_met() {
    let text = include_str!("../../../../tests/vectors/black76.json");
    assert!(check_vectors(text) >= 200);
}

/// 6.1, 6.2: vectors of others, where they are at hand.
#[test]
fn the_shared_vectors_are_met() {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/vectors");
    let folder = std::env::var_os("KEEL_VECTORS_DIR").map_or_else(beside, PathBuf::from);
    let Ok(text) = std::fs::read_to_string(folder.join("black76.json")) else {
        println!("no vectors: set KEEL_VECTORS_DIR to the folder of black76.json");
        return;
    };
    check_vectors(&text);
}
