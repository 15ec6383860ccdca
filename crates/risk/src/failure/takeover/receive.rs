//! What the bidder gets with a share of an account.

use super::give::part_floor;
use super::legs::SlotSet;
use super::{TakeoverBuffers, TakeoverPlan, TakeoverTerms};
use crate::book::{BalanceLeg, Book, Legs, PositionLeg, QUOTE_RATE};
use crate::carry::Carries;
use crate::error::RiskError;
use crate::failure::liquidation::{market_change, received};
use crate::fill::moved;
use crate::ledger::{BankChange, MarketChange};
use crate::limits::{MAX_ASSETS, MAX_POOL_POSITIONS};
use crate::shares::{amount, borrow_amount, credited, debited};
use crate::units::{Atoms, Dust48, Lots, Native, Shares};

/// Where a bidder's legs of up to `N` kinds are, found in one pass, and which slots are free.
struct Places<const N: usize> {
    /// Slot plus one; 0 where he holds none.
    slots: [u8; N],
    used: SlotSet,
    next_free: usize,
}

impl<const N: usize> Places<N> {
    fn of(held: impl Iterator<Item = (usize, u8)>) -> Self {
        let mut places = Self {
            slots: [0; N],
            used: SlotSet::default(),
            next_free: 0,
        };
        for (slot, kind) in held {
            places.used.add(slot);
            if let Some(place) = places.slots.get_mut(usize::from(kind)) {
                *place = (slot as u8).saturating_add(1);
            }
        }
        places
    }

    /// The slot of a kind, or the first free one below `capacity`, which is no longer free then.
    fn take(&mut self, kind: u8, capacity: usize) -> Option<usize> {
        let held = self.slots.get(usize::from(kind)).copied().unwrap_or(0);
        if held != 0 {
            return Some(usize::from(held) - 1);
        }
        while self.next_free < capacity && self.used.holds(self.next_free) {
            self.next_free += 1;
        }
        let free = self.next_free;
        self.next_free += 1;
        (free < capacity).then_some(free)
    }
}

/// Writes the bidder's legs and the ledgers' changes. Returns the slots written, balances' and
/// positions'. Error: `TooLarge` without a free slot.
pub(super) fn receive<B: Book, A: Legs, K: Legs>(
    book: &B,
    (account, bidder): (&A, &K),
    plan: &TakeoverPlan,
    terms: &TakeoverTerms,
    buffers: &mut TakeoverBuffers<'_>,
) -> Result<(SlotSet, SlotSet), RiskError> {
    let balances = receive_balances(book, (account, bidder), plan, buffers)?;
    let positions = receive_positions(book, (account, bidder), plan, terms, buffers)?;
    Ok((balances, positions))
}

#[inline(never)]
fn receive_positions<B: Book, A: Legs, K: Legs>(
    book: &B,
    (account, bidder): (&A, &K),
    plan: &TakeoverPlan,
    terms: &TakeoverTerms,
    buffers: &mut TakeoverBuffers<'_>,
) -> Result<SlotSet, RiskError> {
    let held = (0..bidder.position_slots())
        .filter_map(|slot| Some((slot, bidder.position(slot)?.instrument)));
    let mut free = Places::<MAX_POOL_POSITIONS>::of(held);
    let mut replaced = SlotSet::default();
    let places = buffers.bidder_positions.iter_mut();
    let given = buffers.account_positions.iter().take(plan.positions);
    let places = given.zip(places).zip(buffers.markets.iter_mut());
    let mut written = 0;
    for (((slot, left), place), market) in places {
        let Some(before) = account.position(*slot) else {
            continue;
        };
        let at = free
            .take(before.instrument, terms.bidder_capacity)
            .ok_or(RiskError::TooLarge)?;
        replaced.add(at);
        let held = bidder.position(at).unwrap_or(PositionLeg {
            instrument: before.instrument,
            size: Lots(0),
            quote: Atoms(0),
        });
        let opposite = held.size.0.signum() * before.size.0.signum() < 0;
        let carries = if opposite {
            Carries::of(&book.instrument(before.instrument))
        } else {
            Carries::NONE
        };
        let (after, change) = merged(held, before, *left, carries)?;
        *place = (at, after);
        *market = change;
        written += 1;
    }
    if written < plan.positions {
        return Err(RiskError::TooLarge);
    }
    Ok(replaced)
}

