//! One self-contained page: headline figures, charts with captions that say what to see, tables.

mod house;
mod sections;

use std::fmt::Write;

use plotters::style::RGBColor;

use super::money::{grouped, percent, signed_usd};
use crate::result::{RunResult, TraderResult};

const STYLE: &str = include_str!("report.css");

/// The page. It refers to nothing outside itself.
pub fn render(run: &RunResult) -> anyhow::Result<String> {
    let hours = run.hours();
    let sections = [
        headline(run),
        failures(run),
        sections::market(run, &hours)?,
        sections::comparison(run)?,
        sections::traders(run, &hours)?,
        sections::liquidations(run),
        sections::pool(run, &hours)?,
        house::section(run),
        sections::compute_units(run)?,
        sections::books(run),
    ];
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Keel: a crash, cross-margined and isolated</title>\n<style>\n{STYLE}</style></head>\n\
         <body><main>\n{}\n</main></body></html>\n",
        sections.join("\n")
    ))
}

/// Text that is safe in an element and in a quoted attribute.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn headline(run: &RunResult) -> String {
    let hit = |traders: &[TraderResult]| traders.iter().filter(|t| t.liquidations > 0).count();
    let steps = |traders: &[TraderResult]| traders.iter().map(|t| t.liquidations).sum::<usize>();
    let (cross, isolated) = (&run.traders, &run.isolated_twins);
    let held = run.invariants_held();
    let checks = grouped(
        (run.conservation.checked + run.invariants.checked) as f64,
        0,
    );

    let facts = [
        fact(
            "Kept by cross margin",
            &signed_usd(run.saved.usd),
            "final equity, cross less isolated",
            "",
        ),
        fact(
            "Liquidation steps avoided",
            &run.saved.liquidations.to_string(),
            &format!("isolated {}, cross {}", steps(isolated), steps(cross)),
            "",
        ),
        fact(
            "Traders liquidated",
            &format!("{} of {}", hit(cross), cross.len()),
            &format!(
                "of their isolated twins {} of {}",
                hit(isolated),
                isolated.len()
            ),
            "",
        ),
        fact(
            "Deepest fall",
            &percent(deepest(run).1),
            &format!("{} from its opening price", deepest(run).0),
            "",
        ),
        fact(
            "Invariants",
            if held { "all held" } else { "FAILED" },
            &format!("{checks} checks, conservation to the atom"),
            if held { "good" } else { "bad" },
        ),
        fact(
            "A liquidation costs",
            &median(run, "liquidate"),
            "compute units, median",
            "",
        ),
    ];
    format!(
        "<header><h1>A crash, cross-margined and isolated</h1>\
         <p class=\"soft\">{}.</p>\n<p>{}</p></header>\n<div class=\"facts\">{}</div>",
        escape(&run.source),
        escape(&verdict(run)),
        facts.concat()
    )
}

fn fact(name: &str, figure: &str, more: &str, class: &str) -> String {
    format!(
        "<div class=\"fact\"><span class=\"name\">{}</span><b class=\"{class}\">{}</b><span class=\"more\">{}</span></div>",
        escape(name),
        escape(figure),
        escape(more)
    )
}

fn median(run: &RunResult, instruction: &str) -> String {
    run.compute_units
        .get(instruction)
        .map_or("-".to_owned(), |u| grouped(u.median as f64, 0))
}

/// The asset that fell most, and how far.
fn deepest(run: &RunResult) -> (&str, f64) {
    let falls = run.prices.iter().filter_map(|p| {
        let low = p.usd.iter().copied().fold(f64::MAX, f64::min);
        Some((p.symbol.as_str(), low / p.usd.first()? - 1.0))
    });
    falls
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap_or(("-", 0.0))
}

/// What happened to whom, in the run's own facts.
fn verdict(run: &RunResult) -> String {
    let pairs = || run.traders.iter().zip(&run.isolated_twins);
    let names = |keep: fn(bool, bool) -> bool| -> Vec<&str> {
        let kept = pairs().filter(|(c, i)| keep(c.liquidations > 0, i.liquidations > 0));
        kept.map(|(c, _)| c.name.as_str()).collect()
    };
    let mut text = String::from(
        "Five traders meet the same crash twice: once with one account that backs everything, once with every exposure in an account of its own.",
    );
    let mut say = |who: Vec<&str>, what: &str| {
        if !who.is_empty() {
            let _ = write!(text, " {}: {what}.", join(&who));
        }
    };
    say(
        names(|c, i| !c && i),
        "untouched, while the isolated twin was liquidated",
    );
    say(names(|c, i| c && i), "liquidated both ways");
    say(
        names(|c, i| c && !i),
        "liquidated, while the isolated twin was not",
    );
    say(names(|c, i| !c && !i), "not liquidated either way");
    text
}

