//! `redeem_liquidity`: executes a request: shares of a pool are burned, quote goes to who asked. What
//! the pool or the bank cannot carry whole is paid in part.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};
use keel_risk::{RedeemTerms, plan_redeem};
use keel_state::{Bank, BookView, Group, MarginAccount, Pool, Redeem, RiskBook, Workspace, seeds};

use crate::errors::{KeelError, Merits};
use crate::events::LiquidityRedeemed;
use crate::token::VaultAuthority;
use crate::{load, token};

/// Anyone may execute. Checked in the attributes: risk_book (the group's), pool (of the group),
/// pool_margin and lp_mint (the pool's), vault and mint (the bank's), request (of the pool), owner (the
/// request's), escrow (its seeds), destination (its mint, the owner's). Authority: by signing. No token
/// account twice: by Anchor. In the handler: the bank is the group's quote's.
#[derive(Accounts)]
pub struct RedeemLiquidity<'info> {
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
        has_one = pool @ KeelError::WrongRequest,
        has_one = owner @ KeelError::WrongRequest
    )]
    pub request: AccountLoader<'info, Redeem>,
    /// CHECK: who asked; verified by the request. Gets the rent back.
    #[account(mut)]
    pub owner: UncheckedAccount<'info>,
    #[account(
        mut,
        token::mint = lp_mint,
        seeds = [seeds::ESCROW, request.key().as_ref()],
        bump = request.load()?.escrow_bump
    )]
    pub escrow: Box<InterfaceAccount<'info, TokenAccount>>,
    #[account(mut)]
    pub lp_mint: Box<InterfaceAccount<'info, Mint>>,
    #[account(mut, token::mint = mint, token::authority = owner)]
    pub destination: Box<InterfaceAccount<'info, TokenAccount>>,
    /// CHECK: signs for escrow and vault; the token program refuses any other address than their
    /// authority.
    pub authority: UncheckedAccount<'info>,
    pub token_program: Interface<'info, TokenInterface>,
}

impl<'info> RedeemLiquidity<'info> {
    fn check_bank(&self, book: &RiskBook) -> Result<()> {
        let bank = self.bank.load()?;
        require_keys_eq!(bank.group, book.group, KeelError::OtherGroup);
        require_eq!(bank.index, 0, KeelError::NotTheQuoteBank);
        Ok(())
    }

    /// Burns, pays, and closes a request of which nothing is left; shares that were donated to its
    /// escrow are burned for nothing.
    fn settle(&self, event: &LiquidityRedeemed) -> Result<()> {
        let (group, bump) = (self.group.key(), self.group.load()?.authority_bump);
        let authority = VaultAuthority {
            account: &self.authority,
            group: &group,
            bump,
        };
        let program = &self.token_program;
        let is_done = event.shares_left == 0;
        let burned = if is_done {
            self.escrow.amount
        } else {
            event.shares
        };
        token::burn_shares(program, &self.lp_mint, &self.escrow, authority, burned)?;
        token::pay_out(
            program,
            &self.mint,
            &self.vault,
            &self.destination,
            authority,
            event.amount,
        )?;
        if is_done {
            token::close_escrow(program, &self.lp_mint, &self.escrow, &self.owner, authority)?;
            self.request.close(self.owner.to_account_info())?;
        }
        Ok(())
    }
}

/// Redeems what the pool and the quote bank can carry of a request, at the prices of now.
pub fn handler<'info>(ctx: Context<'info, RedeemLiquidity<'info>>) -> Result<()> {
    let accounts = ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    let book = accounts.risk_book.load()?;
    accounts.check_bank(&book)?;
    let mut margin = load::margin_mut(&accounts.pool_margin, &book)?;
    let mut bank = accounts.bank.load_mut()?;
    let mut pool = accounts.pool.load_mut()?;
    let mut request = accounts.request.load_mut()?;

    bank.bring_to_now(now);
    let fresh = [bank.fresh_rate()];
    let terms = RedeemTerms {
        pool: pool.terms(),
        exit: bank.redeem_exit(now),
        queue: pool.queue(),
        request: request.request(&pool),
        live_time: book.live_time,
    };
    let mut workspace = Workspace::for_account(&margin.view());
    let plan = plan_redeem(
        &BookView::new(&book, now).with_rates(&fresh),
        &margin.view(),
        &terms,
        &mut workspace.scratch(),
    )
    .merits()?;

    margin.edit().apply_redeem(&plan);
    bank.apply_redeem(&plan);
    let shares_before = pool.shares;
    pool.apply_redeem(&plan);
    request.set_request(&plan.request);

    let left = accounts.vault.amount.checked_sub(plan.amount);
    bank.invariant(left.ok_or(KeelError::VaultShort)?)
        .map_err(KeelError::from)?;

    let event = LiquidityRedeemed {
        pool: accounts.pool.key(),
        owner: request.owner,
        amount: plan.amount,
        shares: plan.burned,
        shares_left: plan.request.shares,
        equity_before: plan.equity_before.0,
        value: plan.value.0,
        shares_before,
        shares_after: pool.shares,
        price_before: plan.price_before,
        price_after: plan.price_after,
    };
    drop((margin, bank, pool, request));
    drop(book);
    accounts.settle(&event)?;

    emit!(event);
    Ok(())
}