/// A position that a part of another comes to. Where they are on one side, lots and quote add. Where
/// not, both close as far as they net, each at its own side's carry, floor.
pub(in crate::failure) fn merged(
    held: PositionLeg,
    before: PositionLeg,
    left: PositionLeg,
    carries: Carries,
) -> Result<(PositionLeg, MarketChange), RiskError> {
    let lots = before.size.0 - left.size.0;
    let quote = before.quote.0.checked_sub(left.quote.0);
    if held.size.0.signum() * lots.signum() >= 0 {
        // What one side loses the other gets: nothing changes in the market.
        let (after, _) = moved(held, lots, quote, Carries::NONE)?;
        return Ok((after, MarketChange::default()));
    }
    // As a fill at no price between the two: what the account keeps of its carry it hands over, so
    // the bidder's position gains what his lots' carry comes to and loses what the taken lots' did.
    let given = PositionLeg {
        size: Lots(lots),
        quote: Atoms(0),
        ..before
    };
    let (closed, first) = moved(given, -lots, Some(0), carries)?;
    let quote = quote.and_then(|quote| quote.checked_add(closed.quote.0));
    let (after, second) = moved(held, lots, quote, carries)?;
    let dust = Dust48(first.0 + second.0);
    Ok((after, market_change(&[(before, left), (held, after)], dust)))
}

#[inline(never)]
fn receive_balances<B: Book, A: Legs, K: Legs>(
    book: &B,
    (account, bidder): (&A, &K),
    plan: &TakeoverPlan,
    buffers: &mut TakeoverBuffers<'_>,
) -> Result<SlotSet, RiskError> {
    let capacity = bidder.balance_slots();
    let held = (0..capacity).filter_map(|slot| Some((slot, bidder.balance(slot)?.rate)));
    let mut free = Places::<MAX_ASSETS>::of(held);
    let mut replaced = SlotSet::default();
    let given = buffers.account_balances.iter().take(plan.balances);
    let places = given
        .zip(buffers.bidder_balances.iter_mut())
        .zip(buffers.banks.iter_mut());
    let mut written = 0;
    for (((slot, left), place), bank) in places {
        let before = account.balance(*slot).map_or(Shares(0), |leg| leg.shares);
        let at = free.take(left.rate, capacity).ok_or(RiskError::TooLarge)?;
        replaced.add(at);
        let held = bidder.balance(at).map_or(Shares(0), |leg| leg.shares);
        // The quote's place holds the payment already.
        let part = if left.rate == QUOTE_RATE {
            part_floor(before.0, plan.share)
        } else {
            before.0 - left.shares.0
        };
        let mut after = joined(book, left.rate, held, part);
        if left.rate == QUOTE_RATE {
            after = paid_by(book, after, plan)?;
        }
        *place = (
            at,
            BalanceLeg {
                rate: left.rate,
                shares: after,
            },
        );
        *bank = BankChange::of(before, left.shares).and(BankChange::of(held, after));
        if left.rate == QUOTE_RATE {
            bank.insurance = -plan.from_insurance.0;
        }
        written += 1;
    }
    if written < plan.balances {
        return Err(RiskError::TooLarge);
    }
    Ok(replaced)
}

/// The bidder's quote after the payment, and after what insurance adds. Error:
/// `InsufficientDeposit` when he lacks it.
fn paid_by<B: Book>(book: &B, held: Shares, plan: &TakeoverPlan) -> Result<Shares, RiskError> {
    let rate = book.rate(QUOTE_RATE);
    let (deposit, borrow) = (rate.deposit_index, rate.borrow_index);
    let available = amount(held, deposit, borrow).0;
    if plan.payment.0 > 0 && available < plan.payment.0 {
        return Err(RiskError::InsufficientDeposit {
            available,
            asked: plan.payment.0,
        });
    }
    let after = debited(held, Native(plan.payment.0), deposit, borrow);
    Ok(credited(
        after,
        Native(plan.from_insurance.0),
        deposit,
        borrow,
    ))
}

/// A balance that a part of another comes to: shares add on one side; otherwise tokens repay what is
/// owed, rounded against the bidder.
fn joined<B: Book>(book: &B, rate: u8, held: Shares, part: i64) -> Shares {
    if part >= 0 {
        return received(book, rate, held, part);
    }
    if held.0 <= 0 {
        return Shares(held.0.saturating_add(part));
    }
    let terms = book.rate(rate);
    let owed = borrow_amount(Shares(part), terms.borrow_index);
    debited(held, owed, terms.deposit_index, terms.borrow_index)
}
