//! The life of an option series and of its expiry (margin-spec 5.8, 6.3, 6.4).
//!
//! - [`series`]: what is published of a series, and its mark, delta and surcharge now.
//! - [`slice`]: the volatility of an expiry, how it may move, and what the pool may hold.
//! - [`settlement`]: the average that an expiry settles at.
//! - [`listing`]: which series may be listed.
//!
//! Forwards, strikes, marks and settlements of one asset are mantissas of its lot's shift (1.3),
//! below 2^48. Values are `Copy`; nothing here reads a clock or an account.

pub mod listing;
pub mod series;
pub mod settlement;
pub mod slice;

pub use listing::*;
pub use series::*;
pub use settlement::*;
pub use slice::*;

use crate::book::InstrumentKind;

/// What a lot is worth at its expiry (6.1, 6.4), and what it is never worth less than before: a
/// mantissa, exact. `max(forward - strike, 0)` of a call, `max(strike - forward, 0)` of a put, the
/// forward itself of a future.
#[must_use]
pub const fn intrinsic(kind: InstrumentKind, strike: u64, forward: u64) -> u64 {
    match kind {
        InstrumentKind::Perp | InstrumentKind::Future => forward,
        InstrumentKind::Call => forward.saturating_sub(strike),
        InstrumentKind::Put => strike.saturating_sub(forward),
    }
}
