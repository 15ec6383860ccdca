//! Two sources of one asset's price (margin-spec 2.2).

use crate::num::ppm_floor;
use crate::price::Reading;
use crate::price::unit::power_of_ten;
use crate::units::Ppm;

/// Prints at most this far apart are compared, seconds.
pub const COMPARED_WITHIN_S: u64 = 3;

/// The print that rules, the one that it is compared with, and whether they disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    pub reading: Reading,
    /// The other source's print, when both were published within 3 s of each other.
    pub other: Option<Reading>,
    pub diverged: bool,
    /// Which source rules: 0 for the primary, 1 for the secondary.
    pub source: u8,
}

/// The later published of two prints rules, the primary on a tie, so that the second takes over as
/// soon as the first lags. They diverge when published within 3 s of each other and apart by more
/// than `max_divergence` of the lower. `None` when there is neither.
#[must_use]
pub fn choose(
    primary: Option<Reading>,
    secondary: Option<Reading>,
    max_divergence: Ppm,
) -> Option<Chosen> {
    let alone = |reading, source| Chosen {
        reading,
        other: None,
        diverged: false,
        source,
    };
    let (first, second) = match (primary, secondary) {
        (Some(first), Some(second)) => (first, second),
        (Some(first), None) => return Some(alone(first, 0)),
        (None, Some(second)) => return Some(alone(second, 1)),
        (None, None) => return None,
    };

    let apart_s = first.publish_time.abs_diff(second.publish_time);
    let (reading, other, source) = if second.publish_time > first.publish_time {
        (second, first, 1)
    } else {
        (first, second, 0)
    };
    if apart_s > COMPARED_WITHIN_S {
        return Some(alone(reading, source));
    }
    Some(Chosen {
        reading,
        other: Some(other),
        diverged: differ(&first, &second, max_divergence),
        source,
    })
}

/// Whether the higher price exceeds the lower by more than `limit` of the lower; exact.
fn differ(first: &Reading, second: &Reading, limit: Ppm) -> bool {
    if first.expo == second.expo {
        let (Ok(first), Ok(second)) = (first.positive_price(), second.positive_price()) else {
            return true;
        };
        let low = first.min(second);
        return first.abs_diff(second) > ppm_floor(low, limit);
    }

    let least = first.expo.min(second.expo);
    let (Some(first), Some(second)) = (scaled(first, least), scaled(second, least)) else {
        return true;
    };
    let (low, high) = (first.min(second), first.max(second));
    // Prices are below 2^63 and exponents at most 12 apart: below 2^103; times 2^32 below 2^135,
    // so the products are checked and an overflow of the difference counts as a difference.
    let apart = (high - low).checked_mul(1_000_000);
    let allowed = low.checked_mul(u128::from(limit.0));
    match (apart, allowed) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(apart), Some(allowed)) => apart > allowed,
    }
}

/// The price as an integer of `10^expo`.
fn scaled(reading: &Reading, expo: i32) -> Option<u128> {
    let price = u64::try_from(reading.price).ok()?;
    let power = power_of_ten(reading.expo.abs_diff(expo))?;
    u128::from(price).checked_mul(power)
}
