//! The variance of an asset, and the range that it asks for (margin-spec 3.1, 3.2).

use crate::num::{isqrt_ceil, mul_div_ceil, wide_mul};
use crate::price::jump::is_beyond;
use crate::units::Ppm;

/// Seconds of a year (1.2).
const YEAR_S: u64 = 31_536_000;
/// Seconds of an hour.
const HOUR_S: i64 = 3_600;
/// Fractional bits of a return; its square has twice as many, 20 more than a variance.
const RETURN_BITS: u32 = 30;
/// A return counts below this, 4.
const MAX_RETURN: u64 = (1 << 32) - 1;
/// Greatest k and horizon that count, so that no product exceeds 128 bits.
const MAX_K: u64 = 10_000_000;
const MAX_HORIZON_S: u64 = 86_400;

/// How a range follows the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeTerms {
    /// Standard deviations covered; default 3.0, counts at most 10.
    pub k: Ppm,
    /// Over this time; default 1 h, counts at most a day, seconds.
    pub horizon_s: u32,
    /// Time constant while variance rises; default 12 h, seconds.
    pub tau_up_s: u32,
    /// Time constant while it falls; default 10 days, seconds.
    pub tau_down_s: u32,
    pub floor: Ppm,
    pub cap: Ppm,
}

/// An asset's variance and the sample that it was last moved by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VarianceState {
    /// Per year, 40 fractional bits.
    pub variance: u64,
    /// The price of the last sample, a mantissa; not 0.
    pub price: u64,
    /// When it was published, Unix seconds.
    pub sampled: i64,
}

/// Whether a price is a sample (3.1): the first one in tier Ok after each full hour of the clock, and
/// any that lies beyond `range` of the last sample. The clock's hours, unlike hours counted from the
/// last sample, do not depend on who posts when.
#[must_use]
pub fn is_due(
    state: &VarianceState,
    price: u64,
    publish_time: i64,
    range: Ppm,
    is_ok: bool,
) -> bool {
    let next_hour = publish_time.div_euclid(HOUR_S) > state.sampled.div_euclid(HOUR_S);
    (is_ok && next_hour) || is_beyond(state.price, price, range)
}

/// The variance after a sample (3.1): `var += (r^2 / dt_years - var) * min(1, dt / tau)`, ceil, with
/// `r = (p - p_prev) / p_prev`, ceil in 30 bits and below 4. An exponentially weighted variance as in
/// RiskMetrics (1996), with a longer memory for falls than for rises. A sample that is not later than
/// the last one changes nothing; saturates.
#[must_use]
pub fn sample_variance(
    state: &VarianceState,
    price: u64,
    publish_time: i64,
    terms: &RangeTerms,
) -> VarianceState {
    let dt = publish_time.saturating_sub(state.sampled);
    if dt <= 0 {
        return *state;
    }
    let moved = price.abs_diff(state.price);
    let r = mul_div_ceil(moved, 1 << RETURN_BITS, state.price).unwrap_or(MAX_RETURN);
    let r = r.min(MAX_RETURN);

    // Both times dt, with 60 fractional bits: r^2 < 2^64, a year < 2^25; var < 2^64, dt < 2^32.
    let dt = dt.unsigned_abs().min(u64::from(u32::MAX));
    let sample = wide(r.wrapping_mul(r), YEAR_S);
    let held = wide(state.variance, dt) << 20;
    let variance = if sample > held {
        let tau = u64::from(terms.tau_up_s).max(dt);
        let rise = (sample - held).div_ceil(u128::from(tau) << 20);
        let rise = u64::try_from(rise).unwrap_or(u64::MAX);
        state.variance.saturating_add(rise)
    } else {
        let tau = u64::from(terms.tau_down_s).max(dt);
        // At most the variance itself, because tau >= dt.
        let fall = (held - sample) / (u128::from(tau) << 20);
        let fall = u64::try_from(fall).unwrap_or(u64::MAX);
        state.variance.saturating_sub(fall)
    };
    VarianceState {
        variance,
        price,
        sampled: publish_time,
    }
}

/// The exact product.
fn wide(a: u64, b: u64) -> u128 {
    let (high, low) = wide_mul(a, b);
    (u128::from(high) << 64) | u128::from(low)
}

/// `clamp(k * sqrt(variance * horizon), floor, cap)`, ceil, exact (3.2).
#[must_use]
pub fn target_range(variance: u64, terms: &RangeTerms) -> Ppm {
    // k^2 < 2^47, variance * horizon < 2^81: below 2^128. The root of a ceiling, ceil, is that of
    // the exact square.
    let k = u64::from(terms.k.0).min(MAX_K);
    let horizon = u64::from(terms.horizon_s).min(MAX_HORIZON_S);
    let square = wide(variance, horizon).saturating_mul(wide(k, k));
    let target = isqrt_ceil(square.div_ceil(u128::from(YEAR_S) << 40));
    let target = u32::try_from(target).unwrap_or(u32::MAX);
    Ppm(target.max(terms.floor.0).min(terms.cap.0))
}

/// The variance whose target is `range`, floor: where a listing begins, so that its range stands
/// until the market has said otherwise. A range counts at most 1; 0 where k or the horizon is 0;
/// saturates.
#[must_use]
pub fn initial_variance(range: Ppm, terms: &RangeTerms) -> u64 {
    let k = u64::from(terms.k.0).min(MAX_K);
    let horizon = u64::from(terms.horizon_s).min(MAX_HORIZON_S);
    // range^2 < 2^40; with the year's 25 bits and the fraction's 40 below 2^105.
    let range = u64::from(range.0.min(Ppm::ONE.0));
    let square = wide(range.wrapping_mul(range), YEAR_S) << 40;
    let unit = wide(k, k).saturating_mul(u128::from(horizon));
    let variance = square.checked_div(unit).unwrap_or(0);
    u64::try_from(variance).unwrap_or(u64::MAX)
}
