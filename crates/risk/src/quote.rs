//! What a pool asks for a fill, and who gets the fee (margin-spec 10.1): Synthetix Perps v2's premium
//! on skew, a spread that widens with confidence and age as Pyth advises its consumers, and fees split
//! as exchanges with makers and referrers do.

use crate::book::PriceQuality;
use crate::error::RiskError;
use crate::fill::fill_amount;
use crate::limits::MAX_JUDGED_VALUE;
use crate::num::{isqrt_normal, mul_div_floor, ppm_ceil, ppm_floor, umul_shift_ceil, wide_mul};
use crate::num::{umul_shift_floor, value_ceil};
use crate::order::MarketTerms;
use crate::units::{Atoms, Frac40, Lots, Ppm, Price};

/// Greatest scale of a market's skew, lots.
pub const MAX_SKEW_SCALE: u64 = 1 << 40;
/// How much of `range_floor` the premium may reach at the market's cap: an eighth. With an eighth left
/// for the spread, skew shuts no exit, which may be a quarter of the range from the mark (5.7).
pub const PREMIUM_SHARE: u64 = 8;
/// Binary places of a premium in lots.
const PLACES: u8 = 24;
/// `variance * age` over this is the square of a move in ppm: a year's seconds times 2^40 / 10^12,
/// floor, so that the move is never told too small.
const VARIANCE_UNIT: u64 = 34_674_198;

/// What a fill costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quote {
    /// What the taker pays, negative when he receives.
    pub amount: Atoms,
    /// What of it is the premium on skew; negative where he earns some back.
    pub impact: Atoms,
}

/// Half of the pool's spread: `base + conf * conf_share`, ceil, saturating (10.1, without the term for
/// the price's age).
#[must_use]
pub fn half_spread(base: Ppm, conf: Ppm, conf_share: Ppm) -> Ppm {
    let share = ppm_ceil(u64::from(conf.0), conf_share);
    let spread = u64::from(base.0).saturating_add(share);
    Ppm(u32::try_from(spread).unwrap_or(u32::MAX))
}

/// `share * sigma * sqrt(age)`, ceil: what half the spread grows by with the price's age, so that
/// waiting for it to become stale does not pay (10.1). `variance` is per year.
#[must_use]
pub fn age_spread(variance: Frac40, age_s: u32, share: Ppm) -> Ppm {
    if age_s == 0 || share.0 == 0 || variance.0 == 0 {
        return Ppm(0);
    }
    // One more than the floor, hence above the quotient and below 2^40.
    let square = variance.0.saturating_mul(u64::from(age_s)) / VARIANCE_UNIT + 1;
    let normal = square.leading_zeros() & !1;
    let root = isqrt_normal(square << normal) >> (normal / 2);
    let move_ppm = root + u64::from(root * root < square);
    let spread = ppm_ceil(move_ppm, share);
    Ppm(u32::try_from(spread).unwrap_or(u32::MAX))
}

/// The half-spread of a market at a price of this quality (10.1), saturating.
#[must_use]
pub fn market_spread(market: &MarketTerms, quality: &PriceQuality, variance: Frac40) -> Ppm {
    let spread = half_spread(market.base_spread, quality.conf, market.conf_share);
    let aged = age_spread(variance, quality.age_s, market.age_share);
    Ppm(spread.0.saturating_add(aged.0))
}

/// What a taker of `size` lots pays: the mark, the half-spread and [`impact`], each rounded against
/// him by less than an atom. What comes back of the premium is at most `impact_paid`.
///
/// Where an exit is open at a bound alone (2.6), `bound` says how far from the mark that is, and the
/// fill is at the worse of both; nothing is then earned back. Errors: `ZeroSize`, `TooLarge`.
pub fn quote(
    size: Lots,
    mark: Price,
    market: &MarketTerms,
    (spread, bound): (Ppm, Ppm),
) -> Result<Quote, RiskError> {
    let amount = fill_amount(size, mark, spread)?;
    let impact = match market.skew_scale {
        0 => 0,
        scale => {
            let impact = impact(size, mark, Lots(market.skew), scale)?.0;
            let paid = i64::try_from(market.impact_paid).unwrap_or(i64::MAX);
            impact.max(-paid)
        }
    };
    let quote = Quote {
        amount: Atoms(amount.0.saturating_add(impact)),
        impact: Atoms(impact),
    };
    if bound.0 == 0 {
        return Ok(quote);
    }
    let at_bound = fill_amount(size, mark, bound)?;
    if at_bound <= quote.amount {
        return Ok(quote);
    }
    Ok(Quote {
        amount: at_bound,
        impact: Atoms(impact.max(0)),
    })
}

/// The premium of a fill that moves traders' net lots from `skew` by `size` (10.1): the mark times the
/// integral of `skew / scale` over the fill, ceil. Positive where skew grows, negative where it falls.
///
/// A skew beyond `scale` counts as full, so that the fair price stays between nothing and twice the
/// mark. The integral is the difference of one function of the skew, itself rounded, at both ends: over
/// a closed loop of fills at one price it is zero, and what rounding adds is the pool's.
/// Error: `TooLarge`.
pub fn impact(size: Lots, mark: Price, skew: Lots, scale: u64) -> Result<Atoms, RiskError> {
    let after = skew.0.checked_add(size.0).ok_or(RiskError::TooLarge)?;
    let before = premium(skew.0.unsigned_abs(), scale).ok_or(RiskError::TooLarge)?;
    let after = premium(after.unsigned_abs(), scale).ok_or(RiskError::TooLarge)?;
    let lots = before.abs_diff(after);
    let shift = u32::from(mark.shift()) + u32::from(PLACES);
    let value = if shift < 64 && after >= before {
        umul_shift_ceil(lots, mark.mantissa(), shift as u8)
    } else if shift < 64 {
        umul_shift_floor(lots, mark.mantissa(), shift as u8)
    } else {
        wide_shift(lots, mark.mantissa(), shift, after >= before)
    };
    if value > MAX_JUDGED_VALUE.unsigned_abs() {
        return Err(RiskError::TooLarge);
    }
    let value = value as i64;
    Ok(Atoms(if after >= before { value } else { -value }))
}

