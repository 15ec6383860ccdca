//! `cancel_provide`: the escrowed tokens and the rent back, before or instead of entering a pool.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};
use keel_state::{Group, Pool, Provide, RiskBook, seeds};

use crate::errors::KeelError;
use crate::events::ProvideCancelled;
use crate::token::{self, VaultAuthority};

/// Checked in the attributes: caller (signer), risk_book and mint (the group's), pool (of the
/// group), request (of the pool), owner (the request's), escrow (its seeds), destination (its mint,
/// the owner's). Authority: by signing. No token account twice: by Anchor. In the handler: who may.
#[derive(Accounts)]
pub struct CancelProvide<'info> {
    /// The owner at any time, anyone once the request has lapsed.
    pub caller: Signer<'info>,
    #[account(
        has_one = risk_book @ KeelError::WrongRiskBook,
        constraint = group.load()?.quote_mint == mint.key() @ KeelError::NotTheQuote
    )]
    pub group: AccountLoader<'info, Group>,
    pub risk_book: AccountLoader<'info, RiskBook>,
    #[account(has_one = group @ KeelError::OtherGroup)]
    pub pool: AccountLoader<'info, Pool>,
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
pub fn handler(ctx: Context<CancelProvide>) -> Result<()> {
    let accounts = ctx.accounts;
    let live_time = accounts.risk_book.load()?.live_time;
    let (group, bump) = (accounts.group.key(), accounts.group.load()?.authority_bump);
    let request = *accounts.request.load()?;
    let pool = accounts.pool.load()?;
    let may = accounts.caller.key() == request.owner || request.window(&pool).has_lapsed(live_time);
    require!(may, KeelError::NotRequester);

    let event = ProvideCancelled {
        pool: request.pool,
        owner: request.owner,
        amount: accounts.escrow.amount,
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
