//! Arithmetic that names its rounding (margin-spec 1.4, 1.5). There is no neutral `mul` or `div`.
//!
//! On SBPF a 64-bit operation costs one unit, a 128-bit product about 40 and a 128-bit division
//! 150 to 500, so products are built of 32-bit halves and ratios are applied by two divisions by
//! the constant 1,000,000.

use crate::units::{Atoms, Frac40, Index48, Lots, Ppm, Price};

const MILLION: u64 = 1_000_000;
const LOW: u64 = 0xffff_ffff;

/// The 128-bit product as (high, low) words, exact.
#[inline]
#[must_use]
pub const fn wide_mul(a: u64, b: u64) -> (u64, u64) {
    if (a | b) >> 32 == 0 {
        return (0, a.wrapping_mul(b));
    }
    // No sum below exceeds 64 bits: (2^32 - 1)^2 + 2 * (2^32 - 1) = 2^64 - 1.
    let (a1, a0, b1, b0) = (a >> 32, a & LOW, b >> 32, b & LOW);
    let low = a0.wrapping_mul(b0);
    let mid = a1.wrapping_mul(b0).wrapping_add(low >> 32);
    let cross = a0.wrapping_mul(b1).wrapping_add(mid & LOW);
    let high = a1
        .wrapping_mul(b1)
        .wrapping_add(mid >> 32)
        .wrapping_add(cross >> 32);
    (high, (cross << 32) | (low & LOW))
}

/// `a * b / 2^shift`, floor, and whether anything was cut off; saturates at `u64::MAX`.
///
/// Short for `a < 2^39` and `b < 2^48`: sizes, and the mantissas of prices.
#[inline(always)]
pub(crate) const fn mul_shift(a: u64, b: u64, shift: u8) -> (u64, bool) {
    const LOW24: u64 = (1 << 24) - 1;
    // Shift amounts are kept in 64 bits and masked, so that neither width nor overflow is checked.
    let shift = if shift > 63 { 63 } else { shift as u64 };
    if (a >> 39) | (b >> 48) != 0 {
        return mul_shift_wide(a, b, shift as u32);
    }
    // a * b = high * 2^24 + low, both products below 2^63, and high + 2^39 below 2^64.
    let low = a.wrapping_mul(b & LOW24);
    let high = a.wrapping_mul(b >> 24).wrapping_add(low >> 24);
    let low = low & LOW24;
    if shift >= 24 {
        let over = shift.wrapping_sub(24) & 63;
        let quotient = high >> over;
        return (quotient, (quotient << over != high) | (low != 0));
    }
    let up = 24u64.wrapping_sub(shift) & 63;
    let whole = high << up;
    if whole >> up != high {
        return (u64::MAX, false);
    }
    let part = low >> (shift & 63);
    (whole | part, part << (shift & 63) != low)
}

/// The general case of [`mul_shift`].
#[inline(never)]
const fn mul_shift_wide(a: u64, b: u64, shift: u32) -> (u64, bool) {
    let (high, low) = wide_mul(a, b);
    if shift == 0 {
        return (if high == 0 { low } else { u64::MAX }, false);
    }
    if high >> shift != 0 {
        return (u64::MAX, false);
    }
    let quotient = (high << (64 - shift)) | (low >> shift);
    (quotient, low << (64 - shift) != 0)
}

/// `shares * index / 2^48`, floor, and whether anything was cut off; saturates at `u64::MAX`. Short
/// for shares below 2^43 and indices below 16.
#[inline]
pub(crate) const fn mul_index(shares: u64, index: Index48) -> (u64, bool) {
    let b = index.0;
    if (shares >> 43) | (b >> 52) != 0 {
        return mul_shift_wide(shares, b, 48);
    }
    // shares * (b >> 32) < 2^63; the other products are below 2^43 and 2^32.
    let low = (shares & LOW).wrapping_mul(b & LOW);
    let mid = shares
        .wrapping_mul(b >> 32)
        .wrapping_add((shares >> 32).wrapping_mul(b & LOW))
        .wrapping_add(low >> 32);
    (mid >> 16, (mid & 0xffff) | (low & LOW) != 0)
}

/// `a * b / 2^shift` of magnitudes, floor, exact; saturates at `u64::MAX`. Shifts above 63 count 63.
#[inline]
#[must_use]
pub const fn umul_shift_floor(a: u64, b: u64, shift: u8) -> u64 {
    mul_shift(a, b, shift).0
}

