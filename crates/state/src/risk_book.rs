//! The risk book: the published snapshot that every account is judged by.

use crate::Pubkey;
#[cfg(feature = "anchor")]
use anchor_lang::prelude::*;

pub const SCENARIO_SLOTS: usize = 24;
pub const ASSET_SLOTS: usize = 32;
pub const RATE_SLOTS: usize = 32;
pub const EXPIRY_SLOTS: usize = 32;
pub const INSTRUMENT_SLOTS: usize = 128;
/// Length of the account that the client creates for a `RiskBook`, discriminator included.
pub const RISK_BOOK_BYTES: usize = 65_536;

part! {
    /// One SPAN scenario: the price moves by `k_num / k_den` ranges, the volatility in direction `v`,
    /// and the share `w` of the loss is covered (margin-spec 5.1).
    StoredScenario: 8 {
        k_num: i8,
        k_den: u8,
        v: i8,
        padding0: u8,
        w: u32,
    }
}

part! {
    /// The scenario of one direction that moves a linear leg most, published with the set.
    StoredPeak: 16 {
        scenario: StoredScenario,
        number: u8,
        reach: u8,
        padding0: [u8; 6],
    }
}

part! {
    /// One place that a price may come from, and the last price that came from it.
    PriceSource: 96 {
        /// A `SourceKind`.
        kind: u8,
        /// 1 once a price was accepted.
        priced: u8,
        padding0: [u8; 2],
        exponent: i32,
        /// The program that must own the price account.
        owner: Pubkey,
        /// The feed's id, or for a legacy account its address.
        feed: [u8; 32],
        price: i64,
        confidence: u64,
        publish_time: i64,
    }
}

part! {
    /// An asset: its sources, its price as published, its range, and the parameters of its margin.
    AssetEntry: 520 {
        symbol: [u8; 16],
        /// 1 when listed.
        listed: u8,
        /// 1 when the council has halted it.
        halted: u8,
        /// 1 while its sources disagree.
        diverged: u8,
        /// A lot is `10^-lot_decimals` of the asset.
        lot_decimals: u8,
        /// A native token unit is `10^-token_decimals` of the asset.
        token_decimals: u8,
        lot_shift: u8,
        native_shift: u8,
        /// 1 once a price was published.
        priced: u8,
        sources: [PriceSource; 2],
        /// Atoms per lot: mantissa of `lot_shift`.
        lot_price: u64,
        /// Atoms per native token unit: mantissa of `native_shift`.
        native_price: u64,
        /// The stable price, in the lot price's unit.
        stable_price: u64,
        /// A print that waits because it jumped, as its feed gave it; 0 for none (2.5).
        pending_price: i64,
        pending_first_seen: i64,
        publish_time: i64,
        stable_updated: i64,
        listed_at: i64,
        /// How far below the price the worse of band and stable price lies, 40 fractional bits.
        down: u64,
        /// And how far above.
        up: u64,
        conf: u32,
        pending_exponent: i32,
        /// Per year, 40 fractional bits (3.1).
        variance: u64,
        variance_updated: i64,
        range_updated: i64,
        /// The range that the variance asks for, ppm (3.2).
        target: u32,
        /// The price move that maintenance covers, ppm.
        range: u32,
        range_floor: u32,
        range_cap: u32,
        range_k: u32,
        init_factor: u32,
        /// `init_factor` scaled by target range and open interest, as published (3.4).
        init_factor_effective: u32,
        basis_rate: u32,
        short_option_min: u32,
        unwind_rate: u32,
        concentration_cap: u32,
        conf_multiplier: u32,
        conf_cap: u32,
        wide_conf: u32,
        max_divergence: u32,
        max_jump: u32,
        stable_speed: u32,
        max_age_s: u32,
        max_future_s: u32,
        max_age_margin_s: u32,
        max_age_liquidation_s: u32,
        max_age_withdrawal_s: u32,
        /// Systematic share b, in thousandths (5.4).
        systematic: u16,
        padding1: [u8; 6],
        depth: i64,
        /// How far below the price the lower bound over band, both sources and pending print lies,
        /// 40 fractional bits.
        bound_down: u64,
        /// And how far above the upper bound.
        bound_up: u64,
        /// Half the width of the band alone, 40 fractional bits.
        band: u64,
        pending_confidence: u64,
        /// The price of the last variance sample, in the lot price's unit.
        sample_price: u64,
        /// Open interest beyond which Initial grows, atoms; 0 for never (3.4).
        oi_soft_cap: i64,
        /// What open interest multiplies `init_factor` by, as published (3.4).
        oi_factor: u32,
        oi_slope: u32,
        /// How much less than `range` the range is, 2^-20 ppm.
        range_short: u32,
        range_horizon_s: u32,
        tau_up_s: u32,
        tau_down_s: u32,
        /// Lots held long of all its instruments, as published (3.4).
        open_interest: u64,
        /// The silence after which `prints` counts.
        silence: u32,
        /// Prints since then, up to what is needed (8.4).
        prints: u8,
        padding2: [u8; 3],
    }
}

