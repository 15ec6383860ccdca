//! The exponential.

use super::tables;

const ONE_30: u64 = 1 << 30;
/// From here on `exp_falling` is below 2^-63.
const FALLEN: u64 = 44 << 34;

/// `mantissa / 2^(40 + shift)`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Falling {
    /// At most 2^40 and, unless it is zero, above 2^38.8.
    pub mantissa: u64,
    /// At most 63.
    pub shift: u32,
}

/// `e^-x` for `x` with 34 fractional bits; from 44 on it is zero. Relative error below 2^-36.5,
/// hence nonincreasing: a step of `x` changes it by 2^-34.
#[inline]
pub(crate) const fn exp_falling(x: u64) -> Falling {
    if x >= FALLEN {
        return Falling {
            mantissa: 0,
            shift: 0,
        };
    }
    // At most the whole part of x / ln 2, and at least that of (x - 2^-10) / ln 2 - 2^-13.
    let halvings = (x >> 24).wrapping_mul(tables::LOG2_E) >> 40;
    let rest = (x << 6).wrapping_sub(halvings.wrapping_mul(tables::LN_2) >> 10);
    Falling {
        mantissa: fraction(rest),
        shift: halvings as u32,
    }
}

/// `e^-r` with 40 fractional bits for `r < 47/64` with 40; error below 2^-37.2.
#[inline]
const fn fraction(rest: u64) -> u64 {
    let cell = rest >> 34;
    let base = if cell < tables::EXP.len() as u64 {
        tables::EXP[cell as usize]
    } else {
        0
    };
    // f < 2^-6. 1 - e^-f = f - f^2/2 (1 - f/3 (1 - f/4 (1 - f/5))), each factor with 30 bits.
    let f = rest & ((1 << 34) - 1);
    let f34 = f >> 6;
    let p = ONE_30.wrapping_sub(f34.wrapping_mul(ONE_30 / 5) >> 34);
    let p = ONE_30.wrapping_sub((f34.wrapping_mul(p) >> 34) / 4);
    let p = ONE_30.wrapping_sub((f34.wrapping_mul(p) >> 34) / 3);
    // The square has 68 fractional bits, 56 in use; 45 are kept, 33 in use, against 30 of p.
    let square = f34.wrapping_mul(f34) >> 23;
    let drop = f.wrapping_sub(square.wrapping_mul(p) >> 36);
    // 32 bits against 32: base with 32 fractional bits, drop with 38.
    base.wrapping_sub((base >> 8).wrapping_mul(drop >> 2) >> 30)
}

/// `e^x`, argument and result with 32 fractional bits, floor of a value with a relative error below
/// 2^-36; nondecreasing. Saturates at `u64::MAX` from 31 ln 2 = 21.487 on, and is 0 below -22.2.
///
/// ```
/// assert_eq!(keel_risk::math::exp(0), 1 << 32);
/// assert_eq!(keel_risk::math::exp(1 << 32), 11_674_931_554);
/// ```
#[inline]
#[must_use]
pub const fn exp(x: i64) -> u64 {
    if x <= 0 {
        let magnitude = x.unsigned_abs();
        if magnitude >= 44 << 32 {
            return 0;
        }
        let falling = exp_falling(magnitude << 2);
        return (falling.mantissa >> 8) >> falling.shift;
    }
    let x = x as u64;
    if x >= 23 << 32 {
        return u64::MAX;
    }
    // One doubling more than x holds, and the fall from there: at most 46/64.
    let doublings = ((x >> 22).wrapping_mul(tables::LOG2_E) >> 40).wrapping_add(1);
    let rest = (doublings.wrapping_mul(tables::LN_2) >> 10).wrapping_sub(x << 8);
    if rest >> 63 != 0 {
        // The estimate of the doublings was one short: x is just above a multiple of ln 2.
        let rest = rest.wrapping_add(tables::LN_2 >> 10);
        return rising(fraction(rest), doublings.wrapping_add(1));
    }
    rising(fraction(rest), doublings)
}

/// `mantissa` with 40 fractional bits, doubled; 32 fractional bits, saturating.
#[inline]
const fn rising(mantissa: u64, doublings: u64) -> u64 {
    if doublings < 8 {
        mantissa >> (8 - doublings)
    } else if doublings <= 31 {
        mantissa << (doublings - 8)
    } else {
        u64::MAX
    }
}
