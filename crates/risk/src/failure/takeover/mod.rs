//! Taking over a share of an account below Maintenance (margin-spec 8.3): every leg and balance at
//! once, so that no hedge is broken, at a discount that rises until somebody bids. The discount is
//! that of Euler v1's liquidations; the share is what Derive's auctions sell.

mod give;
mod legs;
mod receive;
mod search;

use crate::book::{BalanceLeg, Book, Legs, PositionLeg};
use crate::error::RiskError;
use crate::failure::auction::premium;
use crate::failure::judge_receiver;
use crate::failure::liquidation::{LiquidationTerms, StoppedBy};
use crate::fitness::require_liquidation_prices_of;
use crate::ledger::{BankChange, MarketChange};
use crate::limits::check_growth;
use crate::margin::{self, Assessment, Health, Scratch};
use crate::num::{ppm_ceil, ppm_floor};
use crate::price::Tier;
use crate::units::{Atoms, Lots, Ppm};
pub use give::Marked;
use legs::{Joined, SlotSet, Written};
pub(in crate::failure) use receive::merged;
use receive::receive;
use search::Search;

const MILLION: u32 = 1_000_000;
/// What a bidder asks for, and the moment's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakeoverTerms {
    /// Takes at most this share of everything.
    pub max_share: Ppm,
    /// Where the liquidation ends (8.1).
    pub liquidation: LiquidationTerms,
    /// Live seconds of the auction.
    pub live_s: u64,
    /// What the group's insurance may pay now, native units of the quote.
    pub insurance: u64,
    /// Position slots that the bidder's account has, used or not.
    pub bidder_capacity: usize,
}

/// Where a takeover is written, owned by the caller so that no frame holds it: as long as the
/// account's slots, the bidder's balances one longer for the quote.
#[derive(Debug)]
pub struct TakeoverBuffers<'a> {
    pub account_balances: &'a mut [(usize, BalanceLeg)],
    pub account_positions: &'a mut [(usize, PositionLeg)],
    pub bidder_balances: &'a mut [(usize, BalanceLeg)],
    pub bidder_positions: &'a mut [(usize, PositionLeg)],
    /// Figures of the account's positions, in their order.
    pub marked: &'a mut [Marked],
    /// Ledgers of the banks, in the order of the bidder's balances.
    pub banks: &'a mut [BankChange],
    /// Ledgers of the markets, in the order of the bidder's positions.
    pub markets: &'a mut [MarketChange],
}

/// A takeover, judged. The changed slots stand in the buffers: the first `balances` and `positions`
/// of each; the first balance of both sides is the quote's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakeoverPlan {
    pub share: Ppm,
    pub balances: usize,
    pub positions: usize,
    /// What moved is worth at weight 1, ceil: to an atom per leg.
    pub worth: Atoms,
    /// From the bidder to the account, in quote.
    pub payment: Atoms,
    /// From the group's insurance to the bidder, where the account has no equity.
    pub from_insurance: Atoms,
    pub stopped_by: StoppedBy,
    /// The account's E before, and its Maintenance figures, at the marks.
    pub net_asset_value: Atoms,
    pub before: Health,
    pub after: Health,
}

