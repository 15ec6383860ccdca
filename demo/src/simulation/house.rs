//! The house beside the traders: time's dues, liquidity, settlements, bids, deleveragings and
//! bankruptcies of every step.

use keel::events::TookOver;
use keel_sdk::Pubkey;
use keel_tests::{Asset, market};

use crate::cast::BIDDER;
use crate::house::{Bankruptcy, Deleveraging, House, Insurance, Strays, Takeover};
use crate::path::Tick;
use crate::result::{Invariants, LiquidatorResult};
use crate::simulation::accrual::Meter;
use crate::simulation::backstop::{self, Resolved, Unwound};
use crate::simulation::chain::{Chain, Found, usd};
use crate::simulation::keeper::{Closer, unload};
use crate::simulation::liquidity::Providers;
use crate::simulation::market::{quote, size_of};
use crate::simulation::settling::Settler;
use crate::simulation::stage::Stage;

const MILLION: f64 = 1e6;

#[derive(Debug)]
pub struct Keeping {
    meter: Meter,
    providers: Providers,
    bidder_start: f64,
    insured: [f64; 3],
    settler: Settler,
    takeovers: Vec<Takeover>,
    deleveragings: Vec<Deleveraging>,
    strays: [Strays; 3],
    bankruptcies: Vec<Bankruptcy>,
}

impl Keeping {
    pub fn new(stage: &Stage, opening: &Tick) -> anyhow::Result<Self> {
        Ok(Self {
            meter: Meter::new(),
            providers: Providers::new(stage)?,
            bidder_start: bidder_equity(stage)?,
            insured: Asset::TRADED.map(|asset| insurance(stage, asset)),
            settler: Settler::new(opening.time),
            takeovers: Vec::new(),
            deleveragings: Vec::new(),
            strays: Asset::TRADED.map(|asset| Strays {
                market: format!("{}-PERP", asset.symbol()),
                ..Strays::default()
            }),
            bankruptcies: Vec::new(),
        })
    }

    /// Before anybody acts: what is due, and who leaves the pool.
    pub fn open(
        &mut self,
        stage: &mut Stage,
        tick: &Tick,
        step: usize,
        invariants: &mut Invariants,
    ) -> anyhow::Result<()> {
        self.meter.accrue(stage, tick, step, invariants)?;
        self.providers.act(stage, tick.time)
    }

