//! `withdraw`: tokens out of a margin account, never out of what Initial needs; what the deposit lacks
//! is borrowed if the owner says so.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{TokenAccount, TokenInterface};
use keel_risk::{InitialTerms, Taking, cash_value, plan_withdraw};
use keel_state::{Bank, BookView, MarginAccount, MarginKind, RiskBook, Workspace};

use crate::errors::{KeelError, Merits};
use crate::events::{AssetPrice, Withdrawn};
use crate::token::VaultAuthority;
use crate::{load, token};

/// Checked in the attributes: owner (signer, the margin account's), risk_book (the group's), vault
/// and mint (the bank's), destination (its mint, not the vault: `dup` spares Anchor's search),
/// token_program. Authority: by signing. In `load` and the handler: groups.
#[derive(Accounts)]
pub struct Withdraw<'info> {
    pub owner: Signer<'info>,
    pub risk_book: AccountLoader<'info, RiskBook>,
    #[account(mut, has_one = owner @ KeelError::NotOwner)]
    pub margin: AccountLoader<'info, MarginAccount>,
    #[account(mut, has_one = vault @ KeelError::WrongVault, has_one = mint @ KeelError::WrongMint)]
    pub bank: AccountLoader<'info, Bank>,
    #[account(mut, dup)]
    pub vault: InterfaceAccount<'info, TokenAccount>,
    /// CHECK: the bank's, which knows its decimals; the token program compares them.
    pub mint: UncheckedAccount<'info>,
    #[account(mut, dup, token::mint = mint, constraint = destination.key() != vault.key() @ KeelError::SameAccount)]
    pub destination: InterfaceAccount<'info, TokenAccount>,
    /// CHECK: signs for the vault; the token program refuses any other address than the vault's
    /// authority.
    pub authority: UncheckedAccount<'info>,
    pub token_program: Interface<'info, TokenInterface>,
}

impl<'info> Withdraw<'info> {
    /// Where the account holds the bank, or with `allow_borrow` will hold it. Only its owner signs, so
    /// that a slot may open (margin-spec 2.8).
    fn slot(&self, margin: &load::MarginRefMut, bank: &Bank, allow_borrow: bool) -> Result<usize> {
        require!(
            margin.account().kind == MarginKind::Trader as u8,
            KeelError::NotATrader
        );
        let held = margin.view().balance_slot(bank.index);
        if held.is_none() && allow_borrow {
            let free = margin.view().free_balance_slot();
            return Ok(free.ok_or(KeelError::NoFreeBalanceSlot)?);
        }
        Ok(held.ok_or(KeelError::NothingToWithdraw)?)
    }

    /// I1 once `paid` will have left the vault.
    fn check_books(&self, bank: &Bank, paid: u64) -> Result<()> {
        let left = self.vault.amount.checked_sub(paid);
        bank.invariant(left.ok_or(KeelError::VaultShort)?)
            .map_err(KeelError::from)?;
        Ok(())
    }

    fn pay(&self, paid: u64, group: &Pubkey, (bump, decimals): (u8, u8)) -> Result<()> {
        let authority = VaultAuthority {
            account: &self.authority,
            group,
            bump,
        };
        let mint = (self.mint.to_account_info(), decimals);
        let (from, to) = (&self.vault, &self.destination);
        token::pay_from(&self.token_program, mint, from, to, authority, paid)
    }
}

#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct WithdrawArgs {
    /// Native units; `u64::MAX` withdraws the whole deposit.
    pub amount: u64,
    /// Whether what the deposit lacks is borrowed.
    pub allow_borrow: bool,
    /// Whether the event says the Initial health before too: one more judgement, some 10,000 units.
    pub health_before: bool,
}

pub fn handler<'info>(ctx: Context<'info, Withdraw<'info>>, args: WithdrawArgs) -> Result<()> {
    let WithdrawArgs {
        amount,
        allow_borrow,
        health_before,
    } = args;
    let accounts = ctx.accounts;
    require!(amount > 0, KeelError::ZeroAmount);
    let now = Clock::get()?.unix_timestamp;
    let book = accounts.risk_book.load()?;
    let mut margin = load::margin_mut(&accounts.margin, &book)?;
    let mut bank = accounts.bank.load_mut()?;
    require_keys_eq!(bank.group, book.group, KeelError::OtherGroup);
    let slot = accounts.slot(&margin, &bank, allow_borrow)?;

    bank.bring_to_now(now);
    // Only a borrow is worth less by its copy than it is.
    let fresh = [bank.fresh_rate()];
    let rates = if allow_borrow { &fresh[..] } else { &[] };
    let view = BookView::new(&book, now).with_rates(rates);
    let mut workspace = Workspace::for_account(&margin.view());
    let terms = InitialTerms::WITHDRAWAL;
    let health_before =
        health_before.then(|| load::health_before(&view, &margin, terms, &mut workspace));
    let plan = plan_withdraw(
        &view,
        &margin.view(),
        &bank.exit(margin.account(), &book, now),
        Taking {
            slot,
            amount,
            allow_borrow,
        },
        &mut workspace.scratch(),
    )
    .merits()?;

    margin.edit().apply_withdrawal(&plan);
    margin.edit().note_deposit(|| cash_value(&view, &plan.cash));
    bank.apply_cash(&plan.cash);
    bank.apply_gate(&plan.gate);

    let paid = plan.cash.tokens.0.unsigned_abs();
    accounts.check_books(&bank, paid)?;

    let event = Withdrawn {
        margin: accounts.margin.key(),
        bank: accounts.bank.key(),
        seq: margin.account().seq,
        amount: paid,
        borrowed: plan.borrowed.0,
        shares_before: plan.cash.before.0,
        shares_after: plan.cash.after.shares.0,
        health_before,
        health_initial: plan.initial.health().0,
        price: AssetPrice::of(&view, bank.asset),
    };
    let (group, kept) = (bank.group, (bank.authority_bump, bank.decimals));
    drop((margin, bank));
    drop(book);
    accounts.pay(paid, &group, kept)?;

    emit!(event);
    Ok(())
}
