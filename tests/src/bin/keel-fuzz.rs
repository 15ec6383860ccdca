//! Runs random sequences of everything that anyone can do, or replays one.
#![forbid(unsafe_code)]

fn main() {
    let (tallies, broken) = keel_tests::fuzz::run::sequence(1, 20000, |_| {}).unwrap();
    println!("{tallies}\n{:?}", broken.map(|broken| broken.what));
}
