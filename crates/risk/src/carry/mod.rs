//! What accrues with time: interest, funding, and the carry that is part of a position's price
//! (margin-spec 7.1 to 7.3).

mod funding;
mod interest;
mod keep;

pub use funding::*;
pub use interest::*;
pub use keep::*;

use crate::book::{InstrumentTerms, PositionLeg};
use crate::num::{negative, positive, umul_shift_floor, value_floor, wide_mul};
use crate::units::{Atoms, Carry48, Dust48, Lots, Price};

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

/// F of both sides of a market (7.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carries {
    pub long: Carry48,
    pub short: Carry48,
}

impl Carries {
    /// A market in which nothing has accrued.
    pub const NONE: Self = Self {
        long: Carry48(0),
        short: Carry48(0),
    };

    /// Of an instrument as published.
    #[must_use]
    pub const fn of(terms: &InstrumentTerms) -> Self {
        Self {
            long: terms.carry_long,
            short: terms.carry_short,
        }
    }

    /// F of the side that a size is on; nothing's is the long side's.
    #[must_use]
    pub const fn side(&self, size: Lots) -> Carry48 {
        if size.0 < 0 { self.short } else { self.long }
    }

    /// `long * F_long + short * F_short` in whole atoms, floor, and what the floor cut off, below one
    /// atom. Saturates.
    #[must_use]
    pub(crate) const fn value(&self, long: i64, short: i64) -> (i64, Dust48) {
        const PART: u64 = (1 << 48) - 1;
        if self.long.0 == 0 && self.short.0 == 0 {
            return (0, Dust48(0));
        }
        let whole = carry_value_floor(Lots(long), self.long)
            .0
            .saturating_add(carry_value_floor(Lots(short), self.short).0);
        // The low bits of a two's complement product are its part above the floor.
        let long = (long as u64).wrapping_mul(self.long.0 as u64) & PART;
        let short = (short as u64).wrapping_mul(self.short.0 as u64) & PART;
        let parts = long + short;
        (
            whole.saturating_add((parts >> 48) as i64),
            Dust48(parts & PART),
        )
    }
}

/// What a position is worth: `size * (mark - F) + quote`, floor (7.2); saturates.
#[must_use]
pub fn position_worth(leg: &PositionLeg, mark: Price, carries: Carries) -> Atoms {
    let carried = carry_value_ceil(leg.size, carries.side(leg.size));
    let value = value_floor(leg.size, mark).0.saturating_sub(carried.0);
    Atoms(value.saturating_add(leg.quote.0))
}
