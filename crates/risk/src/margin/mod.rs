//! Health: equities, requirements, and which accounts may be liquidated (margin-spec 4, 5).
//!
//! Judging is total: it saturates and never fails (1.6). Equity floors, requirements ceil (1.4).

mod report;
mod scan;
mod scratch;
mod stream;

pub use report::{AssetLine, LinePart, MAX_LINES, MarginReport, report};
pub use scratch::Scratch;

use crate::book::{Book, GroupTerms, Legs, QUOTE_RATE};
use crate::limits::{MAX_JUDGED_LOSS, MAX_JUDGED_VALUE, MAX_SCENARIOS};
use crate::num::{ppm_floor, umul_shift_ceil, value_floor};
use crate::shares::amount;
use crate::units::{Atoms, Lots, Ppm};
use scan::{INITIAL, MAINTENANCE, requirement};
use scratch::{lane, stride};
use stream::{Totals, stream};

/// An equity against its requirement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    pub equity: Atoms,
    pub requirement: Atoms,
}

impl Health {
    /// Equity less requirement (5.5); saturates.
    #[must_use]
    pub const fn health(self) -> Atoms {
        Atoms(self.equity.0.saturating_sub(self.requirement.0))
    }

    /// Whether an account of this Maintenance health may be liquidated (5.6).
    #[must_use]
    pub const fn is_liquidatable(self) -> bool {
        self.health().0 < 0
    }
}

/// Which aggregate was the greatest (5.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    #[default]
    OneFactor,
    Systemic,
    Gross,
}

/// What a requirement is made of (5.4, 5.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// X: together, plus each asset on its own.
    pub one_factor: Atoms,
    /// Y: everything moves together.
    pub systemic: Atoms,
    /// The least share of the sum of the scans.
    pub gross: Atoms,
    pub basis: Atoms,
    pub unwind: Atoms,
    pub rule: Rule,
}

impl Parts {
    /// The greatest of X, Y and the gross minimum.
    #[must_use]
    pub fn scan(self) -> Atoms {
        self.one_factor.max(self.systemic).max(self.gross)
    }

    /// Scan plus basis plus unwind (5.5); saturates.
    #[must_use]
    pub fn total(self) -> Atoms {
        let additions = self.basis.0.saturating_add(self.unwind.0);
        Atoms(self.scan().0.saturating_add(additions))
    }
}

/// Everything that one judgement finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Assessment {
    /// E: all weights 1 (4.2).
    pub net_asset_value: Atoms,
    pub maintenance: Health,
    pub initial: Health,
    pub maintenance_parts: Parts,
    pub initial_parts: Parts,
    /// Assets with a scan or a result.
    pub assets: usize,
}

/// Whether positive results count in Initial (4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gains {
    /// Times `upnl_weight`, all together up to `upnl_cap`.
    Counted,
    /// Zero: for withdrawals, transfers out, and what leaves a borrow larger.
    Ignored,
}

/// How Initial is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitialTerms {
    pub gains: Gains,
    /// Takes the place of every asset's `init_factor`: the pool's (10.2).
    pub factor: Option<Ppm>,
}

impl InitialTerms {
    /// What a trader's own order is judged by.
    pub const COUNTED: Self = Self {
        gains: Gains::Counted,
        factor: None,
    };
    /// What a withdrawal is judged by.
    pub const WITHDRAWAL: Self = Self {
        gains: Gains::Ignored,
        factor: None,
    };
}

/// Maintenance: E_M against MM (4.2, 5.5).
#[must_use]
pub fn maintenance<B: Book, L: Legs>(book: &B, legs: &L, scratch: &mut Scratch<'_>) -> Health {
    assess::<true, false, B, L>(book, legs, InitialTerms::COUNTED, scratch).maintenance
}

/// Initial: E_I against IM (4.3, 5.5).
#[must_use]
pub fn initial<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    terms: InitialTerms,
    scratch: &mut Scratch<'_>,
) -> Health {
    assess::<false, true, B, L>(book, legs, terms, scratch).initial
}

/// Net asset value, Maintenance and Initial in one pass.
#[must_use]
pub fn both<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    terms: InitialTerms,
    scratch: &mut Scratch<'_>,
) -> Assessment {
    assess::<true, true, B, L>(book, legs, terms, scratch)
}

/// The engine; `M` and `I` choose what is computed, the rest of the result is zero.
pub(crate) fn assess<const M: bool, const I: bool, B: Book, L: Legs>(
    book: &B,
    legs: &L,
    terms: InitialTerms,
    scratch: &mut Scratch<'_>,
) -> Assessment {
    let group = book.group();
    let stride = stride(book.scenarios().len().min(MAX_SCENARIOS));
    let totals = stream::<M, I, B, L>(book, legs, scratch, stride);

    let mut found = Assessment {
        net_asset_value: Atoms(totals.net),
        assets: totals.rows,
        ..Assessment::default()
    };
    if M {
        let parts = requirement::<MAINTENANCE, B>(
            book,
            group.gross_min,
            &group.extremes,
            None,
            totals.rows,
            stride,
            scratch,
        );
        found.maintenance_parts = parts;
        found.maintenance = Health {
            equity: Atoms(totals.maintenance),
            requirement: parts.total(),
        };
    }
    if I {
        let parts = requirement::<INITIAL, B>(
            book,
            group.gross_min,
            &group.extremes,
            terms.factor,
            totals.rows,
            stride,
            scratch,
        );
        found.initial_parts = parts;
        found.initial = Health {
            equity: initial_equity(book, &group, terms.gains, &totals, stride, scratch),
            requirement: parts.total(),
        };
    }
    found
}

