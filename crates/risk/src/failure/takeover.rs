//! Taking over a share of an account below Maintenance (margin-spec 8.3): every leg and balance at
//! once, so that no hedge is broken, at a discount that rises until somebody bids. The discount is
//! that of Euler v1's liquidations; the share is what Derive's auctions sell.

use crate::book::{Amended, BalanceLeg, Book, Legs, PositionLeg, QUOTE_RATE};
use crate::carry::Carries;
use crate::cash::{check_asset_count, require_prices, require_prices_of};
use crate::error::RiskError;
use crate::failure::auction::{discount, premium};
use crate::failure::liquidation::{
    LiquidationTerms, StoppedBy, market_change, reaches_end, received,
};
use crate::fill::moved;
use crate::ledger::{BankChange, MarketChange};
use crate::limits::check_growth;
use crate::margin::{self, Assessment, Health, InitialTerms, Scratch, exposed_assets};
use crate::num::{mul_div_ceil, ppm_ceil, ppm_floor, value_floor};
use crate::price::Action;
use crate::shares::{amount, borrow_amount, credited, debited};
use crate::units::{Atoms, Lots, Native, Ppm, Price, Shares};

const MILLION: u32 = 1_000_000;
/// Shares tried at most by one call.
const TAKEOVER_TRIES: usize = 12;

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
    /// What moved is worth at weight 1, floor.
    pub worth: Atoms,
    /// From the bidder to the account, in quote.
    pub payment: Atoms,
    /// From the group's insurance to the bidder, where the account has no equity.
    pub from_insurance: Atoms,
    pub stopped_by: StoppedBy,
    pub before: Health,
    pub after: Health,
}

/// Plans a takeover of share x of every leg and balance. x is the largest share tried, at most
/// `max_share`, that does not pass the end of 8.1, or one that reaches it where a millionth less does
/// not.
///
/// What moves is rounded for the account: deposits and legs of positive worth down, borrows and legs
/// of negative worth up. The bidder pays the weight-1 value of exactly what moved times (1 - discount),
/// ceil, from quote that he holds. Where the account's E is zero or below he pays nothing and the group's
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
    require_prices(book, account, Action::Liquidate, |quality| {
        quality.max_age_liquidation_s
    })?;
    let found = margin::both(book, account, InitialTerms::COUNTED, scratch);
    if !found.maintenance.is_liquidatable() {
        return Err(RiskError::NotLiquidatable {
            equity: found.maintenance.equity,
            requirement: found.maintenance.requirement,
        });
    }

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
    let mut plan = TakeoverPlan {
        share: tried.share,
        balances: tried.balances,
        positions: tried.positions,
        worth: tried.worth,
        payment: tried.payment,
        from_insurance: insurance_pays(&found, tried.share, terms)?,
        stopped_by,
        before: found.maintenance,
        after: tried.after,
    };
    receive(book, (account, bidder), &mut plan, terms, buffers)?;
    judge_bidder(book, bidder, &plan, buffers, scratch)?;
    Ok(plan)
}

/// A share tried.
#[derive(Clone, Copy, Debug)]
struct Tried {
    share: Ppm,
    balances: usize,
    positions: usize,
    worth: Atoms,
    payment: Atoms,
    after: Health,
}

struct Search<'s, 'b, 'l, B, A> {
    book: &'s B,
    account: &'s A,
    found: Assessment,
    terms: &'s TakeoverTerms,
    buffers: &'s mut TakeoverBuffers<'b>,
    scratch: &'s mut Scratch<'l>,
}

