//! The natural logarithm.

use super::tables;

/// Cells of the table over one octave.
const CELLS: u64 = 128;
const FRACTION: u32 = 40;

/// The natural logarithm of an integer, 40 fractional bits, floor of a value that is less than
/// `2^-39` below the true one and less than `2^-42` above it. Of 0 it is 0, like that of 1; exact
/// at 1, nondecreasing everywhere. A ratio's logarithm is a difference of two.
///
/// With `x = 2^n m` and `c` near `1 / m` from the table, `ln x = n ln 2 - ln c + ln(1 + (m c - 1))`.
///
/// ```
/// assert_eq!(keel_risk::math::ln(1), 0);
/// assert_eq!(keel_risk::math::ln(10), 2_531_719_083_690);
/// ```
#[inline]
#[must_use]
pub const fn ln(x: u64) -> u64 {
    if x == 0 {
        return 0;
    }
    let octave = 63 - x.leading_zeros();
    // 41 bits, the first of them set; what is beyond them is cut off.
    let mantissa = if octave <= FRACTION {
        x << (FRACTION - octave)
    } else {
        x >> (octave - FRACTION)
    };
    ln_normal(mantissa, octave)
}

/// `ln(mantissa * 2^(octave - 40))` with 40 fractional bits, for `2^40 <= mantissa < 2^41`.
#[inline]
pub(crate) const fn ln_normal(mantissa: u64, octave: u32) -> u64 {
    let cell = (mantissa >> 33) & (CELLS - 1);
    // c with 12 fractional bits, rounded up: 1 <= m c < 1 + 2^-7 + 2^-11, so `rest` is below 2^46.
    let reciprocal = ((1 << 19) + CELLS - 1 + cell) / (CELLS + cell);
    let rest = mantissa.wrapping_mul(reciprocal).wrapping_sub(1 << 52);

    let sum = (octave as u64)
        .wrapping_mul(tables::LN_2)
        .wrapping_add(tables::LN[cell as usize])
        .wrapping_add(rest >> 2)
        .wrapping_sub(curvature(rest));
    sum >> 10
}

/// `r - ln(1 + r)` with 50 fractional bits, for `r < 2^-6.8` with 52.
#[inline]
const fn curvature(rest: u64) -> u64 {
    // 38 fractional bits: 31 and some bits wide, so the square fits.
    let near = rest >> 14;
    let square = near.wrapping_mul(near) >> 30;
    // 1/2 - r/3 + r^2/4 - r^3/5 + r^4/6 with 32 fractional bits; r has 32, and 26 are in use.
    let r = rest >> 20;
    let p = HARMONIC[3].wrapping_sub(r.wrapping_mul(HARMONIC[4]) >> 32);
    let p = HARMONIC[2].wrapping_sub(r.wrapping_mul(p) >> 32);
    let p = HARMONIC[1].wrapping_sub(r.wrapping_mul(p) >> 32);
    let p = HARMONIC[0].wrapping_sub(r.wrapping_mul(p) >> 32);
    square.wrapping_mul(p) >> 28
}

/// 1/2 to 1/6 with 32 fractional bits.
const HARMONIC: [u64; 5] = [
    (1 << 32) / 2,
    (1 << 32) / 3,
    (1 << 32) / 4,
    (1 << 32) / 5,
    (1 << 32) / 6,
];
