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
    if carry.0 == 0 {
        return Atoms(0);
    }
    match product(size, carry) {
        Some((floor, _)) => Atoms(floor),
        None => Atoms(wide_value(size, carry, false)),
    }
}

/// `size * F`, ceil: what judging takes from a position's worth (1.4, 7.2). Saturates at the ends of
/// `i64`.
#[inline]
#[must_use]
pub const fn carry_value_ceil(size: Lots, carry: Carry48) -> Atoms {
    if carry.0 == 0 {
        return Atoms(0);
    }
    match product(size, carry) {
        Some((floor, rest)) => Atoms(floor.wrapping_add(rest as i64)),
        None => Atoms(wide_value(size, carry, true)),
    }
}

/// `size * F / 2^48`, floor, and whether anything was cut off; `None` unless `|size| < 2^32`,
/// `|F| < 2^95` and the result is within 2^62.
///
/// Three products of 32-bit halves. F is taken in two's complement, `high * 2^64 + middle * 2^32 +
/// low` with a signed high part, so that the floor needs no look at its sign: only a short's F is
/// negated.
#[inline]
const fn product(size: Lots, carry: Carry48) -> Option<(i64, bool)> {
    const HALF: u64 = 0xffff_ffff;
    let (lots, carry) = if size.0 < 0 {
        (size.0.wrapping_neg() as u64, carry.0.wrapping_neg())
    } else {
        (size.0 as u64, carry.0)
    };
    let (high, rest) = ((carry >> 64) as i64, carry as u64);
    if lots >> 32 != 0 || (high.wrapping_add(1 << 31) as u64) >> 32 != 0 {
        return None;
    }
    // (2^32 - 1)^2 + 2^32 - 1 < 2^64; the signed one is within 2^63 - 2^31 and gains below 2^32.
    let low = lots.wrapping_mul(rest & HALF);
    let middle = lots.wrapping_mul(rest >> 32).wrapping_add(low >> 32);
    let top = (lots as i64)
        .wrapping_mul(high)
        .wrapping_add((middle >> 32) as i64);
    if (top.wrapping_add(1 << 46) as u64) >> 47 != 0 {
        return None;
    }
    let floor = (top << 16) | ((middle & HALF) >> 16) as i64;
    Some((floor, (low & HALF) | (middle & 0xffff) != 0))
}

/// The same beyond those bounds, by magnitudes. Saturates at the ends of `i64`.
#[inline(never)]
const fn wide_value(size: Lots, carry: Carry48, up: bool) -> i64 {
    let lots = size.0.unsigned_abs();
    let magnitude = carry.0.unsigned_abs();
    let (high, low) = ((magnitude >> 64) as u64, magnitude as u64);
    // The high word adds whole atoms; the low 48 bits of the low word's product are the part.
    let part = umul_shift_floor(lots, low, 48);
    let rest = (lots.wrapping_mul(low) << 16 != 0) as u64;
    let (over, whole) = wide_mul(lots, high);
    let value = if over != 0 || whole >> 48 != 0 {
        u64::MAX
    } else {
        part.saturating_add(whole << 16)
    };
    if (size.0 < 0) == (carry.0 < 0) {
        positive(value.saturating_add(rest * up as u64))
    } else {
        negative(value.saturating_add(rest * !up as u64))
    }
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
