//! `settle_pnl`: anyone turns results of a market into quote, from who lost to who gained (margin-spec
//! 7.4).

use anchor_lang::prelude::*;
use keel_risk::{SettlePlan, SettleTerms, SettledUpTo, Settling, plan_settle};
use keel_state::{Bank, BookView, MarginAccount, Market, RiskBook, Workspace};

use crate::errors::{KeelError, Merits};
use crate::events::PnlSettled;
use crate::load::{self, MarginRefMut};

/// Permissionless: nothing leaves an account but what it lost, and that only as 7.4 allows.
#[derive(Accounts)]
pub struct SettlePnl<'info> {
    pub risk_book: AccountLoader<'info, RiskBook>,
    #[account(mut)]
    pub winner: AccountLoader<'info, MarginAccount>,
    #[account(mut)]
    pub loser: AccountLoader<'info, MarginAccount>,
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// The quote's.
    #[account(mut)]
    pub bank: AccountLoader<'info, Bank>,
}

impl SettlePnl<'_> {
    /// Checked in the attributes: every loader's owner and discriminator. Here: two different accounts,
    /// market and bank of the group, the bank the quote's. In `load`: the margin accounts' groups.
    fn validate(&self, book: &RiskBook) -> Result<()> {
        require_keys_neq!(
            self.winner.key(),
            self.loser.key(),
            KeelError::SameAccount
        );
        require_keys_eq!(self.market.load()?.group, book.group, KeelError::OtherGroup);
        let bank = self.bank.load()?;
        require_keys_eq!(bank.group, book.group, KeelError::OtherGroup);
        require_eq!(bank.index, 0, KeelError::NotTheQuoteBank);
        Ok(())
    }
}

pub fn handler(ctx: Context<SettlePnl>, max_amount: u64) -> Result<()> {
    let accounts = &ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    let book = accounts.risk_book.load()?;
    accounts.validate(&book)?;
    let mut winner = load::margin_mut(&accounts.winner, &book)?;
    let mut loser = load::margin_mut(&accounts.loser, &book)?;
    let mut market = accounts.market.load_mut()?;
    let mut bank = accounts.bank.load_mut()?;

    bank.bring_to_now(now);
    winner.touch_either(&mut market, now);
    loser.touch_either(&mut market, now);
    let fresh = [bank.fresh_rate()];
    let view = BookView::new(&book, now).with_rates(&fresh);
    let mut workspace = Workspace::for_account(&loser.view());

    let plan = plan_settle(
        &view,
        settling(&winner, &winner.view(), market.index)?,
        settling(&loser, &loser.view(), market.index)?,
        &SettleTerms {
            max_amount,
            closed: market.settlement_closed(now),
            bank: bank.ledger(),
        },
        &mut workspace.scratch(),
    )
    .merits()?;

    winner.edit().apply_settlement_gain(&plan);
    loser.edit().apply_settlement_loss(&plan);
    bank.apply(&plan.bank);

    market.invariant().map_err(KeelError::from)?;
    // No token moves, so the vault stands where it stood: the ledger is checked against itself.
    bank.invariant(bank.tracked).map_err(KeelError::from)?;
    let asset = view.asset_entry_of(market.index);
    let prices = (asset.lot_price, view.age_s(asset));
    emit!(event(accounts, &plan, (&winner, &loser), prices));
    Ok(())
}
