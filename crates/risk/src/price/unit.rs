//! What a price is expressed in (margin-spec 1.3).

use crate::error::RiskError;
use crate::limits::MIN_LOT_VALUE;
use crate::units::Price;

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

/// Powers of five that 64 bits hold.
const FIVES: [u64; 28] = fives();

const fn fives() -> [u64; 28] {
    let mut table = [1u64; 28];
    let mut index = 1;
    while index < table.len() {
        table[index] = table[index - 1] * 5;
        index += 1;
    }
    table
}

/// The mantissa, floor, and whether anything was cut off.
#[inline]
pub(crate) fn mantissa_of(price: u64, expo: i32, unit: Unit) -> Result<(u64, bool), RiskError> {
    let exponent = expo.saturating_add(i32::from(unit.exp10));
    let shift = u32::from(unit.shift.min(Price::MAX_SHIFT));
    // 10^n = 2^n * 5^n: with the twos taken out of the shift, the usual figures fit one word.
    let ten = exponent.unsigned_abs();
    if exponent < 0
        && ten <= shift
        && let Some(five) = FIVES.get(ten as usize)
    {
        let left = shift - ten;
        let wide = price << left;
        if wide >> left == price {
            let quotient = wide / five;
            return Ok((quotient, quotient.wrapping_mul(*five) != wide));
        }
    }
    wide_mantissa_of(price, exponent, shift)
}

/// The same for figures of any size: price < 2^64 and shift <= 62, so that the product is below
/// 2^126 < 10^38.
fn wide_mantissa_of(price: u64, exponent: i32, shift: u32) -> Result<(u64, bool), RiskError> {
    let wide = u128::from(price) << shift;
    let power = power_of_ten(exponent.unsigned_abs());
    let (quotient, rest) = match (power, exponent < 0) {
        (None, true) => (0, price != 0),
        (None, false) => return Err(RiskError::PriceAboveUnit),
        (Some(power), true) => (wide / power, !wide.is_multiple_of(power)),
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
