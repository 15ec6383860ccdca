//! 6.3: the volatility slice against the same formula in 160-bit arithmetic, its movement limits, its
//! arbitrage check against exact rationals, and the pool's caps.

use crate::common::*;
use crate::reference::{ratio, whole};
use keel_risk::black76::{Contract, OptionSide, value};
use keel_risk::*;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive, Zero};
use proptest::prelude::*;

/// Fractional bits of the reference.
const BITS: usize = 160;
const ONE: i64 = 1 << SLICE_BITS;
const FORWARD: u64 = 1 << 40;
const YEAR_S: u32 = 31_536_000;
const TERMS: VolTerms = VolTerms {
    vol_min: Ppm(50_000),
    vol_max: Ppm(3_000_000),
    max_vol_step: Ppm(10_000),
};

fn fixed(n: impl Into<BigInt>, d: impl Into<BigInt>) -> BigInt {
    (n.into() << BITS) / d.into()
}

fn times(a: &BigInt, b: &BigInt) -> BigInt {
    (a * b) >> BITS
}

fn root(a: &BigInt) -> BigInt {
    (a << BITS).sqrt()
}

/// ln of n / d between 1/2 and 2: twice the series of the inverse hyperbolic tangent.
fn ln_near_one(n: &BigInt, d: &BigInt) -> BigInt {
    let z = fixed(n - d, n + d);
    let square = times(&z, &z);
    let (mut power, mut sum) = (z, BigInt::zero());
    for odd in (1..160).step_by(2) {
        sum += &power / odd;
        power = times(&power, &square);
    }
    sum * 2
}

/// ln(n / d), reduced by powers of two.
fn ln_exact(n: u64, d: u64) -> BigInt {
    let doublings = i64::from(d.leading_zeros()) - i64::from(n.leading_zeros());
    let (mut n, mut d) = (BigInt::from(n), BigInt::from(d));
    if doublings >= 0 {
        d <<= doublings as usize;
    } else {
        n <<= -doublings as usize;
    }
    ln_near_one(&n, &d) + ln_near_one(&2.into(), &1.into()) * doublings
}

/// The variance per year at a strike, `BITS` fractional bits.
fn exact_variance(slice: Slice, forward: u64, strike: u64) -> BigInt {
    let wide = |parameter: i64| BigInt::from(parameter) << (BITS - usize::from(SLICE_BITS));
    let x = ln_exact(strike, forward) - wide(slice.m);
    let s = wide(slice.s);
    let height = root(&(times(&x, &x) + times(&s, &s))) + times(&wide(slice.rho), &x);
    wide(slice.a) + times(&wide(slice.b), &height)
}

/// ppm from a variance, floor.
fn ppm(variance: &BigInt) -> u64 {
    let variance = variance.max(&BigInt::zero()).clone();
    let sigma: BigInt = (root(&variance) * 1_000_000) >> BITS;
    sigma.to_u64().expect("below 2^64")
}

fn flat(sigma: u32) -> Slice {
    let sigma = u128::from(sigma);
    Slice {
        a: ((sigma * sigma * (1 << 40)).div_ceil(1_000_000_000_000)) as i64,
        b: 0,
        rho: 0,
        m: 0,
        s: ONE / 10,
    }
}

/// Parameters in millionths.
fn slice([a, b, rho, m, s]: [i64; 5]) -> Slice {
    let part = |millionths: i64| (i128::from(millionths) * i128::from(ONE) / 1_000_000) as i64;
    Slice::from_stored([a, b, rho, m, s].map(part))
}

