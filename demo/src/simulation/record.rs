//! What happened, kept for the reports.

use anyhow::Context;
use keel_sdk::{Pubkey, decode};
use keel_state::Pool;
use keel_tests::Asset;

use crate::cast::{LIQUIDATOR, Trader};
use crate::path::{PricePath, Symbol, Tick};
use crate::result::{
    Liquidation, LiquidatorResult, PoolResult, PriceSeries, RunResult, SCHEMA, Saved, TraderResult,
    TraderSeries, UnitStats,
};
use crate::simulation::chain::{ATOMS, Chain, Found, usd};
use crate::simulation::house::Keeping;
use crate::simulation::keeper::{Kind, Taken};
use crate::simulation::ledger::Ledger;
use crate::simulation::market::{lots_of_one, quote, size_of};
use crate::simulation::stage::{Seat, Stage};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Cross,
    Twin,
    Member,
}

/// A trader, a twin or a member with the accounts that are his.
#[derive(Debug)]
struct Person {
    margins: Vec<Pubkey>,
    role: Role,
    result: TraderResult,
}

#[derive(Debug)]
pub struct Record {
    /// Trader, twin, trader, twin; then the members.
    people: Vec<Person>,
    liquidations: Vec<Liquidation>,
    times: Vec<i64>,
    prices: Vec<PriceSeries>,
    pool: PoolResult,
    keeper_start: f64,
}

impl Record {
    /// Everybody's equity before anything is traded: fees and spreads count as losses.
    pub fn new(stage: &Stage) -> anyhow::Result<Self> {
        let chain = Chain::of(&stage.world);
        let mut people = Vec::new();
        for pair in &stage.pairs {
            let twin: Vec<&Seat> = pair.twin.iter().collect();
            people.push(person(&chain, pair.trader, &[&pair.cross], Role::Cross)?);
            people.push(person(&chain, pair.trader, &twin, Role::Twin)?);
        }
        for member in &stage.members {
            let trader = &member.member.trader;
            people.push(person(&chain, trader, &[&member.seat], Role::Member)?);
        }
        let prices = Symbol::ALL.map(|symbol| PriceSeries {
            symbol: symbol.name().to_owned(),
            usd: Vec::new(),
        });
        Ok(Self {
            people,
            liquidations: Vec::new(),
            times: Vec::new(),
            prices: prices.to_vec(),
            pool: PoolResult {
                initial_equity: equity(&chain, stage.pool_margin)?,
                final_equity: 0.0,
                equity: Vec::new(),
                share_price: Vec::new(),
            },
            keeper_start: equity(&chain, stage.keeper.margin)?,
        })
    }

    /// One value of every series, as the keeper finds things before it acts; the accounts that it
    /// may liquidate are returned.
    pub fn sample(
        &mut self,
        chain: &Chain<'_>,
        stage: &Stage,
        tick: &Tick,
    ) -> anyhow::Result<Vec<Found>> {
        self.times.push(tick.time);
        for (series, quote) in self.prices.iter_mut().zip(&tick.quotes) {
            series.usd.push(quote.usd());
        }
        let pool = equity(chain, stage.pool_margin)?;
        self.pool.equity.push(pool);
        self.pool
            .share_price
            .push(pool / pool_shares(chain, stage)?);

        let mut all = Vec::new();
        for person in &mut self.people {
            let found = find_all(chain, &person.margins)?;
            person.sample(&found);
            all.extend(found);
        }
        Ok(all)
    }

    /// What the keeper took, told in assets and dollars.
    pub fn liquidations(&mut self, stage: &Stage, tick: &Tick, taken: &[Taken]) {
        for taken in taken {
            let Some(person) = self
                .people
                .iter_mut()
                .find(|p| p.margins.contains(&taken.margin))
            else {
                continue;
            };
            let event = &taken.event;
            let penalty = usd(event.penalty_liquidator + event.penalty_insurance);
            person.result.liquidations += 1;
            person.result.penalties += penalty;
            let (market, size, price) = taken_leg(stage, tick, taken);
            self.liquidations.push(Liquidation {
                time: tick.time,
                trader: person.result.name.clone(),
                isolated: person.role == Role::Twin,
                market,
                size,
                price,
                penalty,
                liquidator: LIQUIDATOR.0.to_owned(),
            });
        }
    }

    /// Whose account it is.
    pub fn name_of(&self, margin: &Pubkey) -> String {
        let owner = self.people.iter().find(|p| p.margins.contains(margin));
        owner.map_or_else(|| margin.to_string(), |owner| owner.result.name.clone())
    }

    /// A few words for the progress bar.
    pub fn state(&self) -> String {
        let isolated = self.liquidations.iter().filter(|l| l.isolated).count();
        let cross = self.liquidations.len() - isolated;
        format!("liquidations: {cross} cross, {isolated} isolated")
    }