/// `a * b / 2^shift` for shifts of 64 to 127.
fn wide_shift(a: u64, b: u64, shift: u32, up: bool) -> u64 {
    let (high, low) = wide_mul(a, b);
    let over = shift - 64;
    let quotient = high >> over;
    let rest = low != 0 || quotient << over != high;
    quotient + u64::from(up && rest)
}

/// Lots with 24 binary places that bringing the skew from nothing to `skew` costs: `skew^2 / 2 scale`,
/// floor, and lot for lot beyond `scale`; `None` beyond 64 bits.
fn premium(skew: u64, scale: u64) -> Option<u64> {
    const HALF: u8 = PLACES - 1;
    let scale = scale.min(MAX_SKEW_SCALE);
    if skew >= scale {
        let beyond = (skew - scale).checked_mul(1 << PLACES)?;
        return (scale << HALF).checked_add(beyond);
    }
    if skew >> 32 != 0 {
        // skew < 2^40: the square and its places are below 2^103, the quotient below 2^63.
        let square = u128::from(skew) * u128::from(skew);
        return Some(((square << HALF) / u128::from(scale)) as u64);
    }
    // The same by long division: the square is below 2^64, its quotient below 2^32, the rest below 2^40.
    let square = skew * skew;
    let (whole, rest) = (square / scale, square % scale);
    Some((whole << HALF) + (rest << HALF) / scale)
}

/// Whether a market's premium stays within its part of the exits' slip for every open interest up to
/// its cap: `cap / scale <= range_floor / 8`; a market without a scale has none.
#[must_use]
pub const fn premium_fits(open_interest_cap: u64, scale: u64, range_floor: Ppm) -> bool {
    // Both products are below 2^20 * 2^40 * 8 where the arguments are in their bounds.
    let reached = open_interest_cap.saturating_mul(PREMIUM_SHARE * 1_000_000);
    scale == 0 || reached <= scale.saturating_mul(range_floor.0 as u64)
}

/// Who gets a taker's fee; the three sum to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeeSplit {
    /// To the maker's quote.
    pub maker: Atoms,
    /// To the referrer's quote.
    pub referral: Atoms,
    /// To the market's fees.
    pub market: Atoms,
}

impl FeeSplit {
    /// The whole fee; saturates.
    #[must_use]
    pub const fn total(&self) -> Atoms {
        let given = self.maker.0.saturating_add(self.referral.0);
        Atoms(given.saturating_add(self.market.0))
    }
}

/// The fee of a fill of `amount`: `taker_fee` of it, ceil. Of that the maker gets `maker_fee` of the
/// amount, floor and at most all, a referrer `referral_share` of the fee, floor and at most the rest,
/// the market what is left.
#[must_use]
pub fn split_fee(amount: Atoms, market: &MarketTerms, referred: bool) -> FeeSplit {
    let notional = amount.0.unsigned_abs();
    let fee = ppm_ceil(notional, market.taker_fee).min(i64::MAX as u64);
    let maker = ppm_floor(notional, market.maker_fee).min(fee);
    let referral = if referred {
        ppm_floor(fee, market.referral_share).min(fee - maker)
    } else {
        0
    };
    FeeSplit {
        maker: Atoms(maker as i64),
        referral: Atoms(referral as i64),
        market: Atoms((fee - maker - referral) as i64),
    }
}

/// The greatest open interest of a side, lots: the market's own cap, ten times the asset's depth, and
/// `insurance_multiple` times what the market's insurance holds, each at the asset's price (3.4). No
/// depth and no multiple are no limits.
#[must_use]
pub fn open_interest_limit(market: &MarketTerms, depth: Atoms, price: Price) -> u64 {
    let value = open_interest_value(market, depth);
    let lots = mul_div_floor(value.0.unsigned_abs(), 1 << price.shift(), price.mantissa());
    market.open_interest_cap.min(lots.unwrap_or(u64::MAX))
}

/// Whether a side of `open_interest` lots is beyond [`open_interest_limit`].
#[must_use]
pub fn exceeds_open_interest(
    market: &MarketTerms,
    open_interest: u64,
    depth: Atoms,
    price: Price,
) -> bool {
    let lots = i64::try_from(open_interest).unwrap_or(i64::MAX);
    open_interest > market.open_interest_cap
        || value_ceil(Lots(lots), price) > open_interest_value(market, depth)
}

/// How many times its depth an asset's market may grow to (3.4).
const DEPTHS: i64 = 10;

fn open_interest_value(market: &MarketTerms, depth: Atoms) -> Atoms {
    let by_depth = match depth.0 {
        ..=0 => i64::MAX,
        depth => depth.saturating_mul(DEPTHS),
    };
    let by_insurance = match market.insurance_multiple {
        0 => i64::MAX,
        multiple => market.insurance.0.max(0).saturating_mul(multiple.into()),
    };
    Atoms(by_depth.min(by_insurance))
}
