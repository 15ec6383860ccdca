//! A series between two refreshes of its risk array (margin-spec 5.8).
//!
//! The array, the mark and the Greeks are made by a crank at one forward. Until the next refresh the
//! mark follows the forward by delta and gamma, Initial pays for what the array cannot see, and an
//! array that is too far off or too old must be made anew.

use crate::book::InstrumentKind;
use crate::error::RiskError;
use crate::num::{mul_div_ceil, ppm_ceil_bounded, ppm_floor_bounded, umul_shift_floor};
use crate::options::intrinsic;
use crate::units::{Atoms, Delta30, Ppm, Price};

/// An array is used for at most this long, seconds (5.8).
pub const MAX_ARRAY_AGE_S: u32 = 900;

/// One lot of delta, 30 fractional bits.
const ONE: i64 = 1 << 30;
/// Ratios of the move count at most this: a forward that doubled.
const WHOLE_MOVE: u64 = 1 << 32;
/// The greatest mantissa.
const MAX_MANTISSA: u64 = Price::MANTISSA_END - 1;
/// `2^98 / (1e12 * 31,536,000)`: turns `ppm^2 * seconds` into a squared ratio of 32 bits, 34 bits on.
const VARIANCE_UNIT: u64 = ((1_u128 << 98) / 31_536_000_000_000_000_000) as u64;

/// What an array was made with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// The forward, a mantissa of the series' shift; 0 for an array that was never made.
    pub forward: u64,
    /// The asset's range.
    pub range: Ppm,
    /// The series' volatility per sqrt(year).
    pub sigma: Ppm,
    /// Unix seconds.
    pub at: i64,
}

/// What is published of one option series or dated future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    /// Its index in the book, for refusals.
    pub instrument: u8,
    pub kind: InstrumentKind,
    /// Of its mantissas.
    pub shift: u8,
    /// A mantissa; a future has none.
    pub strike: u64,
    /// Unix seconds.
    pub expiry: i64,
    /// The value of one lot when the array was made, a mantissa.
    pub mark: u64,
    /// The delta when the array was made.
    pub delta: Delta30,
    /// Change of the delta when the forward moves by 1% of `made.forward`, 30 fractional bits. A long
    /// option's is not negative; below zero counts as zero.
    pub gamma: i64,
    pub made: Made,
    /// The volatility that the slice gives its strike now. The crank that moves a slice has it at
    /// hand for every listed strike (6.3) and publishes it, so that judging needs no logarithm.
    pub sigma: Ppm,
    /// What the expiry settled at, a mantissa, once it has (6.4).
    pub settlement: Option<u64>,
}

/// The market of a series now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The expiry's forward, a mantissa of the series' shift (see `SettlementAverage::forward_floor`).
    pub forward: u64,
    /// The asset's range; counts at most 1.
    pub range: Ppm,
    /// The greatest `w * |k|` of the scenario set; counts at most 64.
    pub peak: Ppm,
    /// An array whose volatility is off by more than this is stale.
    pub max_vol_step: Ppm,
    /// Unix seconds.
    pub now: i64,
}

/// What judging reads of a series: the variable part of `InstrumentTerms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesNow {
    /// Atoms per lot, floor; a lot without value is marked one unit of its mantissa.
    pub mark: Price,
    pub delta: Delta30,
    /// What one lot adds to Initial, ceil; zero while the array is fresh.
    pub surcharge: Atoms,
}

