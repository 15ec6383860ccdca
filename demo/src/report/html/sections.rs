//! The page's sections, from the market to the books.

use std::fmt::Write;

use plotters::style::RGBColor;

use super::{escape, figure, legend, row, table};
use crate::report::charts::{self, Bar, BarRow, Line, LineChart, Mark};
use crate::report::money::{elapsed, grouped, percent, short, signed_usd, size, usd};
use crate::result::{Liquidation, RunResult, TraderResult};

const WIDE: (u32, u32) = (1_070, 330);
const HALF: (u32, u32) = (525, 250);
const MAX_LIQUIDATIONS: usize = 60;

pub fn market(run: &RunResult, hours: &[f64]) -> anyhow::Result<String> {
    let rebased: Vec<Vec<f64>> = run
        .prices
        .iter()
        .map(|p| {
            p.usd
                .iter()
                .map(|usd| usd / p.usd.first().copied().unwrap_or(1.0) * 100.0)
                .collect()
        })
        .collect();
    let color = |i: usize| charts::ASSETS[i % charts::ASSETS.len()];
    let lowest = rebased.iter().flatten().copied().fold(100.0, f64::min);
    let chart = LineChart {
        label: "Prices rebased to 100, with all liquidations".to_owned(),
        size: WIDE,
        hours,
        lines: rebased
            .iter()
            .enumerate()
            .map(|(i, v)| Line {
                values: v,
                color: color(i),
                area: false,
            })
            .collect(),
        marks: run
            .liquidations
            .iter()
            .map(|l| mark(run, l, lowest - if l.isolated { 1.6 } else { 0.0 }))
            .collect(),
        zero: false,
        unit: short,
    };
    let names: Vec<(&str, RGBColor)> = run
        .prices
        .iter()
        .enumerate()
        .map(|(i, p)| (p.symbol.as_str(), color(i)))
        .collect();
    Ok(format!(
        "<section><h2>The market</h2><div class=\"card\">{}{}</div></section>",
        figure(
            "Prices, opening = 100. Every liquidation step of the run is marked at the foot, of cross-margined accounts \
             above, of isolated ones below: see when they come.",
            &chart.render()?
        ),
        legend(&names, true)
    ))
}

fn hour_of(run: &RunResult, time: i64) -> f64 {
    (time - run.times.first().copied().unwrap_or(time)) as f64 / 3_600.0
}

pub fn comparison(run: &RunResult) -> anyhow::Result<String> {
    let bar = |t: &TraderResult, color| {
        let steps = match t.liquidations {
            0 => "not liquidated".to_owned(),
            1 => "1 liquidation".to_owned(),
            n => format!("{n} liquidations"),
        };
        Bar {
            value: t.change() * 100.0,
            whisker: None,
            color,
            text: format!("{}, {steps}", percent(t.change())),
        }
    };
    let rows: Vec<BarRow> = run
        .traders
        .iter()
        .zip(&run.isolated_twins)
        .map(|(c, i)| BarRow {
            name: format!("{}, {}", c.name, c.kind),
            bars: vec![bar(c, charts::CROSS), bar(i, charts::ISOLATED)],
        })
        .collect();
    let svg = charts::bars("Change of equity, cross and isolated", WIDE.0, &rows)?;
    Ok(format!(
        "<section><h2>Cross against isolated</h2>\
         <p class=\"soft\">A twin has the trader's wealth and exposures. Its collateral is turned into USDC at the \
         opening, a pledged token becomes a long of the same value, and the USDC is split over one account per \
         exposure in proportion to notional. Fees and spreads apart, \
         what differs in the end is what margining did.</p>\
         <div class=\"card\">{}{}<div class=\"scroll\">{}</div></div></section>",
        figure(
            "Equity at the end against the start. See where the lower bar of a pair is the worse one.",
            &svg
        ),
        legend(
            &[
                ("cross-margined", charts::CROSS),
                ("isolated twin", charts::ISOLATED)
            ],
            false
        ),
        comparison_table(run)
    ))
}

