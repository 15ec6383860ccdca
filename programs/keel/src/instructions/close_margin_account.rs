//! `close_margin_account`: an empty account's rent back.

use anchor_lang::prelude::*;
use keel_state::{MarginAccount, MarginKind, RiskBook};

use crate::errors::KeelError;
use crate::events::MarginAccountClosed;
use crate::load;

#[derive(Accounts)]
pub struct CloseMarginAccount<'info> {
    pub owner: Signer<'info>,
    pub risk_book: AccountLoader<'info, RiskBook>,
    #[account(mut, has_one = owner @ KeelError::NotOwner, close = receiver)]
    pub margin: AccountLoader<'info, MarginAccount>,
    /// CHECK: gets the rent: whomever the owner names.
    #[account(mut)]
    pub receiver: UncheckedAccount<'info>,
}

/// Checked in the attributes: owner (signer, the margin account's), receiver (another account than
/// the one that is closed). In `load`: the book's group. Here: nothing in the account, and nobody
/// waits for it.
///
/// The slot is compared so that an address that is opened again cannot repeat a `seq`.
pub fn handler(ctx: Context<CloseMarginAccount>) -> Result<()> {
    let accounts = &ctx.accounts;
    let slot = Clock::get()?.slot;
    let book = accounts.risk_book.load()?;
    let margin = load::margin_mut(&accounts.margin, &book)?;
    let account = margin.account();
    require!(
        account.kind == MarginKind::Trader as u8,
        KeelError::NotATrader
    );

    require!(margin.view().is_empty(), KeelError::AccountNotEmpty);
    require!(account.ticket_amount == 0, KeelError::TicketOutstanding);
    require!(
        account.liquidation_started == 0,
        KeelError::LiquidationUnderWay
    );
    require!(account.deficit_found_at == 0, KeelError::DeficitUnresolved);
    require!(account.may_close_in(slot), KeelError::OpenedInThisSlot);

    emit!(MarginAccountClosed {
        margin: accounts.margin.key(),
        owner: accounts.owner.key(),
        receiver: accounts.receiver.key(),
        seq: account.seq,
    });
    Ok(())
}