impl Series {
    /// Mark, delta and surcharge now (5.8), total. An expired series stands at its settlement with
    /// neither delta nor surcharge (6.4); a future's mark moves one for one and has no array.
    #[must_use]
    #[inline(always)]
    pub fn at(&self, moment: &Moment) -> SeriesNow {
        if let Some(settlement) = self.settlement {
            return SeriesNow {
                mark: self.price(intrinsic(self.kind, self.strike, settlement)),
                delta: Delta30(0),
                surcharge: Atoms(0),
            };
        }
        if !self.kind.is_option() {
            let rise = moment.forward.min(MAX_MANTISSA) as i64 - self.made_forward() as i64;
            let mark = (self.mark.min(MAX_MANTISSA) as i64).wrapping_add(rise);
            return SeriesNow {
                mark: self.price(mark.max(0).unsigned_abs()),
                delta: Delta30::ONE,
                surcharge: Atoms(0),
            };
        }

        let (mark, delta) = self.moved(moment.forward);
        let surcharge = if self.is_stale(moment) {
            self.surcharge_ceil(moment)
        } else {
            Atoms(0)
        };
        SeriesNow {
            mark: self.price(mark),
            delta,
            surcharge,
        }
    }

    /// The mark and the delta of an option at `forward` (5.8): the second-order expansion about the
    /// forward of its array, where the delta moves along a straight line and stops at its ends, 0 and
    /// 1 for calls, -1 and 0 for puts (Hull, *Options, Futures, and Other Derivatives*, the chapter on
    /// the Greeks: `dV = delta dF + gamma dF^2 / 2`). So the mark is monotone and convex in the
    /// forward and moves by at most the forward's move. Then clamped to [intrinsic, forward] for
    /// calls, [intrinsic, strike] for puts.
    ///
    /// Floor. Against the exact expansion it is off by less than two units and `made.forward / 2^30`.
    /// A forward more than twice the array's counts its delta as at twice.
    #[must_use]
    pub fn moved(&self, forward: u64) -> (u64, Delta30) {
        let forward = forward.min(MAX_MANTISSA);
        let (gained, delta) = if forward == self.made.forward {
            (0, self.delta)
        } else {
            self.expanded(forward)
        };

        let floor = intrinsic(self.kind, self.strike, forward);
        let ceil = match self.kind {
            InstrumentKind::Put => self.strike,
            _ => forward,
        };
        // Both terms are below 2^49.
        let value = (self.mark.min(MAX_MANTISSA) as i64).wrapping_add(gained);
        let value = value.max(0).unsigned_abs();
        (value.min(ceil).max(floor), delta)
    }

    /// What the mark gains from the array's forward to `forward`, floor, and the delta there.
    fn expanded(&self, forward: u64) -> (i64, Delta30) {
        let is_call = matches!(self.kind, InstrumentKind::Call);
        let low = if is_call { 0 } else { -ONE };
        let delta = i64::from(self.delta.0).clamp(low, low.wrapping_add(ONE));
        let up = forward > self.made_forward();
        let step = forward.abs_diff(self.made_forward());

        // How far the delta may move towards its end on this side, 0 to 2^30.
        let room = if up {
            low.wrapping_add(ONE).wrapping_sub(delta)
        } else {
            delta.wrapping_sub(low)
        };
        let (change, bend) = self.bend(step, room);
        let signed_change = if up { change } else { change.wrapping_neg() };

        // Up to the bend the delta is a straight line: its mean counts, |twice the mean| <= 2^31.
        // Behind it the option is linear: one for one into the money, nothing out of it.
        let twice_mean = delta.wrapping_mul(2).wrapping_add(signed_change);
        let twice_mean = if up {
            twice_mean
        } else {
            twice_mean.wrapping_neg()
        };
        let straight = if up == is_call {
            step.wrapping_sub(bend)
        } else {
            0
        };
        let gained = half_product_floor(bend, twice_mean).wrapping_add(straight as i64);
        (gained, Delta30(delta.wrapping_add(signed_change) as i32))
    }

    /// How much the delta changes over `step`, at most `room`, floor, and the part of the step over
    /// which it does, floor.
    fn bend(&self, step: u64, room: i64) -> (i64, u64) {
        // Change of the delta per whole move; below 2^63.
        let slope = (self.gamma.clamp(0, 1 << 56) as u64).wrapping_mul(100);
        let wanted = umul_shift_floor(slope, relative_floor(step, self.made_forward()), 32);
        let room = room.unsigned_abs();
        if wanted <= room {
            return (wanted as i64, step);
        }
        // slope * relative / 2^32 > room, so the quotient is below `relative` and the bend within
        // the step. room <= 2^30; the slope is not zero.
        let share = (room << 32) / slope;
        (
            room as i64,
            umul_shift_floor(self.made_forward(), share, 32),
        )
    }

