//! `request_provide`: quote tokens into an escrow, to enter a pool after its cooldown.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};
use keel_state::{Group, LAYOUT_VERSION, Pool, Provide, RiskBook, seeds};

use crate::errors::KeelError;
use crate::events::ProvideRequested;
use crate::token;

/// Checked in the attributes: owner (signer), risk_book and mint (the group's), pool (of the group),
/// request and escrow (new, their seeds), source (its mint), authority (its seeds). No token account
/// twice: by Anchor.
#[derive(Accounts)]
pub struct RequestProvide<'info> {
    /// Pays tokens and rent, and gets both back.
    #[account(mut)]
    pub owner: Signer<'info>,
    #[account(
        has_one = risk_book @ KeelError::WrongRiskBook,
        constraint = group.load()?.quote_mint == mint.key() @ KeelError::NotTheQuote
    )]
    pub group: AccountLoader<'info, Group>,
    pub risk_book: AccountLoader<'info, RiskBook>,
    #[account(has_one = group @ KeelError::OtherGroup)]
    pub pool: AccountLoader<'info, Pool>,
    #[account(
        init,
        payer = owner,
        space = 8 + core::mem::size_of::<Provide>(),
        seeds = [seeds::PROVIDE, pool.key().as_ref(), owner.key().as_ref()],
        bump
    )]
    pub request: AccountLoader<'info, Provide>,
    pub mint: Box<InterfaceAccount<'info, Mint>>,
    #[account(
        init,
        payer = owner,
        token::mint = mint,
        token::authority = authority,
        token::token_program = token_program,
        seeds = [seeds::ESCROW, request.key().as_ref()],
        bump
    )]
    pub escrow: Box<InterfaceAccount<'info, TokenAccount>>,
    #[account(mut, token::mint = mint)]
    pub source: Box<InterfaceAccount<'info, TokenAccount>>,
    /// CHECK: a dataless address that signs for the group's vaults; verified by its seeds.
    #[account(seeds = [seeds::AUTHORITY, group.key().as_ref()], bump)]
    pub authority: UncheckedAccount<'info>,
    pub token_program: Interface<'info, TokenInterface>,
    pub system_program: Program<'info, System>,
}

/// Asks to provide `amount` atoms for at least `min_shares` shares.
pub fn handler(ctx: Context<RequestProvide>, amount: u64, min_shares: u64) -> Result<()> {
    let accounts = ctx.accounts;
    require!(amount > 0, KeelError::ZeroAmount);

    let received = token::pay_in(
        &accounts.token_program,
        &accounts.mint,
        &accounts.source,
        &mut accounts.escrow,
        &accounts.owner,
        amount,
    )?;

    let mut request = accounts.request.load_init()?;
    request.version = LAYOUT_VERSION;
    request.bump = ctx.bumps.request;
    request.escrow_bump = ctx.bumps.escrow;
    request.pool = accounts.pool.key();
    request.owner = accounts.owner.key();
    request.amount = received;
    request.min_shares = min_shares;
    request.requested_at = Clock::get()?.unix_timestamp;
    request.requested_live_time = accounts.risk_book.load()?.live_time;
    let window = request.window(&*accounts.pool.load()?);

    emit!(ProvideRequested {
        pool: request.pool,
        owner: request.owner,
        amount: received,
        min_shares,
        opens: window.opens,
        closes: window.closes,
    });
    Ok(())
}
