//! A made-up run for the tests of the reports: the crash path and a crude margin by hand. No
//! figure here is the program's.

use std::collections::BTreeMap;

use crate::cast::{BIDDER, LIQUIDATOR, MEMBERS, TRADERS, Trader};
use crate::house::*;
use crate::path::{PricePath, Symbol, crash};
use crate::result::*;

const RANGE: [f64; 3] = [0.10, 0.07, 0.08];

pub fn run() -> RunResult {
    run_of(720)
}

pub fn run_of(steps: usize) -> RunResult {
    let path = crash::path(20_251_010, steps);
    let mut liquidations = Vec::new();
    let mut traders = Vec::new();
    let mut twins = Vec::new();
    for trader in &TRADERS {
        let usdc = trader.wealth_usd() - trader.exposures().iter().map(|e| e.1).sum::<f64>();
        let units: Vec<(usize, f64)> = trader
            .exposures()
            .iter()
            .map(|(s, usd)| (s.index(), *usd))
            .collect();
        traders.push(whole(trader, &path, usdc, units, &mut liquidations));
        twins.push(split(trader, &path, &mut liquidations));
    }
    liquidations.sort_by_key(|l: &Liquidation| l.time);
    assemble(&path, steps, traders, twins, liquidations)
}

const CONSERVED: Conservation = Conservation {
    checked: 5_768,
    failed: 0,
};

fn assemble(
    path: &PricePath,
    steps: usize,
    traders: Vec<TraderResult>,
    isolated_twins: Vec<TraderResult>,
    liquidations: Vec<Liquidation>,
) -> RunResult {
    let net: Vec<f64> = (0..path.ticks.len())
        .map(|k| {
            6e6 - traders
                .iter()
                .chain(&isolated_twins)
                .map(|t| t.series.equity[k] - t.initial_equity)
                .sum::<f64>()
        })
        .collect();
    let units = |median: u64, count| UnitStats {
        count,
        min: median * 9 / 10,
        median,
        max: median * 5 / 4,
    };
    RunResult {
        schema: SCHEMA,
        seed: 20_251_010,
        source: path.source.clone(),
        steps,
        seconds: 21.4,
        program_bytes: 612_352,
        times: path.ticks.iter().map(|t| t.time).collect(),
        prices: Symbol::ALL
            .map(|s| PriceSeries {
                symbol: s.name().to_owned(),
                usd: path.ticks.iter().map(|t| t.quote(s).usd()).collect(),
            })
            .to_vec(),
        saved: Saved::between(&traders, &isolated_twins),
        traders,
        isolated_twins,
        liquidators: vec![LiquidatorResult {
            name: LIQUIDATOR.0.to_owned(),
            initial_equity: 2e6,
            final_equity: 2e6 + liquidations.iter().map(|l| l.penalty).sum::<f64>(),
            liquidations: liquidations.len(),
        }],
        liquidations,
        pool: pool(net),
        house: house(path),
        compute_units: BTreeMap::from([
            ("open_position".to_owned(), units(29_800, 29)),
            ("liquidate".to_owned(), units(38_400, 22)),
            ("update_prices".to_owned(), units(4_900, 721)),
            ("deposit".to_owned(), units(11_700, 31)),
            ("view_margin".to_owned(), units(13_900, 14_420)),
            ("check_conservation".to_owned(), units(6_100, 721)),
        ]),
        conservation: CONSERVED,
        invariants: Invariants {
            checked: 17_304,
            failed: Vec::new(),
        },
    }
}

struct Account {
    usdc: f64,
    legs: Vec<(usize, f64)>,
    reliefs: Vec<(usize, Liquidation)>,
    equity: Vec<f64>,
    maintenance: Vec<f64>,
}

/// Marks the legs along the path; below maintenance a third of the largest losing leg goes.
fn live(
    name: &str,
    isolated: bool,
    path: &PricePath,
    mut usdc: f64,
    mut legs: Vec<(usize, f64)>,
) -> Account {
    let mut account = Account {
        usdc,
        legs: Vec::new(),
        reliefs: Vec::new(),
        equity: vec![],
        maintenance: vec![],
    };
    let open = &path.ticks[0];
    for (k, tick) in path.ticks.iter().enumerate() {
        let rel = |i: usize| tick.quotes[i].usd() / open.quotes[i].usd();
        let value = |legs: &[(usize, f64)], usdc: f64| {
            usdc + legs.iter().map(|(i, n)| n * rel(*i)).sum::<f64>()
        };
        let net: [f64; 3] = std::array::from_fn(|i| {
            legs.iter()
                .filter(|l| l.0 == i)
                .map(|l| l.1 * rel(i) * RANGE[i])
                .sum()
        });
        let apart = net.iter().map(|x| x * x).sum::<f64>() * 0.28;
        let mm = (net.iter().sum::<f64>().powi(2) * 0.72 + apart).sqrt();
        let equity = value(&legs, usdc);
        account.equity.push(equity);
        account.maintenance.push(mm);
        if equity < mm {
            let worst = (0..legs.len())
                .max_by(|a, b| (legs[*a].1).total_cmp(&legs[*b].1))
                .unwrap();
            let (i, n) = legs[worst];
            let taken = if n.abs() < 2_000.0 { n } else { n / 3.0 };
            let penalty = (taken * rel(i)).abs() * 0.005;
            legs[worst].1 -= taken;
            usdc += taken * rel(i) - penalty;
            let price = tick.quotes[i].usd();
            let size = taken * rel(i) / price;
            account.reliefs.push((
                k,
                Liquidation {
                    time: tick.time,
                    trader: name.to_owned(),
                    isolated,
                    market: Symbol::ALL[i].market().to_owned(),
                    size,
                    price,
                    penalty,
                    liquidator: LIQUIDATOR.0.to_owned(),
                },
            ));
        }
    }
    account.usdc = usdc;
    account.legs = legs;
    account
}

