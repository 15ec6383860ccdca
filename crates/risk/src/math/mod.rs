//! Logarithm, exponential, normal distribution and powers in integers (margin-spec 5.8, 6.1).
//!
//! Each function reads a table by the leading bits of its argument and adds a short polynomial of
//! the rest (the method of Tang, "Table-driven implementation of the exponential function", ACM
//! TOMS 15, 1989). Arguments are kept to 32 bits where they are multiplied, so that a product is one
//! 64-bit instruction; no 128-bit arithmetic is used.
//!
//! | function | argument | result | error below |
//! |---|---|---|---|
//! | [`ln`] | integer | 40 fractional bits | 2^-39 |
//! | [`exp`] | 32 fractional bits | 32 | 2^-32 + 2^-36 of the result |
//! | [`density`], [`cdf`] | 28 | 32 | 1.1 * 2^-32, 2.5 * 2^-32 |
//! | [`power`] | ratio of integers | 32 | 2^-32 + (2 + exponent) 2^-32 of the result |
//!
//! All are monotone where the true function is. The tables come from `make_tables.py`, which works
//! in decimals of 60 digits; the tests compare with series in big integers.

mod exp;
mod ln;
mod normal;
mod power;
mod tables;

pub use exp::exp;
pub(crate) use exp::exp_falling;
pub use ln::ln;
pub(crate) use ln::ln_normal;
pub use normal::{cdf, density};
pub(crate) use normal::{density_scaled, mills};
pub use power::power;
pub(crate) use tables::{LN_SQRT_TAU, PER_ROOT_YEAR, PPM_PER_ROOT_YEAR};

/// The square of a number below 16 with 32 fractional bits: 48 fractional bits, at most 1.1 of the
/// last short.
#[inline]
pub(crate) const fn square(x: u64) -> u64 {
    // Halves of 20 and 16 bits; the square of the lower, below 2^-32, is left out.
    let (high, low) = (x >> 16, x & 0xffff);
    (high.wrapping_mul(high) << 16).wrapping_add(high.wrapping_mul(low) << 1)
}
