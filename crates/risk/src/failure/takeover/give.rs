//! What leaves the account with a share of it.

use super::TakeoverBuffers;
use crate::book::{BalanceLeg, Book, Legs, PositionLeg, QUOTE_RATE};
use crate::carry::{Carries, position_worth};
use crate::error::RiskError;
use crate::num::{ppm_ceil_bounded, ppm_floor_bounded};
use crate::units::{Atoms, Lots, Ppm, Price, Shares};

/// How many slots were written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Given {
    pub balances: usize,
    pub positions: usize,
}

/// What of a position every share tried needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marked {
    pub mark: Price,
    /// Whether the whole position costs more than it is worth.
    pub costs: bool,
}

impl Marked {
    /// What a place is before it is written.
    pub const EMPTY: Self = Self {
        mark: Price::ONE,
        costs: false,
    };
}

/// The part of a signed amount that moves: towards minus infinity, so that of what is owed more moves
/// and of what is held less.
pub(super) fn part_floor(held: i64, share: Ppm) -> i64 {
    let whole = held.unsigned_abs();
    // A share is at most one, so that no product overflows.
    if held >= 0 {
        ppm_floor_bounded(whole, u64::from(share.0)) as i64
    } else {
        (ppm_ceil_bounded(whole, u64::from(share.0)) as i64).wrapping_neg()
    }
}

/// Lots of a position that move: of a leg that is worth something fewer, of one that costs more.
fn lots_of(size: Lots, share: Ppm, costs: bool) -> i64 {
    let lots = size.0.unsigned_abs();
    let part = if costs {
        ppm_ceil_bounded(lots, u64::from(share.0)).min(lots)
    } else {
        ppm_floor_bounded(lots, u64::from(share.0))
    };
    part as i64 * size.0.signum()
}

/// Marks every position once, for all shares that are tried.
#[inline(never)]
pub(super) fn mark<B: Book, A: Legs>(
    book: &B,
    account: &A,
    buffers: &mut TakeoverBuffers<'_>,
) -> Result<(), RiskError> {
    let mut places = buffers.marked.iter_mut();
    for slot in 0..account.position_slots() {
        let Some(leg) = account.position(slot) else {
            continue;
        };
        let terms = book.instrument(leg.instrument);
        let worth = position_worth(&leg, terms.mark, Carries::of(&terms));
        let place = places.next().ok_or(RiskError::TooLarge)?;
        *place = Marked {
            mark: terms.mark,
            costs: worth.0 < 0,
        };
    }
    Ok(())
}

/// Writes the account's legs without `share` of each into its buffers, the quote's slot first.
#[inline(never)]
pub(super) fn give<A: Legs>(
    account: &A,
    share: Ppm,
    buffers: &mut TakeoverBuffers<'_>,
) -> Result<Given, RiskError> {
    let mut given = Given::default();
    let quote = (0..account.balance_slots())
        .find(|slot| {
            account
                .balance(*slot)
                .is_some_and(|leg| leg.rate == QUOTE_RATE)
        })
        .unwrap_or(0);
    let others = (0..account.balance_slots()).filter(|slot| *slot != quote);
    let mut places = buffers.account_balances.iter_mut();
    for slot in core::iter::once(quote).chain(others) {
        let leg = match account.balance(slot) {
            Some(leg) => leg,
            None if slot == quote => BalanceLeg {
                rate: QUOTE_RATE,
                shares: Shares(0),
            },
            None => continue,
        };
        let left = leg.shares.0 - part_floor(leg.shares.0, share);
        let place = places.next().ok_or(RiskError::TooLarge)?;
        *place = (
            slot,
            BalanceLeg {
                shares: Shares(left),
                ..leg
            },
        );
        given.balances += 1;
    }

    let places = buffers.account_positions.iter_mut();
    let mut places = places.zip(buffers.marked.iter());
    for slot in 0..account.position_slots() {
        let Some(leg) = account.position(slot) else {
            continue;
        };
        let (place, marked) = places.next().ok_or(RiskError::TooLarge)?;
        // The same side keeps the rest, so that no carry is settled here.
        let left = PositionLeg {
            size: Lots(leg.size.0 - lots_of(leg.size, share, marked.costs)),
            quote: Atoms(leg.quote.0 - part_floor(leg.quote.0, share)),
            ..leg
        };
        *place = (slot, left);
        given.positions += 1;
    }
    Ok(given)
}
