//! The quote's own feed (margin-spec 2.7).

use crate::num::{mul_div_ceil, ppm_ceil, ppm_floor, umul_shift_floor};
use crate::price::unit::{Unit, to_price};
use crate::price::{PriceState, Reading, Tier};
use crate::units::{Frac40, Ppm};

/// How far the quote may leave 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PegTerms {
    /// Beyond this every asset is at most Wide; default 1%.
    pub band: Ppm,
    /// Below this no borrow of another token grows; default 0.95.
    pub stop: Ppm,
}

/// Where the quote stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peg {
    /// Its feed leaves 1 by more than the band.
    pub off: bool,
    /// Its feed is below the stop.
    pub stopped: bool,
    /// The lesser of 1 and the lower bound of its feed, floor.
    pub lower: Frac40,
}

impl Peg {
    /// A quote without a feed stands at 1.
    pub const AT_ONE: Self = Self {
        off: false,
        stopped: false,
        lower: Frac40::ONE,
    };

    /// Whether a borrow of another token may grow while the quote's price is in `tier`.
    #[must_use]
    pub fn borrows_may_grow(self, tier: Tier) -> bool {
        !self.stopped && tier < Tier::Stale
    }
}

/// Where the quote stands by its own feed, whose native unit is worth one atom at 1.
///
/// A print that waits counts like the price: the worse of the two decides. While its sources
/// disagree the quote is off its peg.
#[must_use]
pub fn peg(quote: &PriceState, diverged: bool, native: Unit, terms: &PegTerms) -> Peg {
    let one = 1u64 << quote.native.shift();
    let price = quote.native.mantissa();
    let waiting = quote
        .pending
        .map_or(price, |pending| mantissa(&pending.reading, native));
    let apart = price.abs_diff(one).max(waiting.abs_diff(one));
    let kept = Frac40::ONE.0.saturating_sub(quote.bound_down.0);
    let lower = umul_shift_floor(price, kept, quote.native.shift());
    Peg {
        off: diverged || apart > ppm_floor(one, terms.band),
        stopped: price.min(waiting) < ppm_ceil(one, terms.stop),
        lower: Frac40(lower.min(Frac40::ONE.0)),
    }
}

/// A waiting print in the native unit; 0 for one that the unit cannot hold.
fn mantissa(reading: &Reading, native: Unit) -> u64 {
    let price = reading.positive_price();
    let price = price.and_then(|price| to_price(price, reading.expo, native));
    price.map_or(0, |price| price.mantissa())
}

/// The distance above the price of `upper / lower`, ceil: where Initial values a borrow or a short of
/// another asset while the quote is off its peg. `up` is upper's own distance, `lower` counts at most
/// 1. Saturates, at a lower of 0 too.
#[must_use]
pub fn peg_up(up: Frac40, lower: Frac40) -> Frac40 {
    let lower = lower.0.min(Frac40::ONE.0);
    let upper = up.0.saturating_add(Frac40::ONE.0);
    let widened = mul_div_ceil(upper, Frac40::ONE.0, lower).unwrap_or(u64::MAX);
    Frac40(widened.saturating_sub(Frac40::ONE.0))
}