impl<B: Book, A: Legs> Search<'_, '_, '_, B, A> {
    /// The share to take; its legs stand in the account's buffers.
    fn share(&mut self) -> Result<(Tried, StoppedBy), RiskError> {
        let most = self.terms.max_share.0.min(MILLION);
        let small = RiskError::ShareTooSmall { asked: most };
        if most == 0 {
            return Err(small);
        }
        let guess = self.guess().clamp(1, most);
        let first = self.attempt(Ppm(guess))?;
        if !self.passes(&first) && (guess == most || guess == MILLION) {
            let stop = if most == MILLION {
                StoppedBy::WholeLeg
            } else {
                StoppedBy::MaxSize
            };
            return Ok((first, stop));
        }

        let (mut low, mut high) = if self.passes(&first) {
            (0, guess)
        } else {
            let last = self.attempt(Ppm(most))?;
            if !self.passes(&last) {
                return Ok((last, StoppedBy::MaxSize));
            }
            (guess, most)
        };
        // The guess is nearly right: look beside it first, then halve.
        for tried in 0..TAKEOVER_TRIES {
            if high - low <= 1 {
                break;
            }
            let middle = if tried == 0 && low == 0 && high > 16 {
                high - 16
            } else {
                low + (high - low) / 2
            };
            let step = self.attempt(Ppm(middle))?;
            if self.passes(&step) {
                high = middle;
            } else {
                low = middle;
            }
        }
        let share = if high - low <= 1 { high } else { low };
        let step = self.attempt(Ppm(share))?;
        Ok((step, StoppedBy::End))
    }

    fn passes(&self, tried: &Tried) -> bool {
        reaches_end(tried.after, self.terms.liquidation)
    }

    /// The share that reaches the end of an account whose requirement is proportional to its legs:
    /// `(1 - x) * E_M + x * P >= (1 - x) * MM * (1 + buffer)`, ceil, in ppm.
    fn guess(&self) -> u32 {
        let Health {
            equity,
            requirement,
        } = self.found.maintenance;
        let wanted = requirement.0.unsigned_abs();
        let wanted = wanted.saturating_add(ppm_ceil(wanted, self.terms.liquidation.buffer));
        let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
        let short = wanted.saturating_sub(equity.0).max(0).unsigned_abs();
        let worth = self.found.net_asset_value.0.max(0).unsigned_abs();
        let paid = ppm_floor(worth, Ppm(MILLION - discount(self.terms.live_s).0));
        let share = mul_div_ceil(short, u64::from(MILLION), short.saturating_add(paid));
        share.map_or(MILLION, |share| share.min(u64::from(MILLION)) as u32)
    }

    /// Writes the account without `share` of everything, the payment received, and judges it.
    fn attempt(&mut self, share: Ppm) -> Result<Tried, RiskError> {
        let given = give(self.book, self.account, share, self.buffers)?;
        let payment = if self.found.net_asset_value.0 > 0 {
            let rate = Ppm(MILLION - discount(self.terms.live_s).0);
            Atoms(ppm_ceil(given.worth.max(0).unsigned_abs(), rate) as i64)
        } else {
            Atoms(0)
        };
        if let Some((_, quote)) = self.buffers.account_balances.first_mut() {
            let rate = self.book.rate(QUOTE_RATE);
            quote.shares = credited(
                quote.shares,
                Native(payment.0),
                rate.deposit_index,
                rate.borrow_index,
            );
        }
        let amended = Amended {
            base: self.account,
            balances: self
                .buffers
                .account_balances
                .get(..given.balances)
                .unwrap_or_default(),
            positions: self
                .buffers
                .account_positions
                .get(..given.positions)
                .unwrap_or_default(),
        };
        let after = margin::maintenance(self.book, &amended, self.scratch);
        Ok(Tried {
            share,
            balances: given.balances,
            positions: given.positions,
            worth: Atoms(given.worth),
            payment,
            after,
        })
    }
}

/// How much was taken out of an account.
#[derive(Clone, Copy, Debug, Default)]
struct Given {
    balances: usize,
    positions: usize,
    worth: i64,
}

