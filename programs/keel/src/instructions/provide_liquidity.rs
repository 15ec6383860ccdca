//! `provide_liquidity`: quote tokens into a pool, shares of it out.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};
use keel_risk::plan_provide;
use keel_state::{Bank, BookView, Group, MarginAccount, Pool, RiskBook, Workspace};

use crate::errors::{KeelError, Merits};
use crate::events::LiquidityProvided;
use crate::token::VaultAuthority;
use crate::{load, token};

#[derive(Accounts)]
pub struct ProvideLiquidity<'info> {
    pub provider: Signer<'info>,
    #[account(has_one = risk_book @ KeelError::WrongRiskBook)]
    pub group: AccountLoader<'info, Group>,
    pub risk_book: AccountLoader<'info, RiskBook>,
    #[account(
        mut,
        has_one = lp_mint @ KeelError::WrongMint,
        constraint = pool.load()?.margin == pool_margin.key() @ KeelError::WrongPoolMargin
    )]
    pub pool: AccountLoader<'info, Pool>,
    #[account(mut)]
    pub pool_margin: AccountLoader<'info, MarginAccount>,
    /// The quote's bank.
    #[account(mut, has_one = vault @ KeelError::WrongVault, has_one = mint @ KeelError::WrongMint)]
    pub bank: AccountLoader<'info, Bank>,
    #[account(mut)]
    pub vault: Box<InterfaceAccount<'info, TokenAccount>>,
    pub mint: Box<InterfaceAccount<'info, Mint>>,
    #[account(mut, token::mint = mint)]
    pub source: Box<InterfaceAccount<'info, TokenAccount>>,
    #[account(mut)]
    pub lp_mint: Box<InterfaceAccount<'info, Mint>>,
    #[account(mut, token::mint = lp_mint)]
    pub lp_destination: Box<InterfaceAccount<'info, TokenAccount>>,
    /// CHECK: signs for the share mint; the token program refuses any other address than the mint's
    /// authority.
    pub authority: UncheckedAccount<'info>,
    pub token_program: Interface<'info, TokenInterface>,
}

impl ProvideLiquidity<'_> {
    /// Checked in the attributes: provider (signer), risk_book (the group's), pool_margin and lp_mint
    /// (the pool's), vault and mint (the bank's), source and lp_destination (their mints).
    /// Authority: by signing. No token account twice: by Anchor. Here: the bank is the group's quote's.
    fn validate(&self, book: &RiskBook, amount: u64) -> Result<()> {
        require!(amount > 0, KeelError::ZeroAmount);
        let bank = self.bank.load()?;
        require_keys_eq!(bank.group, book.group, KeelError::OtherGroup);
        require_eq!(bank.index, 0, KeelError::NotTheQuoteBank);
        Ok(())
    }
}

/// Pays `amount` atoms in; fails when fewer than `min_shares` would come out.
pub fn handler<'info>(
    ctx: Context<'info, ProvideLiquidity<'info>>,
    amount: u64,
    min_shares: u64,
) -> Result<()> {
    let accounts = ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    let book = accounts.risk_book.load()?;
    accounts.validate(&book, amount)?;

    // The tokens move first: only what the vault really gained may be credited.
    let received = token::pay_in(
        &accounts.token_program,
        &accounts.mint,
        &accounts.source,
        &mut accounts.vault,
        &accounts.provider,
        amount,
    )?;

    let mut margin = load::margin_mut(&accounts.pool_margin, &book)?;
    let mut bank = accounts.bank.load_mut()?;
    let mut pool = accounts.pool.load_mut()?;
    let mut workspace = Workspace::for_account(&margin.view());
    let plan = plan_provide(
        &BookView::new(&book, now),
        &margin.view(),
        bank.terms(),
        pool.terms(),
        received,
        &mut workspace.scratch(),
    )
    .merits()?;
    require_gte!(plan.minted, min_shares, KeelError::TooFewShares);

    margin.edit().apply_cash(&plan.cash);
    bank.apply_cash(&plan.cash);
    let shares_before = pool.shares;
    pool.apply_provide(&plan);

    bank.invariant(accounts.vault.amount)
        .map_err(KeelError::from)?;

    let event = LiquidityProvided {
        pool: accounts.pool.key(),
        provider: accounts.provider.key(),
        amount: received,
        shares: plan.minted,
        equity_before: plan.equity_before.0,
        shares_before,
        shares_after: pool.shares,
    };
    let (group_key, bump) = (accounts.group.key(), accounts.group.load()?.authority_bump);
    drop((margin, bank, pool));
    drop(book);
    token::mint_shares(
        &accounts.token_program,
        &accounts.lp_mint,
        &accounts.lp_destination,
        VaultAuthority {
            account: &accounts.authority,
            group: &group_key,
            bump,
        },
        event.shares,
    )?;

    emit!(event);
    Ok(())
}
