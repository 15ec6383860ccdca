//! `accrue`: interest and funding up to now, published in the risk book. Anyone may call it, for any
//! banks and markets.

use anchor_lang::prelude::*;
use keel_state::RiskBook;

use crate::errors::KeelError;
use crate::events::Accrued;
use crate::load;

#[derive(Accounts)]
pub struct Accrue<'info> {
    #[account(mut)]
    pub risk_book: AccountLoader<'info, RiskBook>,
    // Remaining accounts: `banks` writable banks, then writable markets.
}

/// Checked in the attributes: risk_book (owner, discriminator). In `load`: banks and markets, of its
/// group, each once.
///
/// Interest needs no price. A market on a stale price is skipped (margin-spec 2.6). Repeating it
/// within a second changes nothing, and any subset may be accrued alone (I13).
pub fn handler<'info>(ctx: Context<'info, Accrue<'info>>, banks: u8) -> Result<()> {
    let accounts = &ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    let mut book = accounts.risk_book.load_mut()?;
    let remaining = ctx.remaining_accounts;
    require_gte!(
        remaining.len(),
        usize::from(banks),
        KeelError::WrongAccountCount
    );
    let (banks, markets) = remaining.split_at(usize::from(banks));
    let banks = load::banks(banks, &book, banks.len())?;
    let markets = load::markets(markets, &book, markets.len())?;

    let (mut done, mut is_new) = (Done::default(), false);
    for bank in &banks {
        let mut bank = bank.load_mut()?;
        bank.bring_to_now(now);
        is_new |= book.publish_bank(&bank);
        done.banks |= 1 << (bank.index & 31);
        bank.invariant(u64::MAX).map_err(KeelError::from)?;
    }
    let mut assets = 0u32;
    for market in &markets {
        let mut market = market.load_mut()?;
        let accrued = book.accrue_market(&mut market, now);
        done.mark(market.index, accrued.is_some());
        is_new |= accrued.unwrap_or_default();
        assets |= u32::from(accrued.is_some()) << (market.asset & 31);
        market.invariant().map_err(KeelError::from)?;
    }
    is_new |= book.publish_open_interest(assets);
    book.sequence += u64::from(is_new);

    emit!(Accrued {
        risk_book: accounts.risk_book.key(),
        sequence: book.sequence,
        banks: done.banks,
        markets: done.markets,
        skipped: done.skipped,
    });
    Ok(())
}

/// What was accrued, as bits.
#[derive(Default)]
struct Done {
    banks: u32,
    markets: [u64; 2],
    skipped: [u64; 2],
}

impl Done {
    fn mark(&mut self, market: u8, accrued: bool) {
        let words = if accrued {
            &mut self.markets
        } else {
            &mut self.skipped
        };
        words[usize::from(market >> 6 & 1)] |= 1 << (market & 63);
    }
}