    pub fn finish(
        mut self,
        stage: &Stage,
        (ledger, keeping): (Ledger, Keeping),
        path: &PricePath,
    ) -> anyhow::Result<RunResult> {
        let chain = Chain::of(&stage.world);
        for person in &mut self.people {
            person.result.final_equity = sum(&find_all(&chain, &person.margins)?, net);
        }
        self.pool.final_equity = equity(&chain, stage.pool_margin)?;
        let keeper = LiquidatorResult {
            name: LIQUIDATOR.0.to_owned(),
            initial_equity: self.keeper_start,
            final_equity: equity(&chain, stage.keeper.margin)?,
            liquidations: self.liquidations.len(),
        };
        let last = path.ticks.last().context("the price path is empty")?;
        let (mut house, bidder) = keeping.finish(stage, last)?;
        let results = |role: Role| -> Vec<TraderResult> {
            let people = self.people.iter().filter(|person| person.role == role);
            people.map(|person| person.result.clone()).collect()
        };
        let (traders, isolated_twins) = (results(Role::Cross), results(Role::Twin));
        house.members = results(Role::Member);
        let units = stage.world.vm.units.iter();
        Ok(RunResult {
            schema: SCHEMA,
            seed: 0,
            source: path.source.clone(),
            steps: path.ticks.len() - 1,
            seconds: 0.0,
            program_bytes: 0,
            times: self.times,
            prices: self.prices,
            saved: Saved::between(&traders, &isolated_twins),
            traders,
            isolated_twins,
            liquidations: self.liquidations,
            liquidators: vec![keeper, bidder],
            pool: self.pool,
            house,
            compute_units: units
                .filter_map(|(name, all)| Some(((*name).to_owned(), UnitStats::of(all)?)))
                .collect(),
            conservation: ledger.conservation,
            invariants: ledger.invariants,
        })
    }
}

impl Person {
    fn sample(&mut self, found: &[Found]) {
        let weakest = |all: &mut dyn Iterator<Item = &Found>| all.map(Found::health).min();
        let least = weakest(&mut found.iter()).unwrap_or(0);
        let health = weakest(&mut found.iter().filter(|found| found.open)).unwrap_or(least);
        let result = &mut self.result;
        result.min_health = result.min_health.min(usd(least));
        result.series.equity.push(sum(found, net));
        result.series.maintenance.push(sum(found, |found| {
            found.assessment.maintenance.requirement.0
        }));
        result.series.health.push(usd(health));
    }
}

fn person(
    chain: &Chain<'_>,
    trader: &Trader,
    seats: &[&Seat],
    role: Role,
) -> anyhow::Result<Person> {
    let margins: Vec<Pubkey> = seats.iter().map(|seat| seat.account.margin).collect();
    let found = find_all(chain, &margins)?;
    Ok(Person {
        role,
        result: TraderResult {
            name: match role {
                Role::Twin => trader.twin_name(),
                Role::Cross | Role::Member => trader.name.to_owned(),
            },
            kind: trader.kind.to_owned(),
            story: trader.story.to_owned(),
            accounts: margins.len(),
            initial_equity: sum(&found, net),
            final_equity: 0.0,
            liquidations: 0,
            penalties: 0.0,
            min_health: f64::MAX,
            series: TraderSeries::default(),
        },
        margins,
    })
}

fn find_all(chain: &Chain<'_>, margins: &[Pubkey]) -> anyhow::Result<Vec<Found>> {
    margins.iter().map(|margin| chain.find(*margin)).collect()
}

fn net(found: &Found) -> i64 {
    found.assessment.net_asset_value.0
}

fn sum(found: &[Found], figure: impl Fn(&Found) -> i64) -> f64 {
    usd(found.iter().map(figure).sum())
}

fn equity(chain: &Chain<'_>, margin: Pubkey) -> anyhow::Result<f64> {
    Ok(usd(net(&chain.find(margin)?)))
}

/// LP tokens in issue, of six decimals.
fn pool_shares(chain: &Chain<'_>, stage: &Stage) -> anyhow::Result<f64> {
    let data = chain.data(&stage.world.pool);
    Ok(usd(decode::account::<Pool>(&data)?.shares as i64))
}

/// Market, size in the asset and price of what was taken; of a hedge the first position's.
fn taken_leg(stage: &Stage, tick: &Tick, taken: &Taken) -> (String, f64, f64) {
    let (asset, size) = (taken.leg.asset, taken.event.size);
    match taken.leg.kind {
        Kind::Position => {
            let (size, price) = of_position(stage, asset, taken);
            (format!("{}-PERP", asset.symbol()), size, price)
        }
        Kind::Hedge(other) => {
            let (size, price) = of_position(stage, asset, taken);
            let name = format!("{}/{}-PERP", asset.symbol(), other.symbol());
            (name, size, price)
        }
        Kind::Deposit(deposit) => {
            let price = quote(tick, deposit).usd();
            let name = format!("{} deposit", deposit.symbol());
            (name, usd(size) / price, price)
        }
        Kind::Borrow(_) => {
            let units = 10f64.powi(i32::from(asset.decimals()));
            let name = format!("{} borrow", asset.symbol());
            (name, size as f64 / units, quote(tick, asset).usd())
        }
    }
}

fn of_position(stage: &Stage, asset: Asset, taken: &Taken) -> (f64, f64) {
    let shift = stage
        .world
        .with_book(|book| book.assets[asset as usize].lot_shift)
        .unwrap_or(0);
    let lot = taken.event.price as f64 / 2f64.powi(i32::from(shift)) / ATOMS;
    (size_of(taken.event.size, asset), lot * lots_of_one(asset))
}
