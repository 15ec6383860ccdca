//! What a keeper's steps are no answer to: shares of whole accounts, bid for, and accounts with less
//! than nothing.

use anyhow::{Context, bail};
use keel::errors::KeelError;
use keel::events::{BankruptcyResolved, TookOver};
use keel_risk::Legs;
use keel_sdk::{Pubkey, decode};
use keel_state::MarginAccount;
use keel_tests::{Asset, market};

use crate::cast::Care;
use crate::result::Invariants;
use crate::simulation::chain::{Chain, Found};
use crate::simulation::events;
use crate::simulation::keeper::is;
use crate::simulation::stage::Stage;

/// Live seconds of auction that the bidder waits for a discount: a little over 1%.
const PATIENCE_S: u64 = 120;
const WHOLE: u32 = 1_000_000;

/// One ledger's part of a bankruptcy, as its event tells it.
pub struct Resolved {
    /// Whose market or bank it is.
    pub asset: Asset,
    pub event: BankruptcyResolved,
}

/// Bids for the accounts that are the bidder's to look after.
pub fn bid(
    stage: &mut Stage,
    found: &[Found],
    step: usize,
    invariants: &mut Invariants,
) -> anyhow::Result<Vec<TookOver>> {
    let mut all = Vec::new();
    for account in found.iter().filter(|found| found.health() < 0) {
        if stage.care_of(&account.margin) != Care::Bidder {
            continue;
        }
        let Some(event) = bid_for(stage, account.margin)? else {
            continue;
        };
        let (before, after) = (event.health_before, event.health_after);
        invariants.check(before < 0 && after > before, || {
            format!("step {step}: a takeover took health from {before} to {after}")
        });
        all.push(event);
    }
    Ok(all)
}

/// Starts the auction, or takes what is needed once it has run long enough.
fn bid_for(stage: &mut Stage, margin: Pubkey) -> anyhow::Result<Option<TookOver>> {
    let world = &mut stage.world;
    let started = world.auction_started(&margin);
    if started == 0 {
        let clock = world.set_clock(margin, &[], &[]);
        return match clock {
            Err(failure) if failure.code.is_none() => Err(failure.into()),
            _ => Ok(None),
        };
    }
    if world.live_time().saturating_sub(started) < PATIENCE_S {
        return Ok(None);
    }
    let banks = [Asset::Sol, Asset::Btc, Asset::Eth];
    let sent = world.take_over(&stage.bidder, margin, WHOLE, &banks, &Asset::TRADED);
    match sent {
        Ok(sent) => Ok(Some(
            events::first(&sent.logs).context("take_over emitted no event")?,
        )),
        Err(failure) if failure.code.is_some() => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

/// Resolves every bankrupt account among these: each market where it owes a result, each bank that it
/// borrowed from.
pub fn resolve(
    stage: &mut Stage,
    margins: &[Pubkey],
    step: usize,
    invariants: &mut Invariants,
) -> anyhow::Result<Vec<Resolved>> {
    let mut all = Vec::new();
    for margin in margins {
        if Chain::of(&stage.world).find(*margin)?.worth() >= 0 {
            continue;
        }
        let mut parts = Vec::new();
        for asset in Asset::TRADED {
            if owes_result(stage, *margin, asset)? {
                parts.extend(part(stage, *margin, asset, true)?);
            }
        }
        for asset in Asset::ALL {
            let data = stage.world.data(margin);
            let account = decode::account::<MarginAccount>(&data)?;
            let owes = |held: &keel_state::Balance| {
                held.used != 0 && held.bank == asset as u8 && held.shares < 0
            };
            if account.balances.iter().any(owes) {
                parts.extend(part(stage, *margin, asset, false)?);
            }
        }
        check(stage, *margin, &parts, step, invariants)?;
        all.extend(parts);
    }
    Ok(all)
}

fn part(
    stage: &mut Stage,
    margin: Pubkey,
    asset: Asset,
    of_market: bool,
) -> anyhow::Result<Option<Resolved>> {
    let world = &mut stage.world;
    let sent = if of_market {
        world.resolve_market(margin, asset)
    } else {
        world.resolve_bank(margin, asset)
    };
    match sent {
        Ok(sent) => match events::first(&sent.logs) {
            Some(event) => Ok(Some(Resolved { asset, event })),
            None => bail!("resolve_bankruptcy emitted no event"),
        },
        Err(failure) if is(&failure, KeelError::NotBankrupt) => Ok(None),
        // Nothing is resolved at doubtful prices: the next step asks again.
        Err(failure) if failure.code.is_some() => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

/// 8.6: the parts sum to what was lacking, and nothing is missing afterwards.
fn check(
    stage: &Stage,
    margin: Pubkey,
    parts: &[Resolved],
    step: usize,
    invariants: &mut Invariants,
) -> anyhow::Result<()> {
    for Resolved { asset, event } in parts {
        let paid = event.from_market + event.from_insurance + event.from_holders + event.owed;
        invariants.check(paid == event.deficit, || {
            format!(
                "bankruptcy at step {step}, {}: lacked {}, paid {paid}",
                asset.symbol(),
                event.deficit
            )
        });
    }
    if let Some(last) = parts.last().filter(|last| last.event.missing == 0) {
        let worth = Chain::of(&stage.world).find(margin)?.worth();
        invariants.check(worth >= -1, || {
            format!(
                "bankruptcy at step {step}, {}: the account is still short of {worth}",
                last.asset.symbol()
            )
        });
    }
    Ok(())
}

fn owes_result(stage: &Stage, margin: Pubkey, asset: Asset) -> anyhow::Result<bool> {
    let chain = Chain::of(&stage.world);
    let data = chain.data(&margin);
    let snapshot = chain.snapshot()?;
    let view = snapshot.margin(&data)?;
    let slot = view.held_slot(market(asset));
    let leg = slot.and_then(|slot| view.position(slot));
    Ok(leg.is_some_and(|leg| leg.size.0 == 0 && leg.quote.0 < 0))
}
