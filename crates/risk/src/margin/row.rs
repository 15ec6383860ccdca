//! One asset's charge and losses (margin-spec 3.3, 5.2, 5.3).
//!
//! Every function here runs once or more per asset and requirement, so it takes few arguments and
//! wraps where the bounds beside it prove that nothing overflows.

use crate::book::AssetTerms;
use crate::limits::MAX_JUDGED_LOSS;
use crate::margin::Stance;
use crate::margin::moves::{Move, Moves, PLACES};
use crate::margin::scratch::{Header, lane};
use crate::num::{
    frac_ceil, mul_div_ceil, ppm_ceil_bounded, ppm_floor_bounded, rate_ceil, umul_shift_ceil,
    value_ceil,
};
use crate::price::Tier;
use crate::units::{Frac40, Lots, Ppm, Price};

pub(crate) const ONE: u64 = 1_000_000;
const MAX_FACTOR: u64 = 16_000_000;
const MAX_CONCENTRATION: u64 = 15_000_000;
pub(crate) const MAX_LOSS: u64 = MAX_JUDGED_LOSS.unsigned_abs();
/// Below this depth three 16-bit steps of long division fit 64 bits, the rounding of the last one
/// included.
const PLAIN_DEPTH: u64 = 1 << 47;
/// A multiplier of one, 48 fractional bits.
pub(crate) const UNIT48: u64 = 1 << 48;
/// Losses below this are multiplied by [`Steepness::small`].
pub(crate) const SMALL_LOSS: u64 = 1 << 39;

/// An asset's parameters within their bounds, prepared once for both requirements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowTerms {
    /// At most 1, ppm.
    pub range: u64,
    /// Zero for no size multiplier.
    depth: u64,
    /// Greatest growth of the multiplier, ppm.
    cap: u64,
    /// Systematic share b in thousandths, and `1e6 - b^2`.
    pub b: i64,
    pub own: u64,
    basis_rate: u64,
    unwind_rate: u64,
    /// Nothing of the asset is lost in any scenario: a stale price in the account's favour (2.6).
    pub is_quiet: bool,
}

impl RowTerms {
    #[inline]
    pub fn of(terms: &AssetTerms) -> Self {
        let cap = u64::from(terms.concentration_cap.0).min(MAX_CONCENTRATION);
        let grows = terms.depth.0 > 0 && cap != 0;
        let b = u64::from(terms.systematic).min(1_000);
        Self {
            range: u64::from(terms.range.0).min(ONE),
            depth: if grows {
                terms.depth.0.unsigned_abs()
            } else {
                0
            },
            cap,
            b: b as i64,
            own: ONE.wrapping_sub(b.wrapping_mul(b)),
            basis_rate: u64::from(terms.basis_rate.0).min(ONE),
            unwind_rate: u64::from(terms.unwind_rate.0).min(ONE),
            is_quiet: false,
        }
    }

    /// The same for an asset in doubt: in the account's favour a stale one loses nothing (2.6).
    #[inline]
    pub fn in_tier(terms: &AssetTerms, stance: Stance, tier: Tier) -> Self {
        let mut rates = Self::of(terms);
        rates.is_quiet = stance == Stance::InFavour && tier >= Tier::Stale;
        rates
    }

    /// `1 + min(concentration_cap, size / depth)`, 48 fractional bits, ceil (3.3).
    #[inline]
    pub fn multiplier(&self, size: u64) -> u64 {
        let depth = self.depth;
        if depth == 0 {
            return UNIT48;
        }
        let whole = size / depth;
        // Below the cap's whole part nothing is cut; the cap is at most 15.
        if whole >= self.cap / ONE {
            return self.capped(size, whole);
        }
        UNIT48.wrapping_add(Self::share(size, depth, whole))
    }

    /// The same near the cap and beyond.
    #[cold]
    #[inline(never)]
    fn capped(&self, size: u64, whole: u64) -> u64 {
        let most = cap_bits(self.cap);
        if whole >= 16 {
            return UNIT48.wrapping_add(most);
        }
        UNIT48.wrapping_add(Self::share(size, self.depth, whole).min(most))
    }

    /// `size / depth`, of which `whole` below 16 is the whole part, with 48 fractional bits, ceil.
    #[inline(always)]
    fn share(size: u64, depth: u64, whole: u64) -> u64 {
        if depth >= PLAIN_DEPTH {
            return deep_share(size, depth);
        }
        // Long division of the rest, below 2^48, in three steps of sixteen bits.
        let rest = size.wrapping_sub(whole.wrapping_mul(depth)) << 16;
        let first = rest / depth;
        let rest = rest.wrapping_sub(first.wrapping_mul(depth)) << 16;
        let second = rest / depth;
        let rest = rest.wrapping_sub(second.wrapping_mul(depth)) << 16;
        let third = rest.wrapping_add(depth.wrapping_sub(1)) / depth;
        (((((whole << 16) | first) << 16) | second) << 16).wrapping_add(third)
    }
}

