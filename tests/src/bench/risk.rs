//! The functions of `keel-risk` alone: the worst of a fixed set of arguments each.

use keel_conformance::risk::Request;
use keel_risk::black76::{Contract, OptionSide};
use keel_risk::risk_array::ArrayTerms;
use keel_risk::{Ppm, SPAN_16};

use super::Figures;
use crate::risk_program::RiskProgram;

/// Measures every function.
pub fn measure(figures: &mut Figures) -> anyhow::Result<()> {
    let program = RiskProgram::new()?;
    let mut worst = |name, requests: Vec<Request>| -> anyhow::Result<()> {
        let mut most = 0;
        for request in requests {
            most = program.units(&request)?.max(most);
        }
        figures.set(name, "worst", most);
        Ok(())
    };

    let integers = || (0..64).flat_map(|bit| [1u64 << bit, (1 << bit) | ((1 << bit) - 1)]);
    worst("risk::ln", integers().map(Request::Ln).collect())?;
    worst("risk::exp", exponents().map(Request::Exp).collect())?;
    worst("risk::density", deviates().map(Request::Density).collect())?;
    worst("risk::cdf", deviates().map(Request::Cdf).collect())?;
    worst("risk::power", ratios())?;
    worst("risk::value", contracts().map(Request::Value).collect())?;
    worst("risk::greeks", contracts().map(Request::Greeks).collect())?;
    let arrays = contracts().step_by(3).flat_map(arrays_of);
    worst("risk::risk_array", arrays.collect())
}

/// From -46 to 24 in steps of a quarter, each with its neighbours.
fn exponents() -> impl Iterator<Item = i64> {
    let around = |x: i64| [x - 1, x, x + 1];
    (-184..=96).flat_map(move |quarters| around(quarters << 30))
}

/// From -8 to 8 in steps of an eighth, each with its neighbours.
fn deviates() -> impl Iterator<Item = i64> {
    let around = |x: i64| [x - 1, x, x + 1];
    (-64..=64).flat_map(move |eighths| around(eighths << 25))
}

/// 30 days over expiries from an hour to ten years.
fn ratios() -> Vec<Request> {
    let of = |hours: u64, exponent| Request::Power(720, hours, Ppm(exponent));
    [1, 24, 25, 100, 719, 720, 721, 5_000, 87_600]
        .into_iter()
        .flat_map(|hours| [of(hours, 300_000), of(hours, 130_000)])
        .collect()
}

/// Forward over strike from 1/20 to 20 with equality, sigma sqrt T from 1e-4 to above 5, both sides.
fn contracts() -> impl Iterator<Item = Contract> {
    const FORWARDS: [u64; 13] = [
        50, 200, 500, 800, 950, 999, 1_000, 1_001, 1_050, 1_250, 2_000, 5_000, 20_000,
    ];
    const TIMES: [u32; 6] = [1, 600, 86_400, 604_800, 7_776_000, 315_360_000];
    const SIGMAS: [u32; 4] = [50_000, 600_000, 1_580_000, 4_000_000_000];
    let strike = (1u64 << 36) + 12_345;
    FORWARDS.into_iter().flat_map(move |forward| {
        TIMES.into_iter().flat_map(move |time_s| {
            SIGMAS.into_iter().flat_map(move |sigma| {
                [OptionSide::Call, OptionSide::Put].map(|side| Contract {
                    side,
                    // Not a whole number of nodes but at equality.
                    forward: strike / 1_000 * forward + strike % 1_000 * forward / 1_000,
                    strike,
                    sigma: Ppm(sigma),
                    time_s,
                })
            })
        })
    })
}

fn arrays_of(contract: Contract) -> [Request; 2] {
    [50_000, 400_000].map(|range| {
        let terms = ArrayTerms {
            contract,
            shift: 12,
            range: Ppm(range),
            vol_range: Ppm(300_000),
            vol_floor: Ppm(200_000),
        };
        Request::risk_array(terms, &SPAN_16)
    })
}
