//! Where judging writes: borrowed lanes, one row per asset, so that no frame holds an array.

use crate::limits::{MAX_ASSETS, MAX_SCENARIOS};

/// Lanes of a row before its options' losses.
pub(crate) const HEADER: usize = 22;

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
    /// 1 where a balance or a size is held, 0 for results alone.
    pub const HELD: usize = 21;
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
        let scenarios = if scenarios > MAX_SCENARIOS {
            MAX_SCENARIOS
        } else {
            scenarios
        };
        assets * (HEADER + scenarios)
    }

    /// The lanes as rows of a book with so many scenarios.
    #[inline]
    pub(crate) fn rows(&mut self, scenarios: usize) -> Rows<'_> {
        let scenarios = scenarios.min(MAX_SCENARIOS);
        let count = (self.lanes.len() / (HEADER + scenarios)).min(MAX_ASSETS);
        let (headers, losses) = self.lanes.split_at_mut(count * HEADER);
        Rows {
            headers: headers.as_chunks_mut().0,
            losses,
            scenarios,
        }
    }
}

/// Rows by number: all headers first, so that one is found by a multiplication, then what the options
/// of each lose per scenario.
#[derive(Debug)]
pub(crate) struct Rows<'s> {
    pub headers: &'s mut [Header],
    losses: &'s mut [i64],
    scenarios: usize,
}

impl Rows<'_> {
    /// Empties the headers, all at once: cheaper than one by one.
    pub fn clear(&mut self) {
        self.headers.as_flattened_mut().fill(0);
    }

    /// A row's header, and what its options lose per scenario.
    #[inline]
    pub fn row(&mut self, number: usize) -> Option<(&mut Header, &mut [i64])> {
        let start = number.wrapping_mul(self.scenarios);
        let losses = start..start.wrapping_add(self.scenarios);
        Some((self.headers.get_mut(number)?, self.losses.get_mut(losses)?))
    }

    /// The first `count` headers.
    #[inline]
    pub fn first(&mut self, count: usize) -> &mut [Header] {
        self.headers.get_mut(..count).unwrap_or_default()
    }
}
