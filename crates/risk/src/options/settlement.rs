//! What an expiry settles at (margin-spec 6.4): the time-weighted average of the accepted prices of
//! its last 30 minutes, as Derive and Deribit settle.
//!
//! Each price counts from its publish time until the next, and at most 60 s. The window ends at the
//! expiry, or at the first whole minute after it by which 1,440 s (80% of 30 minutes) are covered.
//! Only prices and their times matter, not who posts them in how many transactions.

use crate::error::RiskError;
use crate::units::Price;

/// The window before the expiry, seconds.
pub const SETTLEMENT_WINDOW_S: i64 = 1_800;
/// A price counts at most this long, seconds.
pub const PRICE_COUNTS_S: i64 = 60;
/// What must be covered: 80% of the window, seconds.
pub const SETTLEMENT_NEEDED_S: u32 = 1_440;
/// A window that is not covered is prolonged by this, seconds.
pub const PROLONGED_BY_S: i64 = 60;
/// And by at most this in all, seconds.
pub const MAX_PROLONGED_S: i64 = 86_400;
/// A settlement waits this long for prints that were published before its window ended, seconds.
pub const SETTLEMENT_GRACE_S: i64 = 60;

/// A price and when it was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Print {
    /// A mantissa of the asset's lot.
    pub price: u64,
    /// Unix seconds, not later than the clock when it was accepted.
    pub at: i64,
}

/// The average of an expiry so far. `Default` is the state before the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SettlementAverage {
    /// Mantissa times seconds, exact: below 2^48 * 1,800 < 2^59, because a window of 1,440 s ends
    /// at its next minute.
    pub sum: u64,
    pub covered_s: u32,
    /// The window has ended; nothing more counts.
    pub closed: bool,
}

impl SettlementAverage {
    /// The average after `print` ruled until `until`: called once per print, when the next one
    /// replaces it, `until` being the next one's time. Exact and total.
    #[must_use]
    pub fn counted(self, expiry: i64, print: Print, until: i64) -> Self {
        let mut next = self;
        let last = expiry.saturating_add(MAX_PROLONGED_S);
        let stop = until.min(print.at.saturating_add(PRICE_COUNTS_S)).min(last);
        let mut from = print.at.max(expiry.saturating_sub(SETTLEMENT_WINDOW_S));
        // Each turn reaches the next whole minute or leaves: at most three.
        while !next.closed && from < last {
            let end = window_end(expiry, from);
            let piece_s = stop.min(end).saturating_sub(from).max(0);
            next = next.with(print.price, piece_s);
            next.closed = until >= end && next.covered_s >= SETTLEMENT_NEEDED_S;
            from = from.saturating_add(piece_s);
            if from >= stop {
                break;
            }
        }
        next
    }

    /// `piece_s` is at most 60.
    fn with(self, price: u64, piece_s: i64) -> Self {
        let price = price.min(Price::MANTISSA_END - 1);
        let seconds = piece_s.unsigned_abs();
        Self {
            sum: self.sum.saturating_add(price.wrapping_mul(seconds)),
            covered_s: self.covered_s.saturating_add(seconds as u32),
            closed: self.closed,
        }
    }

    /// The average of what is covered, floor: a mantissa. `None` before anything is.
    #[must_use]
    pub const fn running_floor(self) -> Option<u64> {
        self.sum.checked_div(self.covered_s as u64)
    }

    /// The forward of the expiry (6.4), floor: outside the window the price; inside it the covered
    /// share fixed at the running average, the remaining share at the price. It changes with prints
    /// alone, and is the settlement at the window's end.
    ///
    /// `self` has counted all prints before `print`, the last one accepted. What remains runs from
    /// `print` to the expiry, thereafter to the next whole minute, and is never less than what is
    /// still needed. The hole it closes: an option of the last minutes that is margined as if its
    /// settlement were still all open, or all fixed.
    #[must_use]
    pub fn forward_floor(self, expiry: i64, print: Print) -> u64 {
        let price = print.price.min(Price::MANTISSA_END - 1);
        if self.covered_s == 0 {
            return price;
        }
        let left_s = if self.closed {
            0
        } else {
            let end = window_end(expiry, print.at);
            let open_s = end.saturating_sub(print.at).clamp(0, SETTLEMENT_WINDOW_S);
            let short_s = SETTLEMENT_NEEDED_S.saturating_sub(self.covered_s);
            open_s.unsigned_abs().max(u64::from(short_s))
        };
        // price * left_s < 2^48 * 1,800, like the sum.
        let sum = self.sum.saturating_add(price.wrapping_mul(left_s));
        let covered_s = u64::from(self.covered_s).wrapping_add(left_s);
        sum.checked_div(covered_s).unwrap_or(price)
    }
}

/// The first possible end of the window after `from`: the expiry, then every minute.
fn window_end(expiry: i64, from: i64) -> i64 {
    let past_s = from.saturating_sub(expiry);
    if past_s < 0 {
        return expiry;
    }
    let minutes = past_s / PROLONGED_BY_S;
    expiry.saturating_add(minutes.saturating_add(1).saturating_mul(PROLONGED_BY_S))
}

/// What an expiry settled by, best first (6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettledBy {
    /// A window covered to 80%.
    Average,
    /// After 24 hours, the second source's price.
    SecondSource,
    /// Without a second source, the average of what is covered.
    LastAverage,
    /// When nothing is covered at all, the last price accepted.
    LastPrice,
}

/// The price of an expired series, a mantissa.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    pub price: u64,
    pub by: SettledBy,
}

/// What a settlement is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettlementInputs {
    /// Unix seconds.
    pub expiry: i64,
    /// The last print accepted, not yet counted.
    pub last: Print,
    /// The second source's price, a mantissa, if it is sound and fresh.
    pub second: Option<u64>,
    /// Unix seconds.
    pub now: i64,
}

/// The settlement of an expiry (6.4), floor. It waits 60 s behind the window's end, so that a print
/// published inside the window cannot be left out by settling before it lands.
///
/// Error: `SettlementPending` while the window is open and 24 hours have not passed.
pub fn settle(
    average: SettlementAverage,
    inputs: &SettlementInputs,
) -> Result<Settlement, RiskError> {
    let until = inputs.now.saturating_sub(SETTLEMENT_GRACE_S);
    let counted = average.counted(inputs.expiry, inputs.last, until);
    let running = counted.running_floor();
    if let (true, Some(price)) = (counted.closed, running) {
        return Ok(Settlement {
            price,
            by: SettledBy::Average,
        });
    }
    if until < inputs.expiry.saturating_add(MAX_PROLONGED_S) {
        return Err(RiskError::SettlementPending {
            covered_s: counted.covered_s,
            needed_s: SETTLEMENT_NEEDED_S,
        });
    }
    let (price, by) = match (inputs.second, running) {
        (Some(price), _) => (price, SettledBy::SecondSource),
        (None, Some(price)) => (price, SettledBy::LastAverage),
        (None, None) => (inputs.last.price, SettledBy::LastPrice),
    };
    Ok(Settlement { price, by })
}

/// The generation of a slot's next series (6.4). A position remembers the generation it was opened
/// in, so an old one never becomes a position in the new series.
///
/// Error: `SlotInUse` while anyone holds a lot of the old series, or when the counter is at its end:
/// list in another slot.
pub const fn next_generation(open_interest: u64, generation: u16) -> Result<u16, RiskError> {
    match generation.checked_add(1) {
        Some(next) if open_interest == 0 => Ok(next),
        _ => Err(RiskError::SlotInUse {
            open_interest,
            generation,
        }),
    }
}
