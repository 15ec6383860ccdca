//! How fast a range moves, and what new risk pays meanwhile (margin-spec 3.2, 3.4).

use crate::num::mul_div_ceil;
use crate::units::{Atoms, Ppm};

/// Fractional bits of a range beyond the ppm, so that no step of a second is lost.
pub const RANGE_FRACTION_BITS: u32 = 20;
/// A range rises by at most 10% of itself per hour: by this per step, pro rata, so that an hour of
/// steps, however many, compounds to at most 1.1. The natural logarithm of 1.1, floor.
pub const RANGE_RISE: Ppm = Ppm(95_310);
/// A range falls by at most this of itself per hour, pro rata: steps only slow it down.
pub const RANGE_FALL: Ppm = Ppm(50_000);
/// Elapsed time counts at most this in one step, seconds.
pub const MAX_RANGE_ELAPSED_S: i64 = 3_600;

/// A range with 20 fractional bits beyond the ppm; at most 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RangeState(u64);

impl RangeState {
    const MOST: u64 = (Ppm::ONE.0 as u64) << RANGE_FRACTION_BITS;

    /// A whole number of ppm, less `short` parts of 2^-20 ppm: the form in which it is stored.
    #[must_use]
    pub fn new(range: Ppm, short: u32) -> Self {
        let whole = u64::from(range.0) << RANGE_FRACTION_BITS;
        Self(whole.saturating_sub(u64::from(short)).min(Self::MOST))
    }

    /// The range as judging uses it, ceil, and by how much that is too much: see [`Self::new`].
    #[must_use]
    pub fn parts(self) -> (Ppm, u32) {
        let whole = self.0.div_ceil(1 << RANGE_FRACTION_BITS);
        let short = (whole << RANGE_FRACTION_BITS).wrapping_sub(self.0);
        // At most 1,000,000 and below 2^20.
        (Ppm(whole as u32), short as u32)
    }

    /// The range `elapsed_s` later, on its way to `target` (3.2): a step of at most
    /// `range * RANGE_RISE * dt / 3600` up or `range * RANGE_FALL * dt / 3600` down, floor. dt counts
    /// 0 to an hour. Over any time up to an hour, however it is split, a range rises by at most 10%
    /// of itself per hour pro rata (`1.1^t <= 1 + t / 10`) and falls by at most 5%.
    #[must_use]
    pub fn moved(self, target: Ppm, elapsed_s: i64) -> Self {
        const PPM_HOURS: u64 = 3_600_000_000;
        let target = Self::new(target, 0);
        let speed = if target > self {
            RANGE_RISE
        } else {
            RANGE_FALL
        };
        // The range is at most 2^40 and the rate below 2^29: whole < 2^9, rest < 2^32.
        let elapsed = elapsed_s.clamp(0, MAX_RANGE_ELAPSED_S).unsigned_abs();
        let rate = u64::from(speed.0).wrapping_mul(elapsed);
        let rest = (self.0 % PPM_HOURS).wrapping_mul(rate) / PPM_HOURS;
        let step = (self.0 / PPM_HOURS).wrapping_mul(rate).wrapping_add(rest);
        if target > self {
            Self(self.0.wrapping_add(step).min(target.0))
        } else {
            Self(self.0.saturating_sub(step).max(target.0))
        }
    }
}

/// `init_factor * max(1, target / range) * open_interest`, ceil (3.2, 3.4): new risk pays at once
/// what old risk has hours for. Saturates; a range of 0 counts like its target.
#[must_use]
pub fn init_factor_effective(init_factor: Ppm, target: Ppm, range: Ppm, open_interest: Ppm) -> Ppm {
    let mut factor = u64::from(init_factor.0);
    if target > range && range.0 != 0 {
        // Below 2^64: each is below 2^32.
        let product = factor.wrapping_mul(u64::from(target.0));
        factor = product.div_ceil(u64::from(range.0));
    }
    if open_interest > Ppm::ONE {
        let one = u64::from(Ppm::ONE.0);
        factor = mul_div_ceil(factor, u64::from(open_interest.0), one).unwrap_or(u64::MAX);
    }
    Ppm(u32::try_from(factor).unwrap_or(u32::MAX))
}

/// `1 + oi_slope * max(0, oi / soft_cap - 1)`, ceil (3.4): what an asset's open interest multiplies
/// `init_factor` by. A soft cap of 0 or less switches it off; saturates.
#[must_use]
pub fn open_interest_factor(open_interest: Atoms, soft_cap: Atoms, slope: Ppm) -> Ppm {
    let Ok(cap) = u64::try_from(soft_cap.0) else {
        return Ppm::ONE;
    };
    let held = open_interest.0.max(0).unsigned_abs();
    if cap == 0 || held <= cap {
        return Ppm::ONE;
    }
    let more = mul_div_ceil(held - cap, u64::from(slope.0), cap).unwrap_or(u64::MAX);
    Ppm(u32::try_from(more)
        .unwrap_or(u32::MAX)
        .saturating_add(Ppm::ONE.0))
}