fn comparison_table(run: &RunResult) -> String {
    let mut rows = String::new();
    for (c, i) in run.traders.iter().zip(&run.isolated_twins) {
        let cells = [
            usd(c.initial_equity),
            usd(c.final_equity),
            usd(i.final_equity),
            signed_usd(c.final_equity - i.final_equity),
            c.liquidations.to_string(),
            i.liquidations.to_string(),
            usd(c.penalties),
            usd(i.penalties),
        ];
        rows.push_str(&row("", &[&format!("{}, {}", c.name, c.kind)], &cells));
    }
    let sum = |list: &[TraderResult], f: fn(&TraderResult) -> f64| list.iter().map(f).sum::<f64>();
    let count = |list: &[TraderResult]| {
        list.iter()
            .map(|t| t.liquidations)
            .sum::<usize>()
            .to_string()
    };
    let (cross, twins) = (&run.traders[..], &run.isolated_twins[..]);
    let totals = [
        usd(sum(cross, |t| t.initial_equity)),
        usd(sum(cross, |t| t.final_equity)),
        usd(sum(twins, |t| t.final_equity)),
        signed_usd(run.saved.usd),
        count(cross),
        count(twins),
        usd(sum(cross, |t| t.penalties)),
        usd(sum(twins, |t| t.penalties)),
    ];
    rows.push_str(&row("total", &["all"], &totals));
    let heads = [
        "start",
        "end, cross",
        "end, isolated",
        "difference",
        "liq., cross",
        "liq., isolated",
        "penalties, cross",
        "isolated",
    ];
    table(&["trader"], &heads, &rows)
}

pub fn traders(run: &RunResult, hours: &[f64]) -> anyhow::Result<String> {
    let mut out = String::from(
        "<section><h2>Trader by trader</h2><p class=\"soft\">Left: equity with the maintenance requirement of the \
         cross-margined account under it; an account is liquidated where the two meet. Right: maintenance health in \
         dollars, of the twin that of its weakest account; below the red line it may be liquidated.</p>",
    );
    let [mut cross, mut isolated] = [false; 2];
    for (c, i) in run.traders.iter().zip(&run.isolated_twins) {
        cross |= c.liquidations > 0;
        isolated |= i.liquidations > 0;
        out.push_str(&trader(run, hours, c, i)?);
    }
    out.push_str(&legend(
        &[
            ("cross-margined", charts::CROSS),
            ("isolated twin", charts::ISOLATED),
            ("maintenance requirement, cross", charts::REQUIREMENT),
        ],
        cross || isolated,
    ));
    out.push_str("</section>");
    Ok(out)
}

fn trader(
    run: &RunResult,
    hours: &[f64],
    cross: &TraderResult,
    twin: &TraderResult,
) -> anyhow::Result<String> {
    let equity = LineChart {
        label: format!("Equity and maintenance requirement of {}", cross.name),
        size: HALF,
        hours,
        lines: vec![
            Line {
                values: &cross.series.maintenance,
                color: charts::REQUIREMENT,
                area: true,
            },
            Line {
                values: &twin.series.equity,
                color: charts::ISOLATED,
                area: false,
            },
            Line {
                values: &cross.series.equity,
                color: charts::CROSS,
                area: false,
            },
        ],
        marks: marks(run, cross, &cross.series.equity)
            .chain(marks(run, twin, &twin.series.equity))
            .collect(),
        zero: false,
        unit: short,
    };
    let health = LineChart {
        label: format!("Maintenance health of {}", cross.name),
        size: HALF,
        hours,
        lines: vec![
            Line {
                values: &twin.series.health,
                color: charts::ISOLATED,
                area: false,
            },
            Line {
                values: &cross.series.health,
                color: charts::CROSS,
                area: false,
            },
        ],
        marks: Vec::new(),
        zero: true,
        unit: short,
    };
    Ok(format!(
        "<div class=\"card\"><div class=\"head\"><h3>{}</h3><span class=\"kind\">{}</span>\
         <span class=\"soft\">{}</span></div><p class=\"story\">{}</p><div class=\"pair\">{}{}</div></div>",
        escape(&cross.name),
        escape(&cross.kind),
        escape(&outcome(cross, twin)),
        escape(&cross.story),
        figure("Equity and requirement, USD", &equity.render()?),
        figure("Maintenance health, USD", &health.render()?)
    ))
}

fn outcome(cross: &TraderResult, twin: &TraderResult) -> String {
    let fate = |t: &TraderResult| match t.liquidations {
        0 => "not liquidated".to_owned(),
        1 => "liquidated in 1 step".to_owned(),
        n => format!("liquidated in {n} steps"),
    };
    format!(
        "cross {}, {}; isolated {}, {}",
        percent(cross.change()),
        fate(cross),
        percent(twin.change()),
        fate(twin)
    )
}

/// The trader's liquidations, set on the curve.
fn marks<'a>(
    run: &'a RunResult,
    trader: &'a TraderResult,
    curve: &'a [f64],
) -> impl Iterator<Item = Mark> + 'a {
    run.liquidations_of(trader).filter_map(move |l| {
        let at = run.times.partition_point(|t| *t < l.time);
        Some(mark(run, l, *curve.get(at).or(curve.last())?))
    })
}

fn mark(run: &RunResult, liquidation: &Liquidation, value: f64) -> Mark {
    let color = if liquidation.isolated {
        charts::LIQUIDATED_ISOLATED
    } else {
        charts::LIQUIDATED_CROSS
    };
    Mark {
        hour: hour_of(run, liquidation.time),
        value,
        color,
    }
}

