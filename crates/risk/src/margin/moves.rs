//! The scenario set as the engine walks it (margin-spec 5.1).

use crate::book::{Extremes, Scenario};
use crate::limits::MAX_SCENARIOS;
use crate::margin::row::ONE;

/// How a run of scenarios moves the price.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Move {
    /// `|k|` is `k / den` ranges; the divisor is at least 1.
    pub k: u64,
    pub den: u64,
    /// Share of the result that counts, at most 1, ppm.
    pub weight: u64,
    pub down: bool,
    /// One past the last scenario of the run.
    pub end: usize,
}

impl Move {
    #[inline]
    fn of(scenario: Scenario, end: usize) -> Self {
        Self {
            k: u64::from(scenario.k_num.unsigned_abs()),
            den: u64::from(scenario.k_den.max(1)),
            weight: u64::from(scenario.w.0).min(ONE),
            down: scenario.k_num < 0,
            end,
        }
    }

    /// One whole range, counted whole.
    #[inline]
    pub fn is_unit(&self) -> bool {
        self.k == 1 && self.den == 1 && self.weight == ONE
    }

    /// Whether the shock stops at -1.
    #[inline]
    pub fn is_clipped(&self, range: u64) -> bool {
        self.down && self.k.wrapping_mul(range) > ONE.wrapping_mul(self.den)
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
            up: Move::of(extremes.up.scenario, 1),
            down: Move::of(extremes.down.scenario, 2),
            up_number: i64::from(extremes.up.number),
            down_number: i64::from(extremes.down.number),
            reach: u64::from(extremes.down.reach),
        }
    }
}

/// The whole set, equal neighbours together: a pair of scenarios that differs only in volatility is
/// one move of the linear legs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moves {
    pub list: [Move; MAX_SCENARIOS],
    pub len: usize,
    /// Scenarios.
    pub scenarios: usize,
}

impl Moves {
    pub fn of(scenarios: &[Scenario]) -> Self {
        let mut moves = Self {
            list: [Move::default(); MAX_SCENARIOS],
            len: 0,
            scenarios: scenarios.len().min(MAX_SCENARIOS),
        };
        let mut before: Option<Scenario> = None;
        for (index, scenario) in scenarios.iter().take(MAX_SCENARIOS).enumerate() {
            let same = before.is_some_and(|before| {
                before.k_num == scenario.k_num
                    && before.k_den == scenario.k_den
                    && before.w == scenario.w
            });
            before = Some(*scenario);
            moves.len += usize::from(!same);
            if let Some(last) = moves.list.get_mut(moves.len - 1) {
                *last = Move::of(*scenario, index + 1);
            }
        }
        moves
    }

    /// The moves in use.
    #[inline]
    pub fn each(&self) -> &[Move] {
        self.list.get(..self.len).unwrap_or(&self.list)
    }
}