/// Plans a takeover of share x of every leg and balance. x is at most `max_share` and at most the least
/// that reaches the end of 8.1: one that comes within a sixteenth of the buffer to it, else the
/// largest share tried that does not pass it, or one that reaches it where a millionth less does not.
///
/// What moves is rounded for the account: deposits and legs of positive worth down, borrows and legs
/// of negative worth up. The bidder pays the weight-1 value of exactly what moved, rounded up by an atom
/// per leg, times (1 - discount), ceil, from quote that he holds. Where the account's E is zero or below he pays nothing and the group's
/// insurance adds `x * -E` and a premium of up to half of `x * MM`, within its caps. The bidder ends
/// at Initial.
///
/// Errors: `PriceUnfit`, `NotLiquidatable`, `ShareTooSmall`, `InsuranceCap`, `NothingToLiquidate`
/// where taking a share does not raise health; for the bidder `TooLarge` (also without a free slot),
/// `InsufficientDeposit`, `LegTooLarge`, `TooManyAssets`, `BelowInitial`.
pub fn plan_take_over<B: Book, A: Legs, K: Legs>(
    book: &B,
    (account, bidder): (&A, &K),
    terms: &TakeoverTerms,
    buffers: &mut TakeoverBuffers<'_>,
    scratch: &mut Scratch<'_>,
) -> Result<TakeoverPlan, RiskError> {
    // A share of every leg moves, so no asset's price may be stale.
    let found = margin::judged(book, account, scratch);
    require_liquidation_prices_of(book, found.exposed, u32::MAX)?;
    let in_doubt = is_doubtful(book, found.exposed);
    if !found.maintenance.is_liquidatable()
        || in_doubt && !margin::maintenance_in_favour(book, account, scratch).is_liquidatable()
    {
        return Err(RiskError::NotLiquidatable {
            equity: found.maintenance.equity,
            requirement: found.maintenance.requirement,
        });
    }

    give::mark(book, account, buffers)?;
    let mut search = Search {
        book,
        account,
        found,
        terms,
        buffers,
        scratch,
    };
    let (tried, stopped_by) = search.share()?;
    if tried.after.health() <= found.maintenance.health() {
        return Err(RiskError::NothingToLiquidate);
    }
    let plan = TakeoverPlan {
        share: tried.share,
        balances: tried.balances,
        positions: tried.positions,
        worth: tried.worth,
        payment: tried.payment,
        from_insurance: insurance_pays(&found, tried.share, terms)?,
        stopped_by,
        net_asset_value: found.net_asset_value,
        before: found.maintenance,
        after: tried.after,
    };
    let replaced = receive(book, (account, bidder), &plan, terms, buffers)?;
    judge_bidder(book, bidder, &plan, (buffers, replaced), scratch)?;
    Ok(plan)
}

/// What the group's insurance pays the bidder: `x * -E` and the premium, ceil and floor.
fn insurance_pays(
    found: &Assessment,
    share: Ppm,
    terms: &TakeoverTerms,
) -> Result<Atoms, RiskError> {
    if found.net_asset_value.0 > 0 {
        return Ok(Atoms(0));
    }
    let deficit = ppm_ceil(found.net_asset_value.0.unsigned_abs(), share);
    let requirement = found.maintenance.requirement.0.max(0).unsigned_abs();
    let rate = premium(terms.live_s);
    let asked = deficit.saturating_add(ppm_floor(ppm_floor(requirement, share), rate));
    if asked > terms.insurance {
        return Err(RiskError::InsuranceCap {
            available: terms.insurance,
            asked,
        });
    }
    Ok(Atoms(asked as i64))
}

/// Whether an asset of the bits counts at another price than its mark in an account's favour: Diverged
/// ones, as stale ones were refused.
fn is_doubtful<B: Book>(book: &B, mut assets: u32) -> bool {
    let mut doubtful = false;
    while assets != 0 {
        let asset = assets.trailing_zeros() as u8;
        assets &= assets - 1;
        doubtful |= book.tier(asset) >= Tier::Diverged;
    }
    doubtful
}

/// The bidder stays within his limits and ends at or above Initial.
fn judge_bidder<B: Book, K: Legs>(
    book: &B,
    bidder: &K,
    plan: &TakeoverPlan,
    (buffers, (balances, positions)): (&TakeoverBuffers<'_>, (SlotSet, SlotSet)),
    scratch: &mut Scratch<'_>,
) -> Result<(), RiskError> {
    let written = Written {
        balances: buffers
            .bidder_balances
            .get(..plan.balances)
            .unwrap_or_default(),
        positions: buffers
            .bidder_positions
            .get(..plan.positions)
            .unwrap_or_default(),
    };
    for ((slot, leg), marked) in written.positions.iter().zip(&*buffers.marked) {
        let held = bidder.position(*slot).map_or(Lots(0), |leg| leg.size);
        check_growth(held, leg.size, marked.mark, false)?;
    }
    let after = Joined {
        base: bidder,
        written,
        balances,
        positions,
    };
    judge_receiver(book, &after, 0, scratch)
}
