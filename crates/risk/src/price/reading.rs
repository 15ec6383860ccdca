//! Which prints count (margin-spec 2.1).

use crate::error::RiskError;
use crate::units::Ppm;

/// `conf / price` above this is refused, ppm (2.1).
pub const MAX_CONF: Ppm = Ppm(200_000);
/// The same as a divisor of the price.
const CONF_PARTS: u64 = 1_000_000 / MAX_CONF.0 as u64;
/// Feed exponents run from this to zero (2.1).
pub const MIN_EXPONENT: i32 = -12;

/// One print of a feed: `price * 10^expo` quote units per whole token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    pub price: i64,
    pub conf: u64,
    pub expo: i32,
    /// Unix seconds.
    pub publish_time: i64,
}

impl Reading {
    /// The price as a magnitude. Error: `PriceNotPositive`.
    pub(crate) fn positive_price(&self) -> Result<u64, RiskError> {
        match u64::try_from(self.price) {
            Ok(price) if price > 0 => Ok(price),
            _ => Err(RiskError::PriceNotPositive),
        }
    }
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
    let price = reading.positive_price()?;
    if !(MIN_EXPONENT..=0).contains(&reading.expo) {
        return Err(RiskError::ExponentOutOfRange {
            exponent: reading.expo,
        });
    }
    // A whole number exceeds a quotient exactly when it exceeds the quotient's floor.
    if reading.conf > price / CONF_PARTS {
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
