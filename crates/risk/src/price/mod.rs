//! From a feed's figures to the price that accounts are judged by (margin-spec 1.3, 2).

use crate::error::RiskError;
use crate::limits::MIN_LOT_VALUE;
use crate::num::mul_div_ceil;
use crate::units::{Frac40, Ppm, Price};

mod source;

pub use source::{COMPARED_WITHIN_S, Chosen, choose};

/// `conf / price` above this is refused, ppm (2.1).
pub const MAX_CONF: Ppm = Ppm(200_000);
/// Feed exponents run from this to zero (2.1).
pub const MIN_EXPONENT: i32 = -12;
/// Elapsed time counts at most this for the stable price, seconds (2.4).
pub const MAX_STABLE_ELAPSED_S: i64 = 120;

/// One print of a feed: `price * 10^expo` quote units per whole token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    pub price: i64,
    pub conf: u64,
    pub expo: i32,
    /// Unix seconds.
    pub publish_time: i64,
}

/// How old or early a print may be, seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptLimits {
    pub max_age_s: u32,
    pub max_future_s: u32,
}

/// What becomes of a sensible print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// Later than the stored one: store it.
    Take,
    /// Not later than the stored one: leave the source as it is, without error.
    Skip,
}

/// Judges a print against 2.1. Nonsense is refused before an old print is skipped, so that a feed
/// gone wrong is seen; a print that is merely not newer is skipped whatever its age.
///
/// Errors: `PriceNotPositive`, `ExponentOutOfRange`, `ConfidenceTooWide`, `PriceTooEarly`,
/// `PriceTooOld`.
pub fn accept(
    reading: &Reading,
    last_publish_time: i64,
    limits: &AcceptLimits,
    now: i64,
) -> Result<Acceptance, RiskError> {
    let price = positive_price(reading)?;
    if !(MIN_EXPONENT..=0).contains(&reading.expo) {
        return Err(RiskError::ExponentOutOfRange {
            exponent: reading.expo,
        });
    }
    // conf / price > 20% exactly when conf * 5 > price.
    if u128::from(reading.conf) * 1_000_000 > u128::from(price) * u128::from(MAX_CONF.0) {
        return Err(RiskError::ConfidenceTooWide {
            conf: reading.conf,
            price: reading.price,
        });
    }

    let ahead_s = reading.publish_time.saturating_sub(now);
    if ahead_s > i64::from(limits.max_future_s) {
        return Err(RiskError::PriceTooEarly {
            ahead_s,
            limit_s: i64::from(limits.max_future_s),
        });
    }
    if reading.publish_time <= last_publish_time {
        return Ok(Acceptance::Skip);
    }
    let age_s = now.saturating_sub(reading.publish_time);
    if age_s > i64::from(limits.max_age_s) {
        return Err(RiskError::PriceTooOld {
            age_s,
            limit_s: i64::from(limits.max_age_s),
        });
    }
    Ok(Acceptance::Take)
}

fn positive_price(reading: &Reading) -> Result<u64, RiskError> {
    match u64::try_from(reading.price) {
        Ok(price) if price > 0 => Ok(price),
        _ => Err(RiskError::PriceNotPositive),
    }
}

/// What a price is expressed in: atoms per unit are `price * 10^expo * 10^exp10`, kept as a
/// mantissa of `shift`. A lot of 0.001 SOL has `exp10` 3, a native unit of SOL has -3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    pub exp10: i8,
    pub shift: u8,
}

impl Unit {
    /// The unit of `10^-decimals` of an asset: an atom is 1e-6 of the quote (1.1).
    #[must_use]
    pub const fn of_decimals(decimals: u8, shift: u8) -> Self {
        let decimals = if decimals > 64 { 64 } else { decimals as i8 };
        Self {
            exp10: 6 - decimals,
            shift,
        }
    }
}

/// `price * 10^expo` in `unit`, floor (1.3). Errors: `PriceBelowUnit` when no bit is left,
/// `PriceAboveUnit` when 48 bits do not hold it.
pub fn to_price(price: u64, expo: i32, unit: Unit) -> Result<Price, RiskError> {
    mantissa_of(price, expo, unit).and_then(|(floor, _)| checked_price(floor, unit.shift))
}

/// `price * 10^expo` in `unit`, ceil: the twin of [`to_price`].
pub fn to_price_ceil(price: u64, expo: i32, unit: Unit) -> Result<Price, RiskError> {
    mantissa_of(price, expo, unit)
        .and_then(|(floor, rest)| checked_price(floor.saturating_add(u64::from(rest)), unit.shift))
}

fn checked_price(mantissa: u64, shift: u8) -> Result<Price, RiskError> {
    Price::new(mantissa, shift).ok_or(if mantissa == 0 {
        RiskError::PriceBelowUnit
    } else {
        RiskError::PriceAboveUnit
    })
}

