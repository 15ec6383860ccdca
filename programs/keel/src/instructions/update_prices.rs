//! `update_prices`: anyone relays price accounts into the risk book.

use anchor_lang::prelude::*;
use keel_risk::{Acceptance, QUOTE_ASSET, accept};
use keel_state::RiskBook;

use crate::errors::{KeelError, Merits};
use crate::events::PricesUpdated;
use crate::{oracle, restart};

/// Most sources that one call may update.
pub const MAX_UPDATES: usize = 32;

/// Which source of which asset the price account at the same place belongs to.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceSlot {
    pub asset: u8,
    pub source: u8,
}

#[derive(Accounts)]
pub struct UpdatePrices<'info> {
    #[account(mut)]
    pub risk_book: AccountLoader<'info, RiskBook>,
    // Remaining accounts: one price account per slot.
}

/// Refuses the whole call on any refusal of margin-spec 2.1; a publish time that is not later than
/// the stored one skips that source, unless `strict`.
pub fn handler<'info>(
    ctx: Context<'info, UpdatePrices<'info>>,
    slots: Vec<PriceSlot>,
    strict: bool,
) -> Result<()> {
    let accounts = &ctx.accounts;
    require!(
        (1..=MAX_UPDATES).contains(&slots.len()),
        KeelError::WrongAccountCount
    );
    require_eq!(
        ctx.remaining_accounts.len(),
        slots.len(),
        KeelError::WrongAccountCount
    );
    let clock = Clock::get()?;
    let mut book = accounts.risk_book.load_mut()?;

    // Bits in whole registers, which are cheaper here.
    let (mut updated, mut skipped, mut printed) = (0u64, 0u64, 0u64);
    for (slot, account) in slots.iter().zip(ctx.remaining_accounts) {
        let bit = 1u64 << (slot.asset & 31);
        if let Some(rules) = update_one(&mut book, *slot, account, &clock)? {
            updated |= bit;
            printed |= if rules { bit } else { 0 };
        } else {
            require!(!strict, KeelError::PriceNotNewer);
            skipped |= bit;
        }
    }

    if updated != 0 {
        book.tick(clock.unix_timestamp, restart::last_slot()?, printed as u32);
    }

    emit!(PricesUpdated {
        risk_book: accounts.risk_book.key(),
        sequence: book.sequence,
        live_time: book.live_time,
        updated: updated as u32,
        skipped: skipped as u32,
    });
    Ok(())
}

/// Reads, judges and stores one price, and tells whether its source rules; `None` when the stored
/// one is as new.
fn update_one(
    book: &mut RiskBook,
    slot: PriceSlot,
    account: &AccountInfo,
    clock: &Clock,
) -> Result<Option<bool>> {
    require!(slot.asset < book.assets_len, KeelError::NoSuchAsset);
    require!(slot.source < 2, KeelError::NoSuchSource);
    let asset = &mut book.assets[usize::from(slot.asset)];
    let source = &asset.sources[usize::from(slot.source)];

    let reading = oracle::read(source, account, clock.slot)?;
    let stored = source.publish_time;
    let verdict = accept(
        &reading,
        stored,
        &asset.accept_limits(),
        clock.unix_timestamp,
    )
    .merits()?;
    if verdict == Acceptance::Skip {
        return Ok(None);
    }

    let now = clock.unix_timestamp;
    let rules = asset
        .take_print(usize::from(slot.source), &reading, now)
        .merits()?;
    if slot.asset == QUOTE_ASSET {
        book.publish_peg();
    }
    Ok(Some(rules))
}