/// Slices that pass `check`: markets' and extreme ones.
fn slices() -> impl Strategy<Value = Slice> {
    let market = (
        0i64..1_000_000,
        0i64..800_000,
        -900_000i64..900_000,
        -300_000i64..300_000,
        10_000i64..800_000,
    );
    let steep = (
        0i64..100_000,
        500_000i64..3_000_000,
        -990_000i64..990_000,
        -1_500_000i64..1_500_000,
        1_000i64..200_000,
    );
    let extreme = (
        -ONE..16 * ONE,
        0..16 * ONE,
        -ONE + 1..ONE,
        -4 * ONE..4 * ONE,
        1..4 * ONE,
    );
    prop_oneof![
        3 => market.prop_map(|(a, b, rho, m, s)| slice([a, b, rho, m, s])),
        2 => steep.prop_map(|(a, b, rho, m, s)| slice([a, b, rho, m, s])),
        1 => extreme.prop_map(|(a, b, rho, m, s)| Slice { a, b, rho, m, s }),
    ]
    .prop_filter("well formed", |slice| slice.check().is_ok())
}

/// Ascending strikes, each once, about `FORWARD`.
fn strikes() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::btree_set(FORWARD / 5..5 * FORWARD, 1..12)
        .prop_map(|set| set.into_iter().collect())
}

fn call(slice: Slice, strike: u64, time_s: u32) -> u64 {
    value(&Contract {
        side: OptionSide::Call,
        forward: FORWARD,
        strike,
        sigma: slice.implied_floor(FORWARD, strike),
        time_s,
    })
}

