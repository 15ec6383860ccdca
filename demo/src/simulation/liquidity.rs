//! The providers: what their shares are worth, and the redemption that one of them asked for.

use anyhow::Context;
use keel::events::{Filled, LiquidityRedeemed};
use keel_risk::RequestWindow;
use keel_sdk::Pubkey;
use keel_state::Pool;

use crate::house::{Liquidity, Provider, Redemption};
use crate::simulation::chain::{Chain, usd};
use crate::simulation::events;
use crate::simulation::stage::Stage;

/// What fills left with the pool, atoms.
#[derive(Clone, Copy, Debug, Default)]
pub struct Income {
    fees: i64,
    impact: i64,
}

impl Income {
    /// Adds the fills that a transaction's logs tell of.
    pub fn add(&mut self, logs: &[String]) {
        for fill in events::all::<Filled>(logs) {
            self.fees += fill.fee_maker;
            self.impact += fill.impact;
        }
    }
}

#[derive(Debug)]
pub struct Providers {
    started: Vec<f64>,
    redemptions: Vec<Redemption>,
}

impl Providers {
    /// Everybody's part before anything is traded.
    pub fn new(stage: &Stage) -> anyhow::Result<Self> {
        Ok(Self {
            started: values(stage)?,
            redemptions: Vec::new(),
        })
    }

    /// Pays the redemption as soon as its cooldown is over, and what is left of it later.
    pub fn act(&mut self, stage: &mut Stage, time: i64) -> anyhow::Result<()> {
        let cooldown = pool(stage)?.cooldown_out_s;
        for index in 0..stage.providers.len() {
            let (name, owner) = (stage.providers[index].name, stage.providers[index].owner());
            let Some(request) = stage.world.redeem_request(owner) else {
                continue;
            };
            let window = RequestWindow::after(request.requested_live_time, cooldown);
            if window.require(stage.world.live_time()).is_err() {
                continue;
            }
            match stage.world.execute_redeem(owner) {
                Ok(sent) => {
                    let event: LiquidityRedeemed =
                        events::first(&sent.logs).context("redeem_liquidity emitted no event")?;
                    self.redemptions.push(Redemption {
                        provider: name.to_owned(),
                        time,
                        shares: usd(event.shares as i64),
                        paid: usd(event.amount as i64),
                        left: usd(event.shares_left as i64),
                    });
                }
                Err(failure) if failure.code.is_some() => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(())
    }

    pub fn finish(self, stage: &Stage) -> anyhow::Result<Liquidity> {
        let finals = values(stage)?;
        let each = stage.providers.iter().zip(self.started).zip(finals);
        let providers = each.map(|((provider, initial_value), final_value)| Provider {
            name: provider.name.to_owned(),
            initial_value,
            final_value,
            redeemed: (self.redemptions.iter())
                .filter(|paid| paid.provider == provider.name)
                .fold(0.0, |sum, paid| sum + paid.paid),
        });
        Ok(Liquidity {
            providers: providers.collect(),
            fees: usd(stage.income.fees),
            impact: usd(stage.income.impact),
            redemptions: self.redemptions,
        })
    }
}

/// The providers' parts of the pool's equity, those in escrow with them.
fn values(stage: &Stage) -> anyhow::Result<Vec<f64>> {
    let equity = usd(Chain::of(&stage.world).find(stage.pool_margin)?.worth());
    let issued = usd(pool(stage)?.shares as i64);
    let held = |owner: Pubkey| {
        let waiting = stage.world.redeem_request(owner).map_or(0, |r| r.lp_tokens);
        usd((stage.world.lp_shares(owner) + waiting) as i64)
    };
    let each = stage.providers.iter();
    Ok(each
        .map(|provider| equity * held(provider.owner()) / issued)
        .collect())
}

fn pool(stage: &Stage) -> anyhow::Result<Pool> {
    stage.world.pool_state().context("a pool")
}
