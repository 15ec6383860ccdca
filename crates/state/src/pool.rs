//! The pool: liquidity providers' shares of one margin account.

use crate::Pubkey;
#[cfg(feature = "anchor")]
use anchor_lang::prelude::*;

account! {
    /// A liquidity pool. Its book is an ordinary margin account of capacity 128.
    Pool: 376 {
        version: u8,
        bump: u8,
        lp_mint_bump: u8,
        padding0: [u8; 3],
        id: u16,
        group: Pubkey,
        /// The margin account that holds the pool's balances and positions.
        margin: Pubkey,
        lp_mint: Pubkey,
        /// Shares in issue, the locked ones included.
        shares: u64,
        /// Shares that nobody owns: the first ones ever issued.
        locked_shares: u64,
        /// Greatest equity that providing may reach, in atoms.
        equity_cap: u64,
        /// Replaces each asset's `init_factor` when a fill opens against the pool, ppm.
        pool_factor: u32,
        cooldown_in_s: u32,
        cooldown_out_s: u32,
        padding1: u32,
        /// Greatest net value in one asset, in atoms.
        asset_cap: u64,
        /// Shares in escrow, of all redemption requests together.
        escrowed_shares: u64,
        /// The round of redemptions: its number, the live time at which it began, and what was
        /// redeemed in it: shares, and atoms.
        round: u64,
        round_started: u64,
        round_burned: u64,
        round_paid: u64,
        spare: [u8; 184],
    }
}

offsets!(Pool { group = 8, shares = 104, equity_cap = 120, asset_cap = 144, escrowed_shares = 152, round = 160, spare = 192, });
