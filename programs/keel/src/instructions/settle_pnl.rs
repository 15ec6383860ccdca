//! `settle_pnl`: anyone turns results of a market into quote, from who lost to who gained (margin-spec
//! 7.4).

use anchor_lang::prelude::*;
use keel_risk::{SettlePlan, SettleTerms, SettledUpTo, Settling, plan_settle};
use keel_state::{Bank, BookView, MarginAccount, MarginView, Market, RiskBook, Workspace};

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
        require_keys_neq!(self.winner.key(), self.loser.key(), KeelError::SameAccount);
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
    let (gaining, losing) = (winner.view(), loser.view());
    let mut workspace = Workspace::for_account(&losing);

    let plan = plan_settle(
        &view,
        settling(&gaining, market.index)?,
        settling(&losing, market.index)?,
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

/// Where an account holds the market's result, and the quote: always in its first balance.
fn settling<'a, 'b>(
    legs: &'a MarginView<'b>,
    instrument: u8,
) -> Result<Settling<'a, MarginView<'b>>> {
    let slot = legs.held_slot(instrument);
    Ok(Settling {
        legs,
        position_slot: slot.ok_or(KeelError::NothingToSettle)?,
        balance_slot: 0,
    })
}

fn event(
    accounts: &SettlePnl,
    plan: &SettlePlan,
    (winner, loser): (&MarginRefMut, &MarginRefMut),
    (price, price_age_s): (u64, u32),
) -> PnlSettled {
    PnlSettled {
        winner: accounts.winner.key(),
        loser: accounts.loser.key(),
        market: accounts.market.key(),
        winner_seq: winner.account().seq,
        loser_seq: loser.account().seq,
        amount: plan.amount.0,
        borrowed: plan.borrowed.0,
        up_to: match plan.up_to {
            SettledUpTo::MaxAmount => 0,
            SettledUpTo::Result => 1,
            SettledUpTo::Deposit => 2,
        },
        winner_quote_after: plan.winner_position.1.quote.0,
        loser_quote_after: plan.loser_position.1.quote.0,
        winner_shares_after: plan.winner_balance.1.shares.0,
        loser_shares_after: plan.loser_balance.1.shares.0,
        price,
        price_age_s,
    }
}
