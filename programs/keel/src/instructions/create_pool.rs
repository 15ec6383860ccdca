//! `create_pool`: a liquidity pool, its book and its share token.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenInterface};
use keel_state::{
    Group, LAYOUT_VERSION, MarginAccount, MarginKind, POOL_CAPACITY, Pool, margin_account_bytes,
    seeds,
};

use crate::errors::KeelError;
use crate::events::PoolCreated;
use crate::instructions::create_margin_account::open_account;

/// Decimals of the share token: those of the quote, so that the first share costs one atom.
const LP_DECIMALS: u8 = 6;

/// Terms of a pool. Money is atoms, factors ppm.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct PoolArgs {
    pub id: u16,
    /// Greatest equity that providing may reach.
    pub equity_cap: u64,
    /// Replaces `init_factor` when a fill opens against the pool (margin-spec 10.2).
    pub pool_factor: u32,
    /// Greatest net value in one asset.
    pub asset_cap: u64,
    /// How long a request waits until it may be executed, live seconds: into the pool, and out of it.
    pub cooldown_in_s: u32,
    pub cooldown_out_s: u32,
}

/// Longest waits, seconds: a day in, a week out.
const MAX_COOLDOWN_IN_S: u32 = 86_400;
const MAX_COOLDOWN_OUT_S: u32 = 604_800;

impl PoolArgs {
    fn validate(&self) -> Result<()> {
        let sound = self.equity_cap < 1 << 48
            && (1_000_000..=10_000_000).contains(&self.pool_factor)
            && self.asset_cap < 1 << 48
            && self.cooldown_in_s <= MAX_COOLDOWN_IN_S
            && self.cooldown_out_s <= MAX_COOLDOWN_OUT_S;
        require!(sound, KeelError::ParameterOutOfRange);
        Ok(())
    }
}

#[derive(Accounts)]
#[instruction(args: PoolArgs)]
pub struct CreatePool<'info> {
    #[account(mut)]
    pub payer: Signer<'info>,
    pub admin: Signer<'info>,
    #[account(
        mut,
        has_one = admin @ KeelError::NotAdmin,
        has_one = quote_mint @ KeelError::WrongMint
    )]
    pub group: AccountLoader<'info, Group>,
    #[account(
        init,
        payer = payer,
        space = 8 + core::mem::size_of::<Pool>(),
        seeds = [seeds::POOL, group.key().as_ref(), &args.id.to_le_bytes()],
        bump
    )]
    pub pool: AccountLoader<'info, Pool>,
    /// The pool's book: a margin account owned by the pool.
    #[account(
        init,
        payer = payer,
        space = margin_account_bytes(POOL_CAPACITY),
        seeds = [seeds::MARGIN, group.key().as_ref(), pool.key().as_ref(), &0u16.to_le_bytes()],
        bump
    )]
    pub margin: AccountLoader<'info, MarginAccount>,
    #[account(
        init,
        payer = payer,
        mint::decimals = LP_DECIMALS,
        mint::authority = authority,
        mint::token_program = token_program,
        seeds = [seeds::LP_MINT, pool.key().as_ref()],
        bump
    )]
    pub lp_mint: Box<InterfaceAccount<'info, Mint>>,
    /// The settlement token: its program mints the shares too, because one program moves both.
    #[account(mint::token_program = token_program)]
    pub quote_mint: Box<InterfaceAccount<'info, Mint>>,
    /// CHECK: a dataless address that signs for the group's vaults; verified by its seeds.
    #[account(seeds = [seeds::AUTHORITY, group.key().as_ref()], bump)]
    pub authority: UncheckedAccount<'info>,
    pub token_program: Interface<'info, TokenInterface>,
    pub system_program: Program<'info, System>,
}

pub fn handler(ctx: Context<CreatePool>, args: PoolArgs) -> Result<()> {
    args.validate()?;
    let accounts = &ctx.accounts;
    let slot = Clock::get()?.slot;
    let group_key = accounts.group.key();
    let mut group = accounts.group.load_mut()?;
    require_eq!(args.id, group.pools, KeelError::WrongPoolId);
    group.pools += 1;

    let mut pool = accounts.pool.load_init()?;
    pool.version = LAYOUT_VERSION;
    pool.bump = ctx.bumps.pool;
    pool.lp_mint_bump = ctx.bumps.lp_mint;
    pool.id = args.id;
    pool.group = group_key;
    pool.margin = accounts.margin.key();
    pool.lp_mint = accounts.lp_mint.key();
    pool.equity_cap = args.equity_cap;
    pool.pool_factor = args.pool_factor;
    pool.asset_cap = args.asset_cap;
    pool.cooldown_in_s = args.cooldown_in_s;
    pool.cooldown_out_s = args.cooldown_out_s;

    let mut margin = accounts.margin.load_init()?;
    open_account(&mut margin, MarginKind::Pool, POOL_CAPACITY, slot);
    margin.bump = ctx.bumps.margin;
    margin.group = group_key;
    margin.owner = accounts.pool.key();

    emit!(PoolCreated {
        group: group_key,
        pool: accounts.pool.key(),
        margin: accounts.margin.key(),
        lp_mint: accounts.lp_mint.key(),
    });
    Ok(())
}
