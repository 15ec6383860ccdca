//! The bank: one mint's ledger.

use crate::Pubkey;
#[cfg(feature = "anchor")]
use anchor_lang::prelude::*;

account! {
    /// The exact ledger of one token: deposits and borrows in shares, what the house owes itself, and
    /// the vault that backs it. Invariant I1: `tracked == deposits - borrows + fees + insurance + dust`.
    Bank: 632 {
        version: u8,
        bump: u8,
        vault_bump: u8,
        /// Position in the `RiskBook`'s `rates`; 0 is the quote.
        index: u8,
        /// Position in the `RiskBook`'s `assets`.
        asset: u8,
        decimals: u8,
        /// Of the group's vault authority, so that who pays out needs no group.
        authority_bump: u8,
        padding0: u8,
        group: Pubkey,
        mint: Pubkey,
        vault: Pubkey,
        token_program: Pubkey,
        /// Sum of all positive balances, in shares.
        deposit_shares: u64,
        /// Sum of all negative balances, in shares.
        borrow_shares: u64,
        /// Tokens per deposit share, 48 fractional bits.
        deposit_index: u64,
        /// Tokens per borrow share, 48 fractional bits.
        borrow_index: u64,
        last_accrual: i64,
        /// Native units that the bank accounts for; the vault holds at least as many.
        tracked: u64,
        fees: u64,
        insurance: u64,
        /// Rounding remainders, never handed out.
        dust: u64,
        /// Greatest total of deposits, native units.
        deposit_cap: u64,
        borrow_cap: u64,
        /// Three-point utilisation curve: ppm of utilisation, ppm per year.
        curve_utilisation: [u32; 2],
        curve_rate: [u32; 3],
        insurance_fee: u32,
        outflow_share: u32,
        padding1: u32,
        /// Leaky bucket of net outflow, native units, tickets included (7.5).
        outflow_level: u64,
        /// The buckets hold at least this together, native units.
        outflow_floor: u64,
        outflow_updated: i64,
        /// The least deposits of the day that runs, native units, and when it began.
        least_deposits: u64,
        least_deposits_since: i64,
        /// The bucket for small withdrawals, native units.
        small_level: u64,
        small_updated: i64,
        /// Growth of borrows per second since `last_accrual`, 64 fractional bits.
        borrow_rate: u64,
        /// Growth that is too little for the indices yet, 64 fractional bits.
        pending_growth: u64,
        /// What the insurance paid for losses in its window.
        insurance_used: u64,
        insurance_window_start: i64,
        /// The least deposits of the day before: the least of 24 h is the lesser of both, or more.
        least_deposits_before: u64,
        /// Deposits, native units, beyond which the Initial weight shrinks; 0 for never (4.4).
        weight_scale_start: u64,
        /// Until then nothing leaves: a deficit of the bank waits to be resolved (8.6).
        halted_until: i64,
        /// Native units of outstanding withdrawal tickets.
        queued: u64,
        /// The Initial weight of deposits before scaling, ppm.
        init_asset_weight: u32,
        padding2: u32,
        /// When the last of those tickets lapses.
        queue_ends: i64,
        spare: [u8; 240],
    }
}

offsets!(Bank { group = 8, vault = 72, deposit_shares = 136, tracked = 176, deposit_cap = 208, borrow_rate = 312, spare = 392, });
