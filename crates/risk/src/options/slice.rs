//! The volatility of an expiry (margin-spec 6.3): one curve over all strikes, how fast it may move,
//! and what it may not allow.
//!
//! Gatheral and Jacquier, "Arbitrage-free SVI volatility surfaces" (2014), the raw parametrisation
//! `a + b (rho (k - m) + sqrt((k - m)^2 + s^2))` of log-moneyness `k = ln(K / F)`. Here it is the
//! variance per year, not up to the expiry, so that the volatility of an unrefreshed slice does not
//! rise as time passes (the same reason for which their jump-wings form is in variance per year).

use crate::black76::{self, Contract, OptionSide};
use crate::error::RiskError;
use crate::math::ln;
use crate::num::{isqrt_floor, mul_shift_floor};
use crate::units::{Atoms, Lots, Ppm};

/// Fractional bits of all five parameters.
pub const SLICE_BITS: u8 = 40;
/// An expiry whose slice was not refreshed for this long is reduce-only, seconds (6.3).
pub const MAX_SLICE_AGE_S: u32 = 3_600;

const ONE: i64 = 1 << SLICE_BITS;
/// `|a|` and `b` are at most this; a volatility of 400%.
const MAX_VARIANCE: i64 = 16 * ONE;
/// `|m|` and `s` are at most this: a strike at 55 forwards.
const MAX_DISTANCE: i64 = 4 * ONE;

/// The slice of one expiry. The state stores it as `[a, b, rho, m, s]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Level of the variance per year.
    pub a: i64,
    /// Slope of the wings; not negative.
    pub b: i64,
    /// Tilt, above -1 and below 1.
    pub rho: i64,
    /// Log-moneyness of the centre.
    pub m: i64,
    /// Curvature at the centre; positive.
    pub s: i64,
}

impl Slice {
    /// From the order in which the state stores it.
    #[must_use]
    pub const fn from_stored([a, b, rho, m, s]: [i64; 5]) -> Self {
        Self { a, b, rho, m, s }
    }

    /// In the order in which the state stores it.
    #[must_use]
    pub const fn stored(self) -> [i64; 5] {
        [self.a, self.b, self.rho, self.m, self.s]
    }

    /// Refuses parameters outside their bounds: `|a| <= 16`, `0 <= b <= 16`, `|rho| < 1`,
    /// `|m| <= 4`, `0 < s <= 4`, and a least variance `a + b s sqrt(1 - rho^2)`, floor, below zero
    /// (Gatheral and Jacquier, section 3.1). Error: `SliceMalformed` with the parameter's number.
    pub fn check(self) -> Result<(), RiskError> {
        let bounds = [
            -MAX_VARIANCE..=MAX_VARIANCE,
            0..=MAX_VARIANCE,
            -ONE + 1..=ONE - 1,
            -MAX_DISTANCE..=MAX_DISTANCE,
            1..=MAX_DISTANCE,
        ];
        let malformed = |parameter, value| Err(RiskError::SliceMalformed { parameter, value });
        for (number, (value, bound)) in (0..).zip(self.stored().into_iter().zip(bounds)) {
            if !bound.contains(&value) {
                return malformed(number, value);
            }
        }
        let rho = self.rho.unsigned_abs();
        let root = isqrt_floor((1 << (2 * SLICE_BITS)) - u128::from(rho) * u128::from(rho));
        let width = mul_shift_floor(self.s, root, SLICE_BITS);
        let lift = mul_shift_floor(self.b, width.unsigned_abs(), SLICE_BITS);
        if self.a.saturating_add(lift) < 0 {
            return malformed(0, self.a);
        }
        Ok(())
    }

    /// Variance per year at log-moneyness `k`, both with 40 fractional bits. Below the exact one by
    /// at most `2b + 1` of the last bit, never negative; total, exact bounds for a slice that
    /// passes `check` and `|k| < 2^46`.
    #[must_use]
    pub fn variance_floor(self, k: i64) -> u64 {
        let x = k.saturating_sub(self.m);
        let (distance, s) = (
            u128::from(x.unsigned_abs()),
            u128::from(self.s.unsigned_abs()),
        );
        let square = distance
            .saturating_mul(distance)
            .saturating_add(s.saturating_mul(s));
        let root = i64::try_from(isqrt_floor(square)).unwrap_or(i64::MAX);
        let along = if self.rho < 0 { x.saturating_neg() } else { x };
        let tilt = mul_shift_floor(along, self.rho.unsigned_abs(), SLICE_BITS);
        let height = root.saturating_add(tilt).max(0);
        let wings = mul_shift_floor(height, self.b.max(0).unsigned_abs(), SLICE_BITS);
        self.a.saturating_add(wings).max(0).unsigned_abs()
    }

