//! Bounds that make judging a total function (margin-spec 1.6, 1.7).

use crate::error::RiskError;
use crate::num::value_ceil;
use crate::units::{Atoms, Lots, Price};

/// Balance slots of an account.
pub const MAX_BALANCES: usize = 16;
/// Position slots of a trader's account.
pub const MAX_POSITIONS: usize = 16;
/// Position slots of a pool's account.
pub const MAX_POOL_POSITIONS: usize = 128;
/// Assets besides the quote that a trader's account may be exposed to.
pub const MAX_ASSETS_PER_ACCOUNT: usize = 8;
/// Assets of a book, the quote included, and of a pool's account.
pub const MAX_ASSETS: usize = 32;
/// Scenarios of a book.
pub const MAX_SCENARIOS: usize = 24;

/// A trader's leg may grow only up to this value, atoms ($70M).
pub const MAX_LEG_VALUE: Atoms = Atoms(1 << 46);
/// A pool's leg may grow only up to this value, atoms.
pub const MAX_POOL_LEG_VALUE: Atoms = Atoms(1 << 48);
/// A leg may grow only while its size is below this, lots.
pub const MAX_LEG_SIZE: i64 = 1 << 31;
/// A bank's totals stay below this, native units.
pub const MAX_BANK_TOTAL: u64 = 1 << 62;

/// Judging saturates a leg's value and its quote here: 64 times a pool's leg.
pub const MAX_JUDGED_VALUE: i64 = 1 << 54;
/// Judging saturates an option leg's size here: 64 times a leg.
pub const MAX_JUDGED_SIZE: i64 = 1 << 37;
/// Judging saturates the loss of an asset in one scenario here.
pub const MAX_JUDGED_LOSS: i64 = 1 << 57;

/// A lot is worth at least this at the low end of the listed range (1.1).
pub const MIN_LOT_VALUE: Atoms = Atoms(10_000);

/// Refuses a leg that grew beyond what a leg may be (1.6); shrinking is always allowed.
///
/// `before` and `after` are the leg's sizes, `mark` its price; `pool` chooses the pool's bound.
/// A leg that crosses zero counts as grown. Errors: `TooLarge`, `LegTooLarge`.
pub fn check_growth(before: Lots, after: Lots, mark: Price, pool: bool) -> Result<(), RiskError> {
    let crosses = before.0.signum() * after.0.signum() < 0;
    if !crosses && after.0.unsigned_abs() <= before.0.unsigned_abs() {
        return Ok(());
    }
    if after.0.unsigned_abs() >= MAX_LEG_SIZE.unsigned_abs() {
        return Err(RiskError::TooLarge);
    }

    let value = value_ceil(Lots(after.0.saturating_abs()), mark);
    let limit = if pool {
        MAX_POOL_LEG_VALUE
    } else {
        MAX_LEG_VALUE
    };
    if value > limit {
        return Err(RiskError::LegTooLarge { value, limit });
    }
    Ok(())
}