/// Whether calls from (0, forward) to (infinity, 0) fall by at most their strikes and are convex,
/// every comparison within twice the tolerance; by slopes of exact rationals.
fn is_free_of_arbitrage(points: &[(u64, u64)], time_s: u32) -> bool {
    let years = u64::from(time_s.div_ceil(YEAR_S));
    let mut all = vec![(0, FORWARD)];
    all.extend(points);
    let slack = |strike: u64| {
        let scale = BigInt::from(FORWARD.max(strike)) * (1 + 4 * years);
        let error = ratio(scale, 10_000_000).ceil() + whole(1);
        error * whole(2)
    };
    let slope = |a: (u64, u64), b: (u64, u64)| (whole(b.1) - whole(a.1)) / whole(b.0 - a.0);
    let falls = all.windows(2).all(|pair| {
        let per_lot = slack(pair[1].0) / whole(pair[1].0 - pair[0].0);
        let slope = slope(pair[0], pair[1]);
        slope <= per_lot && slope >= -whole(1) - &per_lot
    });
    falls
        && all.windows(3).all(|three| {
            let (left, right) = (
                whole(three[1].0 - three[0].0),
                whole(three[2].0 - three[1].0),
            );
            let turn = slope(three[1], three[2]) - slope(three[0], three[1]);
            let allowed: BigRational = slack(three[2].0) * (&left + &right) / (left * right);
            turn >= -allowed
        })
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 6.3: the implied volatility is the SVI formula's, floor, within the documented roundings of the
    /// logarithms (2^-39 each) and of the variance (2b + 1 of the last bit).
    #[test]
    fn an_implied_volatility_is_the_formula(slice in slices(), forward in 1u64 << 30..1 << 48, strike in 1u64 << 30..1 << 48) {
        let exact = exact_variance(slice, forward, strike);
        let unit = BigInt::from(1) << (BITS - 40);
        let b = ratio(slice.b, ONE).ceil().to_integer();
        // The height changes by at most twice the log-moneyness, whose error is below 2^-38.
        let by_ln = &unit * &b * 8;
        let low = &exact - &by_ln - &unit * (&b * 2 + 1);
        let high = &exact + &by_ln;
        let implied = u64::from(slice.implied_floor(forward, strike).0);
        prop_assert!(implied >= ppm(&low) && implied <= ppm(&high), "{implied}, {} to {}", ppm(&low), ppm(&high));
    }

    /// 6.3: any stored bits give a volatility, and arrays see it within the bounds.
    #[test]
    fn any_slice_is_read_without_a_panic(stored in any::<[i64; 5]>(), forward in any::<u64>(), strike in any::<u64>()) {
        let slice = Slice::from_stored(stored);
        prop_assert_eq!(slice.stored(), stored);
        let sigma = slice.sigma(forward, strike, &TERMS);
        prop_assert!(sigma >= TERMS.vol_min && sigma <= TERMS.vol_max);
        prop_assert_eq!(slice.check().is_ok(), Slice::from_stored(slice.stored()).check().is_ok());
    }

    /// 6.3: a flat smile has no arbitrage, at any level, time and strikes.
    #[test]
    fn a_flat_smile_is_accepted(sigma in 50_000u32..3_000_000, strikes in strikes(), time_s in 600u32..2 * YEAR_S) {
        let listed = ListedStrikes { forward: FORWARD, strikes: &strikes, time_s };
        let accepted = publish(None, flat(sigma), &listed, &VolTerms { vol_min: Ppm(49_000), ..TERMS }, 5);
        prop_assert_eq!(accepted, Ok(PublishedSlice { slice: flat(sigma), updated: 5 }));
    }

    /// 6.3: what is accepted keeps its bounds, its speed and convex prices at every listed strike;
    /// what is refused breaks the one that the error names.
    #[test]
    fn a_publication_is_accepted_exactly_when_all_three_hold(
        (old, new) in slices().prop_flat_map(|old| (Just(old), prop_oneof![slices(), (-30_000i64..30_000).prop_map(move |by| Slice { a: old.a + by * ONE / 1_000_000, ..old })])),
        strikes in strikes(),
        time_s in prop_oneof![600u32..200_000, 600u32..3 * YEAR_S],
        elapsed_s in 0i64..5_000,
        first in any::<bool>(),
    ) {
        prop_assume!(new.check().is_ok());
        let listed = ListedStrikes { forward: FORWARD, strikes: &strikes, time_s };
        let before = (!first).then_some(PublishedSlice { slice: old, updated: 1_000 });
        let result = publish(before, new, &listed, &TERMS, 1_000 + elapsed_s);

        let sigmas: Vec<Ppm> = strikes.iter().map(|&strike| new.implied_floor(FORWARD, strike)).collect();
        let bounded = sigmas.iter().all(|sigma| (TERMS.vol_min..=TERMS.vol_max).contains(sigma));
        let allowed = 10_000 * elapsed_s.min(3_600) / 60;
        let slow = first || strikes.iter().zip(&sigmas).all(|(&strike, sigma)| {
            let was = old.implied_floor(FORWARD, strike).clamp(TERMS.vol_min, TERMS.vol_max);
            (i64::from(was.0) - i64::from(sigma.0)).abs() <= allowed
        });
        let points: Vec<(u64, u64)> = strikes.iter().map(|&strike| (strike, call(new, strike, time_s))).collect();
        let free = is_free_of_arbitrage(&points, time_s);
        match result {
            Ok(published) => {
                prop_assert!(bounded && slow && free);
                prop_assert_eq!(published, PublishedSlice { slice: new, updated: 1_000 + elapsed_s });
            }
            Err(RiskError::VolatilityOutOfRange { .. }) => prop_assert!(!bounded),
            Err(RiskError::VolatilityTooFast { moved, allowed: most, .. }) => {
                prop_assert!(!slow && moved > most && i64::from(most.0) == allowed);
            }
            Err(RiskError::ButterflyArbitrage { strike }) => prop_assert!(!free && strikes.contains(&strike)),
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }

    /// 6.3: the arbitrage check by itself, on values near and far from convex.
    #[test]
    fn calls_are_accepted_exactly_when_convex(
        strikes in strikes(),
        bends in prop::collection::vec(-3_000_000i64..3_000_000, 12),
        scale in prop_oneof![Just(0i64), Just(1), Just(1_000)],
        years in 0u32..3,
    ) {
        // On the convex curve F^2 / (F + K), bent by about the tolerance or much more.
        let points: Vec<(u64, u64)> = strikes.iter().zip(&bends).map(|(&strike, bend)| {
            let value = (u128::from(FORWARD) * u128::from(FORWARD) / u128::from(FORWARD + strike)) as i64;
            (strike, (value + bend * scale).max(0) as u64)
        }).collect();
        let time_s = years * YEAR_S;
        let mut curve = CallCurve::new(FORWARD, time_s);
        let refused = points.iter().find_map(|&(strike, value)| curve.push(strike, value).err());
        prop_assert_eq!(refused.is_none(), is_free_of_arbitrage(&points, time_s), "{:?}", refused);
    }

    /// 6.3: caps of the pool's vega and gamma, by exact magnitudes.
    #[test]
    fn a_pools_greeks_are_capped(
        legs in prop::collection::vec((any_signed(31), any_signed(50)), 0..6),
        extra in (any_signed(31), any_signed(50)),
        cap in 0i64..1 << 40,
    ) {
        let of = |legs: &[(i64, i64)]| total_greek(legs.iter().map(|&(size, greek)| (Lots(size), greek)));
        let mut all = legs.clone();
        all.push(extra);
        let (before, after) = (of(&legs), of(&all));
        let exact: BigInt = all.iter().map(|&(size, greek)| BigInt::from(size) * greek).sum();
        prop_assert_eq!(BigInt::from(after), exact.clone());
        let beyond = |bits: usize| exact.abs() > BigInt::from(before).abs() && ratio(exact.abs(), BigInt::from(1) << bits) > whole(cap);
        prop_assert_eq!(check_pool_vega(before, after, Atoms(cap)).is_err(), beyond(16));
        prop_assert_eq!(check_pool_gamma(before, after, Lots(cap)).is_err(), beyond(30));
    }
}

/// 6.3: the example by which Gatheral and Jacquier (section 3.1, after Vogt) show that a well-formed
/// slice may allow butterflies: a negative density on the far upside.
#[test]
fn vogts_slice_is_refused_where_its_density_is_negative() {
    let vogt = slice([-41_000, 133_100, 306_000, 358_600, 415_300]);
    assert_eq!(vogt.check(), Ok(()));
    // e^0.6 to e^1.2 by steps of about 0.1.
    let far: Vec<u64> = [1_822, 2_014, 2_226, 2_460, 2_718, 3_004, 3_320]
        .map(|k| FORWARD / 1_000 * k)
        .to_vec();
    let near: Vec<u64> = [700, 850, 1_000, 1_150, 1_300]
        .map(|k| FORWARD / 1_000 * k)
        .to_vec();
    let on = |strikes: &[u64]| {
        publish(
            None,
            vogt,
            &ListedStrikes {
                forward: FORWARD,
                strikes,
                time_s: YEAR_S,
            },
            &TERMS,
            0,
        )
    };
    assert!(on(&near).is_ok());
    let refused = on(&far);
    assert!(
        matches!(refused, Err(RiskError::ButterflyArbitrage { strike }) if far.contains(&strike)),
        "{refused:?}"
    );
}

/// 6.3: wings so steep that a higher strike costs more.
#[test]
fn a_smile_whose_calls_rise_is_refused() {
    let steep = slice([40_000, 8_000_000, 900_000, 0, 100_000]);
    let strikes = [FORWARD, FORWARD / 10 * 11, FORWARD / 10 * 12];
    let listed = ListedStrikes {
        forward: FORWARD,
        strikes: &strikes,
        time_s: YEAR_S,
    };
    let terms = VolTerms {
        vol_max: Ppm(9_000_000),
        ..TERMS
    };
    let refused = publish(None, steep, &listed, &terms, 0);
    assert_eq!(
        refused,
        Err(RiskError::ButterflyArbitrage { strike: strikes[1] })
    );
}

/// 6.3: strikes are to be ascending, each once, none zero.
#[test]
fn strikes_out_of_order_are_refused() {
    for strikes in [[FORWARD, FORWARD], [FORWARD, FORWARD - 1], [0, FORWARD]] {
        let listed = ListedStrikes {
            forward: FORWARD,
            strikes: &strikes,
            time_s: 86_400,
        };
        let refused = publish(None, flat(600_000), &listed, &TERMS, 0);
        assert!(matches!(refused, Err(RiskError::StrikesOutOfOrder { .. })));
    }
    let mut curve = CallCurve::new(FORWARD, 86_400);
    assert_eq!(
        curve.push(0, FORWARD),
        Err(RiskError::StrikesOutOfOrder { strike: 0 })
    );
    assert_eq!(curve.push(FORWARD, FORWARD / 10), Ok(()));
    assert_eq!(
        curve.push(FORWARD, FORWARD / 10),
        Err(RiskError::StrikesOutOfOrder { strike: FORWARD })
    );
}

/// 6.3: within max_vol_step per minute elapsed, and no more for posting often or for a long silence.
#[test]
fn a_slice_moves_by_a_step_per_minute_elapsed() {
    let listed = ListedStrikes {
        forward: FORWARD,
        strikes: &[FORWARD],
        time_s: 86_400,
    };
    let old = PublishedSlice {
        slice: flat(600_000),
        updated: 1_000,
    };
    let to = |sigma, now| publish(Some(old), flat(sigma), &listed, &TERMS, now);
    assert!(to(610_000, 1_060).is_ok() && to(590_000, 1_060).is_ok());
    let refusal = RiskError::VolatilityTooFast {
        strike: FORWARD,
        moved: Ppm(10_001),
        allowed: Ppm(10_000),
    };
    assert_eq!(to(610_001, 1_060), Err(refusal));
    assert!(to(600_500, 1_003).is_ok() && to(600_501, 1_003).is_err());
    assert!(to(600_000, 1_000).is_ok() && to(600_001, 1_000).is_err());
    // A day of silence counts an hour.
    assert!(to(1_200_000, 87_400).is_ok() && to(1_200_001, 87_400).is_err());
    // A clock behind moves nothing, and does not set the slice's time back.
    assert_eq!(to(600_000, 900).map(|slice| slice.updated), Ok(1_000));
}

/// 6.3: [vol_min, vol_max] at every listed strike.
#[test]
fn a_slice_outside_the_bounds_is_refused_at_its_strike() {
    let listed = ListedStrikes {
        forward: FORWARD,
        strikes: &[FORWARD],
        time_s: 86_400,
    };
    let first = |sigma| publish(None, flat(sigma), &listed, &TERMS, 0);
    assert!(first(50_000).is_ok() && first(3_000_000).is_ok());
    for sigma in [49_999, 3_000_001] {
        assert_eq!(
            first(sigma),
            Err(RiskError::VolatilityOutOfRange {
                strike: FORWARD,
                sigma: Ppm(sigma)
            })
        );
    }
}

/// 6.3: unrefreshed for an hour the expiry is reduce-only.
#[test]
fn an_hour_without_a_refresh_makes_an_expiry_reduce_only() {
    let published = PublishedSlice {
        slice: flat(600_000),
        updated: 1_000,
    };
    assert!(!published.is_reduce_only(1_000) && !published.is_reduce_only(4_599));
    assert!(published.is_reduce_only(4_600));
}

/// 6.3: each parameter's bounds, and no negative variance at the centre.
#[test]
fn a_malformed_slice_is_refused_by_parameter() {
    let good = slice([40_000, 100_000, -300_000, 0, 100_000]);
    assert_eq!(good.check(), Ok(()));
    let cases = [
        (0, 16 * ONE + 1),
        (1, -1),
        (1, 16 * ONE + 1),
        (2, ONE),
        (2, -ONE),
        (3, 4 * ONE + 1),
        (3, -4 * ONE - 1),
        (4, 0),
        (4, 4 * ONE + 1),
    ];
    for (parameter, value) in cases {
        let mut stored = good.stored();
        stored[parameter] = value;
        let refusal = RiskError::SliceMalformed {
            parameter: parameter as u8,
            value,
        };
        assert_eq!(Slice::from_stored(stored).check(), Err(refusal));
    }
    // b s sqrt(1 - rho^2) = 0.1 * 0.1 * 0.954.
    assert!(
        Slice {
            a: -ONE / 1_000 * 9,
            ..good
        }
        .check()
        .is_ok()
    );
    assert!(
        Slice {
            a: -ONE / 1_000 * 10,
            ..good
        }
        .check()
        .is_err()
    );
}
