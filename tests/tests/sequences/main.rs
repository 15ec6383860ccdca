//! Random sequences of everything that anyone can do, on the compiled program; after every step the
//! invariants of margin-spec 9 against books kept from raw bytes.
//!
//! `KEEL_STEPS` and `KEEL_SEED` choose the length and the seed; a failure names both, so that the
//! same two values replay it.

mod action;
mod check;
mod driver;

use std::collections::BTreeMap;

use action::Action;
use driver::Driver;
use keel_tests::Ledger;
use proptest::prop_assert;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRng, TestRunner};

const STEPS: u64 = 20_000;
const SEED: u64 = 20_240_716;
/// Actions shown with a failure.
const SHOWN: usize = 20;

/// How often an action was accepted and refused.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    accepted: u64,
    refused: u64,
}

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| {
        value.parse().expect("a whole number of steps or a seed")
    })
}

#[test]
fn i1_to_i10_hold_after_every_step_of_a_random_sequence() {
    let (steps, seed) = (setting("KEEL_STEPS", STEPS), setting("KEEL_SEED", SEED));
    let mut driver = Driver::new(seed).expect("a group with traders");
    let mut tallies: BTreeMap<&'static str, Tally> = BTreeMap::new();
    let mut causes: BTreeMap<String, u64> = BTreeMap::new();
    let mut history: Vec<Action> = Vec::new();
    for step in 0..steps {
        let action = driver.choose();
        history.push(action.clone());
        let tally = tallies.entry(action.name()).or_default();
        match driver.step(&action) {
            Ok(None) => tally.accepted += 1,
            Ok(Some(cause)) => {
                tally.refused += 1;
                *causes
                    .entry(format!("{} {cause}", action.name()))
                    .or_default() += 1;
            }
            Err(broken) => {
                let shown = history.len().saturating_sub(SHOWN);
                for (at, action) in history.iter().enumerate().skip(shown) {
                    println!("{at:>6} {action:?}");
                }
                panic!(
                    "step {step}: {broken:#}\nreplay: KEEL_SEED={seed} KEEL_STEPS={} cargo test -p \
                     keel-tests --test sequences",
                    step + 1
                );
            }
        }
    }

    println!("{:<24} {:>8} {:>8}", "action", "accepted", "refused");
    for (name, tally) in &tallies {
        println!("{name:<24} {:>8} {:>8}", tally.accepted, tally.refused);
    }
    println!("refused, by cause: {causes:#?}");
    if steps >= STEPS {
        for name in Action::NAMES {
            let tally = tallies.get(name).copied().unwrap_or_default();
            assert!(
                tally.accepted >= 3 || Action::never_accepted(name),
                "{name} was accepted {} times: the sequence shows little",
                tally.accepted
            );
            assert!(
                tally.refused >= 3 || !Action::never_accepted(name),
                "{name} was tried {} times",
                tally.refused
            );
        }
    }
}

/// Steps of one of the short sequences, at most.
const SHORT: u64 = 400;
/// Short sequences tried.
const SEEDS: u32 = 12;

/// The same over many seeds, drawn by proptest from its fixed generator: a failure shrinks to the
/// shortest sequence of its seed.
#[test]
fn the_invariants_hold_from_every_seed() {
    let config = Config {
        cases: SEEDS,
        failure_persistence: None,
        ..Config::default()
    };
    let algorithm = config.rng_algorithm;
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(algorithm));
    let sequences = (proptest::num::u64::ANY.no_shrink(), 1..=SHORT);
    let outcome = runner.run(&sequences, |(seed, steps)| {
        let mut driver = Driver::new(seed).expect("a group with traders");
        for step in 0..steps {
            let action = driver.choose();
            let broken = driver.step(&action).err();
            prop_assert!(broken.is_none(), "step {step}, {action:?}: {broken:?}");
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// What goes missing, and how.
type Spoil = (&'static str, fn(&mut Ledger));

/// The books kept beside the program see one unit missing anywhere.
#[test]
fn the_second_books_see_a_single_unit() {
    let mut driver = Driver::new(SEED).expect("a group with traders");
    while driver
        .ledger()
        .markets
        .iter()
        .any(|market| market.long == 0)
    {
        let action = driver.choose();
        driver.step(&action).expect("a step");
    }
    let sound = driver.ledger();
    sound.check().expect("books that balance");
    let spoil: [Spoil; 12] = [
        ("a share", |books| books.accounts[1].balances[0].1 += 1),
        ("a debt", |books| books.accounts[2].balances.push((1, -1))),
        ("a bank's shares", |books| {
            books.banks[0].deposit_shares -= 1
        }),
        ("what a bank tracks", |books| books.banks[0].tracked += 1),
        ("dust", |books| books.banks[1].dust += 1),
        ("a vault", |books| {
            books.banks[0].vault = books.banks[0].tracked - 1
        }),
        ("a size", |books| books.accounts[0].positions[0].1 += 1),
        ("a quote", |books| books.accounts[0].positions[0].2 += 1),
        ("a last slot", |books| {
            books.accounts[0].positions_end.0 += 1
        }),
        ("a fee", |books| books.markets[1].fees += 1),
        ("open interest", |books| books.markets[2].short -= 1),
        ("an LP share", |books| books.pool.supply += 1),
    ];
    for (what, spoil) in spoil {
        let mut books = sound.clone();
        spoil(&mut books);
        assert!(books.check().is_err(), "{what} changed and nobody saw it");
    }
}
