//! The standard normal distribution, by Mills' ratio `R(v) = (1 - N(v)) / density(v)`.
//!
//! `R` is smooth, falling and convex, so that a table of it serves the tail as well as the middle,
//! and differences of it are what an option is worth (see `black76`).

use super::exp::{Falling, exp_falling};
use super::{square, tables};

const ONE_32: u64 = 1 << 32;
const LOW_28: u64 = (1 << 28) - 1;
/// Beyond this, with 28 fractional bits, the tail is below 2^-33.
const TAIL_END: u64 = 7 << 28;

/// Mills' ratio of `v` with 32 fractional bits, `-2.5 <= v < 9`; 40 fractional bits. Error below
/// 1.5 * 2^-32. Beyond its ends it is that of the nearest cell.
#[inline]
pub(crate) const fn mills(v: i64) -> u64 {
    let place = v.wrapping_add(5 << 31);
    let place = if place < 0 { 0 } else { place as u64 };
    let cell = place >> 28;
    let cell = if cell < tables::MILLS.len() as u64 {
        cell as usize
    } else {
        tables::MILLS.len() - 1
    };
    let [c0, c1, c2, c3, c4, c5] = tables::MILLS[cell];
    // e has 28 bits; c1 < 9 is the greatest factor, so each product is below 2^(28 + 36).
    let e = place & LOW_28;
    let p = c4.wrapping_sub(e.wrapping_mul(c5) >> 28);
    let p = c3.wrapping_sub(e.wrapping_mul(p) >> 28);
    let p = c2.wrapping_sub(e.wrapping_mul(p) >> 28);
    let p = c1.wrapping_sub(e.wrapping_mul(p) >> 28);
    c0.wrapping_sub(e.wrapping_mul(p) >> 20)
}

/// The density at `v < 16` with 32 fractional bits. Relative error below 2^-33.
#[inline]
pub(crate) const fn density_scaled(v: u64) -> Falling {
    exp_falling((square(v) >> 15).wrapping_add(tables::LN_SQRT_TAU))
}

/// The standard normal density, argument with 28 fractional bits, result with 32, floor of a value
/// with a relative error below 2^-33; within 1.1 * 2^-32. Nonincreasing in `|x|`; zero beyond 7.
#[inline]
#[must_use]
pub const fn density(x: i64) -> u64 {
    let magnitude = x.unsigned_abs();
    if magnitude >= TAIL_END {
        return 0;
    }
    let Falling { mantissa, shift } = density_scaled(magnitude << 4);
    (mantissa >> 8) >> shift
}

/// The standard normal distribution function, argument with 28 fractional bits, result with 32:
/// between 0 and 2^32, `cdf(x) + cdf(-x) = 2^32` for `x > 0`. Error below 2.5 * 2^-32;
/// nondecreasing. The
/// tail below zero is rounded down, and is zero beyond -7.
///
/// ```
/// assert_eq!(keel_risk::math::cdf(0), 1 << 31);
/// assert_eq!(keel_risk::math::cdf(-1 << 28), 681_419_126);
/// ```
#[inline]
#[must_use]
pub const fn cdf(x: i64) -> u64 {
    if x == 0 {
        return ONE_32 / 2;
    }
    let below = tail(x.unsigned_abs());
    if x > 0 { ONE_32 - below } else { below }
}

/// `1 - N(v)` for `v > 0` with 28 fractional bits; 32 fractional bits, floor.
#[inline]
const fn tail(v: u64) -> u64 {
    if v >= TAIL_END {
        return 0;
    }
    let v = v << 4;
    let Falling { mantissa, shift } = density_scaled(v);
    // 32 bits against 33, below 1/2 together: 40 - 8 and 40 - 8 fractional bits.
    let product = (mantissa >> 8).wrapping_mul(mills(v as i64) >> 8);
    (product >> 32) >> shift
}
