//! Listing an asset in the risk book: what `create_bank` and `create_market` have in common.

use anchor_lang::prelude::*;
use keel_risk::limits::{Charges, check_charges};
use keel_risk::{Book, ListedRange, Ppm, QUOTE_ASSET, shift_for};
use keel_state::{ASSET_SLOTS, AssetEntry, BookView, PriceSource, RiskBook, SourceKind};

use crate::errors::{KeelError, Merits};

const ONE: u32 = 1_000_000;

/// Where a price comes from.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct SourceArgs {
    /// A `SourceKind` byte; 0 leaves the source out.
    pub kind: u8,
    /// Program that owns the price account.
    pub owner: Pubkey,
    /// Feed id, or for a legacy account its address.
    pub feed: [u8; 32],
}

/// A new asset: its units, the price range it is listed for, its sources and its parameters.
/// Ratios are ppm, prices are 1e-8 USD per whole unit, money is atoms, ages are seconds.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct AssetArgs {
    pub symbol: [u8; 16],
    pub lot_decimals: u8,
    pub token_decimals: u8,
    pub low_price_e8: u64,
    pub high_price_e8: u64,
    pub sources: [SourceArgs; 2],
    pub range: u32,
    pub range_floor: u32,
    pub range_cap: u32,
    pub init_factor: u32,
    /// Systematic share b, thousandths.
    pub systematic: u16,
    pub basis_rate: u32,
    pub unwind_rate: u32,
    pub short_option_min: u32,
    pub concentration_cap: u32,
    pub depth: i64,
    pub conf_multiplier: u32,
    pub conf_cap: u32,
    pub wide_conf: u32,
    pub max_divergence: u32,
    pub max_jump: u32,
    pub stable_speed: u32,
    pub max_age_s: u32,
    pub max_future_s: u32,
    pub max_age_margin_s: u32,
    pub max_age_liquidation_s: u32,
    pub max_age_withdrawal_s: u32,
    /// Standard deviations that the range covers, over this time (margin-spec 3.2).
    pub range_k: u32,
    pub range_horizon_s: u32,
    /// Memory of the variance while it rises and while it falls (3.1).
    pub tau_up_s: u32,
    pub tau_down_s: u32,
    /// Open interest beyond which Initial grows, and how fast (3.4).
    pub oi_soft_cap: i64,
    pub oi_slope: u32,
}

/// The asset that a bank or a market belongs to.
// An argument that lives for one instruction: a box would only move it to the heap.
#[allow(clippy::large_enum_variant)]
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub enum AssetChoice {
    /// One that is listed already, by its place in the risk book.
    Listed(u8),
    /// A new one.
    New(AssetArgs),
}

impl AssetArgs {
    /// Every bound of a parameter, so that judging may rely on them (margin-spec 1.6, 2, 3, 5).
    fn validate(&self) -> Result<()> {
        let bounds = [
            self.lot_decimals <= 9,
            self.token_decimals <= 12,
            (1_000..=self.range_cap).contains(&self.range_floor),
            self.range_cap <= ONE,
            (self.range_floor..=self.range_cap).contains(&self.range),
            (ONE..=10 * ONE).contains(&self.init_factor),
            self.systematic <= 900,
            self.basis_rate <= 200_000,
            self.unwind_rate <= 100_000,
            self.short_option_min <= 100_000,
            self.concentration_cap <= 15 * ONE,
            self.depth >= 0,
            (ONE..=10 * ONE).contains(&self.conf_multiplier),
            self.conf_cap <= 200_000,
            self.wide_conf <= 200_000,
            self.max_divergence <= 200_000,
            (10_000..=500_000).contains(&self.max_jump),
            (100..=100_000).contains(&self.stable_speed),
            (1..=3_600).contains(&self.max_age_s),
            (5..=3_600).contains(&self.max_future_s),
            (1..=3_600).contains(&self.max_age_margin_s),
            (1..=3_600).contains(&self.max_age_liquidation_s),
            (1..=3_600).contains(&self.max_age_withdrawal_s),
            (ONE..=10 * ONE).contains(&self.range_k),
            (60..=86_400).contains(&self.range_horizon_s),
            (3_600..=864_000).contains(&self.tau_up_s),
            (self.tau_up_s..=31_536_000).contains(&self.tau_down_s),
            (0..=self.depth.saturating_mul(3)).contains(&self.oi_soft_cap),
            self.oi_slope <= 10 * ONE,
        ];
        match bounds.iter().position(|ok| !ok) {
            None => Ok(()),
            Some(which) => {
                Err(error!(KeelError::ParameterOutOfRange).with_values((which, "asset parameter")))
            }
        }
    }

