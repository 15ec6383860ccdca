//! Results turned into money: every hour the keeper settles what was won in a market against what was
//! lost in it (margin-spec 7.4), as far as losers have deposits.

use anyhow::Context;
use keel::errors::KeelError;
use keel::events::PnlSettled;
use keel_risk::{Book, Carries, Legs, deposit_amount, position_worth};
use keel_sdk::Pubkey;
use keel_tests::{Asset, Failure, market};

use crate::house::Settlement;
use crate::result::Invariants;
use crate::simulation::chain::{Chain, usd};
use crate::simulation::events;
use crate::simulation::keeper::is;
use crate::simulation::stage::Stage;

/// Seconds between two rounds.
const EVERY_S: i64 = 3_600;
/// A dollar: less is not worth a transaction.
const LEAST: i64 = 1_000_000;

#[derive(Debug)]
pub struct Settler {
    start: i64,
    next: i64,
    by_market: [Settlement; 3],
}

/// What an account won or lost in a market, and what it has to pay with, atoms.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    margin: Pubkey,
    worth: i64,
    deposit: i64,
}

impl Settler {
    pub fn new(start: i64) -> Self {
        Self {
            start,
            next: start + EVERY_S,
            by_market: Asset::TRADED.map(|asset| Settlement {
                market: format!("{}-PERP", asset.symbol()),
                ..Settlement::default()
            }),
        }
    }

    /// One round, if it is due.
    pub fn act(
        &mut self,
        stage: &mut Stage,
        (now, step): (i64, usize),
        invariants: &mut Invariants,
    ) -> anyhow::Result<()> {
        if now < self.next {
            return Ok(());
        }
        self.next = now + EVERY_S - (now - self.start) % EVERY_S;
        for asset in Asset::TRADED {
            self.settle(stage, asset, step, invariants)?;
        }
        Ok(())
    }

    /// Who won most is paid by who lost most, and so on; nobody is made to borrow.
    fn settle(
        &mut self,
        stage: &mut Stage,
        asset: Asset,
        step: usize,
        invariants: &mut Invariants,
    ) -> anyhow::Result<()> {
        let results = results(stage, asset)?;
        let mut winners: Vec<Outcome> = results.iter().copied().filter(|r| r.worth > 0).collect();
        let mut losers: Vec<Outcome> = results.into_iter().filter(|r| r.owes() > 0).collect();
        winners.sort_by_key(|result| result.worth);
        losers.sort_by_key(|result| result.owes());
        while let (Some(winner), Some(loser)) = (winners.last_mut(), losers.last_mut()) {
            let amount = winner.worth.min(loser.owes());
            if amount >= LEAST {
                let pair = (winner.margin, loser.margin);
                let Some(event) = pay(stage, pair, asset, amount.unsigned_abs())? else {
                    losers.pop();
                    continue;
                };
                invariants.check(event.borrowed == 0 && event.amount <= amount, || {
                    format!(
                        "7.4 at step {step}, {}: of {amount} a settlement moved {}, {} of it borrowed",
                        asset.symbol(),
                        event.amount,
                        event.borrowed
                    )
                });
                let sum = &mut self.by_market[usize::from(market(asset))];
                sum.times += 1;
                sum.moved += usd(event.amount);
            }
            winner.worth -= amount;
            loser.worth += amount;
            loser.deposit -= amount;
            if winner.worth < LEAST {
                winners.pop();
            }
            if losers.last().is_some_and(|loser| loser.owes() < LEAST) {
                losers.pop();
            }
        }
        Ok(())
    }

    /// The sums, with what winners still wait for.
    pub fn finish(mut self, stage: &Stage) -> anyhow::Result<Vec<Settlement>> {
        for (asset, sum) in Asset::TRADED.into_iter().zip(&mut self.by_market) {
            let won = results(stage, asset)?.into_iter().map(|r| r.worth.max(0));
            sum.waiting = usd(won.sum());
        }
        Ok(self.by_market.into())
    }
}

impl Outcome {
    /// What can be taken of it.
    fn owes(&self) -> i64 {
        (-self.worth).min(self.deposit)
    }
}

/// Every account's result in a market, atoms, floor.
fn results(stage: &Stage, asset: Asset) -> anyhow::Result<Vec<Outcome>> {
    let chain = Chain::of(&stage.world);
    let snapshot = chain.snapshot()?;
    let book = snapshot.view();
    let index = stage.world.bank(Asset::Usdc).fresh_rate().deposit_index;
    let mut all = Vec::new();
    for margin in stage.margins() {
        let data = chain.data(&margin);
        let view = snapshot.margin(&data)?;
        let slot = view.held_slot(market(asset));
        let Some(leg) = slot.and_then(|slot| view.position(slot)) else {
            continue;
        };
        let terms = book.instrument(leg.instrument);
        let shares = view.balance(0).map_or(0, |quote| quote.shares.0.max(0));
        all.push(Outcome {
            margin,
            worth: position_worth(&leg, terms.mark, Carries::of(&terms)).0,
            deposit: deposit_amount(keel_risk::Shares(shares), index).0,
        });
    }
    Ok(all)
}

/// `None` where the program refuses: the loser's result waits for the next round.
fn pay(
    stage: &mut Stage,
    (winner, loser): (Pubkey, Pubkey),
    asset: Asset,
    amount: u64,
) -> anyhow::Result<Option<PnlSettled>> {
    match stage.world.settle(winner, loser, asset, amount) {
        Ok(sent) => {
            let event = events::first(&sent.logs);
            Ok(Some(event.context("settle_pnl emitted no event")?))
        }
        Err(failure) if may_wait(&failure) => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

fn may_wait(failure: &Failure) -> bool {
    [
        KeelError::SettlementClosed,
        KeelError::PriceUnfit,
        KeelError::BelowInitial,
        KeelError::NothingToSettle,
    ]
    .into_iter()
    .any(|error| is(failure, error))
}
