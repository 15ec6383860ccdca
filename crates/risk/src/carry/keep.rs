//! Sizes through a side's keep factor (margin-spec 8.5): a deleveraging shrinks every position of a
//! side at once, and each position finds out when it is next looked at. The idea is that of the
//! product and sum of Liquity's stability pool, and of Percolator's A and K indices.

use crate::book::PositionLeg;
use crate::units::{Atoms, Carry48, Frac40, Lots, Price};

/// A keep below this, 2^-16, starts a new epoch (8.5).
pub const KEEP_LEAST: Frac40 = Frac40(1 << 24);
/// An epoch is this many binary places: its keep is that of the one before times `2^16`.
pub const EPOCH_BITS: u32 = 16;

/// How much of a side's lots is kept: `keep / 2^(16 * epoch)` of what a position opened at the
/// start of the market would still have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Between [`KEEP_LEAST`] and one.
    pub keep: Frac40,
    pub epoch: u32,
}

impl Keep {
    /// Before any deleveraging.
    pub const ONE: Self = Self {
        keep: Frac40::ONE,
        epoch: 0,
    };

    /// The keep of which `left` of `total` lots remain, floor; `None` for nothing left. Below
    /// [`KEEP_LEAST`] a new epoch starts: 16 more binary places, so that a keep always has 24 bits.
    #[must_use]
    pub const fn shrunk(self, left: u64, total: u64) -> Option<Self> {
        let Some(keep) = crate::num::mul_div_floor(self.keep.0, left, total) else {
            return None;
        };
        let mut next = Self {
            keep: Frac40(keep),
            epoch: self.epoch,
        };
        if next.keep.0 < KEEP_LEAST.0 {
            // Taken anew with the places that the epoch adds: the bits that floor would lose.
            let Some(keep) = crate::num::mul_div_floor(self.keep.0 << EPOCH_BITS, left, total)
            else {
                return None;
            };
            if keep < KEEP_LEAST.0 {
                return None;
            }
            next.keep = Frac40(keep);
            next.epoch = self.epoch.wrapping_add(1);
        }
        Some(next)
    }
}

/// What is left of `size` lots whose side stood at `touched` when they were last written and stands
/// at `now`, rounding towards zero (8.5). A keep of zero, which no market has, counts as one.
#[must_use]
pub fn kept_size(size: Lots, touched: Keep, now: Keep) -> Lots {
    split(size, touched, now).0
}

/// The whole lots that are kept, and the part of a lot that rounding cuts off, 48 fractional bits,
/// towards zero, with the size's sign.
fn split(size: Lots, touched: Keep, now: Keep) -> (Lots, i64) {
    let epochs = now.epoch.wrapping_sub(touched.epoch);
    if (epochs == 0 && now.keep.0 == touched.keep.0) || touched.keep.0 == 0 {
        return (size, 0);
    }
    // size < 2^63, keep <= 2^40 and at least 2^24: beyond five epochs nothing is left.
    if epochs > 5 {
        return (Lots(0), 0);
    }
    let kept = u128::from(size.0.unsigned_abs()) * u128::from(now.keep.0);
    let whole = u128::from(touched.keep.0) << (EPOCH_BITS * epochs);
    let lots = i64::try_from(kept / whole).unwrap_or(i64::MAX);
    // whole < 2^(40 + 80): the rest is taken at as many places as 128 bits allow, 48 at most.
    let rest = kept % whole;
    let places = rest.leading_zeros().min(48);
    let part = ((rest << places) / whole) << (48 - places);
    let part = part as i64;
    if size.0 < 0 {
        (Lots(-lots), -part)
    } else {
        (Lots(lots), part)
    }
}

/// One side of a market as a position meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SideTerms {
    pub keep: Keep,
    pub carry: Carry48,
}

/// A position brought up to date, and what passes to the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touched {
    pub leg: PositionLeg,
    /// Lots lost to rounding, 40 fractional bits, magnitude, ceil: a count of all of them, floored
    /// once, finds each whole lot.
    pub stray: Frac40,
    /// What was added to the leg's quote for them, floor: the pool's to pay.
    pub paid: Atoms,
}

/// Brings a position up to date with its side (8.5): size through keep, towards zero. The part of a
/// lot that rounding cuts off passes to the pool at the mark, `part * (mark - F)`, floor: so the
/// position is worth what its exact size would be, less an atom at most. Saturates.
#[must_use]
pub fn up_to_date(leg: PositionLeg, touched: Keep, side: SideTerms, mark: Price) -> Touched {
    let (size, part) = split(leg.size, touched, side.keep);
    let mut result = Touched {
        leg: PositionLeg { size, ..leg },
        stray: Frac40(0),
        paid: Atoms(0),
    };
    if part == 0 {
        return result;
    }
    let distance = price48(mark).saturating_sub(side.carry.0);
    result.paid = Atoms(part_value_floor(part, distance));
    result.leg.quote = Atoms(leg.quote.0.saturating_add(result.paid.0));
    // The part was cut at 2^-48, so 2^-40 rounded up, and one more, is never short.
    result.stray = Frac40((part.unsigned_abs() >> 8) + 1);
    result
}

/// A price as atoms per lot with 48 fractional bits, floor; exact up to a shift of 48.
#[must_use]
pub const fn price48(price: Price) -> i128 {
    (((price.mantissa() as u128) << 64) >> (16 + price.shift() as u32)) as i128
}

/// `part / 2^48 * value / 2^48`, floor, in atoms; saturates.
fn part_value_floor(part: i64, value: i128) -> i64 {
    let (lots, size) = (u128::from(part.unsigned_abs()), value.unsigned_abs());
    // part < 2^48, so the low word's product is below 2^112; the high word is below 2^63.
    let low = lots * (size & u128::from(u64::MAX));
    let high = lots * (size >> 64);
    let cut = low & ((1 << 48) - 1) != 0;
    let carried = (low >> 48) + (high << 16);
    let rest = cut || carried & ((1 << 48) - 1) != 0;
    let atoms = u64::try_from(carried >> 48).unwrap_or(u64::MAX);
    if (part < 0) == (value < 0) {
        crate::num::positive(atoms)
    } else {
        crate::num::negative(atoms.saturating_add(u64::from(rest)))
    }
}