/// `size / depth`, below 16, with 48 fractional bits, ceil.
#[inline(never)]
fn deep_share(size: u64, depth: u64) -> u64 {
    mul_div_ceil(size, 1 << 48, depth).unwrap_or(u64::MAX)
}

/// A cap in ppm with 48 fractional bits, ceil. 15e6 << 40 is below 2^64; its remainder gives eight
/// bits more.
#[inline]
fn cap_bits(cap: u64) -> u64 {
    let shifted = cap << 40;
    let whole = shifted / ONE;
    let rest = shifted.wrapping_sub(whole.wrapping_mul(ONE)) << 8;
    (whole << 8).wrapping_add(rest.wrapping_add(ONE - 1) / ONE)
}

/// A row's linear legs in one requirement: tokens are one instrument, each position another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linear {
    /// Within 2^57.
    pub net: i64,
    range: u64,
    /// `|net| * range`, ceil where it is lost and floor where it is gained.
    pub lost: u64,
    pub gained: u64,
}

/// `size * range / 1e6`, ceil and floor from one remainder; the range is at most one.
#[inline]
fn range_of(size: u64, range: u64) -> (u64, u64) {
    if size >> 43 == 0 {
        let moved = size.wrapping_mul(range);
        return (moved.wrapping_add(ONE - 1) / ONE, moved / ONE);
    }
    let whole = size / ONE;
    let rest = size
        .wrapping_sub(whole.wrapping_mul(ONE))
        .wrapping_mul(range);
    let whole = whole.wrapping_mul(range);
    let up = rest.wrapping_add(ONE - 1) / ONE;
    (whole.wrapping_add(up), whole.wrapping_add(rest / ONE))
}

/// Gross long, gross short and borrows of a row.
#[inline]
fn gross<const R: usize>(row: &Header) -> (i64, i64, i64) {
    let spot = row[lane::SPOT[R]];
    let borrowed = if spot < 0 { spot.wrapping_neg() } else { 0 };
    let long = row[lane::LONG].wrapping_add(spot).wrapping_add(borrowed);
    (long, row[lane::SHORT].wrapping_add(borrowed), borrowed)
}

/// Basis and unwind charges of a row, ceil (5.3).
#[inline]
pub(crate) fn additions<const R: usize>(row: &Header, terms: &RowTerms) -> (u64, u64) {
    let (long, short, borrowed) = gross::<R>(row);
    let closed = row[lane::LONG]
        .wrapping_add(row[lane::SHORT])
        .wrapping_add(row[lane::OPTION_VALUE])
        .wrapping_add(borrowed);
    let unwind = rate_ceil(closed as u64, terms.unwind_rate);
    let matched = long.min(short) as u64;
    if matched == 0 {
        return (0, unwind);
    }
    (rate_ceil(matched, terms.basis_rate), unwind)
}

/// The least charge on a row's short options, ceil: a share of the price of as many lots (5.3).
#[inline]
pub(crate) fn short_option_floor(row: &Header, lot_price: Price, rate: Ppm) -> i64 {
    if row[lane::SHORT_LOTS] == 0 {
        return 0;
    }
    let worth = value_ceil(Lots(row[lane::SHORT_LOTS]), lot_price).0;
    let worth = worth.clamp(0, MAX_JUDGED_LOSS).unsigned_abs();
    ppm_ceil_bounded(worth, u64::from(rate.0).min(ONE)) as i64
}

impl Linear {
    #[inline]
    pub fn of<const R: usize>(row: &Header, range: u64) -> Self {
        let net = row[lane::LONG]
            .wrapping_sub(row[lane::SHORT])
            .wrapping_add(row[lane::SPOT[R]])
            .clamp(-MAX_JUDGED_LOSS, MAX_JUDGED_LOSS);
        let (lost, gained) = range_of(net.unsigned_abs(), range);
        Self {
            net,
            range,
            lost,
            gained,
        }
    }

    /// What a move against the legs loses, ceil, and one with them gains, floor (5.2); a fall stops at
    /// -1. Within 3 * 2^57.
    #[inline]
    pub fn moved(&self, by: &Move) -> (u64, u64) {
        let (mut lost, mut gained) = if by.k <= 3 {
            (self.lost.wrapping_mul(by.k), self.gained.wrapping_mul(by.k))
        } else {
            // Far moves would multiply the rounding too. 127 * 2^57 < 2^64.
            let far = range_of(self.net.unsigned_abs().wrapping_mul(by.k), self.range);
            (far.0.min(3 * MAX_LOSS), far.1.min(3 * MAX_LOSS))
        };
        if by.den != 1 {
            lost = lost.wrapping_add(by.den.wrapping_sub(1)) / by.den;
            gained /= by.den;
        }
        // Only a fall is bounded: what a long loses by it, and a short gains.
        let whole = self.net.unsigned_abs();
        if self.net > 0 {
            lost = lost.min(whole);
        } else {
            gained = gained.min(whole);
        }
        if by.weight != ONE {
            lost = ppm_ceil_bounded(lost, by.weight);
            gained = ppm_floor_bounded(gained, by.weight);
        }
        (lost, gained)
    }

