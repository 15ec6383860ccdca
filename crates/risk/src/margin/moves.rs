//! The scenario set as the engine walks it (margin-spec 5.1).

use crate::book::{Extremes, SPAN_16, Scenario};
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
    const fn of(scenario: Scenario) -> Self {
        let (den, weight) = (scenario.k_den as u64, scenario.w.0 as u64);
        Self {
            k: scenario.k_num.unsigned_abs() as u64,
            den: if den == 0 { 1 } else { den },
            weight: if weight > ONE { ONE } else { weight },
        }
    }

    /// One whole range, counted whole.
    #[inline]
    fn is_unit(&self) -> bool {
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
    /// Whether both are one whole range, counted whole.
    pub are_units: bool,
}

impl Peaks {
    #[inline]
    pub fn of(extremes: &Extremes) -> Self {
        let (up, down) = (
            Move::of(extremes.up.scenario),
            Move::of(extremes.down.scenario),
        );
        Self {
            up,
            down,
            are_units: up.is_unit() && down.is_unit(),
            up_number: i64::from(extremes.up.number),
            down_number: i64::from(extremes.down.number),
            reach: u64::from(extremes.down.reach),
        }
    }
}

/// Places of the linear losses of one row: none, then up and down for each distance; a power of two
/// of at least `2 * 24 + 1`.
pub(crate) const PLACES: usize = 64;

const NOWHERE: Move = Move {
    k: 0,
    den: 1,
    weight: 0,
};

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

/// The standard set, made when the crate is compiled.
static STANDARD: Moves = Moves::of(&SPAN_16);

impl Moves {
    /// Those of the standard set.
    #[inline]
    pub fn standard() -> &'static Self {
        &STANDARD
    }

    /// The moves of a set: made here, unless it is the standard one.
    #[inline]
    pub fn chosen<'m>(scenarios: &[Scenario], made: &'m mut Option<Self>) -> &'m Self {
        if scenarios == SPAN_16 {
            return &STANDARD;
        }
        made.insert(Self::of(scenarios))
    }

    pub const fn of(scenarios: &[Scenario]) -> Self {
        let scenarios_len = if scenarios.len() < MAX_SCENARIOS {
            scenarios.len()
        } else {
            MAX_SCENARIOS
        };
        let mut moves = Self {
            list: [NOWHERE; MAX_SCENARIOS],
            len: 0,
            place: [0; MAX_SCENARIOS],
            falls: 0,
            scenarios: scenarios_len,
        };
        let mut index = 0;
        while index < scenarios_len {
            let scenario = scenarios[index];
            if scenario.k_num != 0 {
                let distance = moves.distance(Move::of(scenario));
                let falls = (scenario.k_num < 0) as usize;
                moves.falls |= (falls as u32) << index;
                moves.place[index] = (1 + 2 * distance + falls) as u8;
            }
            index += 1;
        }
        moves
    }

    /// The number of a distance; the latest ones are looked at first.
    const fn distance(&mut self, by: Move) -> usize {
        let mut number = self.len;
        while number > 0 {
            number -= 1;
            let known = self.list[number];
            if known.k == by.k && known.den == by.den && known.weight == by.weight {
                return number;
            }
        }
        self.list[self.len] = by;
        self.len += 1;
        self.len - 1
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
