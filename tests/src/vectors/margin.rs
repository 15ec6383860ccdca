//! Margin vectors: portfolios whose legs are values in atoms, and their requirements (5.1 to 5.5).

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use keel_risk::limits::{MAX_ASSETS, MAX_BALANCES, MAX_SCENARIOS};
use keel_risk::{Ppm, SPAN_16, Scenario};

use super::decimal::Decimal;
use super::input::Node;
use super::margin_native;
use super::margin_parts::{Expected, Parts};
use super::margin_vm::MarginVm;
use super::tally::{Distance, Outcome, Side, Tally};

/// Atoms above the exact requirement that pass where a case names none.
const DEFAULT_TOLERANCE: i64 = 24;
/// Instruments of a risk book, and positions of the account that is judged.
pub const MAX_INSTRUMENTS: usize = 128;

/// Which requirement is asked for, hence which values the legs have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Maintenance,
    Initial,
}

impl Which {
    pub const ALL: [Self; 2] = [Self::Maintenance, Self::Initial];

    const fn key(self) -> &'static str {
        match self {
            Self::Maintenance => "maintenance",
            Self::Initial => "initial",
        }
    }
}

/// A leg's value in Maintenance and in Initial, atoms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worth {
    pub maintenance: i64,
    pub initial: i64,
}

impl Worth {
    pub const fn of(self, which: Which) -> i64 {
        match which {
            Which::Maintenance => self.maintenance,
            Which::Initial => self.initial,
        }
    }

    fn plus(self, maintenance: i64, initial: i64) -> Option<Self> {
        Some(Self {
            maintenance: self.maintenance.checked_add(maintenance)?,
            initial: self.initial.checked_add(initial)?,
        })
    }
}

/// Lots of one option series.
#[derive(Clone, Debug)]
pub struct OptionLeg {
    pub size: i64,
    /// Atoms per lot.
    pub mark: u64,
    pub array: Vec<i32>,
}

/// One asset's terms and legs.
#[derive(Clone, Debug)]
pub struct Asset {
    pub range: u32,
    /// Systematic share, in thousandths.
    pub systematic: u16,
    pub init_factor: u32,
    pub basis_rate: u32,
    pub short_option_min: u32,
    pub unwind_rate: u32,
    pub concentration_cap: u32,
    pub depth: i64,
    /// Atoms of a lot.
    pub lot_value: u64,
    /// Tokens.
    pub spot: Option<Worth>,
    /// One for each instrument.
    pub linear: Vec<Worth>,
    pub options: Vec<OptionLeg>,
}

impl Asset {
    /// Binary places of the asset's prices per lot: none, or some where an option is worth nothing,
    /// since no price is zero.
    pub fn shift(&self) -> u8 {
        let worthless = self.options.iter().any(|leg| leg.mark == 0);
        if worthless { 16 } else { 0 }
    }

    /// The mantissa of a price per lot.
    pub fn mantissa(&self, price: u64) -> u64 {
        (price << self.shift()).max(1)
    }
}

/// What a side finds of a portfolio.
#[derive(Clone, Debug)]
pub struct Found {
    /// Atoms, of what was asked for.
    pub requirement: i64,
    /// Of maintenance.
    pub parts: Parts,
}

/// A case: its assets, and what is expected.
struct Case {
    scenarios: Vec<Scenario>,
    assets: Vec<Asset>,
    expected: Vec<(Which, Decimal)>,
    parts: Expected,
    tolerance: Decimal,
}

/// A portfolio as either side takes it.
#[derive(Clone, Copy, Debug)]
pub struct Portfolio<'a> {
    pub scenarios: &'a [Scenario],
    pub assets: &'a [Asset],
    pub which: Which,
}

