//! The margin account: balances and positions of one trader, or of a pool.

use crate::{DISCRIMINATOR_BYTES, Pubkey};
#[cfg(feature = "anchor")]
use anchor_lang::prelude::*;

/// Balance slots of every account; slot 0 is always the quote.
pub const BALANCE_SLOTS: usize = 16;
/// Position slots of a trader's account.
pub const TRADER_CAPACITY: usize = 16;
/// Position slots of a pool's account.
pub const POOL_CAPACITY: usize = 128;

/// Bit 0 of a margin account's `flags`: it may hold positions of `isolated_markets` alone.
pub const FLAG_ISOLATED: u8 = 1;

part! {
    /// A holding of one bank: positive shares are a deposit, negative ones a borrow.
    Balance: 32 {
        /// 1 when the slot is in use.
        used: u8,
        /// The bank, by its place in the `RiskBook`.
        bank: u8,
        /// 1 for a borrow of a bankrupt account that was resolved: what is left of it is covered (8.6).
        covered: u8,
        padding0: [u8; 5],
        shares: i64,
        spare: [u64; 2],
    }
}

part! {
    /// A holding of one instrument, worth `size * (mark - F) + quote`.
    Position: 48 {
        /// 1 when the slot is in use.
        used: u8,
        /// The instrument, by its place in the `RiskBook`.
        instrument: u8,
        /// Generation of the instrument that the position was opened in.
        generation: u16,
        /// Epoch of its side's keep at the last touch.
        epoch: u32,
        /// Lots; positive is long.
        size: i64,
        /// Quote atoms: what was received less what was paid, fees included.
        quote: i64,
        /// Its side's keep at the last touch, 40 fractional bits.
        keep: u64,
        /// The sign of the last size other than zero: against whom a deficit goes (8.6).
        last_side: i8,
        /// 1 for a negative result of a bankrupt account that was resolved: what is left is covered.
        covered: u8,
        padding0: [u8; 6],
        spare: [u64; 1],
    }
}

account! {
    /// The fixed part of a margin account; `capacity` positions of 48 bytes follow it.
    MarginAccount: 904 {
        version: u8,
        bump: u8,
        /// A `MarginKind`.
        kind: u8,
        flags: u8,
        sub_id: u16,
        /// Position slots behind this struct: 16, or 128 for a pool.
        capacity: u16,
        group: Pubkey,
        owner: Pubkey,
        delegate: Pubkey,
        name: [u8; 32],
        /// Counts every change of what the account holds, owes and permits; starts at `slot << 20`,
        /// so that a revived address cannot repeat one. Neither its clocks nor touches count.
        seq: u64,
        /// Live time at which a liquidation began; 0 when none is under way.
        liquidation_started: u64,
        /// Delegate: budget bucket, its level and time, the floor's terms.
        delegate_budget: u64,
        delegate_level: u64,
        delegate_updated: i64,
        delegate_equity: i64,
        delegate_deposits: i64,
        delegate_max_loss: u64,
        delegate_markets: [u64; 2],
        delegate_expiry: i64,
        isolated_markets: [u64; 2],
        balances: [Balance; 16],
        /// One past the last position slot in use: nobody reads beyond it.
        positions_end: u16,
        /// The bank of the withdrawal ticket.
        ticket_bank: u8,
        padding0: [u8; 5],
        /// A ticket in a bank's queue: native units, and from when they may leave; 0 for none (7.5).
        ticket_amount: u64,
        ticket_ready: i64,
        /// What was withdrawn in the day that began then, atoms (7.5).
        small_withdrawn: u64,
        small_window_start: i64,
        /// When a step first found a deficit that stops banks and markets; 0 for none (8.6).
        deficit_found_at: i64,
        /// The margin account that referred this one; zero for none.
        referrer: Pubkey,
        spare: [u8; 72],
    }
}

offsets!(MarginAccount { group = 8, owner = 40, seq = 136, balances = 240, positions_end = 752, referrer = 800, });

/// Bytes of a margin account with room for `capacity` positions, discriminator included.
pub const fn margin_account_bytes(capacity: usize) -> usize {
    DISCRIMINATOR_BYTES
        + core::mem::size_of::<MarginAccount>()
        + capacity * core::mem::size_of::<Position>()
}

const _: () = assert!(margin_account_bytes(POOL_CAPACITY) <= 10_240);