    fn made_forward(&self) -> u64 {
        self.made.forward.min(MAX_MANTISSA)
    }

    fn price(&self, mantissa: u64) -> Price {
        let mantissa = mantissa.clamp(1, MAX_MANTISSA);
        Price::new(mantissa, self.shift).unwrap_or(Price::ONE)
    }

    /// What one lot adds to Initial while its array is stale (5.8), atoms, ceil:
    /// `|F - F_ref| * (2 + peak * range)`, with the greater of the two ranges.
    ///
    /// The hole it closes: from F_ref to F no option's value moves by more than the forward, nor does
    /// its moved mark, which moves the same way; in scenario s it moves by at most
    /// `(1 + |k_s| range) |F - F_ref|`. So mark plus array are wrong by at most
    /// `|F - F_ref| * (1 + (1 - w) + w (1 + |k| range))`.
    #[must_use]
    pub fn surcharge_ceil(&self, moment: &Moment) -> Atoms {
        let step = moment
            .forward
            .min(MAX_MANTISSA)
            .abs_diff(self.made_forward());
        if step == 0 {
            return Atoms(0);
        }
        // peak <= 2^26 and range <= 1e6 give a rate below 2^27; step < 2^48 then gives 2^56.
        let range = counted(moment.range.max(self.made.range));
        let peak = u64::from(moment.peak.0).min(64_000_000);
        let rate = ppm_ceil_bounded(peak, range).wrapping_add(2_000_000);
        let mantissa = ppm_ceil_bounded(step, rate);
        let shift = u32::from(self.shift.min(Price::MAX_SHIFT));
        let atoms = mantissa.wrapping_add((1 << shift) - 1) >> shift;
        Atoms(atoms as i64)
    }

    /// Whether the array is stale (5.8): the forward off by more than
    /// `F_ref * min(range / 8, sigma sqrt(T) / 4)`, the range by more than a tenth of the array's,
    /// the volatility by more than `max_vol_step`, or older than `min(15 min, T / 16)`. Range and
    /// sigma of the bound on the forward are the array's, T runs from now to the expiry.
    ///
    /// The bound by sigma is rounded towards stale, by less than 2^-31 of the forward. A clock behind
    /// the array's time makes its age 0.
    #[must_use]
    pub fn is_stale(&self, moment: &Moment) -> bool {
        let left_s = self.left_s(moment.now);
        if u64::from(self.age_s(moment.now)) > (left_s / 16).min(u64::from(MAX_ARRAY_AGE_S)) {
            return true;
        }
        let made_range = u64::from(self.made.range.0);
        let range_off = made_range.abs_diff(u64::from(moment.range.0));
        if range_off.wrapping_mul(10) > made_range {
            return true;
        }
        if self.sigma.0.abs_diff(self.made.sigma.0) > moment.max_vol_step.0 {
            return true;
        }
        self.forward_is_off(moment, left_s)
    }

    fn forward_is_off(&self, moment: &Moment, left_s: u64) -> bool {
        let step = moment
            .forward
            .min(MAX_MANTISSA)
            .abs_diff(self.made_forward());
        if step == 0 {
            return self.made.forward == 0;
        }
        let range = counted(self.made.range);
        if step > ppm_floor_bounded(self.made_forward(), range) / 8 {
            return true;
        }
        // (4 * relative)^2 against sigma^2 T, both squared ratios of 2^64. The relative move is now at
        // most 1/8, so its square is below 2^63; a product that saturates is the greater.
        let moved = relative_floor(step, self.made_forward())
            .wrapping_add(1)
            .wrapping_mul(4);
        let sigma = u64::from(self.made.sigma.0);
        let unit = left_s.min(1 << 27).wrapping_mul(VARIANCE_UNIT);
        moved.wrapping_mul(moved) > umul_shift_floor(sigma.wrapping_mul(sigma), unit, 34)
    }