fn join(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

fn failures(run: &RunResult) -> String {
    if run.invariants_held() {
        return String::new();
    }
    let mut items: String = run
        .invariants
        .failed
        .iter()
        .map(|f| format!("<li>{}</li>", escape(f)))
        .collect();
    if run.conservation.failed > 0 {
        let _ = write!(
            items,
            "<li>conservation failed {} times</li>",
            run.conservation.failed
        );
    }
    format!(
        "<div class=\"card alarm\"><h3 class=\"bad\">Invariants that did not hold</h3><ul>{items}</ul></div>"
    )
}

fn legend(entries: &[(&str, RGBColor)], marks: bool) -> String {
    let mut out = String::from("<div class=\"legend\">");
    for (name, RGBColor(r, g, b)) in entries {
        let _ = write!(
            out,
            "<span><i style=\"background:#{r:02x}{g:02x}{b:02x}\"></i>{}</span>",
            escape(name)
        );
    }
    if marks {
        out.push_str(
            "<span><i class=\"mark\"></i>liquidation, cross</span>\
             <span><i class=\"mark isolated\"></i>liquidation, isolated</span>",
        );
    }
    out.push_str("</div>");
    out
}

fn figure(caption: &str, svg: &str) -> String {
    format!(
        "<figure><figcaption>{}</figcaption>{svg}</figure>",
        escape(caption)
    )
}

fn table(text_heads: &[&str], heads: &[&str], rows: &str) -> String {
    let mut out = String::from("<table><thead><tr>");
    for head in text_heads {
        let _ = write!(out, "<th class=\"t\">{head}</th>");
    }
    for head in heads {
        let _ = write!(out, "<th>{head}</th>");
    }
    let _ = write!(out, "</tr></thead><tbody>{rows}</tbody></table>");
    out
}

fn row(class: &str, text_cells: &[&str], cells: &[String]) -> String {
    let mut out = format!("<tr class=\"{class}\">");
    for cell in text_cells {
        let _ = write!(out, "<td class=\"t\">{}</td>", escape(cell));
    }
    for cell in cells {
        let _ = write!(out, "<td>{}</td>", escape(cell));
    }
    out.push_str("</tr>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_page_has_its_charts() {
        let run = sample::run();
        let page = render(&run).unwrap();

        // market, comparison, pool twice, compute units, and two per trader
        assert_eq!(page.matches("<svg ").count(), 5 + 2 * run.traders.len());
        assert_eq!(
            page.matches("</svg>").count(),
            page.matches("<svg ").count()
        );
        assert!(page.matches("<polyline").count() > 20);
        for trader in &run.traders {
            assert!(page.contains(&format!("Maintenance health of {}", trader.name)));
        }
    }

    #[test]
    fn the_page_refers_to_nothing_outside_itself() {
        let page = render(&sample::run()).unwrap();

        for outside in [
            "http:", "https:", "href", "src=", "url(", "@import", "<script", "<link",
        ] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn the_house_is_told_with_and_without_takeovers_and_bankruptcies() {
        let mut run = sample::run_of(60);
        let page = render(&run).unwrap();
        assert!(page.contains("<h2>The house</h2>") && page.contains("group insurance"));

        run.house.takeovers.clear();
        run.house.bankruptcies.clear();
        run.house.liquidity.redemptions.clear();
        let page = render(&run).unwrap();
        assert_eq!(page.matches("<p>None.</p>").count(), 2);
        assert!(page.contains("cooldown was not over"));
    }

    #[test]
    fn text_from_outside_is_escaped() {
        let mut run = sample::run_of(60);
        run.source = "<script>alert(\"x\")</script>".to_owned();
        run.traders[0].name = "a<b>&\"c".to_owned();
        let page = render(&run).unwrap();

        assert!(!page.contains("<script") && !page.contains("a<b>"));
        assert!(page.contains("a&lt;b&gt;&amp;&quot;c"));
    }

    #[test]
    fn a_failed_invariant_stands_at_the_top() {
        let mut run = sample::run_of(60);
        run.invariants.failed.push("I3 at step 9".to_owned());
        let page = render(&run).unwrap();

        assert!(page.find("I3 at step 9").unwrap() < page.find("The market").unwrap());
        assert!(page.contains("FAILED"));
        assert!(!page.contains("all held"));
    }

    /// For the eye: `KEEL_REPORT=FILE cargo test -p keel-demo -- --ignored write_a_page`.
    #[test]
    #[ignore = "writes a file to look at"]
    fn write_a_page() {
        let file = std::env::var("KEEL_REPORT").expect("KEEL_REPORT names the file");
        std::fs::write(file, render(&sample::run()).unwrap()).unwrap();
        print!("{}", crate::report::terminal::render(&sample::run()));
    }
}