/// The mantissa, floor, and whether anything was cut off.
fn mantissa_of(price: u64, expo: i32, unit: Unit) -> Result<(u64, bool), RiskError> {
    let exponent = expo.saturating_add(i32::from(unit.exp10));
    // price < 2^64 and shift <= 62, so the product is below 2^126 < 10^38.
    let shift = unit.shift.min(Price::MAX_SHIFT);
    let wide = u128::from(price) << shift;
    let power = power_of_ten(exponent.unsigned_abs());
    let (quotient, rest) = match (power, exponent < 0) {
        (None, true) => (0, price != 0),
        (None, false) => return Err(RiskError::PriceAboveUnit),
        (Some(power), true) => match (u64::try_from(wide), u64::try_from(power)) {
            (Ok(wide), Ok(power)) => (u128::from(wide / power), !wide.is_multiple_of(power)),
            _ => (wide / power, !wide.is_multiple_of(power)),
        },
        (Some(power), false) => {
            let product = wide.checked_mul(power).ok_or(RiskError::PriceAboveUnit)?;
            (product, false)
        }
    };
    let mantissa = u64::try_from(quotient).map_err(|_| RiskError::PriceAboveUnit)?;
    Ok((mantissa, rest))
}

/// `10^exponent`, or `None` beyond 38.
pub(crate) fn power_of_ten(exponent: u32) -> Option<u128> {
    10u128.checked_pow(exponent)
}

/// The prices of a whole token that an asset is listed for, 1e-8 of the quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedRange {
    pub low_e8: u64,
    pub high_e8: u64,
}

/// Chooses the shift of a unit of `10^-decimals` at listing: the least one at which the mantissa
/// has 30 significant bits at the low end (1.3).
///
/// Errors: `PriceRangeTooWide` when the high end then exceeds 48 bits or no shift up to 62 is
/// enough; `LotTooSmall` when `is_lot` and a lot is worth less than 10,000 atoms at the low end.
pub fn shift_for(range: ListedRange, decimals: u8, is_lot: bool) -> Result<u8, RiskError> {
    let whole = Unit::of_decimals(decimals, 0);
    if is_lot {
        let least = MIN_LOT_VALUE.0;
        let (atoms, _) = mantissa_of(range.low_e8, -8, whole)?;
        if atoms < least.unsigned_abs() {
            return Err(RiskError::LotTooSmall {
                atoms: atoms as i64,
                least,
            });
        }
    }

    let mantissa =
        |price, shift| mantissa_of(price, -8, Unit { shift, ..whole }).map_or(u64::MAX, |m| m.0);
    let fine = |shift: &u8| mantissa(range.low_e8, *shift) >= 1 << 29;
    let shift = (0..=Price::MAX_SHIFT).find(fine);
    let shift = shift.unwrap_or(Price::MAX_SHIFT);
    let (low, high) = (
        mantissa(range.low_e8, shift),
        mantissa(range.high_e8, shift),
    );
    if low < 1 << 29 || high < low || high >= Price::MANTISSA_END {
        let clamp = |mantissa: u64| i64::try_from(mantissa).unwrap_or(i64::MAX);
        return Err(RiskError::PriceRangeTooWide {
            low: clamp(low),
            high: clamp(high),
        });
    }
    Ok(shift)
}

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
    /// The stable price moves by at most this per minute; default 2,000 ppm (2.4).
    pub stable_speed: Ppm,
}

/// An asset's price as published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceState {
    /// Atoms per lot, floor.
    pub lot: Price,
    /// Atoms per native token unit, floor.
    pub native: Price,
    /// Confidence over price, ceil.
    pub conf: Ppm,
    /// The stable price, a mantissa in the lot's unit (2.4).
    pub stable: u64,
    /// Unix seconds.
    pub publish_time: i64,
    /// How far the worse of lower bound and stable price lies below the price, over the price, ceil.
    pub down: Frac40,
    /// How far the worse of upper bound and stable price lies above the price, over the price, ceil.
    pub up: Frac40,
}

/// The next published price: band (2.3), stable price (2.4), and the distances that Initial values
/// at (4.3). The first price is its own stable price.
///
/// The stable price moves by `stable * stable_speed * dt / 60`, floor, where dt runs from the
/// previous publish time to this one, neither later than `now`, and counts at most two minutes.
/// Errors: `PriceNotPositive`, `PriceBelowUnit`, `PriceAboveUnit`.
pub fn advance(
    previous: Option<PriceState>,
    reading: &Reading,
    terms: &PriceTerms,
    now: i64,
) -> Result<PriceState, RiskError> {
    let price = positive_price(reading)?;
    let lot = to_price(price, reading.expo, terms.lot)?;
    let native = to_price(price, reading.expo, terms.native)?;
    let conf = mul_div_ceil(reading.conf, 1_000_000, price).unwrap_or(u64::MAX);

    let stable = previous.map_or(lot.mantissa(), |previous| {
        let until = reading.publish_time.min(now);
        let elapsed_s = until
            .saturating_sub(previous.publish_time)
            .clamp(0, MAX_STABLE_ELAPSED_S);
        step_towards(
            previous.stable,
            lot.mantissa(),
            terms.stable_speed,
            elapsed_s.unsigned_abs(),
        )
    });

    let band = band_share(reading.conf, price, terms.band);
    let mantissa = lot.mantissa();
    let below = share_of(mantissa.saturating_sub(stable), mantissa);
    let above = share_of(stable.saturating_sub(mantissa), mantissa);
    Ok(PriceState {
        lot,
        native,
        conf: Ppm(u32::try_from(conf).unwrap_or(u32::MAX)),
        stable,
        publish_time: reading.publish_time,
        down: band.max(below),
        up: band.max(above),
    })
}