/// The part of a signed amount that moves: towards minus infinity, so that of what is owed more moves
/// and of what is held less.
fn part_floor(held: i64, share: Ppm) -> i64 {
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

/// What a position is worth: `size * (mark - F) + quote`, floor (7.2); saturates.
#[must_use]
pub fn position_worth(leg: &PositionLeg, mark: Price, carries: Carries) -> Atoms {
    let carried = crate::carry::carry_value_ceil(leg.size, carries.side(leg.size));
    let value = value_floor(leg.size, mark).0.saturating_sub(carried.0);
    Atoms(value.saturating_add(leg.quote.0))
}

/// Writes the account's legs without `share` of each into its buffers, the quote's slot first.
fn give<B: Book, A: Legs>(
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

/// Writes the bidder's legs and the ledgers' changes.
fn receive<B: Book, A: Legs, K: Legs>(
    book: &B,
    (account, bidder): (&A, &K),
    plan: &mut TakeoverPlan,
    terms: &TakeoverTerms,
    buffers: &mut TakeoverBuffers<'_>,
) -> Result<(), RiskError> {
    receive_balances(book, (account, bidder), plan, buffers)?;
    let mut taken = 0u128;
    let places = buffers.bidder_positions.iter_mut();
    let given = buffers.account_positions.iter().take(plan.positions);
    let places = given.zip(places).zip(buffers.markets.iter_mut());
    let mut written = 0;
    for (((slot, left), place), market) in places {
        let Some(before) = account.position(*slot) else {
            continue;
        };
        let free = |at: usize| {
            let claimed = taken.checked_shr(at as u32).unwrap_or(1) & 1 != 0;
            !claimed && bidder.position(at).is_none()
        };
        let at = (0..bidder.position_slots())
            .find(|at| {
                bidder
                    .position(*at)
                    .is_some_and(|leg| leg.instrument == before.instrument)
            })
            .or_else(|| (0..terms.bidder_capacity).find(|at| free(*at)))
            .ok_or(RiskError::TooLarge)?;
        taken |= 1u128.checked_shl(at as u32).unwrap_or(0);

        let held = bidder.position(at).unwrap_or(PositionLeg {
            instrument: before.instrument,
            size: Lots(0),
            quote: Atoms(0),
        });
        let carries = Carries::of(&book.instrument(before.instrument));
        let (after, change) = merged(held, before, *left, carries)?;
        *place = (at, after);
        *market = change;
        written += 1;
    }
    if written < plan.positions {
        return Err(RiskError::TooLarge);
    }
    Ok(())
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
        let (after, dust) = moved(held, lots, quote, Carries::NONE)?;
        return Ok((after, market_change(&[(before, left), (held, after)], dust)));
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
    let dust = crate::units::Dust48(first.0 + second.0);
    Ok((after, market_change(&[(before, left), (held, after)], dust)))
}

fn receive_balances<B: Book, A: Legs, K: Legs>(
    book: &B,
    (account, bidder): (&A, &K),
    plan: &TakeoverPlan,
    buffers: &mut TakeoverBuffers<'_>,
) -> Result<(), RiskError> {
    let mut taken = 0u64;
    let given = buffers.account_balances.iter().take(plan.balances);
    let places = given
        .zip(buffers.bidder_balances.iter_mut())
        .zip(buffers.banks.iter_mut());
    let mut written = 0;
    for (((slot, left), place), bank) in places {
        let before = account.balance(*slot).map_or(Shares(0), |leg| leg.shares);
        let free = |at: usize| {
            taken.checked_shr(at as u32).unwrap_or(1) & 1 == 0 && bidder.balance(at).is_none()
        };
        let at = (0..bidder.balance_slots())
            .find(|at| bidder.balance(*at).is_some_and(|leg| leg.rate == left.rate))
            .or_else(|| (0..bidder.balance_slots()).find(|at| free(*at)))
            .ok_or(RiskError::TooLarge)?;
        taken |= 1u64.checked_shl(at as u32).unwrap_or(0);

        let held = bidder.balance(at).map_or(Shares(0), |leg| leg.shares);
        let part = part_floor(before.0, plan.share);
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
    Ok(())
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

/// The bidder stays within his limits and ends at or above Initial.
fn judge_bidder<B: Book, K: Legs>(
    book: &B,
    bidder: &K,
    plan: &TakeoverPlan,
    buffers: &TakeoverBuffers<'_>,
    scratch: &mut Scratch<'_>,
) -> Result<(), RiskError> {
    let amended = Amended {
        base: bidder,
        balances: buffers
            .bidder_balances
            .get(..plan.balances)
            .unwrap_or_default(),
        positions: buffers
            .bidder_positions
            .get(..plan.positions)
            .unwrap_or_default(),
    };
    for (slot, leg) in amended.positions {
        let held = bidder.position(*slot).map_or(Lots(0), |leg| leg.size);
        check_growth(held, leg.size, book.instrument(leg.instrument).mark, false)?;
    }
    let exposed = exposed_assets(book, &amended);
    check_asset_count(&amended, exposed)?;
    require_prices_of(book, exposed, Action::Liquidate, |quality| {
        quality.max_age_margin_s
    })?;
    let initial = margin::initial(book, &amended, InitialTerms::COUNTED, scratch);
    if initial.health().0 < 0 {
        return Err(RiskError::BelowInitial {
            equity: initial.equity,
            requirement: initial.requirement,
        });
    }
    Ok(())
}
