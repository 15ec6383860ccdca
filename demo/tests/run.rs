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
    let house = &run.house;
    let people = (run.traders.iter())
        .chain(&run.isolated_twins)
        .chain(&house.members);
    let redeemed: f64 = house.liquidity.redemptions.iter().map(|r| r.paid).sum();
    let change: f64 = people
        .map(|t| t.final_equity - t.initial_equity)
        .sum::<f64>()
        + run.pool.final_equity
        - run.pool.initial_equity
        + redeemed
        + run
            .liquidators
            .iter()
            .map(|l| l.final_equity - l.initial_equity)
            .sum::<f64>();

    // Pledged tokens lose value in the crash, and half of each penalty and every fee go to the house.
    // What was borrowed left the venue.
    let pledged_sol = 200_000.0 + 30_000.0 + 120_000.0 - 60_000.0;
    let pledged_eth = 20_000.0 + 80_000.0 - 30_000.0;
    let fall = |symbol: usize| {
        let usd = &run.prices[symbol].usd;
        usd[usd.len() - 1] / usd[0] - 1.0
    };
    let tokens = pledged_sol * fall(0) + pledged_eth * fall(2);
    let spent: f64 = (house.bankruptcies.iter())
        .map(|b| b.from_market_insurance + b.from_group_insurance + b.owed)
        .chain(house.takeovers.iter().map(|t| t.from_insurance))
        .sum();
    let house = tokens - change + spent;
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

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-4
}

#[test]
fn borrowers_and_longs_pay_what_others_get() {
    let run = run(&[]);
    let house = &run.house;

    let paid = |token: &str| {
        let bank = house.interest.iter().find(|bank| bank.token == token);
        bank.expect("a bank").paid
    };
    assert!(paid("SOL") > 0.0 && paid("ETH") > 0.0);
    assert!(near(paid("BTC"), 0.0));
    for bank in &house.interest {
        let got = bank.earned + bank.insured + bank.rounded;
        assert!(near(bank.paid, got), "{bank:?}");
    }

    assert_eq!(house.funding.len(), 3);
    for market in &house.funding {
        assert!(near(market.longs_paid, market.shorts_got), "{market:?}");
        assert!(market.daily_percent.abs() <= 2.0, "{market:?}");
    }
    assert!(house.funding.iter().any(|market| market.longs_paid != 0.0));
}

#[test]
fn providers_share_the_pool_and_one_is_paid() {
    let run = run(&[]);
    let liquidity = &run.house.liquidity;
    let total = |of: fn(&keel_demo::house::Provider) -> f64| -> f64 {
        liquidity.providers.iter().map(of).sum()
    };

    // But for the few shares that nobody owns.
    assert!((total(|p| p.initial_value) - run.pool.initial_equity).abs() < 10.0);
    assert!((total(|p| p.final_value) - run.pool.final_equity).abs() < 10.0);
    assert!(liquidity.fees > 0.0);
    assert_eq!(liquidity.redemptions.len(), 1);
    let paid = &liquidity.redemptions[0];
    assert!(near(paid.left, 0.0) && paid.paid > 0.9 * paid.shares);
    assert!(near(paid.paid, total(|p| p.redeemed)));
}

#[test]
fn a_share_is_taken_over_and_a_bankruptcy_paid_for() {
    let run = run(&[]);
    let house = &run.house;

    assert!(!house.takeovers.is_empty());
    for taken in &house.takeovers {
        assert_eq!(taken.account, "Vera");
        assert!(taken.share > 0.0 && taken.share <= 1.0, "{taken:?}");
        assert!(taken.discount() > 0.0, "{taken:?}");
        assert!(taken.health_before < 0.0 && taken.health_after > taken.health_before);
    }

    let gus: Vec<_> = (house.bankruptcies.iter())
        .filter(|one| one.account == "Gus")
        .collect();
    assert_eq!(gus.len(), 1);
    assert!(gus[0].net_asset_value < 0.0);
    assert!(near(gus[0].deficit, -gus[0].net_asset_value));
    assert!(gus[0].from_market_insurance > 0.0 && gus[0].from_group_insurance > 0.0);
    assert!(gus[0].from_other_side > 0.0);
    for one in &house.bankruptcies {
        assert!(near(one.paid(), one.deficit), "{one:?}");
    }
    let member = house.members.iter().find(|m| m.name == "Gus");
    assert!(near(member.expect("Gus").final_equity, 0.0));
}

#[test]
fn the_object_has_the_promised_keys() {
    let run = run(&["--seed", "7"]);
    let value: Value = serde_json::from_str(&report::json::render(&run).unwrap()).unwrap();

    for key in [
        "traders",
        "isolated_twins",
        "saved",
        "house",
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
        "accrue",
        "borrow",
        "request_redeem",
        "redeem_liquidity",
        "take_over",
        "resolve_bankruptcy",
    ] {
        assert!(
            value["compute_units"][instruction]["max"].is_u64(),
            "{instruction}"
        );
    }
    assert!(value["traders"][0]["final_equity"].is_number());
    assert!(value["saved"]["usd"].is_number());
    assert_eq!(value["schema"], 3);
    for part in [
        "members",
        "interest",
        "funding",
        "takeovers",
        "bankruptcies",
    ] {
        assert!(value["house"][part].is_array(), "{part}");
    }
}

#[test]
fn a_seed_gives_one_run() {
    let [mut first, mut second] = [run(&["--seed", "3"]), run(&["--seed", "3"])];
    first.seconds = 0.0;
    second.seconds = 0.0;

    assert!(first == second);
    assert!(first != run(&["--seed", "4"]));
}
