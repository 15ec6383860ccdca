//! The transcendental functions and Black-76 in the VM: their units, and the same bits as natively.

use keel_tests::bench;

/// Targets of the risk engine's functions, each for the worst of the arguments measured.
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

#[test]
fn the_functions_of_risk_meet_their_targets() {
    let figures = bench::measure_risk().unwrap();
    for (name, target) in TARGETS {
        let units = figures.get(name, "worst").unwrap();
        println!("{name}: {units} of {target}");
        assert!(units <= target, "{name}: {units} units, target {target}");
    }
}
