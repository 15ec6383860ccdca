//! `deposit`: tokens into a margin account; they repay what it owes first. Open in every price state.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};
use keel_risk::{cash_value, plan_deposit};
use keel_state::{Bank, BookView, MarginAccount, MarginKind, RiskBook};

use crate::errors::{KeelError, Merits};
use crate::events::{AssetPrice, Deposited};
use crate::{load, token};

/// Checked in the attributes: depositor (signer), risk_book, margin, bank (owner, discriminator),
/// vault and mint (the bank's), source (its mint, not the vault: `dup` spares Anchor's search),
/// token_program (a token program). In `load` and the handler: groups.
#[derive(Accounts)]
pub struct Deposit<'info> {
    /// Pays the tokens. Only the owner may open a new balance slot (margin-spec 2.8).
    pub depositor: Signer<'info>,
    pub risk_book: AccountLoader<'info, RiskBook>,
    #[account(mut)]
    pub margin: AccountLoader<'info, MarginAccount>,
    #[account(mut, has_one = vault @ KeelError::WrongVault, has_one = mint @ KeelError::WrongMint)]
    pub bank: AccountLoader<'info, Bank>,
    #[account(mut, dup)]
    pub vault: InterfaceAccount<'info, TokenAccount>,
    pub mint: InterfaceAccount<'info, Mint>,
    #[account(mut, dup, token::mint = mint, constraint = source.key() != vault.key() @ KeelError::SameAccount)]
    pub source: InterfaceAccount<'info, TokenAccount>,
    pub token_program: Interface<'info, TokenInterface>,
}

pub fn handler<'info>(ctx: Context<'info, Deposit<'info>>, amount: u64) -> Result<()> {
    let accounts = ctx.accounts;
    require!(amount > 0, KeelError::ZeroAmount);
    let now = Clock::get()?.unix_timestamp;

    // The tokens move first: only what the vault really gained may be credited.
    let received = token::pay_in(
        &accounts.token_program,
        &accounts.mint,
        &accounts.source,
        &mut accounts.vault,
        &accounts.depositor,
        amount,
    )?;

    let book = accounts.risk_book.load()?;
    let mut margin = load::margin_mut(&accounts.margin, &book)?;
    let mut bank = accounts.bank.load_mut()?;
    require_keys_eq!(bank.group, book.group, KeelError::OtherGroup);
    let account = margin.account();
    require!(
        account.kind == MarginKind::Trader as u8,
        KeelError::NotATrader
    );
    let held = margin.view().balance_slot(bank.index);
    let may_open = account.owner == accounts.depositor.key();
    require!(held.is_some() || may_open, KeelError::OnlyOwnerOpensSlot);
    let slot = held
        .or_else(|| margin.view().free_balance_slot())
        .ok_or(KeelError::NoFreeBalanceSlot)?;

    bank.bring_to_now(now);
    let view = BookView::new(&book, now);
    let plan = plan_deposit(&view, &margin.view(), slot, bank.terms(), received).merits()?;
    let clock = load::clock_after_inflow(&margin, &view, &plan);

    margin.edit().apply_inflow(&plan, clock);
    margin.edit().note_deposit(|| cash_value(&view, &plan));
    bank.apply_cash(&plan);
    bank.take_inflow(received, now);

    bank.invariant(accounts.vault.amount)
        .map_err(KeelError::from)?;

    emit!(Deposited {
        margin: accounts.margin.key(),
        bank: accounts.bank.key(),
        seq: margin.account().seq,
        amount: received,
        shares_before: plan.before.0,
        shares_after: plan.after.shares.0,
        price: AssetPrice::of(&view, bank.asset),
    });
    Ok(())
}
