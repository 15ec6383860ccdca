//! Jumps wait for a second print (margin-spec 2.5): a wick liquidates nobody, and a crash cannot be
//! held off by posting.

use crate::error::RiskError;
use crate::num::ppm_floor_bounded;
use crate::price::Reading;
use crate::price::published::{PriceState, PriceTerms};
use crate::price::unit::to_price;
use crate::units::{Ppm, Price};

/// A print published this long after the first one beyond the jump confirms it, seconds.
pub const CONFIRMED_AFTER_S: i64 = 2;

/// A jump that waits: of all prints beyond it the one nearest to the stored price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    pub reading: Reading,
    /// When the first of them was published, Unix seconds.
    pub first_seen: i64,
}

/// What an update does to the stored price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Jump {
    /// It is the price, and nothing waits any longer.
    Takes,
    /// The stored price stays; this waits.
    Waits(Pending),
    /// What waited takes effect: the nearest print seen, this one included.
    Confirms(Reading),
}

/// Whether `new` differs from `stored` by more than `max_jump` of the stored one; exact.
pub(crate) fn is_beyond(stored: u64, new: u64, max_jump: Ppm) -> bool {
    // A whole number exceeds a product exactly when it exceeds the product's floor. A mantissa is
    // below 2^48 and the ratio below 2^32: their product over a million is below 2^61.
    new.abs_diff(stored) > ppm_floor_bounded(stored, u64::from(max_jump.0))
}

/// Judges an update of mantissa `new` in the lot's unit.
///
/// Prints beyond the jump on one side share `first_seen`, whoever posts how many of them, so that
/// the first one published [`CONFIRMED_AFTER_S`] later confirms. A print beyond it on the other side
/// starts anew: two prints that disagree about the direction confirm nothing. Errors: those of
/// [`to_price`].
pub(crate) fn judge(
    before: &PriceState,
    reading: &Reading,
    new: u64,
    terms: &PriceTerms,
) -> Result<Jump, RiskError> {
    let stored = before.lot.mantissa();
    if !is_beyond(stored, new, terms.max_jump) {
        return Ok(Jump::Takes);
    }
    let fresh = Pending {
        reading: *reading,
        first_seen: reading.publish_time,
    };
    let Some(pending) = before.pending else {
        return Ok(Jump::Waits(fresh));
    };
    let waiting = mantissa(&pending.reading, terms)?.mantissa();
    if (waiting > stored) != (new > stored) {
        return Ok(Jump::Waits(fresh));
    }

    let nearest = if new.abs_diff(stored) < waiting.abs_diff(stored) {
        *reading
    } else {
        pending.reading
    };
    let waited_s = reading.publish_time.saturating_sub(pending.first_seen);
    Ok(if waited_s >= CONFIRMED_AFTER_S {
        Jump::Confirms(nearest)
    } else {
        Jump::Waits(Pending {
            reading: nearest,
            ..pending
        })
    })
}

/// A print in the lot's unit, floor. Errors: those of [`to_price`] and `PriceNotPositive`.
pub(crate) fn mantissa(reading: &Reading, terms: &PriceTerms) -> Result<Price, RiskError> {
    to_price(reading.positive_price()?, reading.expo, terms.lot)
}