    /// What the asset charges at its most.
    fn charges(&self) -> Charges {
        let has_depth = self.depth > 0;
        Charges {
            range: Ppm(self.range_cap),
            concentration_cap: Ppm(if has_depth { self.concentration_cap } else { 0 }),
            basis_rate: Ppm(self.basis_rate),
        }
    }
}

/// The asset's place in the book, listing it first when it is new.
pub fn place(book: &mut RiskBook, choice: &AssetChoice, now: i64) -> Result<u8> {
    match choice {
        AssetChoice::Listed(index) => {
            require!(*index < book.assets_len, KeelError::NoSuchAsset);
            Ok(*index)
        }
        AssetChoice::New(args) => list(book, args, now),
    }
}

fn list(book: &mut RiskBook, args: &AssetArgs, now: i64) -> Result<u8> {
    args.validate()?;
    let index = book.assets_len;
    require!(usize::from(index) < ASSET_SLOTS, KeelError::BookFull);
    let extremes = BookView::new(book, now).group().extremes;
    check_charges(&args.charges(), &extremes).merits()?;

    let range = ListedRange {
        low_e8: args.low_price_e8,
        high_e8: args.high_price_e8,
    };
    let lot_shift = shift_for(range, args.lot_decimals, true).merits()?;
    let native_shift = shift_for(range, args.token_decimals, false).merits()?;

    let entry = &mut book.assets[usize::from(index)];
    entry.listed = 1;
    entry.listed_at = now;
    entry.symbol = args.symbol;
    entry.lot_decimals = args.lot_decimals;
    entry.token_decimals = args.token_decimals;
    entry.lot_shift = lot_shift;
    entry.native_shift = native_shift;
    for (stored, given) in entry.sources.iter_mut().zip(&args.sources) {
        configure(stored, given)?;
    }
    // Only the quote may do without a feed: it then stands at 1 (margin-spec 2.7).
    let is_quote = index == QUOTE_ASSET;
    let has_feed = entry
        .sources
        .iter()
        .any(|source| source.kind != SourceKind::None as u8);
    require!(
        entry.sources[0].kind != SourceKind::None as u8 || (is_quote && !has_feed),
        KeelError::NoSuchSource
    );
    set_parameters(entry, args);

    book.assets_len += 1;
    Ok(index)
}

fn configure(stored: &mut PriceSource, given: &SourceArgs) -> Result<()> {
    require!(
        SourceKind::from_byte(given.kind).is_some(),
        KeelError::NoSuchSource
    );
    stored.kind = given.kind;
    stored.owner = given.owner;
    stored.feed = given.feed;
    Ok(())
}

fn set_parameters(entry: &mut AssetEntry, args: &AssetArgs) {
    entry.range = args.range;
    entry.range_floor = args.range_floor;
    entry.range_cap = args.range_cap;
    entry.init_factor = args.init_factor;
    entry.systematic = args.systematic;
    entry.basis_rate = args.basis_rate;
    entry.unwind_rate = args.unwind_rate;
    entry.short_option_min = args.short_option_min;
    entry.concentration_cap = args.concentration_cap;
    entry.depth = args.depth;
    entry.conf_multiplier = args.conf_multiplier;
    entry.conf_cap = args.conf_cap;
    entry.wide_conf = args.wide_conf;
    entry.max_divergence = args.max_divergence;
    entry.max_jump = args.max_jump;
    entry.stable_speed = args.stable_speed;
    entry.max_age_s = args.max_age_s;
    entry.max_future_s = args.max_future_s;
    entry.max_age_margin_s = args.max_age_margin_s;
    entry.max_age_liquidation_s = args.max_age_liquidation_s;
    entry.max_age_withdrawal_s = args.max_age_withdrawal_s;
    entry.range_k = args.range_k;
    entry.range_horizon_s = args.range_horizon_s;
    entry.tau_up_s = args.tau_up_s;
    entry.tau_down_s = args.tau_down_s;
    entry.oi_soft_cap = args.oi_soft_cap;
    entry.oi_slope = args.oi_slope;
    entry.start_range();
}
