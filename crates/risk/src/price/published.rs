//! The published price: band, stable price, and how far from it the bounds lie (margin-spec 2.3 to
//! 2.5, 4.3).

use crate::error::RiskError;
use crate::num::{mul_div_ceil, umul_shift_ceil};
use crate::price::Reading;
use crate::price::jump::{Jump, Pending, is_beyond, judge, mantissa};
use crate::price::unit::{Unit, to_price};
use crate::units::{Frac40, Ppm, Price};

/// Elapsed time counts at most this for the stable price, seconds (2.4).
pub const MAX_STABLE_ELAPSED_S: i64 = 120;

/// How far the band reaches (2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BandTerms {
    /// Multiplies the feed's confidence; default 2.12.
    pub conf_multiplier: Ppm,
    /// The band reaches at most this share of the price; default 5%.
    pub conf_cap: Ppm,
}

impl Default for BandTerms {
    fn default() -> Self {
        Self {
            conf_multiplier: Ppm(2_120_000),
            conf_cap: Ppm(50_000),
        }
    }
}

/// What turns a reading into a published price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceTerms {
    pub lot: Unit,
    pub native: Unit,
    pub band: BandTerms,
    /// The stable price moves by at most this per minute; default 2,000 ppm, counts at most 1 (2.4).
    pub stable_speed: Ppm,
    /// An update farther than this from the stored price waits (2.5).
    pub max_jump: Ppm,
}

/// An asset's price as published. Distances are fractions of the price, ceil.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceState {
    /// Atoms per lot, floor.
    pub lot: Price,
    /// Atoms per native token unit, floor.
    pub native: Price,
    /// Confidence over price, ceil.
    pub conf: Ppm,
    /// Half the width of the band (2.3).
    pub band: Frac40,
    /// The stable price, a mantissa in the lot's unit (2.4).
    pub stable: u64,
    /// When the print that took effect, or the one that confirmed it, was published; Unix seconds.
    pub publish_time: i64,
    /// A jump that waits (2.5).
    pub pending: Option<Pending>,
    /// How far below the price the worst of band, stable price and pending print's band reaches:
    /// where Initial values a net long (4.3).
    pub down: Frac40,
    /// How far above: where Initial values a net short.
    pub up: Frac40,
    /// How far below the price the lower bound lies: of the band, of the other source's print, and
    /// of the pending one; without the stable price (2.2, 2.3, 2.5).
    pub bound_down: Frac40,
    /// How far above the upper bound lies.
    pub bound_up: Frac40,
}

/// The next published price after a print that rules. `other` is the print of the other source that
/// it is compared with, if any ([`crate::price::choose`]).
///
/// The first price is its own stable price. The stable price moves by
/// `stable * stable_speed * dt / 60`, floor, where dt runs from the previous publish time to this
/// one, neither later than `now`, and counts at most two minutes. While a jump waits, price, stable
/// price and publish time stay and the bounds span both prints. A print that confirms a jump and
/// lies beyond one more from what takes effect waits in its turn.
/// Errors: `PriceNotPositive`, `PriceBelowUnit`, `PriceAboveUnit`.
pub fn advance(
    previous: Option<PriceState>,
    reading: &Reading,
    other: Option<&Reading>,
    terms: &PriceTerms,
    now: i64,
) -> Result<PriceState, RiskError> {
    let lot = mantissa(reading, terms)?;
    let Some(before) = previous else {
        let first = take(None, reading, lot, terms, now)?;
        return remeasure(first, other, terms);
    };

    let next = match judge(&before, reading, lot.mantissa(), terms)? {
        Jump::Takes => take(Some(&before), reading, lot, terms, now)?,
        Jump::Waits(pending) => PriceState {
            pending: Some(pending),
            ..before
        },
        Jump::Confirms(nearest) => {
            let confirmed = Reading {
                publish_time: reading.publish_time,
                ..nearest
            };
            let nearest = mantissa(&confirmed, terms)?;
            let taken = take(Some(&before), &confirmed, nearest, terms, now)?;
            let again = is_beyond(nearest.mantissa(), lot.mantissa(), terms.max_jump);
            PriceState {
                pending: again.then_some(Pending {
                    reading: *reading,
                    first_seen: reading.publish_time,
                }),
                ..taken
            }
        }
    };
    remeasure(next, other, terms)
}