    /// After the keeper: bids, what nobody bids for, what nobody can pay, and what can be settled.
    pub fn close(
        &mut self,
        stage: &mut Stage,
        (found, names): (&[Found], Names<'_>),
        (tick, step): (&Tick, usize),
        invariants: &mut Invariants,
    ) -> anyhow::Result<()> {
        for event in backstop::bid(stage, found, step, invariants)? {
            let account = names(&event.account);
            self.takeovers.push(takeover(tick.time, account, &event));
        }
        unload(stage, Closer::Bidder)?;
        for unwound in backstop::unwind(stage, found, step, invariants)? {
            let account = names(&unwound.event.account);
            self.deleveragings
                .push(deleveraging(tick, account, &unwound));
        }
        for (asset, event) in backstop::take_strays(stage)? {
            let sum = &mut self.strays[usize::from(market(asset))];
            sum.times += 1;
            sum.size += size_of(event.long - event.short, asset);
        }

        let margins: Vec<Pubkey> = found.iter().map(|found| found.margin).collect();
        for resolved in backstop::resolve(stage, &margins, step, invariants)? {
            let account = names(&resolved.event.account);
            self.bankruptcies.push(bankruptcy(tick, account, &resolved));
        }
        self.settler.act(stage, (tick.time, step), invariants)
    }

    /// The house's part of the result, without its members, and the bidder.
    pub fn finish(self, stage: &Stage, last: &Tick) -> anyhow::Result<(House, LiquidatorResult)> {
        let bidder = LiquidatorResult {
            name: BIDDER.0.to_owned(),
            initial_equity: self.bidder_start,
            final_equity: bidder_equity(stage)?,
            liquidations: self.takeovers.len(),
        };
        let insurance = self.insurance(stage, last);
        let (interest, funding) = self.meter.finish(stage, last);
        let taken = self.strays.into_iter().filter(|strays| strays.times > 0);
        let house = House {
            members: Vec::new(),
            interest,
            funding,
            liquidity: self.providers.finish(stage)?,
            insurance,
            settlements: self.settler.finish(stage)?,
            takeovers: self.takeovers,
            deleveragings: self.deleveragings,
            strays: taken.collect(),
            bankruptcies: self.bankruptcies,
        };
        Ok((house, bidder))
    }

    fn insurance(&self, stage: &Stage, last: &Tick) -> Vec<Insurance> {
        let each = Asset::TRADED.into_iter().zip(self.insured);
        let of_market = |(asset, given): (Asset, f64)| {
            let (symbol, held) = (format!("{}-PERP", asset.symbol()), insurance(stage, asset));
            let here = self.bankruptcies.iter().filter(|one| one.ledger == symbol);
            let paid = here.fold(0.0, |sum, one| sum + one.from_market_insurance);
            let listed = &stage.world.config.markets[usize::from(market(asset))];
            let cap = size_of(listed.open_interest_cap as i64, asset) * quote(last, asset).usd();
            Insurance {
                market: symbol,
                given,
                earned: held + paid - given,
                paid,
                held,
                limit: (held * f64::from(listed.insurance_multiple)).min(cap),
            }
        };
        each.map(of_market).collect()
    }
}

/// What a market's insurance holds.
fn insurance(stage: &Stage, asset: Asset) -> f64 {
    usd(stage.world.market(asset).insurance)
}

fn bidder_equity(stage: &Stage) -> anyhow::Result<f64> {
    let found = Chain::of(&stage.world).find(stage.bidder.margin)?;
    Ok(usd(found.worth()))
}

fn takeover(time: i64, account: String, event: &TookOver) -> Takeover {
    Takeover {
        time,
        account,
        bidder: BIDDER.0.to_owned(),
        share: f64::from(event.share) / MILLION,
        worth: usd(event.worth),
        payment: usd(event.payment),
        from_insurance: usd(event.from_insurance),
        after_s: event.live_s,
        health_before: usd(event.health_before),
        health_after: usd(event.health_after),
    }
}

/// The share is of the lots that the other side had.
fn deleveraging(tick: &Tick, account: String, unwound: &Unwound) -> Deleveraging {
    let (event, asset) = (&unwound.event, unwound.asset);
    let by_pool = event.kind == 0;
    let share = event.size.unsigned_abs() as f64 / unwound.opposite.max(1) as f64;
    Deleveraging {
        time: tick.time,
        account,
        market: format!("{}-PERP", asset.symbol()),
        by_pool,
        size: size_of(event.size, asset),
        price: quote(tick, asset).usd(),
        penalty: usd(event.penalty_pool + event.penalty_insurance),
        closed_percent: if by_pool { 0.0 } else { share * 100.0 },
        net_asset_value: usd(event.net_asset_value),
    }
}

/// What accounts are called.
type Names<'a> = &'a dyn Fn(&Pubkey) -> String;

/// A market's amounts are atoms of the quote, a bank's are units of its token.
fn bankruptcy(tick: &Tick, account: String, resolved: &Resolved) -> Bankruptcy {
    let event = &resolved.event;
    let of_market = event.kind == 0;
    let unit = if of_market {
        1.0 / MILLION
    } else {
        quote(tick, resolved.asset).usd() / 10f64.powi(i32::from(resolved.asset.decimals()))
    };
    let amount = |units: u64| units as f64 * unit;
    let holders = amount(event.from_holders);
    let symbol = resolved.asset.symbol();
    Bankruptcy {
        time: tick.time,
        account,
        ledger: if of_market {
            format!("{symbol}-PERP")
        } else {
            symbol.to_owned()
        },
        net_asset_value: usd(event.net_asset_value),
        deficit: amount(event.deficit),
        from_market_insurance: amount(event.from_market),
        from_group_insurance: amount(event.from_insurance),
        from_other_side: if of_market { holders } else { 0.0 },
        from_depositors: if of_market { 0.0 } else { holders },
        owed: amount(event.owed),
    }
}
