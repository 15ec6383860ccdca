//! From a feed's figures to the price that accounts are judged by (margin-spec 1.3, 2, 3).
//!
//! - [`accept`]: which prints count at all (2.1); [`choose`]: which source rules (2.2).
//! - [`Unit`], [`to_price`], [`shift_for`]: dyadic prices (1.3).
//! - [`advance`]: band, stable price, pending jumps and the bounds of all three (2.3 to 2.5).
//! - [`tier`], [`treatment`]: how good a price is and what may be done with it (2.6); [`peg`]: the
//!   quote's own feed (2.7).
//! - [`sample_variance`], [`target_range`], [`RangeState`], [`init_factor_effective`]: ranges that
//!   follow the market (3).

mod jump;
mod peg;
mod published;
mod range;
mod reading;
mod source;
mod tier;
mod treatment;
mod unit;
mod variance;

pub use jump::{CONFIRMED_AFTER_S, Pending};
pub use peg::{Peg, PegTerms, peg, peg_up};
pub use published::{BandTerms, MAX_STABLE_ELAPSED_S, PriceState, PriceTerms, advance, remeasure};
pub use range::{
    MAX_RANGE_ELAPSED_S, RANGE_FALL, RANGE_FRACTION_BITS, RANGE_RISE, RangeState,
    init_factor_effective, open_interest_factor,
};
pub use reading::{AcceptLimits, Acceptance, MAX_CONF, MIN_EXPONENT, Reading, accept};
pub use source::{COMPARED_WITHIN_S, Chosen, choose};
pub use tier::{Tier, age_s, tier};
pub use treatment::{
    ACTIONS, Action, STALE_MARGIN, TIERS, Treatment, permits, stale_bounds, treatment,
};
pub use unit::{ListedRange, Unit, shift_for, to_price, to_price_ceil};
pub use variance::{
    RangeTerms, VarianceState, initial_variance, is_due, sample_variance, target_range,
};
