//! Which series may be listed (margin-spec 5.8, end).

use crate::error::RiskError;
use crate::num::value_floor;
use crate::options::SETTLEMENT_WINDOW_S;
use crate::units::{Atoms, Lots, Ppm, Price};

/// A lot with options is worth at least this ($0.10).
pub const MIN_OPTION_LOT: Atoms = Atoms(100_000);
/// And at most this ($500).
pub const MAX_OPTION_LOT: Atoms = Atoms(500_000_000);
/// The farthest that a scenario moves a lot's value stays below this, so that arrays fit 32 bits.
pub const MAX_ARRAY_VALUE: Atoms = Atoms(1 << 30);
/// Strikes lie within this factor of the price: the domain of the pricing bound (6.1).
pub const MAX_STRIKE_FACTOR: u64 = 20;

/// A series to be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The asset's price, atoms per lot.
    pub lot_price: Price,
    /// The most that the asset's range may become; counts at most 1.
    pub range_cap: Ppm,
    /// A mantissa of the lot price's shift.
    pub strike: u64,
    /// Unix seconds.
    pub expiry: i64,
    /// Unix seconds.
    pub now: i64,
}

/// Refuses a series whose lot is not worth $0.10 to $500 or whose array could leave 32 bits:
/// `(1 + 3 range_cap) * price` per lot must be below 2^30 atoms, ceil (5.8). By parity an option's
/// value changes by at most the greater of the forward before and after. Beside, its strike is not
/// zero and within a factor of 20 of the price, and its settlement window has not begun.
///
/// Errors: `LotUnfitForOptions`, `ArrayTooWide`, `StrikeOutOfRange`, `ExpiryTooSoon`.
pub fn check_listing(listing: &Listing) -> Result<(), RiskError> {
    // value_floor of one lot: the ends are whole atoms, so the floor decides exactly at the low end;
    // at the high end a fraction above it counts by the ceil below.
    let floor = value_floor(Lots(1), listing.lot_price);
    let ceil = crate::num::value_ceil(Lots(1), listing.lot_price);
    if floor < MIN_OPTION_LOT || ceil > MAX_OPTION_LOT {
        return Err(RiskError::LotUnfitForOptions {
            value: floor,
            least: MIN_OPTION_LOT,
            most: MAX_OPTION_LOT,
        });
    }
    // At most 4 * 5e8.
    let reach = 1_000_000 + 3 * u64::from(listing.range_cap.0.min(Ppm::ONE.0));
    let widest = crate::num::mul_div_ceil(listing.lot_price.mantissa(), reach, 1_000_000)
        .map_or(u64::MAX, |mantissa| {
            mantissa.div_ceil(1 << listing.lot_price.shift())
        });
    if widest >= MAX_ARRAY_VALUE.0.unsigned_abs() {
        return Err(RiskError::ArrayTooWide {
            value: Atoms(i64::try_from(widest).unwrap_or(i64::MAX)),
            limit: MAX_ARRAY_VALUE,
        });
    }

    let price = listing.lot_price.mantissa();
    let least = price.div_ceil(MAX_STRIKE_FACTOR);
    let most = price
        .saturating_mul(MAX_STRIKE_FACTOR)
        .min(Price::MANTISSA_END - 1);
    if listing.strike < least || listing.strike > most {
        return Err(RiskError::StrikeOutOfRange {
            strike: listing.strike,
            least,
            most,
        });
    }
    let left_s = listing.expiry.saturating_sub(listing.now);
    if left_s <= SETTLEMENT_WINDOW_S {
        return Err(RiskError::ExpiryTooSoon {
            left_s,
            least_s: SETTLEMENT_WINDOW_S,
        });
    }
    Ok(())
}
