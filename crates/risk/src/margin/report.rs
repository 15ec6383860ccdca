//! The margin of one account with every part (margin-spec 5.5), as plain values.

use crate::book::{Book, Legs};
use crate::margin::row::{RowTerms, additions, short_option_floor};
use crate::margin::scan::{INITIAL, MAINTENANCE};
use crate::margin::scratch::{Scratch, lane, stride};
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

/// One asset's line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AssetLine {
    pub asset: u8,
    /// Value plus quote of its positions (4.3).
    pub result: Atoms,
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
    let totals = assess::<true, true, B, L>(book, legs, terms, scratch);
    let mut report = MarginReport {
        totals,
        first_asset,
        ..MarginReport::default()
    };

    let stride = stride(book.scenarios().len());
    let rows = scratch.each(totals.assets, stride).skip(first_asset);
    for (line, (row, _)) in report.lines.iter_mut().zip(rows) {
        let terms = book.asset(row[lane::ASSET] as u8);
        let rates = RowTerms::of(&terms);
        let floor = Atoms(short_option_floor(
            row,
            terms.lot_price,
            terms.short_option_min,
        ));
        let part = |which: usize, (basis, unwind): (u64, u64)| LinePart {
            net: Atoms(row[lane::NET[which]]),
            scan: Atoms(row[lane::SCAN[which]]),
            basis: Atoms(basis as i64),
            floor,
            unwind: Atoms(unwind as i64),
            multiplier: Frac40(row[lane::MULTIPLIER[which]].unsigned_abs().div_ceil(1 << 8)),
            worst: row[lane::WORST[which]] as u8,
        };
        *line = AssetLine {
            asset: row[lane::ASSET] as u8,
            result: Atoms(row[lane::RESULT]),
            maintenance: part(MAINTENANCE, additions::<MAINTENANCE>(row, &rates)),
            initial: part(INITIAL, additions::<INITIAL>(row, &rates)),
        };
        report.lines_len += 1;
    }
    report
}
