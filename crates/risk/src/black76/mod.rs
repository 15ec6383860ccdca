//! European options on a forward (margin-spec 6.1, 6.2): Black, "The pricing of commodity
//! contracts", Journal of Financial Economics 3, 1976, undiscounted.
//!
//! The out-of-the-money side is computed (`surface`), the other follows by parity, exactly. Both
//! sides of one strike share it: a put on (F, K) is a call on (K, F).

mod greeks;
mod surface;

pub use greeks::{Valued, greeks, lot_greeks};
pub(crate) use surface::{Deviation, RootTime};

use surface::Place;

use crate::units::Ppm;

/// Which way an option pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionSide {
    Call,
    Put,
}

/// One unit of an option. Forward and strike are in one and the same unit, any, and below 2^48.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contract {
    pub side: OptionSide,
    pub forward: u64,
    pub strike: u64,
    /// Volatility per square root of a year of 31,536,000 s (1.2). Its leading 24 bits count.
    pub sigma: Ppm,
    pub time_s: u32,
}

/// The undiscounted value, in the unit of forward and strike, floor.
///
/// - Error below `1e-9 * max(F, K)` and one unit, for F/K in [1/20, 20], sigma sqrt T in [1e-4, 5]
///   and sigma below 1,677%; `1e-7 * max(F, K)` above it, where sigma is cut to 24 bits.
/// - Call less put is F - K exactly; a call lies in [max(F - K, 0), F], a put in [max(K - F, 0), K].
/// - Nondecreasing in sigma; calls nondecreasing in F and nonincreasing in K, puts the reverse, by
///   at most one unit for a unit.
/// - Total: without time or volatility it is the intrinsic value, so it is where forward or strike
///   is zero or above 2^54. A sigma sqrt T above 5 counts as 5.
///
/// ```
/// use keel_risk::black76::{Contract, OptionSide, value};
/// use keel_risk::Ppm;
/// // At the money, 20% for a year: 7.965567% of the forward.
/// let contract = Contract {
///     side: OptionSide::Call,
///     forward: 1_000_000_000,
///     strike: 1_000_000_000,
///     sigma: Ppm(200_000),
///     time_s: 31_536_000,
/// };
/// assert_eq!(value(&contract), 79_655_674);
/// ```
#[must_use]
pub fn value(contract: &Contract) -> u64 {
    let deviation = Deviation::new(contract.sigma, RootTime::new(contract.time_s));
    Moneyness::new(contract, contract.forward, &deviation).value(&deviation)
}

/// A contract at some forward: all of its value that does not depend on volatility.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moneyness {
    intrinsic: u64,
    place: Place,
}

impl Moneyness {
    /// `deviation` chooses the grid; the contract's own forward is not read.
    #[inline]
    pub(crate) fn new(contract: &Contract, forward: u64, deviation: &Deviation) -> Self {
        let strike = contract.strike;
        let is_call = contract.side == OptionSide::Call;
        let (low, high, pays) = if forward < strike {
            (forward, strike, !is_call)
        } else {
            (strike, forward, is_call)
        };
        Self {
            intrinsic: if pays { high.wrapping_sub(low) } else { 0 },
            place: Place::new(low, high, deviation),
        }
    }

    /// Whether [`Self::value`] may be asked with this deviation.
    #[inline]
    pub(crate) fn suits(&self, deviation: &Deviation) -> bool {
        self.place.suits(deviation)
    }

    #[inline]
    pub(crate) fn value(&self, deviation: &Deviation) -> u64 {
        // The other part is at most `low`, so the sum is at most `high`.
        self.intrinsic.wrapping_add(self.place.value(deviation))
    }
}
