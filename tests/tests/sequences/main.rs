//! Random sequences of everything that anyone can do, on the compiled program; after every step the
//! invariants of margin-spec 9, I1 to I8, against books kept from raw bytes.
//!
//! `cargo xtask fuzz` runs longer ones, and replays what failed.

mod doctored;

use keel_tests::fuzz::{Action, run};

const STEPS: u64 = 20_000;
const SEED: u64 = 20_240_716;
/// How often every instruction must have been accepted, so that a sequence shows something.
const LEAST: u64 = 20;
/// Steps of one of the short sequences, and how many there are.
const SHORT: u64 = 250;
const SEEDS: u64 = 16;

/// I1, I2, I3, I4, I5, I6, I7 and I8 after every step; every instruction takes part.
#[test]
fn every_invariant_holds_after_every_step_of_a_random_sequence() {
    let (tallies, broken) = run::sequence(SEED, STEPS, || true).expect("a group");
    println!("{tallies}");
    report(SEED, broken);
    for name in Action::INSTRUCTIONS {
        let accepted = tallies.accepted(name);
        assert!(accepted >= LEAST, "{name} was accepted {accepted} times");
    }
    assert_eq!(tallies.accepted("an attack"), 0);
}

/// The same from many beginnings.
#[test]
fn the_invariants_hold_from_every_seed() {
    for seed in 0..SEEDS {
        let (_, broken) = run::sequence(seed, SHORT, || true).expect("a group");
        report(seed, broken);
    }
}

/// Panics with the shortest replay found in two minutes.
#[track_caller]
fn report(seed: u64, broken: Option<run::Broken>) {
    let Some(broken) = broken else {
        return;
    };
    let time = std::time::Duration::from_secs(120);
    let short = run::shorten(&broken, time).expect("a group");
    let lines: Vec<String> = short.actions.iter().map(Action::to_line).collect();
    panic!(
        "seed {seed}, step {}: {}\nThese lines in a file, with `cargo xtask fuzz --replay FILE`, break \
         the same ({}):\n{}",
        broken.actions.len(),
        broken.what,
        short.what,
        lines.join("\n")
    );
}
