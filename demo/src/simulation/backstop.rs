//! What a keeper's steps are no answer to: shares of whole accounts, bid for, legs that nobody bids for,
//! and accounts with less than nothing.

use anyhow::{Context, bail};
use keel::errors::KeelError;
use keel::events::{BankruptcyResolved, Deleveraged, StraysTaken, TookOver};
use keel_risk::{BACKSTOP_DELAY_S, Legs};
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
/// Calls of `deleverage` on one leg in one step.
const MAX_CALLS: usize = 4;
/// A lot, as strays are counted.
const ONE_LOT: u64 = 1 << 40;

/// One ledger's part of a bankruptcy, as its event tells it.
pub struct Resolved {
    /// Whose market or bank it is.
    pub asset: Asset,
    pub event: BankruptcyResolved,
}

/// A call of `deleverage`, as its event tells it.
pub struct Unwound {
    pub asset: Asset,
    /// Lots of the other side before.
    pub opposite: u64,
    pub event: Deleveraged,
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

/// Starts the account's auction; whether it has run for so long.
fn has_run(stage: &mut Stage, margin: Pubkey, live_s: u64) -> anyhow::Result<bool> {
    let world = &mut stage.world;
    let started = world.auction_started(&margin);
    if started != 0 {
        return Ok(world.live_time().saturating_sub(started) >= live_s);
    }
    match world.set_clock(margin, &[], &Asset::TRADED) {
        Err(failure) if failure.code.is_none() => Err(failure.into()),
        _ => Ok(false),
    }
}

/// Starts the auction, or takes what is needed once it has run long enough.
fn bid_for(stage: &mut Stage, margin: Pubkey) -> anyhow::Result<Option<TookOver>> {
    if !has_run(stage, margin, PATIENCE_S)? {
        return Ok(None);
    }
    let world = &mut stage.world;
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

/// Unwinds the accounts that nobody bids for, once the backstop may: leg by leg, as often as a call
/// takes something.
pub fn unwind(
    stage: &mut Stage,
    found: &[Found],
    step: usize,
    invariants: &mut Invariants,
) -> anyhow::Result<Vec<Unwound>> {
    let mut all = Vec::new();
    for account in found.iter().filter(|found| found.health() < 0) {
        let margin = account.margin;
        if stage.care_of(&margin) != Care::Backstop || !has_run(stage, margin, BACKSTOP_DELAY_S)? {
            continue;
        }
        for asset in Asset::TRADED {
            for _ in 0..MAX_CALLS {
                let Some(unwound) = unwind_leg(stage, margin, asset)? else {
                    break;
                };
                let event = &unwound.event;
                let (before, after) = (event.health_before, event.health_after);
                invariants.check(before < 0 && after >= before, || {
                    format!("step {step}: a deleveraging took health from {before} to {after}")
                });
                all.push(unwound);
            }
        }
    }
    Ok(all)
}

fn unwind_leg(stage: &mut Stage, margin: Pubkey, asset: Asset) -> anyhow::Result<Option<Unwound>> {
    let ledger = stage.world.market(asset).ledger();
    match stage.world.deleverage(margin, asset, u64::MAX) {
        Ok(sent) => {
            let event: Deleveraged =
                events::first(&sent.logs).context("deleverage emitted no event")?;
            let opposite = if event.size > 0 {
                ledger.short
            } else {
                ledger.long
            };
            Ok(Some(Unwound {
                asset,
                opposite: opposite.open_interest,
                event,
            }))
        }
        Err(failure) if failure.code.is_some() => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

/// Lets the pool take whole lots that rounding left without a holder.
pub fn take_strays(stage: &mut Stage) -> anyhow::Result<Vec<(Asset, StraysTaken)>> {
    let mut all = Vec::new();
    for asset in Asset::TRADED {
        let ledger = stage.world.market(asset).ledger();
        if ledger.long.stray.0.max(ledger.short.stray.0) < ONE_LOT {
            continue;
        }
        let sent = stage.world.take_strays(asset).context("taking strays")?;
        let event = events::first(&sent.logs).context("take_strays emitted no event")?;
        all.push((asset, event));
    }
    Ok(all)
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
