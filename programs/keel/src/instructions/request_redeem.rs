//! `request_redeem`: a pool's shares into an escrow, to leave it after its cooldown.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};
use keel_risk::{RedeemRequest, RequestWindow, RoundTally};
use keel_state::{Group, LAYOUT_VERSION, Pool, Redeem, RiskBook, seeds};

use crate::errors::KeelError;
use crate::events::RedeemRequested;
use crate::token;

/// Checked in the attributes: owner (signer), risk_book (the group's), pool (of the group), lp_mint
/// (the pool's), request and escrow (new, their seeds), source (its mint), authority (its seeds). No
/// token account twice: by Anchor.
#[derive(Accounts)]
pub struct RequestRedeem<'info> {
    /// Pays shares and rent, and gets the rent back.
    #[account(mut)]
    pub owner: Signer<'info>,
    #[account(has_one = risk_book @ KeelError::WrongRiskBook)]
    pub group: AccountLoader<'info, Group>,
    pub risk_book: AccountLoader<'info, RiskBook>,
    #[account(mut, has_one = group @ KeelError::OtherGroup, has_one = lp_mint @ KeelError::WrongMint)]
    pub pool: AccountLoader<'info, Pool>,
    #[account(
        init,
        payer = owner,
        space = 8 + core::mem::size_of::<Redeem>(),
        seeds = [seeds::REDEEM, pool.key().as_ref(), owner.key().as_ref()],
        bump
    )]
    pub request: AccountLoader<'info, Redeem>,
    pub lp_mint: Box<InterfaceAccount<'info, Mint>>,
    #[account(
        init,
        payer = owner,
        token::mint = lp_mint,
        token::authority = authority,
        token::token_program = token_program,
        seeds = [seeds::ESCROW, request.key().as_ref()],
        bump
    )]
    pub escrow: Box<InterfaceAccount<'info, TokenAccount>>,
    #[account(mut, token::mint = lp_mint)]
    pub source: Box<InterfaceAccount<'info, TokenAccount>>,
    /// CHECK: a dataless address that signs for the group's vaults; verified by its seeds.
    #[account(seeds = [seeds::AUTHORITY, group.key().as_ref()], bump)]
    pub authority: UncheckedAccount<'info>,
    pub token_program: Interface<'info, TokenInterface>,
    pub system_program: Program<'info, System>,
}

/// Asks to redeem `shares` for at least `min_amount` atoms, all together.
pub fn handler(ctx: Context<RequestRedeem>, shares: u64, min_amount: u64) -> Result<()> {
    let accounts = ctx.accounts;
    require!(shares > 0, KeelError::ZeroAmount);

    let received = token::pay_in(
        &accounts.token_program,
        &accounts.lp_mint,
        &accounts.source,
        &mut accounts.escrow,
        &accounts.owner,
        shares,
    )?;

    let live_time = accounts.risk_book.load()?.live_time;
    let mut pool = accounts.pool.load_mut()?;
    let window = RequestWindow::after(live_time, pool.cooldown_out_s);
    let mut request = accounts.request.load_init()?;
    request.version = LAYOUT_VERSION;
    request.bump = ctx.bumps.request;
    request.escrow_bump = ctx.bumps.escrow;
    request.pool = accounts.pool.key();
    request.owner = accounts.owner.key();
    request.requested_at = Clock::get()?.unix_timestamp;
    request.requested_live_time = live_time;
    request.set_request(&RedeemRequest {
        shares: received,
        min_amount,
        window,
        tally: RoundTally::default(),
    });
    pool.escrow(received);

    emit!(RedeemRequested {
        pool: request.pool,
        owner: request.owner,
        shares: received,
        min_amount,
        opens: window.opens,
        closes: window.closes,
    });
    Ok(())
}
