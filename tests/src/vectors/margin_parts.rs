//! The parts of a maintenance requirement (5.5) against those that a vector expects.

use anyhow::{Result, bail};
use keel_risk::{Rule, Scenario};

use super::decimal::Decimal;
use super::input::Node;
use super::margin::{Asset, Portfolio};

/// One asset's part as a side reports it, atoms.
#[derive(Clone, Copy, Debug, Default)]
pub struct Line {
    pub scan: i64,
    pub basis: i64,
    /// Where the side reports it.
    pub floor: Option<i64>,
    pub unwind: i64,
    /// Number of the worst scenario, from 1.
    pub worst: u8,
}

/// What a side reports of the maintenance requirement, atoms.
#[derive(Clone, Debug)]
pub struct Parts {
    pub one_factor: i64,
    pub systemic: i64,
    pub gross: i64,
    pub basis: i64,
    /// Where the side reports it.
    pub floor: Option<i64>,
    pub unwind: i64,
    /// Likewise.
    pub cushion: Option<i64>,
    pub rule: Rule,
    /// One for each asset of the portfolio.
    pub lines: Vec<Line>,
}

impl Parts {
    /// Basis, floor and unwind together; saturates.
    fn additions(&self) -> Option<i64> {
        Some(
            self.basis
                .saturating_add(self.floor?)
                .saturating_add(self.unwind),
        )
    }

    const fn aggregate(&self, rule: Rule) -> i64 {
        match rule {
            Rule::OneFactor => self.one_factor,
            Rule::Systemic => self.systemic,
            Rule::Gross => self.gross,
        }
    }
}

/// Figures that a vector expects, in its own names.
#[derive(Debug, Default)]
pub struct Expected {
    totals: Vec<(&'static str, Decimal)>,
    rule: Option<Rule>,
    lines: Vec<ExpectedLine>,
}

#[derive(Debug)]
struct ExpectedLine {
    figures: Vec<(&'static str, Decimal)>,
    worst: Option<u8>,
}

impl Expected {
    /// Reads `maintenance_parts`; every key of it may be missing.
    pub fn read(node: &Node<'_>) -> Result<Self> {
        let rule = match node.get("rule") {
            None => None,
            Some(rule) => Some(match rule.text()?.as_str() {
                "one_factor" => Rule::OneFactor,
                "systemic" => Rule::Systemic,
                "gross_floor" | "gross" => Rule::Gross,
                other => bail!("{}: {other:?} is no rule", rule.place()),
            }),
        };
        let lines = node.list_of("assets")?;
        Ok(Self {
            totals: figures(node, &["X", "Y", "gross_floor", "additions", "cushion"])?,
            rule,
            lines: lines
                .iter()
                .map(ExpectedLine::read)
                .collect::<Result<_>>()?,
        })
    }

    /// What differs by more than the tolerance.
    pub fn differences(
        &self,
        found: &Parts,
        portfolio: Portfolio<'_>,
        tolerance: Decimal,
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        for &(name, exact) in &self.totals {
            let got = match name {
                "X" => Some(found.one_factor),
                "Y" => Some(found.systemic),
                "gross_floor" => Some(found.gross),
                "cushion" => found.cushion,
                _ => found.additions(),
            };
            wrong.extend(got.and_then(|got| difference(name, exact, got, tolerance)));
        }
        if let Some(rule) = self.rule {
            let [ours, theirs] = [found.rule, rule].map(|rule| found.aggregate(rule));
            if !Decimal::whole(theirs).is_near(ours, tolerance) {
                wrong.push(format!("rule: expected {rule:?}, got {:?}", found.rule));
            }
        }
        let assets = found.lines.iter().zip(portfolio.assets);
        for (index, (line, (got, asset))) in self.lines.iter().zip(assets).enumerate() {
            for difference in line.differences(got, asset, portfolio.scenarios, tolerance) {
                wrong.push(format!("assets[{index}].{difference}"));
            }
        }
        wrong
    }
}

impl ExpectedLine {
    fn read(node: &Node<'_>) -> Result<Self> {
        Ok(Self {
            figures: figures(node, &["scan", "basis", "floor", "unwind"])?,
            worst: node.get("worst_scenario").map(|n| n.whole()).transpose()?,
        })
    }

    fn differences(
        &self,
        found: &Line,
        asset: &Asset,
        scenarios: &[Scenario],
        tolerance: Decimal,
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        for &(name, exact) in &self.figures {
            let got = match name {
                "scan" => Some(found.scan),
                "basis" => Some(found.basis),
                "floor" => found.floor,
                _ => Some(found.unwind),
            };
            wrong.extend(got.and_then(|got| difference(name, exact, got, tolerance)));
        }
        // Scenarios of about the same loss tie, and without a loss none is the worst.
        let losses = losses(asset, scenarios);
        let loss = |number: u8| losses.get(usize::from(number).wrapping_sub(1)).copied();
        if let Some(worst) = self.worst
            && found.scan > 0
        {
            let tie = match (loss(worst), loss(found.worst)) {
                (Some(one), Some(two)) => (one - two).abs() <= tolerance.to_float(),
                _ => false,
            };
            if !tie {
                wrong.push(format!(
                    "worst_scenario: expected {worst}, got {}",
                    found.worst
                ));
            }
        }
        wrong
    }
}

fn figures(node: &Node<'_>, keys: &[&'static str]) -> Result<Vec<(&'static str, Decimal)>> {
    let mut found = Vec::new();
    for key in keys {
        if let Some(figure) = node.get(key) {
            found.push((*key, figure.decimal()?));
        }
    }
    Ok(found)
}

fn difference(name: &str, exact: Decimal, got: i64, tolerance: Decimal) -> Option<String> {
    (!exact.is_near(got, tolerance))
        .then(|| format!("{name}: expected {exact} to within {tolerance}, got {got}"))
}

/// An asset's maintenance losses, multiplied, by scenario (3.3, 5.2): to find ties only, hence to a
/// binary float's precision.
fn losses(asset: &Asset, scenarios: &[Scenario]) -> Vec<f64> {
    let net: i128 = asset
        .spot
        .iter()
        .chain(&asset.linear)
        .map(|w| i128::from(w.maintenance))
        .sum();
    let range = f64::from(asset.range) / 1e6;
    let shock = |s: &Scenario| (f64::from(s.k_num) / f64::from(s.k_den) * range).max(-1.0);
    let plain: Vec<f64> = scenarios
        .iter()
        .enumerate()
        .map(|(index, scenario)| {
            let moved = asset.options.iter().map(|leg| {
                let gain = leg.array.get(index).copied().unwrap_or(0);
                i128::from(leg.size) * i128::from(gain)
            });
            let options: i128 = moved.sum();
            -(f64::from(scenario.w.0) / 1e6 * net as f64 * shock(scenario) + options as f64)
        })
        .collect();
    let scan = plain.iter().copied().fold(0.0, f64::max);
    let cap = f64::from(asset.concentration_cap) / 1e6;
    let multiplier = if asset.depth > 0 && scan > 0.0 {
        1.0 + cap.min(scan / range / asset.depth as f64)
    } else {
        1.0
    };
    let charged = |(loss, scenario): (f64, &Scenario)| {
        let shock = shock(scenario);
        let most = if shock < 0.0 {
            -shock.recip()
        } else {
            f64::MAX
        };
        if loss > 0.0 {
            loss * multiplier.min(most)
        } else {
            loss
        }
    };
    plain.into_iter().zip(scenarios).map(charged).collect()
}