part! {
    /// What judging needs of a bank, as published.
    RateEntry: 112 {
        bank: Pubkey,
        deposit_index: u64,
        borrow_index: u64,
        deposit_rate: u64,
        borrow_rate: u64,
        updated: i64,
        total_deposits: u64,
        total_borrows: u64,
        maint_asset_weight: u32,
        init_asset_weight: u32,
        maint_liab_weight: u32,
        init_liab_weight: u32,
        asset: u8,
        listed: u8,
        padding0: [u8; 6],
    }
}

part! {
    /// One expiry of one asset: volatility slice, carry, settlement average.
    ExpiryEntry: 136 {
        expiry: i64,
        asset: u8,
        listed: u8,
        padding0: [u8; 6],
        slice: [i64; 5],
        slice_updated: i64,
        vol_min: u32,
        vol_max: u32,
        /// The forward less the asset's price, mantissas of its lot.
        basis: i64,
        /// A risk array whose volatility is off by more than this is stale, ppm.
        max_vol_step: u32,
        padding2: [u8; 4],
        /// Mantissas of the asset's lot times seconds.
        settlement_sum: u64,
        settlement_covered_s: u32,
        /// 1 once `settlement_price` holds.
        settled: u8,
        /// 1 once the window has ended.
        settlement_closed: u8,
        padding1: [u8; 2],
        settlement_price: u64,
        spare: [u64; 3],
    }
}

part! {
    /// What judging needs of an instrument, as published.
    InstrumentEntry: 272 {
        market: Pubkey,
        /// An `InstrumentTag`.
        kind: u8,
        asset: u8,
        expiry: u8,
        flags: u8,
        generation: u16,
        padding0: [u8; 2],
        /// Prices are mantissas of the asset's lot.
        strike: u64,
        /// What the array was made with: value of a lot, time, Greeks of a lot (6.2: delta and gamma
        /// with 30 fractional bits, vega and theta in atoms with 16).
        mark: u64,
        mark_updated: i64,
        delta: i64,
        gamma: i64,
        vega: i64,
        theta: i64,
        /// Risk array: atoms per lot and scenario.
        array: [i32; 24],
        /// And the forward, the range and the volatility.
        made_price: u64,
        made_range: u32,
        made_vol: u32,
        carry_long: [u64; 2],
        carry_short: [u64; 2],
        keep_long: u64,
        keep_short: u64,
        open_interest: u64,
        /// The volatility that the slice gives the strike now, ppm.
        vol: u32,
        /// Low bits of the epochs of both sides' keep.
        epoch_long: u16,
        epoch_short: u16,
    }
}

account! {
    /// The group's published snapshot. Cranks and administration write it; trades read it.
    RiskBook: 65528 {
        version: u8,
        assets_len: u8,
        rates_len: u8,
        expiries_len: u8,
        instruments_len: u8,
        scenarios_len: u8,
        padding0: [u8; 2],
        group: Pubkey,
        /// Counts accepted writes.
        sequence: u64,
        /// Seconds during which prices kept coming (margin-spec 8.4).
        live_time: u64,
        restart_slot: u64,
        last_update: i64,
        pause_bits: u64,
        upnl_cap: i64,
        min_notional: i64,
        min_equity: i64,
        /// Below this maintenance requirement a liquidation takes the whole leg, atoms.
        small_requirement: i64,
        gross_min: u32,
        upnl_weight: u32,
        liquidation_buffer: u32,
        liquidation_fee: u32,
        liquidation_insurance_share: u32,
        peg_band: u32,
        peg_stop: u32,
        max_age_pool_s: u32,
        scenarios: [StoredScenario; 24],
        assets: [AssetEntry; 32],
        rates: [RateEntry; 32],
        expiries: [ExpiryEntry; 32],
        instruments: [InstrumentEntry; 128],
        peak_up: StoredPeak,
        peak_down: StoredPeak,
        /// The lesser of 1 and the lower bound of the quote's own feed, 40 fractional bits (2.7).
        peg_lower: u64,
        /// 1 while the quote's feed leaves 1 by more than `peg_band`.
        peg_off: u8,
        /// 1 while it is below `peg_stop`.
        peg_stopped: u8,
        padding1: [u8; 6],
        /// Counts silences of the prices and restarts of the cluster (8.4).
        silence: u32,
        /// 1 once a side of any market was shrunk: until then sizes are what is stored (8.5).
        shrunk: u8,
        padding2: [u8; 3],
        spare: [u8; 5744],
    }
}

offsets!(RiskBook { group = 8, live_time = 48, upnl_cap = 80, gross_min = 112, scenarios = 144, assets = 336, rates = 16976, expiries = 20560, instruments = 24912, peak_up = 59728, peg_lower = 59760, });
offsets!(AssetEntry { sources = 24, lot_price = 216, down = 280, variance = 304, systematic = 416, depth = 424, bound_down = 432, oi_factor = 480, });
offsets!(InstrumentEntry { kind = 32, array = 96, made_price = 192, carry_long = 208, open_interest = 256, });