    /// The legs' loss at every place of [`Moves::place`], in the requirement's column; gains are
    /// negative.
    #[inline]
    pub fn losses<const R: usize, const C: usize>(
        &self,
        moves: &Moves,
        places: &mut [[i64; C]; PLACES],
    ) {
        let long = self.net > 0;
        let (pairs, _) = places[1..].as_chunks_mut::<2>();
        for (pair, by) in pairs.iter_mut().zip(moves.each()) {
            let (lost, gained) = self.moved(by);
            let (lost, gained) = (lost as i64, (gained as i64).wrapping_neg());
            let [up, down] = pair;
            (up[R], down[R]) = if long { (gained, lost) } else { (lost, gained) };
        }
    }
}

/// D* of 3.3 for linear legs alone: their size times the greatest `w |k|`, ceil.
#[inline]
pub(crate) fn linear_concentration(size: u64, peak: &Move) -> u64 {
    let moved = size.wrapping_mul(peak.k).div_ceil(peak.den);
    ppm_ceil_bounded(moved.min(MAX_LOSS), peak.weight)
}

/// D* of 3.3 for any row: the unmultiplied scan over the range, ceil.
#[inline]
pub(crate) fn concentration(scan: u64, range: u64) -> u64 {
    if range == 0 {
        return if scan == 0 { 0 } else { u64::MAX };
    }
    if scan >> 43 == 0 {
        return scan.wrapping_mul(ONE).div_ceil(range);
    }
    mul_div_ceil(scan, ONE, range).unwrap_or(u64::MAX)
}

/// What a loss is multiplied by: size multiplier times factor (5.2), at most 256.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steepness {
    /// 48 fractional bits.
    exact: u64,
    /// The same with 40, ceil, in two words of 24 bits.
    high: u64,
    low: u64,
}

impl Steepness {
    /// `multiplier` has 48 fractional bits and is at most 16, like the factor.
    #[inline]
    pub fn new(multiplier: u64, factor: u64) -> Self {
        let exact = if factor == ONE {
            multiplier
        } else {
            ppm_ceil_bounded(multiplier, factor)
        };
        let coarse = exact.wrapping_add(255) >> 8;
        Self {
            exact,
            high: coarse >> 24,
            low: coarse & 0xff_ffff,
        }
    }

    /// `loss * steepness`, ceil, of a loss below [`SMALL_LOSS`]: products below 2^39 * 2^25 and
    /// 2^39 * 2^24.
    #[inline]
    pub fn small(&self, loss: u64) -> u64 {
        let part = loss.wrapping_mul(self.low).wrapping_add(0xff_ffff) >> 24;
        let whole = loss.wrapping_mul(self.high).wrapping_add(part);
        whole.wrapping_add(0xffff) >> 16
    }

    /// `loss * steepness`, ceil, within 2^57.
    #[inline]
    pub fn of(&self, loss: u64) -> u64 {
        if loss >= SMALL_LOSS {
            return umul_shift_ceil(loss, self.exact, 48).min(MAX_LOSS);
        }
        self.small(loss)
    }

    /// Whether a downward shock (ppm) is charged less than the full multiple.
    #[inline]
    pub fn is_cut(&self, shock: u64) -> bool {
        self.small(shock) > ONE
    }

    /// A loss by a fall, multiplied at most by `1 / |shock|` (5.2), ceil.
    pub fn cut(&self, loss: u64, range: u64, by: &Move) -> u64 {
        let multiplied = self.of(loss);
        let whole = ONE.wrapping_mul(by.den);
        let shock = by.k.wrapping_mul(range).min(whole);
        if shock == 0 {
            return multiplied;
        }
        let most = mul_div_ceil(loss, whole, shock);
        multiplied.min(most.unwrap_or(u64::MAX))
    }
}

/// A factor within its bounds (3.4).
#[inline]
pub(crate) fn bounded_factor(factor: Ppm) -> u64 {
    u64::from(factor.0).clamp(ONE, MAX_FACTOR)
}

/// An amount moved by a distance over the price, ceil; within 2^57.
#[inline]
pub(crate) fn over_distance(amount: u64, share: Frac40) -> i64 {
    frac_ceil(amount, share).min(MAX_LOSS) as i64
}
