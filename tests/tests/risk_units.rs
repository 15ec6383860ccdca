//! The functions of `keel-risk` in the VM: their units, and the same bits as natively.

use keel_conformance::risk::Request;
use keel_risk::black76::{Contract, OptionSide};
use keel_risk::risk_array::ArrayTerms;
use keel_risk::{Ppm, SPAN_16};
use keel_tests::{RiskProgram, bench};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Units of the worst of the arguments measured.
const TARGETS: [(&str, u64); 8] = [
    ("risk::ln", 700),
    ("risk::exp", 900),
    ("risk::density", 900),
    ("risk::cdf", 900),
    ("risk::power", 2_500),
    ("risk::value", 6_000),
    ("risk::greeks", 10_000),
    ("risk::risk_array", 60_000),
];
const SEED: u64 = 0x7269_736b;
const ROUNDS: usize = 200;

#[test]
fn the_functions_of_risk_meet_their_targets() {
    let figures = bench::measure_risk().unwrap();
    for (name, target) in TARGETS {
        let units = figures.get(name, "worst").unwrap();
        println!("{name}: {units} of {target}");
        assert!(units <= target, "{name}: {units} units, target {target}");
    }
}

/// Contracts of a market: near the money, an hour to some years.
fn contract(rng: &mut ChaCha8Rng) -> Contract {
    let strike: u64 = rng.random_range(1 << 20..1 << 47);
    let side = if rng.random() {
        OptionSide::Call
    } else {
        OptionSide::Put
    };
    Contract {
        side,
        forward: strike / 1_000_000 * rng.random_range(300_000..3_000_000),
        strike,
        sigma: Ppm(rng.random_range(10_000..4_000_000)),
        time_s: rng.random_range(3_600..100_000_000),
    }
}

/// One request of each kind.
fn requests(rng: &mut ChaCha8Rng) -> [Request; 9] {
    let terms = ArrayTerms {
        contract: contract(rng),
        shift: rng.random_range(0..30),
        range: Ppm(rng.random_range(5_000..1_000_000)),
        vol_range: Ppm(rng.random_range(0..1_000_000)),
        vol_floor: Ppm(rng.random_range(0..500_000)),
    };
    [
        Request::Ln(rng.random::<u64>() >> rng.random_range(0..64)),
        Request::Exp(rng.random_range(-24 << 32..23 << 32)),
        Request::Density(rng.random_range(-8 << 28..8 << 28)),
        Request::Cdf(rng.random_range(-8 << 28..8 << 28)),
        Request::Power(
            2_592_000,
            rng.random_range(86_400..315_360_000),
            Ppm(rng.random_range(0..1_000_000)),
        ),
        Request::Value(contract(rng)),
        Request::Greeks(contract(rng)),
        Request::LotGreeks(contract(rng), rng.random_range(0..30)),
        Request::risk_array(terms, &SPAN_16),
    ]
}

#[test]
fn the_program_answers_what_native_code_answers() {
    let program = RiskProgram::new().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    for _ in 0..ROUNDS {
        for request in requests(&mut rng) {
            // Return data is stored without the zeros at its end.
            let mut expected = request.answer(1).as_bytes().to_vec();
            let mut found = program.answer(&request).unwrap();
            for bytes in [&mut expected, &mut found] {
                while bytes.last() == Some(&0) {
                    bytes.pop();
                }
            }
            assert_eq!(found, expected, "{request:?}");
        }
    }
}

#[test]
fn a_request_reads_back_as_it_was_written() {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    for _ in 0..ROUNDS {
        for request in requests(&mut rng) {
            let bytes = request.to_bytes(3);
            assert_eq!(Request::from_bytes(&bytes), Some((request, 3)));
            assert_eq!(Request::from_bytes(&bytes[..bytes.len() - 1]), None);
        }
    }
    assert_eq!(Request::from_bytes(&[255, 1, 0]), None);
}
