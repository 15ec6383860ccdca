//! The scenario set as the engine walks it (margin-spec 5.1).

use crate::book::{Extremes, Scenario};
use crate::limits::MAX_SCENARIOS;
use crate::margin::row::ONE;

/// How far scenarios move the price.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Move {
    /// `|k|` is `k / den` ranges; the divisor is at least 1.
    pub k: u64,
    pub den: u64,
    /// Share of the result that counts, at most 1, ppm.
    pub weight: u64,
}

impl Move {
    #[inline]
    fn of(scenario: Scenario) -> Self {
        Self {
            k: u64::from(scenario.k_num.unsigned_abs()),
            den: u64::from(scenario.k_den.max(1)),
            weight: u64::from(scenario.w.0).min(ONE),
        }
    }

    /// One whole range, counted whole.
    #[inline]
    pub fn is_unit(&self) -> bool {
        self.k == 1 && self.den == 1 && self.weight == ONE
    }

    /// Whether a fall by it stops at -1.
    #[inline]
    pub fn is_clipped(&self, range: u64) -> bool {
        self.k.wrapping_mul(range) > ONE.wrapping_mul(self.den)
    }
}

/// The two moves that decide where no option is held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peaks {
    pub up: Move,
    pub down: Move,
    pub up_number: i64,
    pub down_number: i64,
    /// How many ranges down the set reaches, rounded up.
    pub reach: u64,
}

impl Peaks {
    #[inline]
    pub fn of(extremes: &Extremes) -> Self {
        Self {
            up: Move::of(extremes.up.scenario),
            down: Move::of(extremes.down.scenario),
            up_number: i64::from(extremes.up.number),
            down_number: i64::from(extremes.down.number),
            reach: u64::from(extremes.down.reach),
        }
    }
}

/// Places of the linear losses of one row: none, then up and down for each distance; a power of two
/// of at least `2 * 24 + 1`.
pub(crate) const PLACES: usize = 64;

/// The whole set by distance: scenarios that differ only in volatility or in direction share one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moves {
    list: [Move; MAX_SCENARIOS],
    len: usize,
    /// Place of each scenario's linear loss.
    pub place: [u8; MAX_SCENARIOS],
    /// Bit s: scenario s is a fall.
    pub falls: u32,
    /// Scenarios.
    pub scenarios: usize,
}

impl Moves {
    pub fn of(scenarios: &[Scenario]) -> Self {
        let mut moves = Self {
            list: [Move::default(); MAX_SCENARIOS],
            len: 0,
            place: [0; MAX_SCENARIOS],
            falls: 0,
            scenarios: scenarios.len().min(MAX_SCENARIOS),
        };
        for (index, scenario) in scenarios.iter().take(MAX_SCENARIOS).enumerate() {
            if scenario.k_num == 0 {
                continue;
            }
            let distance = moves.distance(Move::of(*scenario));
            let falls = scenario.k_num < 0;
            moves.falls |= u32::from(falls) << index;
            if let Some(place) = moves.place.get_mut(index) {
                *place = (1 + 2 * distance + usize::from(falls)) as u8;
            }
        }
        moves
    }

    /// The number of a distance; the latest ones are looked at first.
    fn distance(&mut self, by: Move) -> usize {
        let known = self
            .each()
            .iter()
            .rposition(|known| known.k == by.k && known.den == by.den && known.weight == by.weight);
        if let Some(known) = known {
            return known;
        }
        if let Some(free) = self.list.get_mut(self.len) {
            *free = by;
            self.len += 1;
        }
        self.len.saturating_sub(1)
    }

    /// The distances in use.
    #[inline]
    pub fn each(&self) -> &[Move] {
        self.list.get(..self.len).unwrap_or(&self.list)
    }

    /// The distance of a scenario that moves the price.
    #[inline]
    pub fn of_scenario(&self, index: usize) -> Option<&Move> {
        let place = usize::from(*self.place.get(index)?);
        self.list.get(place.checked_sub(1)? / 2)
    }
}
