//! Bounds that make judging a total function (margin-spec 1.6, 1.7).

use crate::book::{Extremes, ScenarioPeak};
use crate::error::RiskError;
use crate::num::{ppm_ceil, value_ceil};
use crate::units::{Atoms, Lots, Ppm, Price};

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
    if !grows(before, after) {
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

/// Whether a leg is larger than before, or on the other side.
#[must_use]
pub const fn grows(before: Lots, after: Lots) -> bool {
    let crosses = before.0.signum() * after.0.signum() < 0;
    crosses || after.0.unsigned_abs() > before.0.unsigned_abs()
}

/// What an asset charges at its most: its range at the cap, its size multiplier, its basis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charges {
    pub range: Ppm,
    /// 0 for an asset without a depth.
    pub concentration_cap: Ppm,
    pub basis_rate: Ppm,
}

/// Refuses charges under which Initial could be laxer than Maintenance (5.5), at listing.
///
/// Initial weighs a token by `d` atoms less than Maintenance does: its equity is lower by `d`, but
/// the net value N that is scanned is lower too. One atom less of N lowers the loss
/// `w |k| N range (1 + N / depth)` by at most `w |k| range (1 + 2 concentration_cap)` (the derivative
/// in N is `1 + 2 N / depth` below the cap and `1 + concentration_cap` beyond), and the matched value
/// by one, hence the basis by `basis_rate`. X, Y and the gross minimum are monotone and subadditive
/// in the losses, so that no requirement falls by more than the sum of those. With
/// `max(w |k|) * range * (1 + 2 concentration_cap) + basis_rate <= 1`, ceil, the equity falls by at
/// least as much and health_I <= health_M, up to roundings of an atom per step.
/// Error: `ChargesTooSteep` with that sum.
pub fn check_charges(charges: &Charges, extremes: &Extremes) -> Result<(), RiskError> {
    let one = u64::from(Ppm::ONE.0);
    let steepest = one.saturating_add(2 * u64::from(charges.concentration_cap.0));
    let peak = weight(&extremes.up).max(weight(&extremes.down));
    let scanned = ppm_ceil(ppm_ceil(steepest, charges.range), peak);
    let slope = scanned.saturating_add(u64::from(charges.basis_rate.0));
    if slope > one {
        return Err(RiskError::ChargesTooSteep {
            slope: Ppm(u32::try_from(slope).unwrap_or(u32::MAX)),
        });
    }
    Ok(())
}

/// `w * |k|` of a direction's peak, ceil.
fn weight(peak: &ScenarioPeak) -> Ppm {
    let scenario = peak.scenario;
    let product = u64::from(scenario.k_num.unsigned_abs()) * u64::from(scenario.w.0);
    let weight = product.div_ceil(u64::from(scenario.k_den.max(1)));
    Ppm(u32::try_from(weight).unwrap_or(u32::MAX))
}
