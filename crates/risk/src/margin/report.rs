//! The margin of one account with every part (margin-spec 5.5), as plain values.

use crate::book::{Book, Greeks, Legs};
use crate::margin::row::{RowTerms, additions, short_option_floor};
use crate::margin::scan::{INITIAL, MAINTENANCE};
use crate::margin::scratch::{Header, Scratch, lane};
use crate::margin::{Assessment, InitialTerms, assess};
use crate::units::{Atoms, Frac40};

/// Asset lines of one report.
pub const MAX_LINES: usize = 8;

/// One asset's part in one requirement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinePart {
    /// Net linear value, with the requirement's token weights.
    pub net: Atoms,
    pub scan: Atoms,
    pub basis: Atoms,
    pub floor: Atoms,
    pub unwind: Atoms,
    /// Size multiplier, ceil (3.3).
    pub multiplier: Frac40,
    /// Number of the worst scenario, from 1.
    pub worst: u8,
}

/// What an asset's positions react like together (6.2); saturates. Tokens are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AssetGreeks {
    /// Lots, 16 fractional bits.
    pub delta: i64,
    /// Change of the delta when the price moves by 1%: lots, 16 fractional bits.
    pub gamma: i64,
    /// Change of the value when volatility moves by one point.
    pub vega: Atoms,
    /// Change of the value in one day.
    pub theta: Atoms,
}

/// One asset's line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AssetLine {
    pub asset: u8,
    /// Value plus quote of its positions (4.3).
    pub result: Atoms,
    pub greeks: AssetGreeks,
    pub maintenance: LinePart,
    pub initial: LinePart,
}

/// An account's margin and up to eight of its assets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MarginReport {
    pub totals: Assessment,
    /// The first line's place among the account's assets.
    pub first_asset: usize,
    /// Lines filled.
    pub lines_len: usize,
    pub lines: [AssetLine; MAX_LINES],
}

/// Judges both requirements and reports up to eight assets from the `first_asset`-th on, in the
/// order in which the account's slots name them.
#[must_use]
pub fn report<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    terms: InitialTerms,
    first_asset: usize,
    scratch: &mut Scratch<'_>,
) -> MarginReport {
    let mut report = MarginReport {
        first_asset,
        ..MarginReport::default()
    };
    let (lines, lines_len) = (&mut report.lines, &mut report.lines_len);
    report.totals = report_lines(book, legs, terms, first_asset, scratch, |line| {
        if let Some(free) = lines.get_mut(*lines_len) {
            *free = line;
            *lines_len += 1;
        }
    });
    option_greeks(book, legs, |asset, greeks| {
        let mut filled = lines.iter_mut().take(*lines_len);
        if let Some(line) = filled.find(|line| line.asset == asset) {
            line.greeks.add(greeks);
        }
    });
    report
}

/// The same without a place for all lines: hands each to `each`, at most eight, without gamma, vega and
/// theta; returns the totals.
pub fn report_lines<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    terms: InitialTerms,
    first_asset: usize,
    scratch: &mut Scratch<'_>,
    mut each: impl FnMut(AssetLine),
) -> Assessment {
    let totals = assess::<true, true, B, L>(book, legs, terms, scratch);
    let mut rows = scratch.rows(book.scenario_count());
    let judged = rows.first(totals.assets).iter().skip(first_asset);
    for row in judged.take(MAX_LINES) {
        each(line_of(book, row));
    }
    totals
}

/// A judged row as a line; inlined, so that what its reader leaves out is not computed.
#[inline(always)]
fn line_of<B: Book>(book: &B, row: &Header) -> AssetLine {
    let terms = book.asset(row[lane::ASSET] as u8);
    let rates = RowTerms::of(&terms);
    let floor = short_option_floor(row, terms.lot_price, terms.short_option_min);
    let part = |which: usize, (basis, unwind): (u64, u64)| LinePart {
        net: Atoms(row[lane::NET[which]]),
        scan: Atoms(row[lane::SCAN[which]]),
        basis: Atoms(basis as i64),
        floor: Atoms(floor),
        unwind: Atoms(unwind as i64),
        multiplier: Frac40(row[lane::MULTIPLIER[which]].unsigned_abs().div_ceil(1 << 8)),
        worst: row[lane::WORST[which]] as u8,
    };
    AssetLine {
        asset: row[lane::ASSET] as u8,
        result: Atoms(row[lane::RESULT]),
        greeks: AssetGreeks {
            delta: row[lane::LOTS],
            ..AssetGreeks::default()
        },
        maintenance: part(MAINTENANCE, additions::<MAINTENANCE>(row, &rates)),
        initial: part(INITIAL, additions::<INITIAL>(row, &rates)),
    }
}

/// Hands each option leg's asset and its gamma, vega and theta to `each`; the delta is in the lines.
pub fn option_greeks<B: Book, L: Legs>(book: &B, legs: &L, mut each: impl FnMut(u8, AssetGreeks)) {
    for leg in (0..legs.position_slots()).filter_map(|slot| legs.position(slot)) {
        let (size, greeks) = (leg.size.0, book.greeks(leg.instrument));
        if size == 0 || greeks == Greeks::LINEAR {
            continue;
        }
        let of = AssetGreeks {
            delta: 0,
            gamma: size.saturating_mul(greeks.gamma) >> 14,
            vega: Atoms(size.saturating_mul(greeks.vega) >> 16),
            theta: Atoms(size.saturating_mul(greeks.theta) >> 16),
        };
        each(book.asset_of(leg.instrument), of);
    }
}

impl AssetGreeks {
    /// Adds gamma, vega and theta; saturates.
    fn add(&mut self, other: Self) {
        self.gamma = self.gamma.saturating_add(other.gamma);
        self.vega.0 = self.vega.0.saturating_add(other.vega.0);
        self.theta.0 = self.theta.0.saturating_add(other.theta.0);
    }
}