/// `a * b / 2^shift` of magnitudes, ceil, exact; saturates at `u64::MAX`. Shifts above 63 count 63.
#[inline]
#[must_use]
pub const fn umul_shift_ceil(a: u64, b: u64, shift: u8) -> u64 {
    let (quotient, rest) = mul_shift(a, b, shift);
    quotient.saturating_add(rest as u64)
}

/// `a * b / 2^shift` towards minus infinity, exact; saturates at the ends of `i64`.
#[inline]
#[must_use]
pub const fn mul_shift_floor(a: i64, b: u64, shift: u8) -> i64 {
    if a >= 0 {
        positive(umul_shift_floor(a as u64, b, shift))
    } else {
        negative(umul_shift_ceil(a.unsigned_abs(), b, shift))
    }
}

/// `a * b / 2^shift` towards plus infinity, exact; saturates at the ends of `i64`.
#[inline]
#[must_use]
pub const fn mul_shift_ceil(a: i64, b: u64, shift: u8) -> i64 {
    if a >= 0 {
        positive(umul_shift_ceil(a as u64, b, shift))
    } else {
        negative(umul_shift_floor(a.unsigned_abs(), b, shift))
    }
}

/// `a * share`, ceil; saturates at `u64::MAX`.
#[inline]
#[must_use]
pub const fn frac_ceil(a: u64, share: Frac40) -> u64 {
    const LOW20: u64 = (1 << 20) - 1;
    if (a >> 43) | (share.0 >> 40) != 0 {
        return umul_shift_ceil(a, share.0, 40);
    }
    // a * (share >> 20) < 2^63, a * the low bits < 2^63.
    let low = a.wrapping_mul(share.0 & LOW20).wrapping_add(LOW20) >> 20;
    let high = a.wrapping_mul(share.0 >> 20);
    high.wrapping_add(low).wrapping_add(LOW20) >> 20
}

/// A magnitude as a positive number; saturates.
#[inline]
pub(crate) const fn positive(magnitude: u64) -> i64 {
    if magnitude > i64::MAX as u64 {
        i64::MAX
    } else {
        magnitude as i64
    }
}

/// A magnitude as a negative number; saturates.
#[inline]
pub(crate) const fn negative(magnitude: u64) -> i64 {
    if magnitude > i64::MAX as u64 {
        i64::MIN
    } else {
        -(magnitude as i64)
    }
}

/// What `size` units are worth, floor: credits and equity (1.3, 1.4). Saturates.
#[inline]
#[must_use]
pub const fn value_floor(size: Lots, price: Price) -> Atoms {
    Atoms(mul_shift_floor(size.0, price.mantissa(), price.shift()))
}

/// What `size` units are worth, ceil: what is owed (1.3, 1.4). Saturates.
#[inline]
#[must_use]
pub const fn value_ceil(size: Lots, price: Price) -> Atoms {
    Atoms(mul_shift_ceil(size.0, price.mantissa(), price.shift()))
}

/// `a * b / c`, floor; `None` when `c` is zero or the quotient exceeds 64 bits. Not for hot paths.
#[must_use]
pub const fn mul_div_floor(a: u64, b: u64, c: u64) -> Option<u64> {
    if c == 0 {
        return None;
    }
    let (high, low) = wide_mul(a, b);
    if high == 0 {
        return Some(low / c);
    }
    if high >= c {
        return None;
    }
    let wide = ((high as u128) << 64) | low as u128;
    Some((wide / c as u128) as u64)
}

/// `a * b / c`, ceil; `None` when `c` is zero or the quotient exceeds 64 bits. Not for hot paths.
#[must_use]
pub const fn mul_div_ceil(a: u64, b: u64, c: u64) -> Option<u64> {
    match mul_div_floor(a, b, c) {
        None => None,
        Some(quotient) => {
            // Exact comparison in 64 bits: the true remainder is below c, so its low word decides.
            let exact = quotient.wrapping_mul(c) == a.wrapping_mul(b);
            if exact {
                Some(quotient)
            } else {
                quotient.checked_add(1)
            }
        }
    }
}

/// `a * rate`, floor; saturates at `u64::MAX`.
#[inline]
#[must_use]
pub const fn ppm_floor(a: u64, rate: Ppm) -> u64 {
    let rate = rate.0 as u64;
    let rest = (a % MILLION).wrapping_mul(rate) / MILLION;
    (a / MILLION).saturating_mul(rate).saturating_add(rest)
}