fn whole(
    trader: &Trader,
    path: &PricePath,
    usdc: f64,
    legs: Vec<(usize, f64)>,
    all: &mut Vec<Liquidation>,
) -> TraderResult {
    let account = live(trader.name, false, path, usdc, legs);
    sum(trader, trader.name.to_owned(), &[account], all)
}

fn split(trader: &Trader, path: &PricePath, all: &mut Vec<Liquidation>) -> TraderResult {
    let name = trader.twin_name();
    let accounts: Vec<Account> = trader
        .isolated_split()
        .iter()
        .map(|a| {
            live(
                &name,
                true,
                path,
                a.collateral_usd - a.notional_usd,
                vec![(a.symbol.index(), a.notional_usd)],
            )
        })
        .collect();
    sum(trader, name, &accounts, all)
}

fn sum(
    trader: &Trader,
    name: String,
    accounts: &[Account],
    all: &mut Vec<Liquidation>,
) -> TraderResult {
    let steps = accounts[0].equity.len();
    let total = |f: fn(&Account) -> &Vec<f64>| -> Vec<f64> {
        (0..steps)
            .map(|k| accounts.iter().map(|a| f(a)[k]).sum())
            .collect()
    };
    let equity = total(|a| &a.equity);
    let health: Vec<f64> = (0..steps)
        .map(|k| {
            accounts
                .iter()
                .map(|a| a.equity[k] - a.maintenance[k])
                .fold(f64::MAX, f64::min)
        })
        .collect();
    let mine: Vec<Liquidation> = accounts
        .iter()
        .flat_map(|a| a.reliefs.iter().map(|r| r.1.clone()))
        .collect();
    let result = TraderResult {
        name,
        kind: trader.kind.to_owned(),
        story: trader.story.to_owned(),
        accounts: accounts.len(),
        initial_equity: equity[0],
        final_equity: *equity.last().unwrap(),
        liquidations: mine.len(),
        penalties: mine.iter().map(|l| l.penalty).sum(),
        min_health: health.iter().copied().fold(f64::MAX, f64::min),
        series: TraderSeries {
            equity,
            maintenance: total(|a| &a.maintenance),
            health,
        },
    };
    all.extend(mine);
    result
}

fn liquidity(time: i64) -> Liquidity {
    Liquidity {
        providers: vec![Provider {
            name: "Provider A".to_owned(),
            initial_value: 4e6,
            final_value: 4.02e6,
            redeemed: 0.0,
        }],
        fees: 700.0,
        impact: 300.0,
        redemptions: vec![Redemption {
            provider: "Provider B".to_owned(),
            time,
            shares: 1e6,
            paid: 1.01e6,
            left: 0.0,
        }],
    }
}

fn house(path: &PricePath) -> House {
    let time = path.ticks[path.ticks.len() / 2].time;
    let member = MEMBERS.iter().map(|member| {
        let trader = &member.trader;
        whole(
            trader,
            path,
            trader.wealth_usd(),
            Vec::new(),
            &mut Vec::new(),
        )
    });
    House {
        members: member.collect(),
        interest: vec![Interest {
            token: "SOL".to_owned(),
            borrowed: 46_000.0,
            yearly_percent: 1.2,
            paid: 0.41,
            earned: 0.37,
            insured: 0.04,
            rounded: 0.0,
        }],
        funding: vec![Funding {
            market: "SOL-PERP".to_owned(),
            longs_paid: 812.0,
            shorts_got: 812.0,
            daily_percent: 0.4,
            open_interest: 900_000.0,
        }],
        liquidity: liquidity(time),
        insurance: vec![Insurance {
            market: "SOL-PERP".to_owned(),
            given: 40_000.0,
            earned: 2_000.0,
            paid: 2_500.0,
            held: 39_500.0,
            limit: 1_975_000.0,
        }],
        settlements: vec![Settlement {
            market: "SOL-PERP".to_owned(),
            times: 40,
            moved: 310_000.0,
            waiting: 1_200.0,
        }],
        takeovers: vec![takeover(time)],
        deleveragings: vec![deleveraging(time)],
        strays: vec![Strays {
            market: "ETH-PERP".to_owned(),
            times: 1,
            size: 0.000_3,
        }],
        bankruptcies: vec![Bankruptcy {
            time,
            account: "Gus".to_owned(),
            ledger: "SOL-PERP".to_owned(),
            net_asset_value: -4_000.0,
            deficit: 4_000.0,
            from_market_insurance: 2_500.0,
            from_group_insurance: 1_000.0,
            from_other_side: 500.0,
            from_depositors: 0.0,
            owed: 0.0,
        }],
    }
}

fn takeover(time: i64) -> Takeover {
    Takeover {
        time,
        account: "Vera".to_owned(),
        bidder: BIDDER.0.to_owned(),
        share: 0.3,
        worth: 20_000.0,
        payment: 19_700.0,
        from_insurance: 0.0,
        after_s: 150,
        health_before: -2_000.0,
        health_after: 900.0,
    }
}

fn deleveraging(time: i64) -> Deleveraging {
    Deleveraging {
        time,
        account: "Nils".to_owned(),
        market: "ETH-PERP".to_owned(),
        by_pool: false,
        size: 80.0,
        price: 3_500.0,
        penalty: 0.0,
        closed_percent: 23.4,
        net_asset_value: -1_500.0,
    }
}

fn pool(net: Vec<f64>) -> PoolResult {
    PoolResult {
        initial_equity: 6e6,
        final_equity: *net.last().unwrap(),
        share_price: net.iter().map(|e| e / 6e6).collect(),
        equity: net,
    }
}
