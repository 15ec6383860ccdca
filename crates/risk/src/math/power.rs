//! Powers with a fractional exponent.

use super::{exp, ln};
use crate::units::Ppm;

const MILLION: i64 = 1_000_000;
/// Exponents count up to this.
const MAX_EXPONENT: u32 = 16_000_000;

/// `(numerator / denominator)^exponent` with 32 fractional bits, floor of a value with a relative
/// error below `(2 + exponent) 2^-32`; saturates. Nondecreasing in the numerator, nonincreasing in
/// the denominator; a zero counts as one, an exponent above 16 as 16.
///
/// ```
/// use keel_risk::{Ppm, math::power};
/// assert_eq!(power(5, 5, Ppm(300_000)), 1 << 32);
/// assert_eq!(power(16, 1, Ppm(500_000)) >> 30, 15); // just below 4, whose logarithm is rounded
/// ```
#[inline]
#[must_use]
pub const fn power(numerator: u64, denominator: u64, exponent: Ppm) -> u64 {
    let exponent = if exponent.0 < MAX_EXPONENT {
        exponent.0
    } else {
        MAX_EXPONENT
    };
    // Below 44.4 with 32 fractional bits: 38 bits, times 24.
    let ratio = (ln(numerator) as i64).wrapping_sub(ln(denominator) as i64) >> 8;
    exp(ratio.wrapping_mul(exponent as i64).div_euclid(MILLION))
}