/// The price that a print becomes, nothing pending; its distances are those of the band.
fn take(
    before: Option<&PriceState>,
    reading: &Reading,
    lot: Price,
    terms: &PriceTerms,
    now: i64,
) -> Result<PriceState, RiskError> {
    let price = reading.positive_price()?;
    let native = to_price(price, reading.expo, terms.native)?;
    let stable = before.map_or(lot.mantissa(), |before| {
        let until = reading.publish_time.min(now);
        let elapsed_s = until
            .saturating_sub(before.publish_time)
            .clamp(0, MAX_STABLE_ELAPSED_S);
        step_towards(
            before.stable,
            lot.mantissa(),
            terms.stable_speed,
            elapsed_s.unsigned_abs(),
        )
    });
    let band = band_share(reading.conf, price, terms.band);
    Ok(PriceState {
        lot,
        native,
        conf: conf_share(reading.conf, price),
        band,
        stable,
        publish_time: reading.publish_time,
        pending: None,
        down: band,
        up: band,
        bound_down: band,
        bound_up: band,
    })
}

/// The same price with its distances measured anew: the other source's print has changed, or what
/// waits. Errors: `PriceNotPositive`, `PriceBelowUnit`, `PriceAboveUnit` of the other print.
pub fn remeasure(
    mut state: PriceState,
    other: Option<&Reading>,
    terms: &PriceTerms,
) -> Result<PriceState, RiskError> {
    let price = state.lot.mantissa();
    let (mut down, mut up) = (state.band, state.band);
    if let Some(pending) = state.pending {
        let (lower, upper) = bounds(&pending.reading, terms)?;
        (down, up) = (down.max(below(price, lower)), up.max(above(price, upper)));
    }
    state.down = down.max(below(price, state.stable));
    state.up = up.max(above(price, state.stable));
    if let Some(other) = other {
        let (lower, upper) = bounds(other, terms)?;
        (down, up) = (down.max(below(price, lower)), up.max(above(price, upper)));
    }
    (state.bound_down, state.bound_up) = (down, up);
    Ok(state)
}

/// A print's band, mantissas in the lot's unit: floor and ceil, at least 0.
fn bounds(reading: &Reading, terms: &PriceTerms) -> Result<(u64, u64), RiskError> {
    let price = mantissa(reading, terms)?.mantissa();
    let share = band_share(reading.conf, reading.positive_price()?, terms.band);
    // The mantissa is floored: above, one more covers what it lost.
    let above = price.saturating_add(1);
    let upper = above.saturating_add(umul_shift_ceil(above, share.0, 40));
    let lower = price.saturating_sub(umul_shift_ceil(price, share.0, 40));
    Ok((lower, upper))
}

fn below(price: u64, bound: u64) -> Frac40 {
    share_of(price.saturating_sub(bound), price)
}

fn above(price: u64, bound: u64) -> Frac40 {
    share_of(bound.saturating_sub(price), price)
}

/// Moves `from` towards `to` by at most `from * speed * elapsed / 60 s`, floor.
fn step_towards(from: u64, to: u64, speed: Ppm, elapsed_s: u64) -> u64 {
    // from = whole * D + rest, so that from * rate / D = whole * rate + rest * rate / D, exact. A
    // mantissa is below 2^48, so whole < 2^23; rest < 2^26; the rate is at most 1.2e8 < 2^27.
    const PPM_MINUTES: u64 = 60_000_000;
    let elapsed_s = elapsed_s.min(MAX_STABLE_ELAPSED_S.unsigned_abs());
    let rate = u64::from(speed.0.min(Ppm::ONE.0)).wrapping_mul(elapsed_s);
    let rest = (from % PPM_MINUTES).wrapping_mul(rate) / PPM_MINUTES;
    let step = (from / PPM_MINUTES).wrapping_mul(rate).wrapping_add(rest);
    if to > from {
        to.min(from.saturating_add(step))
    } else {
        to.max(from.saturating_sub(step))
    }
}

