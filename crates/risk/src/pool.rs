//! The pool's shares (margin-spec 10.4); its quotes are in [`crate::quote`].

use crate::error::RiskError;
use crate::num::mul_div_floor;
use crate::units::{Atoms, Ppm};

/// The first shares, which nobody may ever redeem (10.4).
pub const LOCKED_SHARES: u64 = 1_000_000;

/// What a pool's account says to a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolTerms {
    /// Shares in issue, the locked ones included.
    pub shares: u64,
    /// Greatest equity that providing may reach.
    pub equity_cap: Atoms,
    /// Greatest net value in one asset, either way.
    pub asset_cap: Atoms,
    /// Replaces each asset's `init_factor` when a fill opens against the pool (10.2).
    pub factor: Ppm,
}

/// Shares that providing creates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuedShares {
    /// To the provider.
    pub minted: u64,
    /// To nobody: only with the first provision.
    pub locked: u64,
}

/// Shares for `amount` atoms: `amount * shares / equity`, floor; the first provider gets one share
/// per atom, less the 1,000,000 that stay locked, so that no later donation can make a share dear
/// enough to round a provider to nothing (10.4).
///
/// `equity` is the pool's at the bounds that make it largest, before the amount. Errors:
/// `TooFewShares` when nothing would come out, `PoolInsolvent` when there are shares but no equity,
/// `TooLarge` beyond 64 bits.
pub fn provide_shares(amount: u64, shares: u64, equity: Atoms) -> Result<IssuedShares, RiskError> {
    if shares == 0 {
        let minted = amount.saturating_sub(LOCKED_SHARES);
        if minted == 0 {
            return Err(RiskError::TooFewShares);
        }
        return Ok(IssuedShares {
            minted,
            locked: LOCKED_SHARES,
        });
    }

    if equity.0 <= 0 {
        return Err(RiskError::PoolInsolvent);
    }
    let minted =
        mul_div_floor(amount, shares, equity.0.unsigned_abs()).ok_or(RiskError::TooLarge)?;
    if minted == 0 {
        return Err(RiskError::TooFewShares);
    }
    if shares.checked_add(minted).is_none() {
        return Err(RiskError::TooLarge);
    }
    Ok(IssuedShares { minted, locked: 0 })
}

/// What 1,000,000 shares are worth at an equity, atoms, floor; 0 without shares or equity. For
/// reports: nothing is bought or redeemed at it.
#[must_use]
pub const fn share_price(equity: Atoms, shares: u64) -> u64 {
    if equity.0 <= 0 {
        return 0;
    }
    match mul_div_floor(equity.0.unsigned_abs(), 1_000_000, shares) {
        Some(price) => price,
        None if shares == 0 => 0,
        None => u64::MAX,
    }
}
