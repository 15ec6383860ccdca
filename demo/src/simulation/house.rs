//! The house beside the traders: time's dues, liquidity, bids and bankruptcies of every step.

use keel::events::TookOver;
use keel_sdk::Pubkey;

use crate::cast::BIDDER;
use crate::house::{Bankruptcy, House, Takeover};
use crate::path::Tick;
use crate::result::{Invariants, LiquidatorResult};
use crate::simulation::accrual::Meter;
use crate::simulation::backstop::{self, Resolved};
use crate::simulation::chain::{Chain, Found, usd};
use crate::simulation::keeper::{Closer, unload};
use crate::simulation::liquidity::Providers;
use crate::simulation::market::quote;
use crate::simulation::stage::Stage;

const MILLION: f64 = 1e6;

#[derive(Debug)]
pub struct Keeping {
    meter: Meter,
    providers: Providers,
    bidder_start: f64,
    takeovers: Vec<Takeover>,
    bankruptcies: Vec<Bankruptcy>,
}

impl Keeping {
    pub fn new(stage: &Stage) -> anyhow::Result<Self> {
        Ok(Self {
            meter: Meter::new(),
            providers: Providers::new(stage)?,
            bidder_start: bidder_equity(stage)?,
            takeovers: Vec::new(),
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

    /// After the keeper: bids, then what nobody can pay.
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

        let margins: Vec<Pubkey> = found.iter().map(|found| found.margin).collect();
        for resolved in backstop::resolve(stage, &margins, step, invariants)? {
            let account = names(&resolved.event.account);
            self.bankruptcies.push(bankruptcy(tick, account, &resolved));
        }
        Ok(())
    }

    /// The house's part of the result, without its members, and the bidder.
    pub fn finish(self, stage: &Stage, last: &Tick) -> anyhow::Result<(House, LiquidatorResult)> {
        let bidder = LiquidatorResult {
            name: BIDDER.0.to_owned(),
            initial_equity: self.bidder_start,
            final_equity: bidder_equity(stage)?,
            liquidations: self.takeovers.len(),
        };
        let (interest, funding) = self.meter.finish(stage, last);
        let house = House {
            members: Vec::new(),
            interest,
            funding,
            liquidity: self.providers.finish(stage)?,
            takeovers: self.takeovers,
            bankruptcies: self.bankruptcies,
        };
        Ok((house, bidder))
    }
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
