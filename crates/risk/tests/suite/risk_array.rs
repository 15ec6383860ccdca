//! 5.8: risk arrays are the plain formula, through the value of an option.

use crate::common::*;
use crate::precise;
use keel_risk::black76::*;
use keel_risk::risk_array::*;
use keel_risk::*;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::ToPrimitive;
use proptest::prelude::*;

fn ratio(n: impl Into<BigInt>, d: impl Into<BigInt>) -> BigRational {
    BigRational::new(n.into(), d.into())
}

/// A lot of some dollars to some hundreds, near the money.
fn any_terms() -> impl Strategy<Value = ArrayTerms> {
    let contract = (1u64 << 33..1 << 44, 200_000u64..5_000_000, any::<bool>());
    let terms = (50_000u32..3_000_000, 1u32..94_608_000, 14u8..24);
    let risk = (5_000u32..1_000_000, 0u32..1_000_000, 0u32..600_000);
    (contract, terms, risk).prop_map(|(contract, terms, risk)| ArrayTerms {
        contract: Contract {
            side: if contract.2 {
                OptionSide::Put
            } else {
                OptionSide::Call
            },
            forward: contract.0,
            strike: (contract.0 / 1_000_000 * contract.1).min((1 << 48) - 1),
            sigma: Ppm(terms.0),
            time_s: terms.1,
        },
        shift: terms.2,
        range: Ppm(risk.0),
        vol_range: Ppm(risk.1),
        vol_floor: Ppm(risk.2),
    })
}

fn any_scenario() -> impl Strategy<Value = Scenario> {
    (any::<i8>(), 1u8..=255, -1i8..=1, 0u32..=1_000_000).prop_map(|(k_num, k_den, v, w)| Scenario {
        k_num,
        k_den,
        v,
        w: Ppm(w),
    })
}

fn array(terms: &ArrayTerms, scenarios: &[Scenario]) -> Vec<i32> {
    let mut out = vec![0; scenarios.len()];
    risk_array(terms, scenarios, &mut out);
    out
}

/// The value of the lot at another forward and volatility.
fn value_at(terms: &ArrayTerms, forward: u64, sigma: Ppm) -> u64 {
    value(&Contract {
        forward,
        sigma,
        ..terms.contract
    })
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 5.8. Each place is `floor(w (V' - V) / 2^shift)` of two plain values.
    #[test]
    fn an_array_is_the_formula(
        terms in any_terms(),
        scenarios in prop::collection::vec(any_scenario(), 1..8),
    ) {
        let base = value(&terms.contract);
        for (scenario, found) in scenarios.iter().zip(array(&terms, &scenarios)) {
            let forward = shocked_forward(terms.contract.forward, scenario, terms.range);
            let moved = value_at(&terms, forward, scenario_sigma(&terms, scenario.v));
            let gain = BigInt::from(moved) - base;
            let exact = ratio(gain * scenario.w.0, BigInt::from(1_000_000) << terms.shift);
            let floor = exact.floor().to_integer();
            let expected = floor.clamp(i32::MIN.into(), i32::MAX.into()).to_i32();
            prop_assert_eq!(Some(found), expected);
        }
    }

    /// 5.8. `F (1 + max(k range, -1))`, rounded down, within 2^-36 of F.
    #[test]
    fn a_forward_is_shocked_as_the_scenario_says(
        forward in any_magnitude(48),
        scenario in any_scenario(),
        range in 0u32..=1_000_000,
    ) {
        let k = ratio(scenario.k_num, scenario.k_den);
        let shock = (k * ratio(range, 1_000_000)).max(ratio(-1, 1));
        let exact = ratio(forward, 1) * (ratio(1, 1) + shock);
        let found = ratio(shocked_forward(forward, &scenario, Ppm(range)), 1);
        // A fall is cut as well as a rise, hence the sign.
        let slack = ratio(forward, 1u64 << 36);
        prop_assume!(exact < ratio(1u64 << 54, 1));
        prop_assert!(found <= &exact + &slack && found > exact - slack - ratio(1, 1));
    }

    /// 5.8. The volatilities: up and down by the same, stretched towards expiry, within floors.
    #[test]
    fn a_volatility_moves_as_the_clause_says(terms in any_terms()) {
        let sigma = i64::from(terms.contract.sigma.0);
        let days = terms.contract.time_s.max(86_400);
        let power = if days <= 2_592_000 { 300_000 } else { 130_000 };
        let stretch = precise::ln(&(precise::fixed(2_592_000, 0) / days)) * power / 1_000_000;
        let moved: BigInt = precise::exp(&stretch) * sigma * terms.vol_range.0 / 1_000_000;
        let moved: BigInt = moved >> precise::BITS;
        let moved = moved.to_i64().unwrap();
        let floor = i64::from(terms.vol_floor.0);

        let up = i64::from(scenario_sigma(&terms, 1).0);
        let least = (sigma + moved).max(floor);
        prop_assert!((least..=least + 1).contains(&up));
        let down = i64::from(scenario_sigma(&terms, -1).0);
        let most = (sigma - moved).max(sigma / 4).max(floor);
        prop_assert!((most - 1..=most).contains(&down), "{down} {most}");
        prop_assert_eq!(scenario_sigma(&terms, 0), terms.contract.sigma);
    }

    /// 5.8. A call gains more the further the price rises and the higher volatility is, a put the
    /// reverse of the former; nothing gains from no move, and none loses more than it is worth.
    #[test]
    fn arrays_are_monotone(terms in any_terms()) {
        let mut terms = terms;
        terms.vol_floor = Ppm(0);
        let found = array(&terms, &SPAN_16);
        // By price, from the lowest: -1, -2/3, -1/3, 0, 1/3, 2/3, 1.
        for v in 0..2 {
            let by_price = [12, 8, 4, 0, 2, 6, 10].map(|place| found[place + v]);
            for pair in by_price.windows(2) {
                match terms.contract.side {
                    OptionSide::Call => prop_assert!(pair[0] <= pair[1]),
                    OptionSide::Put => prop_assert!(pair[0] >= pair[1]),
                }
            }
        }
        for place in (0..14).step_by(2) {
            prop_assert!(found[place] >= found[place + 1]);
        }
        prop_assert!(found[0] >= 0 && found[1] <= 0);
        let worth = i64::try_from(value(&terms.contract) >> terms.shift).unwrap() + 1;
        for gain in found {
            prop_assert!(i64::from(gain) >= -worth);
        }
        let still = Scenario { k_num: 0, k_den: 1, v: 0, w: Ppm::ONE };
        prop_assert_eq!(array(&terms, &[still]), vec![0]);
    }

    /// Total: everything has an array, out of all domains.
    #[test]
    fn arrays_are_total(
        (forward, strike) in (any::<u64>(), any::<u64>()),
        (sigma, time_s, shift) in (any::<u32>(), any::<u32>(), any::<u8>()),
        (range, vol_range, vol_floor) in (any::<u32>(), any::<u32>(), any::<u32>()),
        (k_num, k_den, v, w) in (any::<i8>(), any::<u8>(), any::<i8>(), any::<u32>()),
    ) {
        let terms = ArrayTerms {
            contract: Contract {
                side: OptionSide::Put,
                forward,
                strike,
                sigma: Ppm(sigma),
                time_s,
            },
            shift,
            range: Ppm(range),
            vol_range: Ppm(vol_range),
            vol_floor: Ppm(vol_floor),
        };
        let scenario = Scenario { k_num, k_den, v, w: Ppm(w) };
        let found = array(&terms, &[scenario, scenario]);
        prop_assert_eq!(found[0], found[1]);
    }
}