pub fn evaluate(file: &Node<'_>) -> Result<[Tally; 2]> {
    let scenarios = match file.get("scenarios") {
        Some(listed) => read_scenarios(&listed)?,
        None => SPAN_16.to_vec(),
    };
    let cases: Vec<(String, Result<Case>)> = file
        .need("cases")?
        .list()?
        .iter()
        .map(|node| (title(node), read_case(node, &scenarios)))
        .collect();

    let mut vm = MarginVm::new()?;
    let nothing = Distance::Atoms(Decimal::whole(0));
    let run = |side, judge: &mut dyn FnMut(Portfolio<'_>) -> Result<Found>| {
        let outcomes: Vec<Outcome> = cases
            .iter()
            .map(|(name, case)| outcome(name, case, judge))
            .collect();
        Tally::of(side, &outcomes, nothing)
    };
    Ok([
        run(Side::Native, &mut |portfolio| {
            margin_native::judge(portfolio)
        }),
        run(Side::Vm, &mut |portfolio| vm.judge(portfolio)),
    ])
}

/// A case's name, or its place where it has none.
fn title(node: &Node<'_>) -> String {
    let name = node.get("name").and_then(|name| name.text().ok());
    name.unwrap_or_else(|| node.place().to_owned())
}

fn outcome(
    name: &str,
    case: &Result<Case>,
    judge: &mut dyn FnMut(Portfolio<'_>) -> Result<Found>,
) -> Outcome {
    let mut outcome = Outcome::of(name);
    let case = match case {
        Ok(case) => case,
        Err(error) => {
            outcome.wrong.push(format!("{error:#}"));
            return outcome;
        }
    };
    for &(which, exact) in &case.expected {
        let portfolio = Portfolio {
            scenarios: &case.scenarios,
            assets: &case.assets,
            which,
        };
        let found = match judge(portfolio) {
            Ok(found) => found,
            Err(error) => {
                outcome.wrong.push(format!("{error:#}"));
                return outcome;
            }
        };
        let got = found.requirement;
        if !exact.is_at_most(got) || !exact.reaches(case.tolerance, got) {
            outcome.wrong.push(format!(
                "{}: expected {exact} to {} above, got {got}",
                which.key(),
                case.tolerance
            ));
        }
        if which == Which::Maintenance {
            let parts = &case.parts;
            let differences = parts.differences(&found.parts, portfolio, case.tolerance);
            outcome.wrong.extend(differences);
        }
        outcome.worsen(Distance::Atoms(exact.short_of(got)));
    }
    outcome
}

fn read_scenarios(listed: &Node<'_>) -> Result<Vec<Scenario>> {
    let rows = listed.list()?;
    ensure!(
        (1..=MAX_SCENARIOS).contains(&rows.len()),
        "{}: {} scenarios where 1 to {MAX_SCENARIOS} are allowed",
        listed.place(),
        rows.len()
    );
    rows.iter().map(read_scenario).collect()
}

fn read_scenario(node: &Node<'_>) -> Result<Scenario> {
    let fraction = node.need("k")?;
    let (k_num, k_den) = match fraction.list() {
        Ok(pair) if pair.len() == 2 => (pair[0].whole()?, pair[1].whole()?),
        Ok(pair) => bail!("{}: {} numbers, 2 needed", fraction.place(), pair.len()),
        Err(_) => (fraction.whole()?, 1),
    };
    ensure!(k_den > 0, "{}: divided by zero", fraction.place());
    Ok(Scenario {
        k_num,
        k_den,
        v: node.whole_or("v", 0)?,
        w: Ppm(node.whole_or("w_ppm", 1_000_000)?),
    })
}

fn read_case(node: &Node<'_>, scenarios: &[Scenario]) -> Result<Case> {
    let assets: Vec<Asset> = node
        .need("assets")?
        .list()?
        .iter()
        .map(|asset| read_asset(asset, scenarios.len()))
        .collect::<Result<_>>()?;
    check_room(&assets, node.place())?;

    let given = node.need("expected")?;
    let mut expected = Vec::new();
    for which in Which::ALL {
        if let Some(figure) = given.get(which.key()) {
            expected.push((which, figure.decimal()?));
        }
    }
    let place = given.place();
    ensure!(
        !expected.is_empty(),
        "{place}: neither maintenance nor initial"
    );
    Ok(Case {
        scenarios: scenarios.to_vec(),
        assets,
        expected,
        parts: match given.get("maintenance_parts") {
            Some(parts) => Expected::read(&parts)?,
            None => Expected::default(),
        },
        tolerance: match given.get("tolerance_atoms_above") {
            Some(tolerance) => tolerance.decimal()?,
            None => Decimal::whole(DEFAULT_TOLERANCE),
        },
    })
}

/// Whether a book and an account have the room.
fn check_room(assets: &[Asset], place: &str) -> Result<()> {
    let instruments: usize = assets
        .iter()
        .map(|asset| asset.linear.len() + asset.options.len())
        .sum();
    let tokens = assets.iter().filter(|asset| asset.spot.is_some()).count();
    for (what, count, most) in [
        ("assets", assets.len(), MAX_ASSETS - 1),
        ("banks of tokens", tokens, MAX_BALANCES - 1),
        ("instruments", instruments, MAX_INSTRUMENTS),
    ] {
        ensure!(
            count <= most,
            "{place}: cannot be run: {count} {what}, at most {most}"
        );
    }
    Ok(())
}

fn read_asset(node: &Node<'_>, scenarios: usize) -> Result<Asset> {
    let share: u32 = node.whole_of("b")?;
    ensure!(
        share.is_multiple_of(1_000),
        "{}.b: cannot be run: {share} ppm is no multiple of 0.001",
        node.place()
    );
    let (spot, linear) = read_linear(&node.list_of("linear")?)?;
    let options = node.list_of("options")?;
    let asset = Asset {
        range: node.whole_of("range")?,
        systematic: u16::try_from(share / 1_000)?,
        init_factor: node.whole_of("init_factor")?,
        basis_rate: node.whole_or("basis_rate", 0)?,
        short_option_min: node.whole_or("som", 0)?,
        unwind_rate: node.whole_or("unwind_rate", 0)?,
        concentration_cap: node.whole_or("conc_cap", 0)?,
        depth: node.whole_or("depth", 0)?,
        lot_value: node.whole_or("lot_value", 1)?,
        spot,
        linear,
        options: options
            .iter()
            .map(|leg| read_option(leg, scenarios))
            .collect::<Result<_>>()?,
    };
    let greatest = asset.options.iter().map(|leg| leg.mark);
    let greatest = greatest.fold(asset.lot_value, u64::max);
    ensure!(
        greatest < keel_risk::Price::MANTISSA_END >> asset.shift(),
        "{}: cannot be run: a price of {greatest} is too large",
        node.place()
    );
    Ok(asset)
}

/// Tokens, and the other instruments: legs of one name are one position.
fn read_linear(legs: &[Node<'_>]) -> Result<(Option<Worth>, Vec<Worth>)> {
    let mut spot = None;
    let mut held: BTreeMap<String, Worth> = BTreeMap::new();
    for leg in legs {
        let maintenance: i64 = leg.whole_of("value")?;
        let initial = leg.whole_or("value_init", maintenance)?;
        let name = leg.need("instrument")?.text()?;
        let worth = if name == "spot" {
            spot.get_or_insert_default()
        } else {
            held.entry(name).or_default()
        };
        *worth = worth
            .plus(maintenance, initial)
            .with_context(|| format!("{}: the sum is out of bounds", leg.place()))?;
    }
    Ok((spot, held.into_values().collect()))
}

fn read_option(leg: &Node<'_>, scenarios: usize) -> Result<OptionLeg> {
    let array = leg.need("array")?;
    let rows = array.list()?;
    ensure!(
        rows.len() <= scenarios,
        "{}: {} figures for {scenarios} scenarios",
        array.place(),
        rows.len()
    );
    Ok(OptionLeg {
        size: leg.whole_of("size")?,
        mark: leg.whole_of("mark")?,
        array: rows.iter().map(|row| row.whole()).collect::<Result<_>>()?,
    })
}
