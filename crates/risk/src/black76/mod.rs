//! European options on a forward (margin-spec 6.1, 6.2): Black, "The pricing of commodity
//! contracts", Journal of Financial Economics 3, 1976, undiscounted.
//!
//! The out-of-the-money side is computed ([`surface`]), the other follows by parity, exactly. Both
//! sides of one strike share it: a put on (F, K) is a call on (K, F).

mod greeks;
mod surface;

pub use greeks::{Valued, greeks, lot_greeks};
pub(crate) use surface::{Deviation, RootTime, otm_value};

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
/// - Error below `3e-9 * max(F, K)` and one unit, for F/K in [1/20, 20], sigma sqrt T in [1e-4, 5]
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
    value_at(contract, contract.forward, &deviation)
}

/// The value of a contract at another forward, its sigma sqrt T given.
#[inline]
pub(crate) fn value_at(contract: &Contract, forward: u64, deviation: &Deviation) -> u64 {
    let strike = contract.strike;
    let (low, high) = if forward < strike {
        (forward, strike)
    } else {
        (strike, forward)
    };
    let out_of_the_money = match contract.side {
        OptionSide::Call => forward <= strike,
        OptionSide::Put => forward >= strike,
    };
    let intrinsic = if out_of_the_money { 0 } else { high - low };
    // The other part is at most `low`, so the sum is at most `high`.
    intrinsic.wrapping_add(otm_value(low, high, deviation))
}
