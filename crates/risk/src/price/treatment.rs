//! What may be done with an asset whose price is so good (margin-spec 2.6): the whole matrix.

use crate::num::{ppm_ceil, ppm_floor};
use crate::price::Tier;
use crate::units::{Frac40, Ppm};

/// What is to be done with an account that is exposed to the asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Grow a leg of the asset.
    Increase,
    /// Reduce or close one.
    Reduce,
    /// Deposit, repay, accrue interest.
    Deposit,
    /// Withdraw, borrow, transfer out.
    Withdraw,
    /// Provide to a pool, redeem from it.
    Provide,
    /// Liquidate, take over, resolve, deleverage.
    Liquidate,
    /// Settle results, accrue funding.
    Settle,
}

/// Every action, in the order of the table.
pub const ACTIONS: [Action; 7] = [
    Action::Increase,
    Action::Reduce,
    Action::Deposit,
    Action::Withdraw,
    Action::Provide,
    Action::Liquidate,
    Action::Settle,
];

/// Every tier, best first.
pub const TIERS: [Tier; 5] = [
    Tier::Ok,
    Tier::Wide,
    Tier::Diverged,
    Tier::Stale,
    Tier::Invalid,
];

/// How an action is treated in a tier. Bounds are those of `PriceState::bound_down` and `bound_up`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// As if the price were good.
    Allowed,
    /// Not now.
    Refused,
    /// With every leg of the asset at the bound that is worse for the account.
    AtBounds,
    /// The fill is at the bound that is worse for the trader.
    AtWorseBound,
    /// As [`Treatment::AtBounds`], the bounds spanning both sources and what is pending.
    AtWorstBoundOfSources,
    /// With what the account holds of the asset counting nothing, and what it owes at the upper
    /// bound and a tenth ([`stale_bounds`]).
    StaleAdverse,
    /// Only if it is liquidatable also with the asset at the bounds that favour it.
    IfLiquidatableInFavour,
    /// Only legs of other assets, and only if it is liquidatable also with this one in its favour:
    /// what it holds at the upper bound and a tenth, what it owes at the lower bound less a tenth,
    /// scan 0 ([`stale_bounds`]). The asset's own legs wait.
    OtherLegsInFavour,
}

use Treatment::{
    Allowed, AtBounds, AtWorseBound, AtWorstBoundOfSources, IfLiquidatableInFavour,
    OtherLegsInFavour, Refused, StaleAdverse,
};

/// Rows are actions, columns are tiers from Ok to Invalid (2.6).
#[rustfmt::skip]
const MATRIX: [[Treatment; 5]; 7] = [
    [Allowed, Refused,  Refused,                Refused,           Refused],           // Increase
    [Allowed, Allowed,  AtWorseBound,           Refused,           Refused],           // Reduce
    [Allowed, Allowed,  Allowed,                Allowed,           Allowed],           // Deposit
    [Allowed, AtBounds, AtWorstBoundOfSources,  StaleAdverse,      StaleAdverse],      // Withdraw
    [Allowed, AtBounds, AtWorstBoundOfSources,  StaleAdverse,      StaleAdverse],      // Provide
    [Allowed, Allowed,  IfLiquidatableInFavour, OtherLegsInFavour, OtherLegsInFavour], // Liquidate
    [Allowed, Allowed,  Allowed,                Refused,           Refused],           // Settle
];

/// How `action` is treated while the asset's price is in `tier` (2.6).
#[must_use]
pub const fn treatment(action: Action, tier: Tier) -> Treatment {
    MATRIX[action as usize][tier as usize]
}

/// Whether `action` goes ahead in `tier` without a price other than the mark and the distances that
/// Initial values at: the cells that judge by bounds of both sources, or in an account's favour, are
/// closed here.
#[must_use]
pub const fn permits(action: Action, tier: Tier) -> bool {
    matches!(treatment(action, tier), Allowed | AtBounds)
}

/// How far beyond its last bounds a stale price is valued (2.6).
pub const STALE_MARGIN: Ppm = Ppm(100_000);

/// The distances of a stale price: `(1 - (1 - down) * 0.9, (1 + up) * 1.1 - 1)`, ceil. `up` serves
/// what is owed where that is adverse and what is held where that is in favour, `down` what is owed
/// where that is in favour. Saturate; `down` counts at most 1.
#[must_use]
pub fn stale_bounds(down: Frac40, up: Frac40) -> (Frac40, Frac40) {
    let left = Frac40::ONE.0.saturating_sub(down.0);
    let kept = ppm_floor(left, Ppm(Ppm::ONE.0 - STALE_MARGIN.0));
    let upper = up.0.saturating_add(Frac40::ONE.0);
    let stretched = ppm_ceil(upper, Ppm(Ppm::ONE.0 + STALE_MARGIN.0));
    (
        Frac40(Frac40::ONE.0.saturating_sub(kept)),
        Frac40(stretched.saturating_sub(Frac40::ONE.0)),
    )
}