    /// The volatility that the slice implies for a strike, ppm per sqrt(year), floor, before any
    /// bound; `forward` and `strike` are mantissas of one shift. Saturates.
    #[must_use]
    pub fn implied_floor(self, forward: u64, strike: u64) -> Ppm {
        // Logarithms of u64 are below 45 with 40 fractional bits: below 2^46.
        let k = (ln(strike) as i64).wrapping_sub(ln(forward) as i64);
        // sqrt(v / 2^40) * 1e6 = sqrt(v * 1e12 / 2^40); v < 2^63 and 1e12 < 2^40.
        let square = u128::from(self.variance_floor(k)).saturating_mul(1_000_000_000_000);
        Ppm(u32::try_from(isqrt_floor(square >> SLICE_BITS)).unwrap_or(u32::MAX))
    }

    /// The volatility that arrays are made with: the implied one within [vol_min, vol_max]. The
    /// forward moves along the slice between refreshes and may carry a strike beyond a bound that
    /// held when the slice was published.
    #[must_use]
    pub fn sigma(self, forward: u64, strike: u64, terms: &VolTerms) -> Ppm {
        let implied = self.implied_floor(forward, strike);
        implied.min(terms.vol_max).max(terms.vol_min)
    }
}

/// What bounds an expiry's volatility (6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolTerms {
    pub vol_min: Ppm,
    pub vol_max: Ppm,
    /// No listed strike moves by more than this per minute elapsed.
    pub max_vol_step: Ppm,
}

/// A slice and when it was published, Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedSlice {
    pub slice: Slice,
    pub updated: i64,
}

impl PublishedSlice {
    /// Whether the expiry is reduce-only: its slice was not refreshed for an hour (6.3).
    #[must_use]
    pub fn is_reduce_only(&self, now: i64) -> bool {
        crate::price::age_s(self.updated, now) >= MAX_SLICE_AGE_S
    }
}

/// The listed strikes of an expiry at the moment of publishing.
#[derive(Clone, Copy, Debug)]
pub struct ListedStrikes<'a> {
    /// Mantissa.
    pub forward: u64,
    /// Mantissas of the forward's shift, ascending, each once.
    pub strikes: &'a [u64],
    /// To the expiry, seconds.
    pub time_s: u32,
}

/// Replaces an expiry's slice (6.3). A slice that moves too fast is refused, not bent: its publisher
/// sees why and publishes a nearer one; a bent slice would have to be proved free of arbitrage anew.
/// Before a strike is listed, the standing slice is published once more with the strike among the
/// listed ones.
///
/// Elapsed time is whole seconds since the old slice, at most an hour, so that a silence buys no
/// unbounded jump; the first slice of an expiry may be anywhere within the bounds. Volatilities are
/// compared at the forward of now, the old one as arrays used it. Updated is never set back.
///
/// Errors: `SliceMalformed`, `StrikesOutOfOrder`, `VolatilityOutOfRange`, `VolatilityTooFast`,
/// `ButterflyArbitrage`.
pub fn publish(
    old: Option<PublishedSlice>,
    slice: Slice,
    listed: &ListedStrikes,
    terms: &VolTerms,
    now: i64,
) -> Result<PublishedSlice, RiskError> {
    slice.check()?;
    let mut calls = CallCurve::new(listed.forward, listed.time_s);
    for &strike in listed.strikes {
        let sigma = slice.implied_floor(listed.forward, strike);
        if sigma < terms.vol_min || sigma > terms.vol_max {
            return Err(RiskError::VolatilityOutOfRange { strike, sigma });
        }
        if let Some(old) = old {
            let before = old.slice.sigma(listed.forward, strike, terms);
            let moved = Ppm(sigma.0.abs_diff(before.0));
            let allowed = allowed_move(old.updated, terms, now);
            if moved > allowed {
                return Err(RiskError::VolatilityTooFast {
                    strike,
                    moved,
                    allowed,
                });
            }
        }
        calls.push(
            strike,
            black76::value(&Contract {
                side: OptionSide::Call,
                forward: listed.forward,
                strike,
                sigma,
                time_s: listed.time_s,
            }),
        )?;
    }
    let updated = old.map_or(now, |old| old.updated.max(now));
    Ok(PublishedSlice { slice, updated })
}

/// `max_vol_step` per minute since `updated`, floor.
fn allowed_move(updated: i64, terms: &VolTerms, now: i64) -> Ppm {
    let elapsed_s = crate::price::age_s(updated, now).min(MAX_SLICE_AGE_S);
    // Below 2^32 * 3,600.
    let allowed = u64::from(terms.max_vol_step.0) * u64::from(elapsed_s) / 60;
    Ppm(u32::try_from(allowed).unwrap_or(u32::MAX))
}

