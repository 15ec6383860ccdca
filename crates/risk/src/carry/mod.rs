//! What accrues with time: interest, funding, and the carry that is part of a position's price
//! (margin-spec 7.1 to 7.3).

use crate::num::{negative, positive, umul_shift_floor, wide_mul};
use crate::units::{Atoms, Carry48, Lots};

/// What `size` lots have accrued at carry F, `size * F`, floor (7.2). Saturates at the ends of `i64`.
///
/// A position is worth `size * (mark - F) + quote`: equity subtracts [`carry_value_ceil`].
#[inline]
#[must_use]
pub const fn carry_value_floor(size: Lots, carry: Carry48) -> Atoms {
    let (magnitude, rest) = product(size, carry);
    Atoms(if (size.0 < 0) == (carry.0 < 0) {
        positive(magnitude)
    } else {
        negative(magnitude.saturating_add(rest as u64))
    })
}

/// `size * F`, ceil: what judging takes from a position's worth (1.4, 7.2). Saturates at the ends of
/// `i64`.
#[inline]
#[must_use]
pub const fn carry_value_ceil(size: Lots, carry: Carry48) -> Atoms {
    let (magnitude, rest) = product(size, carry);
    Atoms(if (size.0 < 0) == (carry.0 < 0) {
        positive(magnitude.saturating_add(rest as u64))
    } else {
        negative(magnitude)
    })
}

/// `|size| * |F| / 2^48`, floor, and whether anything was cut off; saturates at `u64::MAX`. Short for
/// sizes below 2^31 and carries below 2^15 atoms per lot.
#[inline]
const fn product(size: Lots, carry: Carry48) -> (u64, bool) {
    const LOW32: u64 = (1 << 32) - 1;
    let lots = size.0.unsigned_abs();
    let magnitude = carry.0.unsigned_abs();
    let (high, low) = ((magnitude >> 64) as u64, magnitude as u64);
    if high != 0 || (lots >> 31) | (low >> 63) != 0 {
        return product_wide(lots, high, low);
    }
    // Both products are below 2^63, the first below 2^62.
    let part = lots.wrapping_mul(low & LOW32);
    let sum = lots.wrapping_mul(low >> 32).wrapping_add(part >> 32);
    (sum >> 16, (sum & 0xffff) | (part & LOW32) != 0)
}

/// The general case of [`product`], by words: the high one adds `|size| * high * 2^16` whole atoms, and
/// only the low one has a fraction. No 128-bit product is called.
#[inline(never)]
const fn product_wide(lots: u64, high: u64, low: u64) -> (u64, bool) {
    let fraction = umul_shift_floor(lots, low, 48);
    // The fraction is what the low 48 bits of the product hold; they do not depend on its height.
    let rest = lots.wrapping_mul(low) << 16 != 0;
    if high == 0 {
        return (fraction, rest);
    }
    let (over, whole) = wide_mul(lots, high);
    if over != 0 || whole >> 48 != 0 {
        return (u64::MAX, rest);
    }
    (fraction.saturating_add(whole << 16), rest)
}
