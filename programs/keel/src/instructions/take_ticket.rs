//! `take_ticket`: a place in the queue out of a bank, for what its buckets cannot let out at once.

use anchor_lang::prelude::*;
use keel_risk::plan_ticket;
use keel_state::{Bank, MarginAccount, MarginKind, RiskBook};

use crate::errors::{KeelError, Merits};
use crate::events::TicketTaken;
use crate::load;

/// Checked in the attributes: owner (signer, the margin account's), bank (owner, discriminator). In
/// `load` and the handler: groups.
#[derive(Accounts)]
pub struct TakeTicket<'info> {
    pub owner: Signer<'info>,
    pub risk_book: AccountLoader<'info, RiskBook>,
    #[account(mut, has_one = owner @ KeelError::NotOwner)]
    pub margin: AccountLoader<'info, MarginAccount>,
    #[account(mut)]
    pub bank: AccountLoader<'info, Bank>,
}

/// `amount` in native units of the deposit; `u64::MAX` queues it whole, 0 gives a lapsed ticket up. No
/// health is asked for: that is judged when the ticket is used.
pub fn handler(ctx: Context<TakeTicket>, amount: u64) -> Result<()> {
    let accounts = ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    let book = accounts.risk_book.load()?;
    let mut margin = load::margin_mut(&accounts.margin, &book)?;
    let mut bank = accounts.bank.load_mut()?;
    require_keys_eq!(bank.group, book.group, KeelError::OtherGroup);
    require!(
        margin.account().kind == MarginKind::Trader as u8,
        KeelError::NotATrader
    );

    bank.bring_to_now(now);
    let exit = bank.exit(margin.account(), &book, now);
    let deposit = bank.deposit_of(&margin.view());
    let gate = plan_ticket(exit.gate, &exit.terms, bank.index, deposit, amount).merits()?;

    margin.edit().apply_ticket(&gate);
    bank.apply_gate(&gate);

    bank.invariant(u64::MAX).map_err(KeelError::from)?;

    emit!(TicketTaken {
        margin: accounts.margin.key(),
        bank: accounts.bank.key(),
        seq: margin.account().seq,
        amount: gate.ticket.amount,
        ready: gate.ticket.ready,
        queued: gate.queue.amount,
    });
    Ok(())
}