/// Calls of one expiry in ascending strikes, checked one by one for static arbitrage: values fall in
/// the strike by at most its rise, and are convex, from (0, forward) to (infinity, 0) (Gatheral and
/// Jacquier, section 2; the discrete form of Carr and Madan, "A note on sufficient conditions for no
/// arbitrage", 2005).
///
/// Each value may be wrong by `tolerance`: 1e-7 of max(F, K) for the formula (6.1), 4e-7 of the
/// forward per year for the part of a ppm that its volatility was rounded by (an option's vega is
/// at most 0.399 F sqrt(T)), and one unit. A comparison allows twice that, so no slice without
/// arbitrage is refused, and what passes offers at most four times it: under 2e-6 of the price for
/// expiries within a year, below any fee.
#[derive(Clone, Copy, Debug)]
pub struct CallCurve {
    forward: u64,
    /// Tolerance of a value, 1e-7.
    rate: u64,
    before: (u64, u64),
    last: (u64, u64),
}

impl CallCurve {
    /// The curve before its first listed strike: a call struck at nothing is the forward.
    #[must_use]
    pub const fn new(forward: u64, time_s: u32) -> Self {
        let years = (time_s as u64).div_ceil(31_536_000);
        Self {
            forward,
            rate: 1 + 4 * years,
            before: (0, forward),
            last: (0, forward),
        }
    }

    /// How far a value at `strike` may be off, ceil: a mantissa.
    #[must_use]
    pub fn tolerance_ceil(&self, strike: u64) -> u64 {
        let scale = u128::from(self.forward.max(strike)) * u128::from(self.rate);
        u64::try_from(scale.div_ceil(10_000_000))
            .unwrap_or(u64::MAX)
            .saturating_add(1)
    }

    /// The next listed strike and the value of its call, both mantissas below 2^48.
    ///
    /// Errors: `StrikesOutOfOrder`; `ButterflyArbitrage` naming the strike whose call is too dear
    /// between its neighbours, or the new one where its value falls too fast or not at all.
    pub fn push(&mut self, strike: u64, value: u64) -> Result<(), RiskError> {
        let (low, here) = (self.before, self.last);
        if strike <= here.0 {
            return Err(RiskError::StrikesOutOfOrder { strike });
        }
        let slack = self.tolerance_ceil(strike).saturating_mul(2);
        let rises = value > here.1.saturating_add(slack);
        let room = (strike - here.0).saturating_add(slack);
        if rises || here.1 > value.saturating_add(room) {
            return Err(RiskError::ButterflyArbitrage { strike });
        }

        // The middle call against the chord of its neighbours; before the first strike there is no
        // middle. Products are below 2^48 * 2^49, sums of three below 2^99.
        let (left, right) = (u128::from(here.0 - low.0), u128::from(strike - here.0));
        let middle = u128::from(here.1) * (left + right);
        let chord = u128::from(low.1) * right + u128::from(value) * left;
        if middle > chord + u128::from(slack) * (left + right) {
            return Err(RiskError::ButterflyArbitrage { strike: here.0 });
        }
        (self.before, self.last) = (here, (strike, value));
        Ok(())
    }
}

/// A pool's sum of one Greek over its positions, sizes applied, exact: `size * greek` in the Greek's
/// own unit. At most 2^31 lots of an i64 on 128 legs are below 2^102; anything beyond saturates.
#[must_use]
pub fn total_greek(legs: impl IntoIterator<Item = (Lots, i64)>) -> i128 {
    legs.into_iter().fold(0_i128, |sum, (size, greek)| {
        let part = i128::from(size.0).saturating_mul(i128::from(greek));
        sum.saturating_add(part)
    })
}

/// Refuses a plan after which the pool's vega in one expiry exceeds its hard cap (6.3), unless it
/// did before and comes no farther from zero. `before` and `after` are [`total_greek`] of the
/// expiry's `Greeks::vega`, atoms per point of volatility with 16 fractional bits; compared by
/// magnitude, ceil. Error: `PoolVegaCap`.
pub fn check_pool_vega(before: i128, after: i128, cap: Atoms) -> Result<(), RiskError> {
    match beyond(before, after, 16, cap.0) {
        Some(vega) => Err(RiskError::PoolVegaCap {
            vega: Atoms(vega),
            cap,
        }),
        None => Ok(()),
    }
}

/// Refuses a plan after which the pool's gamma in one asset exceeds its hard cap (6.3), unless it did
/// before and comes no farther from zero. `before` and `after` are [`total_greek`] of the asset's
/// `Greeks::gamma`, lots per 1% of the forward with 30 fractional bits; compared by magnitude, ceil.
/// Error: `PoolGammaCap`.
pub fn check_pool_gamma(before: i128, after: i128, cap: Lots) -> Result<(), RiskError> {
    match beyond(before, after, 30, cap.0) {
        Some(gamma) => Err(RiskError::PoolGammaCap {
            gamma: Lots(gamma),
            cap,
        }),
        None => Ok(()),
    }
}

/// `|after| / 2^bits`, ceil, if it grew and exceeds `cap`.
fn beyond(before: i128, after: i128, bits: u32, cap: i64) -> Option<i64> {
    if after.unsigned_abs() <= before.unsigned_abs() {
        return None;
    }
    let total = after.unsigned_abs().div_ceil(1 << bits);
    let total = i64::try_from(total).unwrap_or(i64::MAX);
    (total > cap).then_some(total)
}
