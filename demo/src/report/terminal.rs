//! Tables for a terminal of 100 columns.

mod house;

use std::fmt::Write;

use super::money::{elapsed, grouped, percent, signed_usd, size, usd};
use super::table::Align::{Left, Right};
use super::table::Table;
use crate::result::{Liquidation, RunResult, TraderResult};

pub const WIDTH: usize = 100;
const SPARK: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const SPARK_WIDTH: usize = 12;
const MAX_LIQUIDATIONS: usize = 16;

pub fn render(run: &RunResult) -> String {
    let sections = [
        ("", opening(run)),
        ("Prices", prices(run)),
        ("Traders, one cross-margined account each", traders(run)),
        (
            "Their isolated twins, every exposure in an account of its own",
            twins(run),
        ),
        ("Liquidations", liquidations(run)),
        ("Others", others(run)),
        ("The house", house::render(run)),
        ("Compute units", compute_units(run)),
        ("Books", books(run)),
        ("What cross margin saved", saved(run)),
    ];
    let mut out = String::new();
    for (title, body) in sections {
        if title.is_empty() {
            out.push_str(&body);
        } else {
            let _ = write!(out, "\n{title}\n\n{body}");
        }
    }
    out
}

fn opening(run: &RunResult) -> String {
    let simulated = run
        .times
        .last()
        .zip(run.times.first())
        .map_or(0, |(end, start)| end - start);
    let program = grouped(run.program_bytes as f64 / 1_024.0, 0);
    let text = format!(
        "{}. {} of market, {} samples, in {:.1} s. Program: {program} KiB of bytecode.",
        run.source,
        elapsed(simulated),
        run.times.len(),
        run.seconds
    );
    format!(
        "\nKeel: a crash, cross-margined and isolated\n\n{}",
        wrap(&text)
    )
}

/// Lines of at most `WIDTH`, indented.
fn wrap(text: &str) -> String {
    let mut out = String::new();
    let mut line = String::from(" ");
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, "{line}");
            line = String::from(" ");
        }
        let _ = write!(line, " {word}");
    }
    let _ = writeln!(out, "{line}");
    out
}

fn prices(run: &RunResult) -> String {
    let columns = [
        ("asset", Left),
        ("open", Right),
        ("low", Right),
        ("close", Right),
        ("to low", Right),
        ("", Left),
    ];
    let mut table = Table::new(&columns);
    for series in &run.prices {
        let (Some(open), Some(close)) = (series.usd.first(), series.usd.last()) else {
            continue;
        };
        let low = series.usd.iter().copied().fold(f64::MAX, f64::min);
        table.row([
            series.symbol.clone(),
            grouped(*open, 2),
            grouped(low, 2),
            grouped(*close, 2),
            percent(low / open - 1.0),
            sparkline(&series.usd, 36),
        ]);
    }
    table.render()
}

fn trader_table(
    traders: &[TraderResult],
    kind_column: &'static str,
    kind: impl Fn(&TraderResult) -> String,
) -> String {
    let columns = [
        ("trader", Left),
        (kind_column, Left),
        ("start", Right),
        ("end", Right),
        ("change", Right),
        ("least health", Right),
        ("liq.", Right),
        ("equity", Left),
    ];
    let mut table = Table::new(&columns);
    for trader in traders {
        table.row([
            clip(&trader.name, 16),
            clip(&kind(trader), 15),
            usd(trader.initial_equity),
            usd(trader.final_equity),
            percent(trader.change()),
            usd(trader.min_health),
            trader.liquidations.to_string(),
            sparkline(&trader.series.equity, SPARK_WIDTH),
        ]);
    }
    table.render()
}

fn traders(run: &RunResult) -> String {
    trader_table(&run.traders, "kind", |t| t.kind.clone())
}

fn twins(run: &RunResult) -> String {
    trader_table(&run.isolated_twins, "accounts", |t| t.accounts.to_string())
}