    /// Refuses unless the array is fresh: what the account judged for liquidation needs of each of
    /// its own series (5.8), in the same or an earlier transaction. Error: `SeriesStale`.
    pub fn check_fresh(&self, moment: &Moment) -> Result<(), RiskError> {
        self.check(moment, !self.is_stale(moment))
    }

    /// Refuses an array that no surcharge makes good: the forward off by more than half the range, or
    /// older than 15 minutes (5.8). What every other account needs of its series before it may take
    /// risk; a series without an array, or settled, is always good. Error: `SeriesStale`.
    pub fn check_usable(&self, moment: &Moment) -> Result<(), RiskError> {
        let step = moment
            .forward
            .min(MAX_MANTISSA)
            .abs_diff(self.made_forward());
        let reach = ppm_floor_bounded(self.made_forward(), counted(moment.range)) / 2;
        let usable =
            self.made.forward != 0 && step <= reach && self.age_s(moment.now) <= MAX_ARRAY_AGE_S;
        self.check(moment, usable)
    }

    /// Refuses a fill of an option whose array was not made at the stored price, or is stale in
    /// another respect (5.8): nobody trades at yesterday's volatility. Error: `SeriesStale`.
    pub fn check_fill(&self, moment: &Moment) -> Result<(), RiskError> {
        let exact = self.made.forward == moment.forward && !self.is_stale(moment);
        self.check(moment, exact)
    }

    fn check(&self, moment: &Moment, good: bool) -> Result<(), RiskError> {
        if good || self.settlement.is_some() || !self.kind.is_option() {
            return Ok(());
        }
        let step = moment
            .forward
            .min(MAX_MANTISSA)
            .abs_diff(self.made_forward());
        let off = mul_div_ceil(step, 1_000_000, self.made_forward()).unwrap_or(u64::MAX);
        Err(RiskError::SeriesStale {
            instrument: self.instrument,
            off: Ppm(u32::try_from(off).unwrap_or(u32::MAX)),
            age_s: self.age_s(moment.now),
        })
    }

    fn age_s(&self, now: i64) -> u32 {
        crate::price::age_s(self.made.at, now)
    }

    fn left_s(&self, now: i64) -> u64 {
        self.expiry.saturating_sub(now).max(0).unsigned_abs()
    }
}

/// Refuses unless every series that an account judged for liquidation holds is fresh (5.8); a
/// trader's account holds at most 16. Error: `SeriesStale` of the first that is not.
pub fn check_all_fresh(
    series: impl IntoIterator<Item = (Series, Moment)>,
) -> Result<(), RiskError> {
    let mut held = series.into_iter();
    held.try_for_each(|(series, moment)| series.check_fresh(&moment))
}

/// A range in millionths, at most 1.
fn counted(range: Ppm) -> u64 {
    u64::from(range.0).min(u64::from(Ppm::ONE.0))
}

/// `step / forward` with 32 fractional bits, floor, at most 1. Both are below 2^48.
fn relative_floor(step: u64, forward: u64) -> u64 {
    if step >= forward {
        return WHOLE_MOVE;
    }
    // Two digits of 16 bits by long division; a rest is below the forward.
    let wide = step << 16;
    let (high, rest) = (wide / forward, wide % forward);
    (high << 16) | ((rest << 16) / forward)
}

/// `a * twice / 2^31`, floor, for `a < 2^48` and `|twice| <= 2^31`.
fn half_product_floor(a: u64, twice: i64) -> i64 {
    // Halves of 24 bits: both products are below 2^56, and a floor of a floor is the floor.
    let (high, low) = ((a >> 24) as i64, (a & 0x00ff_ffff) as i64);
    let low = low.wrapping_mul(twice) >> 24;
    high.wrapping_mul(twice).wrapping_add(low) >> 7
}