/// 5.8, by hand. A put at the money, $100 a lot, 80%, ten days: sigma moves by 20% * 3^0.3 = 27.8%.
#[test]
fn an_example() {
    let terms = ArrayTerms {
        contract: Contract {
            side: OptionSide::Put,
            forward: 100_000_000 << 12,
            strike: 100_000_000 << 12,
            sigma: Ppm(800_000),
            time_s: 864_000,
        },
        shift: 12,
        range: Ppm(150_000),
        vol_range: Ppm(200_000),
        vol_floor: Ppm(100_000),
    };
    assert_eq!(scenario_sigma(&terms, 1), Ppm(1_022_463));
    assert_eq!(scenario_sigma(&terms, -1), Ppm(577_537));
    let found = array(&terms, &SPAN_16);
    // At -45% the put is little more than its intrinsic value, less what it was worth; a third counts.
    let worth = (value(&terms.contract) >> 12) as i64;
    let gain = (45_000_000 - worth) * 33 / 100;
    assert!((gain - 1..gain + 10).contains(&i64::from(found[15])));
    // At +45% it has lost nearly all of its worth.
    assert!((-worth * 33 / 100..-worth * 32 / 100).contains(&i64::from(found[14])));
}

/// A lot's published Greeks of a dyadic price (6.2), against those of its contract.
#[test]
fn published_greeks_are_of_one_lot() {
    let contract = Contract {
        side: OptionSide::Call,
        forward: 150_000_000 << 10,
        strike: 160_000_000 << 10,
        sigma: Ppm(650_000),
        time_s: 30 * 86_400,
    };
    let found = lot_greeks(&greeks(&contract), contract.forward, 10);
    let unit = f64::from(1 << 30);
    let (s, t) = (0.65 * (30f64 / 365.0).sqrt(), 30f64 / 365.0);
    let d1 = (150f64 / 160.0).ln() / s + s / 2.0;
    let bell = (-d1 * d1 / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let close = |found: f64, exact: f64| (found / exact - 1.0).abs() < 1e-6;
    assert!(close(found.gamma as f64 / unit, bell / s / 100.0));
    assert!(close(
        found.vega as f64 / 65_536.0,
        150e6 * bell * t.sqrt() / 100.0
    ));
    assert!(close(
        found.theta as f64 / 65_536.0,
        -150e6 * bell * 0.65 / (2.0 * t.sqrt()) / 365.0
    ));
    // N(d1) of d1 = -0.253156.
    assert!((f64::from(found.delta.0) / unit - 0.40007365).abs() < 1e-6);
    assert_eq!(
        lot_greeks(&Valued::default(), contract.forward, 10),
        Greeks::default()
    );
}
