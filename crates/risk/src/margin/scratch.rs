//! Where judging writes: borrowed lanes, one row per asset, so that no frame holds an array.

use crate::limits::{MAX_ASSETS, MAX_SCENARIOS};

/// Lanes of a row before its losses.
pub(crate) const HEADER: usize = 17;

/// The header's lanes. Sums over an asset's legs come first; per requirement (Maintenance, Initial)
/// four results follow. Everything is atoms unless it says otherwise.
pub(crate) mod lane {
    /// The asset's index.
    pub const ASSET: usize = 0;
    /// Value of long positions, and minus that of short ones.
    pub const LONG: usize = 1;
    pub const SHORT: usize = 2;
    /// Weighted token value, by requirement.
    pub const SPOT: [usize; 2] = [3, 4];
    /// Positions' value plus quote.
    pub const RESULT: usize = 5;
    /// Systematic share, thousandths.
    pub const SYSTEMATIC: usize = 6;
    /// Net value times range, floor; and the same multiplied, ceil.
    pub const PLAIN: usize = 7;
    pub const CHARGE: usize = 8;
    pub const NET: [usize; 2] = [9, 13];
    pub const SCAN: [usize; 2] = [10, 14];
    /// Number of the scenario, from 1.
    pub const WORST: [usize; 2] = [11, 15];
    /// Size multiplier, 48 fractional bits.
    pub const MULTIPLIER: [usize; 2] = [12, 16];
}

/// A row's header.
pub(crate) type Header = [i64; HEADER];

/// Borrowed lanes. The caller owns them once per instruction; every judgement overwrites them, and
/// none reads what an earlier one left.
#[derive(Debug)]
pub struct Scratch<'a> {
    lanes: &'a mut [i64],
}

impl<'a> Scratch<'a> {
    /// Lanes that are always enough.
    pub const MAX_LANES: usize = Self::lanes_needed(MAX_ASSETS, MAX_SCENARIOS);

    /// Wraps lanes of any content.
    #[must_use]
    pub fn new(lanes: &'a mut [i64]) -> Self {
        Self { lanes }
    }

    /// Lanes for an account whose legs (closed positions with a result included) span `assets`
    /// assets besides the quote, in a book of `scenarios`.
    ///
    /// With fewer lanes judging stays total and turns strict: of an asset without a row only what
    /// is owed counts.
    #[must_use]
    pub const fn lanes_needed(assets: usize, scenarios: usize) -> usize {
        assets * stride(scenarios)
    }

    /// Rows of `stride` lanes.
    pub(crate) fn rows(&self, stride: usize) -> usize {
        self.lanes.len() / stride
    }

    /// A row's header, to be filled while legs stream in.
    pub(crate) fn header(&mut self, row: usize, stride: usize) -> Option<&mut Header> {
        let start = row * stride;
        self.lanes
            .get_mut(start..start + HEADER)?
            .first_chunk_mut::<HEADER>()
    }

    /// The first `rows` rows, each as header and losses.
    pub(crate) fn each(
        &mut self,
        rows: usize,
        stride: usize,
    ) -> impl Iterator<Item = (&mut Header, &mut [i64])> {
        self.lanes
            .chunks_exact_mut(stride)
            .take(rows)
            .filter_map(|row| row.split_first_chunk_mut::<HEADER>())
    }
}

/// Lanes of a row: its header and a loss per scenario, at least the two peaks.
pub(crate) const fn stride(scenarios: usize) -> usize {
    let scenarios = if scenarios > MAX_SCENARIOS {
        MAX_SCENARIOS
    } else if scenarios < 2 {
        2
    } else {
        scenarios
    };
    HEADER + scenarios
}
