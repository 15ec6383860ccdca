//! `transfer`: tokens from one margin account of an owner to another one of his.

use anchor_lang::prelude::*;
use keel_risk::{Holder, InitialTerms, Taking, cash_value, plan_transfer};
use keel_state::{Bank, BookView, MarginAccount, MarginKind, RiskBook, Workspace};

use crate::errors::{KeelError, Merits};
use crate::events::{AssetPrice, Transferred};
use crate::load;

#[derive(Accounts)]
pub struct Transfer<'info> {
    pub owner: Signer<'info>,
    pub risk_book: AccountLoader<'info, RiskBook>,
    #[account(mut, has_one = owner @ KeelError::NotOwner)]
    pub from: AccountLoader<'info, MarginAccount>,
    #[account(mut, has_one = owner @ KeelError::NotOwner)]
    pub to: AccountLoader<'info, MarginAccount>,
    #[account(mut)]
    pub bank: AccountLoader<'info, Bank>,
}

/// Where both accounts hold the bank, or will.
struct Slots {
    from: usize,
    to: usize,
}

impl Transfer<'_> {
    /// Checked in the attributes: owner (signer, of both accounts), bank (owner, discriminator). Here:
    /// the two accounts differ (Anchor's duplicate check skips loaders). In `load` and the handler:
    /// groups.
    fn validate(&self, amount: u64) -> Result<()> {
        require_keys_neq!(self.from.key(), self.to.key(), KeelError::SameAccount);
        require!(amount > 0, KeelError::ZeroAmount);
        Ok(())
    }

    fn slots(
        from: &load::MarginRefMut,
        to: &load::MarginRefMut,
        bank: u8,
        allow_borrow: bool,
    ) -> Result<Slots> {
        for account in [from.account(), to.account()] {
            let is_trader = account.kind == MarginKind::Trader as u8;
            require!(is_trader, KeelError::NotATrader);
        }
        let place = |margin: &load::MarginRefMut, may_open: bool| {
            let (view, held) = (margin.view(), margin.view().balance_slot(bank));
            held.or_else(|| view.free_balance_slot().filter(|_| may_open))
        };
        let missing = if allow_borrow {
            KeelError::NoFreeBalanceSlot
        } else {
            KeelError::NothingToWithdraw
        };
        Ok(Slots {
            from: place(from, allow_borrow).ok_or(missing)?,
            to: place(to, true).ok_or(KeelError::NoFreeBalanceSlot)?,
        })
    }
}

/// `amount` in native units; `u64::MAX` moves the whole deposit. The giver is judged like by a
/// withdrawal.
pub fn handler(ctx: Context<Transfer>, amount: u64, allow_borrow: bool) -> Result<()> {
    let accounts = ctx.accounts;
    accounts.validate(amount)?;
    let now = Clock::get()?.unix_timestamp;
    let book = accounts.risk_book.load()?;
    let mut from = load::margin_mut(&accounts.from, &book)?;
    let mut to = load::margin_mut(&accounts.to, &book)?;
    let mut bank = accounts.bank.load_mut()?;
    require_keys_eq!(bank.group, book.group, KeelError::OtherGroup);
    let slots = Transfer::slots(&from, &to, bank.index, allow_borrow)?;

    bank.bring_to_now(now);
    // Only a borrow is worth less by its copy than it is.
    let fresh = [bank.fresh_rate()];
    let rates = if allow_borrow { &fresh[..] } else { &[] };
    let view = BookView::new(&book, now).with_rates(rates);
    let mut workspace = Workspace::for_account(&from.view());
    let terms = InitialTerms::WITHDRAWAL;
    let health_before = load::health_before(&view, &from, terms, &mut workspace);
    let plan = plan_transfer(
        &view,
        &from.view(),
        Holder {
            legs: &to.view(),
            slot: slots.to,
        },
        &bank.exit(from.account(), &book, now),
        Taking {
            slot: slots.from,
            amount,
            allow_borrow,
        },
        &mut workspace.scratch(),
    )
    .merits()?;
    let clock = load::clock_after_inflow(&to, &view, &plan.received);

    from.edit().apply_transfer(&plan);
    to.edit().apply_inflow(&plan.received, clock);
    for (margin, cash) in [(&mut from, &plan.given), (&mut to, &plan.received)] {
        margin.edit().note_deposit(|| cash_value(&view, cash));
    }
    bank.apply(&plan.change);
    bank.apply_gate(&plan.gate);

    bank.invariant(u64::MAX).map_err(KeelError::from)?;

    emit!(Transferred {
        from: accounts.from.key(),
        to: accounts.to.key(),
        bank: accounts.bank.key(),
        from_seq: from.account().seq,
        to_seq: to.account().seq,
        amount: plan.received.tokens.0.unsigned_abs(),
        borrowed: plan.borrowed.0,
        from_before: plan.given.before.0,
        from_after: plan.given.after.shares.0,
        to_before: plan.received.before.0,
        to_after: plan.received.after.shares.0,
        health_before,
        health_initial: plan.initial.health().0,
        price: AssetPrice::of(&view, bank.asset),
    });
    Ok(())
}