fn liquidations(run: &RunResult) -> String {
    if run.liquidations.is_empty() {
        return "  none\n".to_owned();
    }
    let columns = [
        ("after", Right),
        ("account", Left),
        ("market", Left),
        ("taken", Right),
        ("price", Right),
        ("penalty", Right),
        ("by", Left),
    ];
    let mut table = Table::new(&columns);
    let start = run.times.first().copied().unwrap_or(0);
    for l in run.liquidations.iter().take(MAX_LIQUIDATIONS) {
        table.row(liquidation_row(l, start));
    }
    let mut out = table.render();
    if let Some(more) = run
        .liquidations
        .len()
        .checked_sub(MAX_LIQUIDATIONS)
        .filter(|n| *n > 0)
    {
        let _ = writeln!(out, "  and {more} more");
    }
    out
}

fn liquidation_row(l: &Liquidation, start: i64) -> [String; 7] {
    [
        elapsed(l.time - start),
        clip(&l.trader, 20),
        clip(&l.market, 12),
        size(l.size),
        grouped(l.price, 2),
        usd(l.penalty),
        clip(&l.liquidator, 16),
    ]
}

fn others(run: &RunResult) -> String {
    let columns = [
        ("who", Left),
        ("start", Right),
        ("end", Right),
        ("change", Right),
        ("", Left),
    ];
    let mut table = Table::new(&columns);
    let change = |start: f64, end: f64| {
        if start > 0.0 {
            percent(end / start - 1.0)
        } else {
            String::new()
        }
    };
    for l in &run.liquidators {
        table.row([
            clip(&l.name, 18),
            usd(l.initial_equity),
            usd(l.final_equity),
            change(l.initial_equity, l.final_equity),
            format!("{} liquidations", l.liquidations),
        ]);
    }
    let pool = &run.pool;
    let share = |price: Option<&f64>| price.map_or("-".to_owned(), |p| format!("{p:.4}"));
    table.row([
        "Liquidity pool".to_owned(),
        usd(pool.initial_equity),
        usd(pool.final_equity),
        change(pool.initial_equity, pool.final_equity),
        format!(
            "LP share {} to {}",
            share(pool.share_price.first()),
            share(pool.share_price.last())
        ),
    ]);
    table.render()
}

fn compute_units(run: &RunResult) -> String {
    let columns = [
        ("instruction", Left),
        ("count", Right),
        ("min", Right),
        ("median", Right),
        ("max", Right),
    ];
    let mut table = Table::new(&columns);
    for (name, units) in &run.compute_units {
        let number = |n: u64| grouped(n as f64, 0);
        table.row([
            clip(name, 28),
            number(units.count as u64),
            number(units.min),
            number(units.median),
            number(units.max),
        ]);
    }
    table.render()
}

fn books(run: &RunResult) -> String {
    let mut out = String::new();
    let count = |n: u64| grouped(n as f64, 0);
    let c = &run.conservation;
    let _ = writeln!(
        out,
        "  Conservation: {} checked, {} failed.",
        count(c.checked),
        count(c.failed)
    );
    let checked = count(run.invariants.checked);
    let failed = &run.invariants.failed;
    let _ = writeln!(
        out,
        "  Other invariants: {checked} checked, {} failed.",
        count(failed.len() as u64)
    );
    for failure in failed {
        out.push_str(&wrap(&format!("FAILED {failure}")));
    }
    out
}

fn saved(run: &RunResult) -> String {
    let columns = [
        ("trader", Left),
        ("kind", Left),
        ("liq. cross", Right),
        ("liq. isolated", Right),
        ("end, cross less isolated", Right),
    ];
    let mut table = Table::new(&columns);
    for (cross, twin) in run.traders.iter().zip(&run.isolated_twins) {
        table.row([
            clip(&cross.name, 18),
            clip(&cross.kind, 18),
            cross.liquidations.to_string(),
            twin.liquidations.to_string(),
            signed_usd(cross.final_equity - twin.final_equity),
        ]);
    }
    let total = |traders: &[TraderResult]| {
        traders
            .iter()
            .map(|t| t.liquidations)
            .sum::<usize>()
            .to_string()
    };
    table.row([
        "all".to_owned(),
        String::new(),
        total(&run.traders),
        total(&run.isolated_twins),
        signed_usd(run.saved.usd),
    ]);
    format!("{}\n  {}\n", table.render(), verdict(run))
}