/// E_I of rows whose net values are known: results with positive ones weighted and capped, and each
/// asset's legs at the worse of band and stable price, one net value times one distance, ceil (4.3).
fn initial_equity<B: Book>(
    book: &B,
    group: &GroupTerms,
    gains: Gains,
    totals: &Totals,
    stride: usize,
    scratch: &mut Scratch<'_>,
) -> Atoms {
    let (mut positive, mut negative, mut distance) = (0i64, 0i64, 0i64);
    for (row, _) in scratch.each(totals.rows, stride) {
        let result = row[lane::RESULT];
        if result < 0 {
            negative = negative.wrapping_add(result);
        } else if gains == Gains::Counted {
            let weight = group.upnl_weight.min(Ppm::ONE);
            let counted = ppm_floor(result.unsigned_abs(), weight);
            positive = positive.wrapping_add(counted as i64);
        }

        let net = row[lane::NET[INITIAL]];
        let terms = book.asset(row[lane::ASSET] as u8);
        let share = if net > 0 { terms.down } else { terms.up };
        let lost = umul_shift_ceil(net.unsigned_abs(), share.0, 40);
        distance = distance.wrapping_add(lost.min(MAX_JUDGED_LOSS.unsigned_abs()) as i64);
    }
    let positive = positive.min(group.upnl_cap.0.max(0));
    // Every sum is below 2^62.1; together they may exceed 64 bits.
    let equity = totals
        .initial
        .saturating_add(negative)
        .saturating_add(positive);
    Atoms(equity.saturating_sub(distance))
}

/// E at the mark, and at the bounds that make it largest, ceil: what a newcomer to a pool buys at
/// (10.4). Bounds here span band and stable price, the wider reading.
#[must_use]
pub fn equity_at_best<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    scratch: &mut Scratch<'_>,
) -> (Atoms, Atoms) {
    let stride = stride(book.scenarios().len().min(MAX_SCENARIOS));
    let totals = stream::<false, false, B, L>(book, legs, scratch, stride);
    let mut equity = totals.net;
    for (row, _) in scratch.each(totals.rows, stride) {
        let net = row[lane::LONG]
            .wrapping_add(row[lane::SPOT[MAINTENANCE]])
            .wrapping_sub(row[lane::SHORT]);
        let terms = book.asset(row[lane::ASSET] as u8);
        let share = if net > 0 { terms.up } else { terms.down };
        let gained = umul_shift_ceil(net.unsigned_abs(), share.0, 40);
        equity = equity.saturating_add(gained.min(MAX_JUDGED_LOSS.unsigned_abs()) as i64);
    }
    (Atoms(totals.net), Atoms(equity))
}

/// Net linear value of an account in one asset at weight 1, + is long; saturates.
#[must_use]
pub fn net_value<B: Book, L: Legs>(book: &B, legs: &L, asset: u8) -> Atoms {
    let mut net = 0i64;
    for slot in 0..legs.balance_slots() {
        let Some(leg) = legs.balance(slot) else {
            continue;
        };
        let rate = book.rate(leg.rate);
        if leg.rate == QUOTE_RATE || rate.asset != asset {
            continue;
        }
        let held = amount(leg.shares, rate.deposit_index, rate.borrow_index);
        let price = book.asset(asset).native_price;
        net = net.saturating_add(judged(value_floor(Lots(held.0), price)));
    }
    for slot in 0..legs.position_slots() {
        let Some(leg) = legs.position(slot) else {
            continue;
        };
        let terms = book.instrument(leg.instrument);
        if terms.asset == asset {
            net = net.saturating_add(judged(value_floor(leg.size, terms.mark)));
        }
    }
    Atoms(net)
}

fn judged(value: Atoms) -> i64 {
    value.0.clamp(-MAX_JUDGED_VALUE, MAX_JUDGED_VALUE)
}

/// The assets besides the quote of which an account holds a balance or a size, as bits. Only these
/// can block it (2.8). Assets beyond 31 have no bit.
#[must_use]
pub fn exposed_assets<B: Book, L: Legs>(book: &B, legs: &L) -> u32 {
    let mut exposed = 0u32;
    for slot in 0..legs.balance_slots() {
        if let Some(leg) = legs.balance(slot)
            && leg.shares.0 != 0
            && leg.rate != QUOTE_RATE
        {
            exposed |= bit(book.rate(leg.rate).asset);
        }
    }
    for slot in 0..legs.position_slots() {
        if let Some(leg) = legs.position(slot)
            && leg.size.0 != 0
        {
            exposed |= bit(book.instrument(leg.instrument).asset);
        }
    }
    exposed & !1
}

/// How many assets [`exposed_assets`] finds.
#[must_use]
pub fn count_assets<B: Book, L: Legs>(book: &B, legs: &L) -> usize {
    exposed_assets(book, legs).count_ones() as usize
}

fn bit(asset: u8) -> u32 {
    1u32.checked_shl(u32::from(asset)).unwrap_or(0)
}
