//! The market: one instrument's ledger.

use crate::Pubkey;
#[cfg(feature = "anchor")]
use anchor_lang::prelude::*;

account! {
    /// The exact ledger of one instrument: open interest, carry and keep per side, what the market
    /// owes the house. Invariant I2: the sum of its positions' quotes plus
    /// `fees`, `insurance` and `residue`, less their carry, is 0.
    Market: 472 {
        version: u8,
        bump: u8,
        /// Position in the `RiskBook`'s `instruments`.
        index: u8,
        /// Position in the `RiskBook`'s `assets`.
        asset: u8,
        /// An `InstrumentTag`.
        kind: u8,
        /// 1 while it trades.
        life_stage: u8,
        generation: u16,
        group: Pubkey,
        symbol: [u8; 16],
        /// Lots held long, and lots held short: equal after every instruction (I3).
        open_interest_long: u64,
        open_interest_short: u64,
        /// Carry per lot of each side, 48 fractional bits, as two words of an `i128`.
        carry_long: [u64; 2],
        carry_short: [u64; 2],
        /// Size multiplier of each side, 40 fractional bits.
        keep_long: u64,
        keep_short: u64,
        epoch_long: u32,
        epoch_short: u32,
        /// Integral of the pool's skew over time, for velocity funding.
        skew_integral: [u64; 2],
        last_accrual: i64,
        funding_rate: i64,
        /// Quote atoms owed to the house by the market's positions.
        fees: i64,
        insurance: i64,
        /// Running sum of every position's quote in this market.
        quote_sum: i64,
        /// Greatest open interest of a side, in lots.
        open_interest_cap: u64,
        skew_scale: u64,
        /// Smallest order, in lots.
        min_size: u64,
        taker_fee: u32,
        maker_fee: u32,
        base_spread: u32,
        conf_share: u32,
        max_age_fill_s: u32,
        max_funding: u32,
        insurance_window_start: i64,
        insurance_used: u64,
        /// What rounding of carry left over, below an atom: 48 fractional bits.
        residue: u64,
        /// Lots that deleveraging's rounding took from positions and that no account holds yet, 40
        /// fractional bits, and the quote that comes with them.
        stray_long: u64,
        stray_short: u64,
        stray_quote_long: i64,
        stray_quote_short: i64,
        /// What traders hold net, in lots, and since when: the skew that funding integrates.
        skew: i64,
        skew_updated: i64,
        /// How much the daily funding rate changes in a day of full skew, ppm.
        funding_velocity: u32,
        padding1: u32,
        /// What traders paid for moving the skew and have not earned back, atoms (10.1).
        impact_paid: u64,
        /// Until then no gain is settled: a deficit of the market waits to be resolved (8.6).
        halted_until: i64,
        /// Open interest is worth at most this many times the market's insurance; 0 for no such limit.
        insurance_multiple: u32,
        /// What an old price adds to the half-spread, over sigma times the root of its age, ppm (10.1).
        age_share: u32,
        /// Share of the taker's fee that goes to whoever referred him, ppm.
        referral_share: u32,
        /// Id of the pool that takes what nobody bid for (8.5).
        backstop_pool: u16,
        padding2: u16,
        spare: [u8; 128],
    }
}

offsets!(Market { group = 8, open_interest_long = 56, keep_long = 104, fees = 160, open_interest_cap = 184, taker_fee = 208, residue = 248, impact_paid = 312, spare = 344, });