pub fn liquidations(run: &RunResult) -> String {
    let start = run.times.first().copied().unwrap_or(0);
    let mut rows = String::new();
    for l in run.liquidations.iter().take(MAX_LIQUIDATIONS) {
        let after = elapsed(l.time - start);
        let cells = [
            size(l.size),
            grouped(l.price, 2),
            usd((l.size * l.price).abs()),
            usd(l.penalty),
        ];
        rows.push_str(&row(
            "",
            &[&after, &l.trader, &l.market, &l.liquidator],
            &cells,
        ));
    }
    let body = if run.liquidations.is_empty() {
        "<p>None.</p>".to_owned()
    } else {
        table(
            &["after", "account", "market", "by"],
            &["taken", "price", "notional", "penalty"],
            &rows,
        )
    };
    let more = match run.liquidations.len().checked_sub(MAX_LIQUIDATIONS) {
        Some(n) if n > 0 => format!("<p class=\"soft\">And {n} more.</p>"),
        _ => String::new(),
    };
    format!("<section><h2>Liquidations</h2><div class=\"card scroll\">{body}{more}</div></section>")
}

pub fn pool(run: &RunResult, hours: &[f64]) -> anyhow::Result<String> {
    let line = |values, label: &str, unit| LineChart {
        label: label.to_owned(),
        size: HALF,
        hours,
        lines: vec![Line {
            values,
            color: charts::POOL,
            area: false,
        }],
        marks: Vec::new(),
        zero: false,
        unit,
    };
    let pool = &run.pool;
    let equity = line(&pool.equity, "Pool equity", short).render()?;
    let share = line(&pool.share_price, "LP share price", |v| format!("{v:.4}")).render()?;
    let mut others = String::new();
    for l in &run.liquidators {
        let _ = write!(
            others,
            "<p class=\"soft\">{}: {} liquidation steps, {} on {}.</p>",
            escape(&l.name),
            l.liquidations,
            signed_usd(l.final_equity - l.initial_equity),
            usd(l.initial_equity)
        );
    }
    Ok(format!(
        "<section><h2>The other side</h2><div class=\"card\"><div class=\"pair\">{}{}</div>\
         <p class=\"soft\">Liquidity providers: {} to {}.</p>{others}</div></section>",
        figure(
            "Equity of the pool, USD: what traders lose it gains, and back",
            &equity
        ),
        figure("Net asset value of one LP token, USD", &share),
        usd(pool.initial_equity),
        usd(pool.final_equity)
    ))
}

pub fn compute_units(run: &RunResult) -> anyhow::Result<String> {
    let number = |n: u64| grouped(n as f64, 0);
    let rows: Vec<BarRow> = run
        .compute_units
        .iter()
        .map(|(name, u)| BarRow {
            name: name.clone(),
            bars: vec![Bar {
                value: u.median as f64,
                whisker: Some((u.min as f64, u.max as f64)),
                color: charts::CROSS,
                text: format!("{} ({} times)", number(u.median), number(u.count as u64)),
            }],
        })
        .collect();
    let svg = charts::bars("Compute units per instruction", WIDE.0, &rows)?;
    let mut cells = String::new();
    for (name, u) in &run.compute_units {
        let figures = [
            number(u.count as u64),
            number(u.min),
            number(u.median),
            number(u.max),
        ];
        cells.push_str(&row("", &[name], &figures));
    }
    Ok(format!(
        "<section><h2>Compute units</h2><div class=\"card\">{}<div class=\"scroll\">{}</div></div></section>",
        figure(
            "Bar: median. Thin line: least to most. A transaction may use 1,400,000.",
            &svg
        ),
        table(&["instruction"], &["count", "min", "median", "max"], &cells)
    ))
}

pub fn books(run: &RunResult) -> String {
    let count = |n: u64| grouped(n as f64, 0);
    let simulated = run
        .times
        .last()
        .zip(run.times.first())
        .map_or(0, |(end, start)| end - start);
    format!(
        "<section><h2>The books</h2><div class=\"card\"><p>Conservation: {} checked, {} failed. \
         Other invariants: {} checked, {} failed.</p></div></section>\n\
         <footer>{} of market in {:.1} s; seed {}; {} samples; program of {} KiB. \
         Every figure is read from the accounts and logs of the compiled program.</footer>",
        count(run.conservation.checked),
        count(run.conservation.failed),
        count(run.invariants.checked),
        run.invariants.failed.len(),
        elapsed(simulated),
        run.seconds,
        run.seed,
        count(run.times.len() as u64),
        grouped(run.program_bytes as f64 / 1_024.0, 0)
    )
}
