//! `provide_liquidity`: executes a request: quote tokens into a pool, shares of it to who asked.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};
use keel_risk::plan_provide;
use keel_state::{Bank, BookView, Group, MarginAccount, Pool, Provide, RiskBook, Workspace, seeds};

use crate::errors::{KeelError, Merits};
use crate::events::LiquidityProvided;
use crate::token::VaultAuthority;
use crate::{load, token};

/// Anyone may execute. Checked in the attributes: risk_book (the group's), pool (of the group),
/// pool_margin and lp_mint (the pool's), vault and mint (the bank's), request (of the pool), owner (the
/// request's), escrow (its seeds), lp_destination (its mint, the owner's). Authority: by signing. No
/// token account twice: by Anchor. In the handler: the bank is the group's quote's.
#[derive(Accounts)]
pub struct ProvideLiquidity<'info> {
    #[account(has_one = risk_book @ KeelError::WrongRiskBook)]
    pub group: AccountLoader<'info, Group>,
    pub risk_book: AccountLoader<'info, RiskBook>,
    #[account(
        mut,
        has_one = group @ KeelError::OtherGroup,
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
    #[account(
        mut,
        close = owner,
        has_one = pool @ KeelError::WrongRequest,
        has_one = owner @ KeelError::WrongRequest
    )]
    pub request: AccountLoader<'info, Provide>,
    /// CHECK: who asked; verified by the request. Gets the rent back.
    #[account(mut)]
    pub owner: UncheckedAccount<'info>,
    #[account(
        mut,
        token::mint = mint,
        seeds = [seeds::ESCROW, request.key().as_ref()],
        bump = request.load()?.escrow_bump
    )]
    pub escrow: Box<InterfaceAccount<'info, TokenAccount>>,
    #[account(mut)]
    pub lp_mint: Box<InterfaceAccount<'info, Mint>>,
    #[account(mut, token::mint = lp_mint, token::authority = owner)]
    pub lp_destination: Box<InterfaceAccount<'info, TokenAccount>>,
    /// CHECK: signs for escrow and share mint; the token program refuses any other address than their
    /// authority.
    pub authority: UncheckedAccount<'info>,
    pub token_program: Interface<'info, TokenInterface>,
}

impl<'info> ProvideLiquidity<'info> {
    fn check_bank(&self, book: &RiskBook) -> Result<()> {
        let bank = self.bank.load()?;
        require_keys_eq!(bank.group, book.group, KeelError::OtherGroup);
        require_eq!(bank.index, 0, KeelError::NotTheQuoteBank);
        Ok(())
    }

    /// Pays the shares out and closes the escrow.
    fn settle(&self, authority: VaultAuthority<'_, 'info>, minted: u64) -> Result<()> {
        let program = &self.token_program;
        token::mint_shares(
            program,
            &self.lp_mint,
            &self.lp_destination,
            authority,
            minted,
        )?;
        token::close_escrow(program, &self.mint, &self.escrow, &self.owner, authority)
    }
}

/// Provides what is in escrow at the prices of now, for at least the shares that were asked for.
pub fn handler<'info>(ctx: Context<'info, ProvideLiquidity<'info>>) -> Result<()> {
    let accounts = ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    let book = accounts.risk_book.load()?;
    accounts.check_bank(&book)?;
    let (group, bump) = (accounts.group.key(), accounts.group.load()?.authority_bump);
    let request = *accounts.request.load()?;
    let window = request.window(&*accounts.pool.load()?);
    window.require(book.live_time).merits()?;

    // The tokens move first, donations to the escrow included: only what the vault really gained may
    // be credited.
    let authority = VaultAuthority {
        account: &accounts.authority,
        group: &group,
        bump,
    };
    let received = token::take_in(
        &accounts.token_program,
        &accounts.mint,
        &accounts.escrow,
        &mut accounts.vault,
        authority,
    )?;

    let mut margin = load::margin_mut(&accounts.pool_margin, &book)?;
    let mut bank = accounts.bank.load_mut()?;
    let mut pool = accounts.pool.load_mut()?;
    bank.bring_to_now(now);
    let fresh = [bank.fresh_rate()];
    let mut workspace = Workspace::for_account(&margin.view());
    let view = BookView::new(&book, now).with_rates(&fresh);
    let plan = plan_provide(
        &view,
        &margin.view(),
        bank.terms(),
        pool.terms(),
        received,
        &mut workspace.scratch(),
    )
    .merits()?;
    require_gte!(plan.minted, request.min_shares, KeelError::TooFewShares);
    let clock = load::clock_after_inflow(&margin, &view, &plan.cash);

    margin.edit().apply_inflow(&plan.cash, clock);
    bank.apply_cash(&plan.cash);
    bank.take_inflow(received, now);
    let shares_before = pool.shares;
    pool.apply_provide(&plan);

    bank.invariant(accounts.vault.amount)
        .map_err(KeelError::from)?;

    let event = LiquidityProvided {
        pool: accounts.pool.key(),
        owner: request.owner,
        amount: received,
        shares: plan.minted,
        equity_before: plan.equity_before.0,
        value: plan.value.0,
        shares_before,
        shares_after: pool.shares,
        price_before: plan.price_before,
        price_after: plan.price_after,
    };
    drop((margin, bank, pool));
    drop(book);
    accounts.settle(authority, event.shares)?;

    emit!(event);
    Ok(())
}
