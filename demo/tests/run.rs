//! A short run on the compiled program. Needs the bytecode: `cargo xtask build`.

use clap::Parser;
use keel_demo::cli::Options;
use keel_demo::progress::Progress;
use keel_demo::result::RunResult;
use keel_demo::{report, simulation};
use serde_json::Value;

const STEPS: &str = "120";

fn run(args: &[&str]) -> RunResult {
    let args = [&["keel-demo", "--steps", STEPS], args].concat();
    let options = Options::parse_from(args);
    let path = options.path().expect("a path");
    let mut progress = Progress::new(path.ticks.len() - 1);
    simulation::run(&options, path, &mut progress).expect("a run")
}

fn liquidations(traders: &[keel_demo::result::TraderResult], kind: &str) -> usize {
    traders
        .iter()
        .filter(|trader| trader.kind == kind)
        .map(|trader| trader.liquidations)
        .sum()
}

#[test]
fn the_books_balance_and_the_story_holds() {
    let run = run(&[]);

    assert_eq!(run.invariants.failed, Vec::<String>::new());
    assert_eq!(run.conservation.failed, 0);
    assert!(run.conservation.checked > 0);
    assert_eq!(run.exit_code(), 0);

    assert!(liquidations(&run.traders, "levered long") > 0);
    assert_eq!(liquidations(&run.traders, "market-neutral"), 0);
    assert!(liquidations(&run.isolated_twins, "market-neutral") > 0);
    assert!(run.saved.liquidations > 0);
    assert_eq!(liquidations(&run.traders, "long-only"), 0);
}

#[test]
fn money_is_neither_made_nor_lost() {
    let run = run(&[]);
    let people = run.traders.iter().chain(&run.isolated_twins);
    let change: f64 = people
        .map(|t| t.final_equity - t.initial_equity)
        .sum::<f64>()
        + run.pool.final_equity
        - run.pool.initial_equity
        + run
            .liquidators
            .iter()
            .map(|l| l.final_equity - l.initial_equity)
            .sum::<f64>();

    // Pledged tokens lose value in the crash, and half of each penalty and every fee go to the house.
    let pledged_sol = 200_000.0 + 30_000.0 + 120_000.0;
    let pledged_eth = 20_000.0 + 80_000.0;
    let fall = |symbol: usize| {
        let usd = &run.prices[symbol].usd;
        usd[usd.len() - 1] / usd[0] - 1.0
    };
    let tokens = pledged_sol * fall(0) + pledged_eth * fall(2);
    let house = tokens - change;
    let penalties: f64 = run.liquidations.iter().map(|l| l.penalty).sum();

    assert!(
        house > penalties / 2.0,
        "house {house}, penalties {penalties}"
    );
    assert!(
        house < penalties / 2.0 + 3_000.0,
        "house {house}, penalties {penalties}"
    );
}

#[test]
fn the_object_has_the_promised_keys() {
    let run = run(&["--seed", "7"]);
    let value: Value = serde_json::from_str(&report::json::render(&run).unwrap()).unwrap();

    for key in [
        "traders",
        "isolated_twins",
        "saved",
        "compute_units",
        "conservation",
        "seconds",
    ] {
        assert!(!value[key].is_null(), "{key}");
    }
    for instruction in [
        "update_prices",
        "open_position",
        "close_position",
        "liquidate",
    ] {
        assert!(
            value["compute_units"][instruction]["max"].is_u64(),
            "{instruction}"
        );
    }
    assert!(value["traders"][0]["final_equity"].is_number());
    assert!(value["saved"]["usd"].is_number());
}

#[test]
fn a_seed_gives_one_run() {
    let [mut first, mut second] = [run(&["--seed", "3"]), run(&["--seed", "3"])];
    first.seconds = 0.0;
    second.seconds = 0.0;

    assert!(first == second);
    assert!(first != run(&["--seed", "4"]));
}
