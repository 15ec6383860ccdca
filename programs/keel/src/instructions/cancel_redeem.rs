//! `cancel_redeem`: the escrowed shares and the rent back, before or instead of leaving a pool.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};
use keel_state::{Group, Pool, Redeem, RiskBook, seeds};

use crate::errors::KeelError;
use crate::events::RedeemCancelled;
use crate::token::{self, VaultAuthority};

/// Checked in the attributes: caller (signer), risk_book (the group's), pool (of the group),
/// mint (the pool's), request (of the pool), owner (the request's), escrow (its seeds), destination (its mint,
/// the owner's). Authority: by signing. No token account twice: by Anchor. In the handler: who may.
#[derive(Accounts)]
pub struct CancelRedeem<'info> {
    /// The owner at any time, anyone once the request has lapsed.
    pub caller: Signer<'info>,
    #[account(has_one = risk_book @ KeelError::WrongRiskBook)]
    pub group: AccountLoader<'info, Group>,
    pub risk_book: AccountLoader<'info, RiskBook>,
    #[account(
        mut,
        has_one = group @ KeelError::OtherGroup,
        constraint = pool.load()?.lp_mint == mint.key() @ KeelError::WrongMint
    )]
    pub pool: AccountLoader<'info, Pool>,
    #[account(
        mut,
        close = owner,
        has_one = pool @ KeelError::WrongRequest,
        has_one = owner @ KeelError::WrongRequest
    )]
    pub request: AccountLoader<'info, Redeem>,
    /// CHECK: who asked; verified by the request. Gets the rent back.
    #[account(mut)]
    pub owner: UncheckedAccount<'info>,
    pub mint: Box<InterfaceAccount<'info, Mint>>,
    #[account(
        mut,
        token::mint = mint,
        seeds = [seeds::ESCROW, request.key().as_ref()],
        bump = request.load()?.escrow_bump
    )]
    pub escrow: Box<InterfaceAccount<'info, TokenAccount>>,
    #[account(mut, token::mint = mint, token::authority = owner)]
    pub destination: Box<InterfaceAccount<'info, TokenAccount>>,
    /// CHECK: signs for the escrow; the token program refuses any other address than its authority.
    pub authority: UncheckedAccount<'info>,
    pub token_program: Interface<'info, TokenInterface>,
}

/// Gives everything in escrow back, with the rent.
pub fn handler(ctx: Context<CancelRedeem>) -> Result<()> {
    let accounts = ctx.accounts;
    let live_time = accounts.risk_book.load()?.live_time;
    let (group, bump) = (accounts.group.key(), accounts.group.load()?.authority_bump);
    let request = *accounts.request.load()?;
    let mut pool = accounts.pool.load_mut()?;
    let may = accounts.caller.key() == request.owner
        || request.request(&pool).window.has_lapsed(live_time);
    require!(may, KeelError::NotRequester);

    pool.release(request.lp_tokens);
    let event = RedeemCancelled {
        pool: request.pool,
        owner: request.owner,
        shares: accounts.escrow.amount,
    };
    drop(pool);

    let authority = VaultAuthority {
        account: &accounts.authority,
        group: &group,
        bump,
    };
    let (program, mint) = (&accounts.token_program, &accounts.mint);
    token::pay_out(
        program,
        mint,
        &accounts.escrow,
        &accounts.destination,
        authority,
        accounts.escrow.amount,
    )?;
    token::close_escrow(program, mint, &accounts.escrow, &accounts.owner, authority)?;

    emit!(event);
    Ok(())
}