/// Moves `from` towards `to` by at most `from * speed * elapsed / 60 s`, floor.
fn step_towards(from: u64, to: u64, speed: Ppm, elapsed_s: u64) -> u64 {
    // from = whole * D + rest, so that from * rate / D = whole * rate + rest * rate / D, exact. The
    // rate is below 2^39 (two minutes at most) and the rest below 2^26; a mantissa is below 2^48.
    const PPM_MINUTES: u64 = 60_000_000;
    let rate = u64::from(speed.0).saturating_mul(elapsed_s);
    let rest = (from % PPM_MINUTES).saturating_mul(rate) / PPM_MINUTES;
    let step = (from / PPM_MINUTES)
        .saturating_mul(rate)
        .saturating_add(rest);
    if to > from {
        to.min(from.saturating_add(step))
    } else {
        to.max(from.saturating_sub(step))
    }
}

/// `min(conf * multiplier, price * cap) / price`, ceil, with 40 fractional bits.
fn band_share(conf: u64, price: u64, terms: BandTerms) -> Frac40 {
    let cap = mul_div_ceil(u64::from(terms.conf_cap.0), Frac40::ONE.0, 1_000_000);
    let cap = cap.unwrap_or(u64::MAX);
    // conf < 2^64 and the multiplier < 2^32, so the shifted product needs up to 136 bits; where it
    // does not fit 128 the cap is taken, which is never less than the share.
    let spread = u128::from(conf) * u128::from(terms.conf_multiplier.0);
    let share = match spread.checked_mul(1 << 40) {
        None => u64::MAX,
        Some(wide) => {
            let share = wide.div_ceil(u128::from(price) * 1_000_000);
            u64::try_from(share).unwrap_or(u64::MAX)
        }
    };
    Frac40(share.min(cap))
}

/// `part / whole`, ceil, with 40 fractional bits; saturates.
fn share_of(part: u64, whole: u64) -> Frac40 {
    Frac40(mul_div_ceil(part, Frac40::ONE.0, whole).unwrap_or(u64::MAX))
}

/// How good an asset's price is, best first (2.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    Ok,
    Wide,
    Diverged,
    Stale,
    /// Never priced.
    #[default]
    Invalid,
}

/// The tier of a price, worst first (2.6). A publish time of zero or less means never priced.
#[must_use]
pub fn tier(
    publish_time: i64,
    conf: Ppm,
    diverged: bool,
    wide_conf: Ppm,
    max_age_margin_s: u32,
    now: i64,
) -> Tier {
    if publish_time <= 0 {
        Tier::Invalid
    } else if age_s(publish_time, now) > max_age_margin_s {
        Tier::Stale
    } else if diverged {
        Tier::Diverged
    } else if conf > wide_conf {
        Tier::Wide
    } else {
        Tier::Ok
    }
}

/// Seconds since `publish_time`, zero when it lies ahead (2.1); saturates.
#[must_use]
pub fn age_s(publish_time: i64, now: i64) -> u32 {
    let age = now.saturating_sub(publish_time).max(0);
    u32::try_from(age).unwrap_or(u32::MAX)
}

/// What is to be done with an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Increase,
    Reduce,
    Deposit,
    Withdraw,
    Provide,
    Liquidate,
}

/// Rows are actions, columns are tiers from Ok to Invalid. 2.6 also lets accounts reduce, leave and
/// be liquidated at Diverged and Stale at the worst bound; until bounds span both sources that
/// stays closed, which is the stricter reading.
const PERMITTED: [[bool; 5]; 6] = [
    [true, false, false, false, false], // Increase
    [true, true, false, false, false],  // Reduce
    [true, true, true, true, true],     // Deposit
    [true, true, false, false, false],  // Withdraw
    [true, true, false, false, false],  // Provide
    [true, true, false, false, false],  // Liquidate
];

/// Whether an asset in `tier` may be treated so (2.6).
#[must_use]
pub const fn permits(action: Action, tier: Tier) -> bool {
    PERMITTED[action as usize][tier as usize]
}
