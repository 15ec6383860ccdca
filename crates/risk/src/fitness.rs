//! Whether the prices behind an account are good enough for what is asked (margin-spec 2.6, 2.8): what
//! the matrix of [`treatment`] means for plans. An asset without exposure blocks nothing.

use crate::book::{Book, Legs, PriceQuality, QUOTE_ASSET};
use crate::error::RiskError;
use crate::margin::exposed_assets;
use crate::price::{Action, Tier, Treatment, permits, treatment};
use crate::units::Ppm;

/// Refuses unless every asset that the account is exposed to has a price good enough for `action` at
/// the mark, and no older than `max_age_s` of it. Error: `PriceUnfit`.
pub fn require_prices<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    action: Action,
    max_age_s: impl Fn(&PriceQuality) -> u32,
) -> Result<(), RiskError> {
    require_prices_of(book, exposed_assets(book, legs), action, max_age_s)
}

/// The same for assets that are known already, as bits.
pub fn require_prices_of<B: Book>(
    book: &B,
    exposed: u32,
    action: Action,
    max_age_s: impl Fn(&PriceQuality) -> u32,
) -> Result<(), RiskError> {
    each(book, exposed, |_, quality| {
        permits(action, quality.tier) && quality.age_s <= max_age_s(quality)
    })
}

/// Refuses a withdrawal that leaves a borrow or a position, on prices older than it may use. Prices in
/// doubt do not refuse it: it is then judged with [`crate::Stance::Against`], a stale one whatever its
/// age (2.6). `exposed` are the account's assets, as bits. Error: `PriceUnfit`.
pub fn require_withdrawal_prices<B: Book>(book: &B, exposed: u32) -> Result<(), RiskError> {
    each(book, exposed, |_, quality| {
        let fresh = quality.age_s <= quality.max_age_withdrawal_s;
        // A good price serves, as nearly all are.
        if quality.tier == Tier::Ok {
            return fresh;
        }
        match treatment(Action::Withdraw, quality.tier) {
            Treatment::Refused => false,
            Treatment::StaleAdverse => true,
            _ => fresh,
        }
    })
}

/// Whether funding accrues at an asset's price: not at a stale one (2.6).
#[must_use]
pub const fn permits_funding(tier: Tier) -> bool {
    permits(Action::Settle, tier)
}

/// Refuses a borrow of a token to grow while its own price is stale or missing: whoever knows where
/// the market went would take it at the old price (2.6). The quote needs none. Error: `PriceUnfit`.
pub fn require_borrow_price<B: Book>(book: &B, asset: u8) -> Result<(), RiskError> {
    let quality = book.quality(asset);
    if asset != QUOTE_ASSET && quality.tier >= Tier::Stale {
        return Err(unfit(asset, &quality));
    }
    Ok(())
}

/// Refuses a provision or a redemption unless each asset of the pool's positions has a print that is
/// fresh enough; bounds of both sources count where they differ (2.6, 10.4). Error: `PriceUnfit`.
pub fn require_pool_prices<B: Book, L: Legs>(book: &B, pool: &L) -> Result<(), RiskError> {
    each(book, exposed_assets(book, pool), |_, quality| {
        quality.tier < Tier::Stale && quality.age_s <= quality.max_age_pool_s
    })
}

/// Refuses a step against an account unless its assets' prices serve: fresh ones, or stale ones of
/// assets that the step does not take (`taken` as bits). It is then judged with
/// [`crate::Stance::InFavour`] (2.6): one sleeping feed makes nobody unliquidatable, and nobody is
/// liquidated for a doubtful print. Error: `PriceUnfit`.
pub fn require_liquidation_prices<B: Book, L: Legs>(
    book: &B,
    account: &L,
    taken: u32,
) -> Result<(), RiskError> {
    require_liquidation_prices_of(book, exposed_assets(book, account), taken)
}

/// The same for assets that are known already, as bits.
pub(crate) fn require_liquidation_prices_of<B: Book>(
    book: &B,
    exposed: u32,
    taken: u32,
) -> Result<(), RiskError> {
    each(book, exposed, |asset, quality| {
        match treatment(Action::Liquidate, quality.tier) {
            Treatment::Refused => false,
            Treatment::OtherLegsInFavour => taken & bit(asset) == 0,
            _ => quality.age_s <= quality.max_age_liquidation_s,
        }
    })
}

/// How far from the mark a fill is at least, against the taker: nothing at a good price, the worse
/// bound where an exit is open at that alone (2.6). Error: `PriceUnfit` where the tier refuses it or the
/// price is older than `max_age_s`.
pub fn fill_distance(
    asset: u8,
    quality: &PriceQuality,
    (action, buys): (Action, bool),
    max_age_s: u32,
) -> Result<Ppm, RiskError> {
    let distance = match treatment(action, quality.tier) {
        Treatment::Allowed | Treatment::AtBounds => Some(Ppm(0)),
        Treatment::AtWorseBound if buys => Some(quality.bound_up.to_ppm_ceil()),
        Treatment::AtWorseBound => Some(quality.bound_down.to_ppm_ceil()),
        _ => None,
    };
    match distance {
        Some(distance) if quality.age_s <= max_age_s => Ok(distance),
        _ => Err(unfit(asset, quality)),
    }
}

/// An asset as a bit; none beyond 31.
pub(crate) fn bit(asset: u8) -> u32 {
    1u32.checked_shl(u32::from(asset)).unwrap_or(0)
}

#[inline]
fn each<B: Book>(
    book: &B,
    mut assets: u32,
    serves: impl Fn(u8, &PriceQuality) -> bool,
) -> Result<(), RiskError> {
    while assets != 0 {
        let asset = assets.trailing_zeros() as u8;
        assets &= assets - 1;
        let quality = book.quality(asset);
        if !serves(asset, &quality) {
            return Err(unfit(asset, &quality));
        }
    }
    Ok(())
}

pub(crate) fn unfit(asset: u8, quality: &PriceQuality) -> RiskError {
    RiskError::PriceUnfit {
        asset,
        tier: quality.tier,
        age_s: quality.age_s,
    }
}