/// The last line; a crash that cost cross margin more is told as plainly.
fn verdict(run: &RunResult) -> String {
    let saved = &run.saved;
    if saved.liquidations >= 0 && saved.usd >= 0.0 {
        return format!(
            "{} liquidations and {} saved by cross margin.",
            saved.liquidations,
            usd(saved.usd)
        );
    }
    let end = if saved.usd < 0.0 { "less" } else { "more" };
    format!(
        "With cross margin: {} liquidations fewer, {} {end} equity at the end.",
        saved.liquidations,
        usd(saved.usd.abs())
    )
}

fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars()
        .take(width.saturating_sub(1))
        .chain(['…'])
        .collect()
}

/// The series in `width` characters, each the least value of its share, scaled to the range.
fn sparkline(values: &[f64], width: usize) -> String {
    let low = values.iter().copied().fold(f64::MAX, f64::min);
    let high = values.iter().copied().fold(f64::MIN, f64::max);
    let span = (high - low).max(f64::MIN_POSITIVE);
    let share = values.len().div_ceil(width).max(1);
    let level = |chunk: &[f64]| {
        let least = chunk.iter().copied().fold(f64::MAX, f64::min);
        SPARK[((least - low) / span * 7.0).round().clamp(0.0, 7.0) as usize]
    };
    values.chunks(share).map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn no_line_is_wider_than_100_columns() {
        let mut run = sample::run();
        run.source = "x y ".repeat(80);
        run.invariants
            .failed
            .push("I3 open interest is not symmetric ".repeat(9));
        run.traders[0].name = "A trader with a very long name indeed".to_owned();
        for trader in run.traders.iter_mut().chain(&mut run.isolated_twins) {
            trader.initial_equity *= 100.0;
            trader.min_health *= 100.0;
        }

        for line in render(&run).lines() {
            assert!(
                line.chars().count() <= WIDTH,
                "{}: {line}",
                line.chars().count()
            );
        }
    }

    #[test]
    fn it_ends_with_what_was_saved() {
        let run = sample::run();
        let text = render(&run);
        let last = text.lines().last().unwrap();

        assert!(last.contains("saved by cross margin"), "{last}");
        assert!(last.contains(&usd(run.saved.usd)), "{last}");
        assert!(text.contains("Conservation: 5,768 checked, 0 failed."));
    }

    #[test]
    fn a_failed_invariant_is_told() {
        let mut run = sample::run();
        run.invariants
            .failed
            .push("I3 at step 9: longs 5, shorts 4".to_owned());

        assert!(render(&run).contains("FAILED I3 at step 9: longs 5, shorts 4"));
    }

    #[test]
    fn the_house_says_none_where_nothing_happened() {
        let mut run = sample::run_of(60);
        let told = render(&run);
        assert!(told.contains("group ins.") && told.contains("discount"));

        assert!(told.contains("the other side") && told.contains("0.0003"));

        run.house.takeovers.clear();
        run.house.deleveragings.clear();
        run.house.bankruptcies.clear();
        let text = render(&run);
        let house = text.split("\nThe house\n").nth(1).unwrap();
        assert_eq!(house.matches("  none\n").count(), 3);
    }

    #[test]
    fn a_sparkline_shows_the_low() {
        assert_eq!(sparkline(&[1.0, 2.0, 0.0, 2.0], 4), "▅█▁█");
        assert_eq!(sparkline(&[5.0, 5.0], 4), "▁▁");
        assert_eq!(sparkline(&[], 4), "");
        assert_eq!(sparkline(&[2.0; 1_000], 18).chars().count(), 18);
    }

    #[test]
    fn an_empty_run_is_printed_all_the_same() {
        let mut run = sample::run_of(60);
        run.liquidations.clear();
        run.traders.clear();
        run.isolated_twins.clear();
        run.compute_units.clear();

        assert!(render(&run).contains("none"));
    }
}
