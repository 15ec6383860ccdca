//! Where judging writes: borrowed lanes, one row per asset, so that no frame holds an array.

use crate::limits::{MAX_ASSETS, MAX_SCENARIOS};

/// Lanes of a row before its options' losses.
pub(crate) const HEADER: usize = 21;

/// The header's lanes. Sums over an asset's legs come first; per requirement (Maintenance, Initial)
/// four results follow. Everything is atoms unless it says otherwise.
pub(crate) mod lane {
    /// The asset's index.
    pub const ASSET: usize = 0;
    /// Value of long linear positions, and minus that of short ones.
    pub const LONG: usize = 1;
    pub const SHORT: usize = 2;
    /// Weighted token value, by requirement.
    pub const SPOT: [usize; 2] = [3, 4];
    /// Positions' value less carry plus quote.
    pub const RESULT: usize = 5;
    /// How many option legs.
    pub const OPTION_LEGS: usize = 6;
    /// Sum of their absolute values.
    pub const OPTION_VALUE: usize = 7;
    /// Lots of options, long or short; and the short ones alone.
    pub const OPTION_LOTS: usize = 8;
    pub const SHORT_LOTS: usize = 9;
    /// What the options move like, as a value of the asset.
    pub const DELTA: usize = 10;
    pub const SURCHARGE: usize = 11;
    pub const NET: [usize; 2] = [12, 16];
    pub const SCAN: [usize; 2] = [13, 17];
    /// Number of the scenario, from 1.
    pub const WORST: [usize; 2] = [14, 18];
    /// Size multiplier, 48 fractional bits.
    pub const MULTIPLIER: [usize; 2] = [15, 19];
    /// What the positions move like, in lots with 16 fractional bits.
    pub const LOTS: usize = 20;
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

    /// Makes the first lanes zero, at once: cheaper than row by row.
    pub(crate) fn clear(&mut self, lanes: usize) {
        if let Some(lanes) = self.lanes.get_mut(..lanes) {
            lanes.fill(0);
        }
    }

    /// The row that starts at a lane: its header and what its options lose per scenario.
    #[inline]
    pub(crate) fn row(&mut self, start: usize, stride: usize) -> Option<(&mut Header, &mut [i64])> {
        let end = start.wrapping_add(stride);
        self.lanes
            .get_mut(start..end)?
            .split_first_chunk_mut::<HEADER>()
    }

    /// The first `rows` rows.
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

/// Lanes of a row: its header and one per scenario.
pub(crate) const fn stride(scenarios: usize) -> usize {
    let scenarios = if scenarios > MAX_SCENARIOS {
        MAX_SCENARIOS
    } else {
        scenarios
    };
    HEADER + scenarios
}
