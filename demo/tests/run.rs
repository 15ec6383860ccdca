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
    let kept = tokens - change + spent;
    let penalties = (run.liquidations.iter().map(|l| l.penalty))
        .chain(house.deleveragings.iter().map(|d| d.penalty))
        .sum::<f64>();
    let earned: f64 = house.insurance.iter().map(|market| market.earned).sum();

    // Rounding leaves it a little more.
    assert!(
        (penalties / 2.0..penalties / 2.0 + 1.0).contains(&earned),
        "{earned} {penalties}"
    );
    // Of every fill the pool has two basis points and the market three.
    let fees = 1.5 * house.liquidity.fees;
    assert!((kept - earned - fees).abs() < 5.0, "{kept} {earned} {fees}");
}

/// 3.4, 8.6: the operator insures every market, a side stays within fifty times that, and what left an
/// insurance paid for bankruptcies.
#[test]
fn markets_are_insured_and_stay_within_it() {
    let run = run(&[]);
    let house = &run.house;
    assert_eq!(house.insurance.len(), 3);
    for (market, funding) in house.insurance.iter().zip(&house.funding) {
        assert_eq!(market.market, funding.market);
        assert!(market.given >= 10_000.0, "{market:?}");
        assert!(near(market.limit, 50.0 * market.held), "{market:?}");
        assert!(funding.open_interest < market.limit, "{market:?}");
        let paid = (house.bankruptcies.iter())
            .filter(|one| one.ledger == market.market)
            .map(|one| one.from_market_insurance);
        assert!(near(market.paid, paid.sum()), "{market:?}");
        let held = market.given + market.earned - market.paid;
        assert!(near(market.held, held), "{market:?}");
    }
}

/// 7.4: who won in a market has it as money, and nobody was made to borrow for it.
#[test]
fn results_are_settled_and_nothing_is_borrowed_for_it() {
    let run = run(&[]);
    for market in &run.house.settlements {
        assert!(market.times > 0 && market.moved > 100_000.0, "{market:?}");
        assert!(market.waiting < 0.01 * market.moved, "{market:?}");
    }
    let quote = &run.house.interest[0];
    assert!(
        quote.token == "USDC" && near(quote.borrowed, 0.0),
        "{quote:?}"
    );
}

/// 8.5: what nobody bids for goes to the pool, within its limits, then to the other side, whose lots
/// lost to rounding the pool takes.
#[test]
fn what_nobody_bids_for_goes_to_the_pool_and_to_the_other_side() {
    let run = run(&[]);
    let house = &run.house;
    let of = |by_pool: bool| {
        let all = house.deleveragings.iter();
        all.filter(move |one| one.by_pool == by_pool)
    };
    assert!(of(true).count() > 0 && of(false).count() > 0);
    for one in &house.deleveragings {
        assert!(one.account == "Nils" && one.market == "ETH-PERP", "{one:?}");
        assert!(one.size > 0.0, "{one:?}");
    }
    for one in of(true) {
        let worth = one.size * one.price;
        assert!(
            one.penalty > 0.0 && one.penalty < 0.05 * worth + 0.01,
            "{one:?}"
        );
    }
    for one in of(false) {
        assert!(
            one.closed_percent > 0.0 && one.closed_percent < 50.0,
            "{one:?}"
        );
        assert!(near(one.penalty, 0.0), "{one:?}");
    }
    assert_eq!(house.strays.len(), 1);
    let strays = &house.strays[0];
    assert!(
        strays.market == "ETH-PERP" && strays.size > 0.0 && strays.size < 0.01,
        "{strays:?}"
    );
}

/// 8.1, 8.2: where either leg alone would weigh more without the other, both go in one step.
#[test]
fn a_hedge_is_taken_as_a_whole() {
    let run = run(&[]);
    let hugo: Vec<_> = (run.liquidations.iter())
        .filter(|taken| taken.trader == "Hugo")
        .collect();
    assert!(!hugo.is_empty());
    for taken in hugo {
        assert_eq!(taken.market, "ETH/BTC-PERP");
    }
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
        "deleverage",
        "settle_pnl",
        "take_strays",
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
        "insurance",
        "settlements",
        "takeovers",
        "deleveragings",
        "strays",
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
