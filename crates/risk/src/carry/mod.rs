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

/// `|size| * |F| / 2^48`, floor, and whether anything was cut off; saturates at `u64::MAX`.
///
/// F's magnitude is split in words, `high * 2^64 + low`: the high word adds `|size| * high * 2^16`
/// whole atoms, and only the low one has a fraction. No 128-bit product is called.
#[inline]
const fn product(size: Lots, carry: Carry48) -> (u64, bool) {
    if size.0 == 0 || carry.0 == 0 {
        return (0, false);
    }
    let lots = size.0.unsigned_abs();
    let magnitude = carry.0.unsigned_abs();
    let (high, low) = ((magnitude >> 64) as u64, magnitude as u64);
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