/// `a * rate`, ceil; saturates at `u64::MAX`.
#[inline]
#[must_use]
pub const fn ppm_ceil(a: u64, rate: Ppm) -> u64 {
    let rate = rate.0 as u64;
    let rest = (a % MILLION).wrapping_mul(rate).div_ceil(MILLION);
    (a / MILLION).saturating_mul(rate).saturating_add(rest)
}

/// `a * rate`, floor, for hot paths: the caller proves `a * rate / 1e6 < 2^64`.
#[inline]
pub(crate) const fn ppm_floor_bounded(a: u64, rate: u64) -> u64 {
    let rest = (a % MILLION).wrapping_mul(rate) / MILLION;
    (a / MILLION).wrapping_mul(rate).wrapping_add(rest)
}

/// `a * rate`, ceil, for hot paths: the caller proves `a * rate / 1e6 < 2^64`, `rate < 2^43`.
#[inline]
pub(crate) const fn ppm_ceil_bounded(a: u64, rate: u64) -> u64 {
    let rest = (a % MILLION).wrapping_mul(rate).wrapping_add(MILLION - 1) / MILLION;
    (a / MILLION).wrapping_mul(rate).wrapping_add(rest)
}

/// Amounts below this times a rate of at most 2^24 stay below 2^63.
const SHORT: u64 = 1 << 39;

/// `a * rate`, floor, for rates of at most 2^24 where [`ppm_floor_bounded`] serves too: one division
/// for amounts below 2^39.
#[inline]
pub(crate) const fn rate_floor(a: u64, rate: u64) -> u64 {
    if a < SHORT {
        return a.wrapping_mul(rate) / MILLION;
    }
    ppm_floor_bounded(a, rate)
}

/// The same, ceil.
#[inline]
pub(crate) const fn rate_ceil(a: u64, rate: u64) -> u64 {
    if a < SHORT {
        return a.wrapping_mul(rate).wrapping_add(MILLION - 1) / MILLION;
    }
    ppm_ceil_bounded(a, rate)
}

/// `a * rate` of a signed amount towards minus infinity; saturates at the ends of `i64`.
#[inline]
#[must_use]
pub const fn signed_ppm_floor(a: i64, rate: Ppm) -> i64 {
    if a >= 0 {
        positive(ppm_floor(a as u64, rate))
    } else {
        negative(ppm_ceil(a.unsigned_abs(), rate))
    }
}

/// The square root, floor.
#[must_use]
pub const fn isqrt_floor(n: u128) -> u64 {
    if n == 0 {
        return 0;
    }
    // Normalise so that one of the two top bits is set; the shift is even.
    let shift = n.leading_zeros() & !1;
    let wide = n << shift;
    let (high, low) = ((wide >> 64) as u64, wide as u64);

    // Root of the high word, 2^31 <= root < 2^32, and its remainder <= 2 * root < 2^33.
    let root = isqrt_high(high);
    let rest = high.wrapping_sub(root.wrapping_mul(root));

    // Zimmermann's Karatsuba square root: the next 32 bits by one 64-bit division. The numerator
    // is below 2^64 because rest <= 2^33 - 2. The estimate is never short and at most one over.
    let next = ((rest << 31) | (low >> 33)) / root;
    let next = if next > LOW { LOW } else { next };
    let mut estimate = (root << 32) | next;
    let (square_high, square_low) = wide_mul(estimate, estimate);
    if square_high > high || (square_high == high && square_low > low) {
        estimate = estimate.wrapping_sub(1);
    }
    estimate >> (shift / 2)
}

/// The square root, ceil.
#[must_use]
pub const fn isqrt_ceil(n: u128) -> u64 {
    let root = isqrt_floor(n);
    let (high, low) = wide_mul(root, root);
    let exact = high == (n >> 64) as u64 && low == n as u64;
    // The greatest n has floor root 2^64 - 1 and ceil 2^64: it saturates.
    root.saturating_add(!exact as u64)
}

/// Floor root of a word with one of its two top bits set, by Newton from above.
const fn isqrt_high(n: u64) -> u64 {
    // The tangent of the root at 9/4 * 2^62 lies above it everywhere.
    let mut root = (3 << 29) + (n >> 31) / 3 + 1;
    loop {
        let next = root.wrapping_add(n / root) >> 1;
        if next >= root {
            return root;
        }
        root = next;
    }
}

/// The square root, floor, of a word with one of its two top bits set: 32 bits.
#[inline]
pub(crate) const fn isqrt_normal(n: u64) -> u64 {
    isqrt_high(n)
}
