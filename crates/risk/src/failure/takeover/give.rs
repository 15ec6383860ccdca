//! What leaves the account with a share of it.

use super::TakeoverBuffers;
use crate::book::{BalanceLeg, Book, Legs, PositionLeg, QUOTE_RATE};
use crate::carry::{Carries, position_worth};
use crate::error::RiskError;
use crate::num::{ppm_ceil, ppm_floor, value_floor};
use crate::shares::amount;
use crate::units::{Atoms, Lots, Ppm, Price, Shares};

/// How much was taken out of an account.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Given {
    pub balances: usize,
    pub positions: usize,
    pub worth: i64,
}

/// The part of a signed amount that moves: towards minus infinity, so that of what is owed more moves
/// and of what is held less.
pub(super) fn part_floor(held: i64, share: Ppm) -> i64 {
    crate::num::signed_ppm_floor(held, share)
}

/// Lots of a position that move: of a leg that is worth something fewer, of one that costs more.
fn lots_of(leg: &PositionLeg, share: Ppm, worth: i64) -> i64 {
    let lots = leg.size.0.unsigned_abs();
    let part = if worth >= 0 {
        ppm_floor(lots, share)
    } else {
        ppm_ceil(lots, share).min(lots)
    };
    part as i64 * leg.size.0.signum()
}

/// Writes the account's legs without `share` of each into its buffers, the quote's slot first.
pub(super) fn give<B: Book, A: Legs>(
    book: &B,
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
        let part = part_floor(leg.shares.0, share);
        let rate = book.rate(leg.rate);
        let held = amount(Shares(part), rate.deposit_index, rate.borrow_index);
        let price = if leg.rate == QUOTE_RATE {
            Price::ONE
        } else {
            book.asset(rate.asset).native_price
        };
        given.worth = given
            .worth
            .saturating_add(value_floor(Lots(held.0), price).0);
        let place = places.next().ok_or(RiskError::TooLarge)?;
        *place = (slot, shares_left(leg, part));
        given.balances += 1;
    }
    give_positions(book, account, share, buffers, &mut given)?;
    Ok(given)
}

fn shares_left(leg: BalanceLeg, part: i64) -> BalanceLeg {
    BalanceLeg {
        shares: Shares(leg.shares.0 - part),
        ..leg
    }
}

fn give_positions<B: Book, A: Legs>(
    book: &B,
    account: &A,
    share: Ppm,
    buffers: &mut TakeoverBuffers<'_>,
    given: &mut Given,
) -> Result<(), RiskError> {
    let mut places = buffers.account_positions.iter_mut();
    for slot in 0..account.position_slots() {
        let Some(leg) = account.position(slot) else {
            continue;
        };
        let terms = book.instrument(leg.instrument);
        let carries = Carries::of(&terms);
        let worth = position_worth(&leg, terms.mark, carries);
        let part = PositionLeg {
            size: Lots(lots_of(&leg, share, worth.0)),
            quote: Atoms(part_floor(leg.quote.0, share)),
            ..leg
        };
        let moved = position_worth(&part, terms.mark, carries);
        given.worth = given.worth.saturating_add(moved.0);
        // The same side keeps the rest, so that no carry is settled here.
        let left = PositionLeg {
            size: Lots(leg.size.0 - part.size.0),
            quote: Atoms(leg.quote.0 - part.quote.0),
            ..leg
        };
        let place = places.next().ok_or(RiskError::TooLarge)?;
        *place = (slot, left);
        given.positions += 1;
    }
    Ok(())
}