/// Confidence over price, ceil; saturates.
fn conf_share(conf: u64, price: u64) -> Ppm {
    let share = if conf >> 44 == 0 {
        // 2^44 * 1e6 < 2^64.
        conf.wrapping_mul(1_000_000).div_ceil(price)
    } else {
        mul_div_ceil(conf, 1_000_000, price).unwrap_or(u64::MAX)
    };
    Ppm(u32::try_from(share).unwrap_or(u32::MAX))
}

/// `min(conf * multiplier, price * cap) / price`, ceil, with 40 fractional bits.
fn band_share(conf: u64, price: u64, terms: BandTerms) -> Frac40 {
    // The cap is below 2^32, so that cap * 2^40 / 1e6 = cap * 2^34 / 15,625 needs no split: its
    // numerator is below 2^64 while the cap is below 2^30, over 1,000.
    let cap = u64::from(terms.conf_cap.0.min(1 << 29)) << 34;
    let cap = cap.div_ceil(MILLION_ODD);

    let multiplier = u64::from(terms.conf_multiplier.0);
    if conf >> 40 == 0 && multiplier >> 24 == 0 && price >> 47 == 0 {
        // Both fit: conf * multiplier < 2^64, price * 15,625 < 2^61.
        let (spread, whole) = (
            conf.wrapping_mul(multiplier),
            price.wrapping_mul(MILLION_ODD),
        );
        let share = if whole >> 57 == 0 {
            long_division(spread, whole, [7, 7, 7, 7, 6])
        } else {
            long_division(spread, whole, [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 1])
        };
        return Frac40(share.min(cap));
    }
    // conf < 2^64 and the multiplier < 2^32, so the shifted product needs up to 136 bits; where it
    // does not fit 128 the cap is taken, which is never less than the share.
    let spread = u128::from(conf) * u128::from(multiplier);
    let share = match spread.checked_mul(1 << 40) {
        None => u64::MAX,
        Some(wide) => {
            let share = wide.div_ceil(u128::from(price) * 1_000_000);
            u64::try_from(share).unwrap_or(u64::MAX)
        }
    };
    Frac40(share.min(cap))
}

/// A million is 2^6 times this.
const MILLION_ODD: u64 = 15_625;

/// `part / whole` of mantissas, ceil, with 40 fractional bits; saturates. `whole` is not 0.
fn share_of(part: u64, whole: u64) -> Frac40 {
    if part == 0 {
        return Frac40(0);
    }
    if (part | whole) >> 48 != 0 {
        return Frac40(mul_div_ceil(part, Frac40::ONE.0, whole).unwrap_or(u64::MAX));
    }
    Frac40(long_division(part, whole, [16, 16, 8]))
}

/// `part * 2^bits / whole`, ceil, where bits is the sum of `steps`, at most 40; saturates. `whole` is
/// not 0, and shifted by the longest step it fits a word: then so does every rest.
#[inline]
fn long_division<const N: usize>(part: u64, whole: u64, steps: [u32; N]) -> u64 {
    let mut quotient = part / whole;
    if quotient >> 23 != 0 {
        return u64::MAX;
    }
    let mut rest = part.wrapping_sub(quotient.wrapping_mul(whole));
    for bits in steps {
        rest <<= bits;
        let digits = rest / whole;
        quotient = (quotient << bits) | digits;
        rest = rest.wrapping_sub(digits.wrapping_mul(whole));
    }
    // Below 2^63: the whole part has 23 bits and the fraction at most 40.
    quotient.wrapping_add(u64::from(rest != 0))
}
