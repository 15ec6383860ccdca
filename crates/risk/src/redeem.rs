//! Shares of a pool back into quote (margin-spec 10.3, 10.4), and when a request may be executed.
//!
//! What cannot be paid whole is shared among all who asked, as in the redemption gates of funds: in a
//! round of an hour a request receives of what the pool paid and can still pay no more than its part
//! of the shares that asked. Neither the order of the calls nor repeating them changes that.

use crate::book::{BalanceLeg, Book, Legs};
use crate::cash::{BankTerms, CashPlan, equity_after, held};
use crate::error::RiskError;
use crate::fitness::require_pool_prices;
use crate::margin::{self, InitialTerms, Scratch};
use crate::num::{mul_div_ceil, mul_div_floor};
use crate::outflow::{Bucket, Outflow, OutflowTerms};
use crate::pool::{LOCKED_SHARES, PoolTerms, share_price};
use crate::shares::{deposit_amount, shares_for_deposit};
use crate::units::{Atoms, Native, Shares};

/// How long a request may be executed once its cooldown is over, live seconds.
pub const REQUEST_WINDOW_S: u64 = 3_600;
/// How long a round of redemptions lasts, live seconds.
pub const ROUND_S: u64 = 3_600;

/// When a request may be executed, in live time (8.4), both ends included. It is no option on the
/// price: who lets it lapse waits anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestWindow {
    pub opens: u64,
    pub closes: u64,
}

impl RequestWindow {
    /// Of a request brought at a live time.
    #[must_use]
    pub const fn after(requested: u64, cooldown_s: u32) -> Self {
        let opens = requested.saturating_add(cooldown_s as u64);
        Self {
            opens,
            closes: opens.saturating_add(REQUEST_WINDOW_S),
        }
    }

    /// Errors: `CooldownRunning`, `RequestLapsed`.
    pub const fn require(self, live_time: u64) -> Result<(), RiskError> {
        if live_time < self.opens {
            return Err(RiskError::CooldownRunning {
                left_s: self.opens - live_time,
            });
        }
        if self.has_lapsed(live_time) {
            return Err(RiskError::RequestLapsed {
                ago_s: live_time - self.closes,
            });
        }
        Ok(())
    }

    #[must_use]
    pub const fn has_lapsed(self, live_time: u64) -> bool {
        live_time > self.closes
    }
}

/// What was redeemed in one round, by everyone or on one request. `paid` is in atoms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoundTally {
    /// The round's number.
    pub round: u64,
    pub burned: u64,
    pub paid: u64,
}

impl RoundTally {
    /// The tally in a round: another round's counts nothing.
    const fn of_round(self, round: u64) -> Self {
        if self.round == round {
            self
        } else {
            Self {
                round,
                burned: 0,
                paid: 0,
            }
        }
    }

    const fn plus(self, burned: u64, paid: u64) -> Self {
        Self {
            round: self.round,
            burned: self.burned.saturating_add(burned),
            paid: self.paid.saturating_add(paid),
        }
    }
}

/// All requests of a pool to redeem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RedeemQueue {
    /// Shares in escrow, of all requests together.
    pub escrowed: u64,
    /// Live time at which the round began.
    pub round_started: u64,
    pub tally: RoundTally,
}

impl RedeemQueue {
    /// After shares were burned for `worth` atoms.
    const fn paid(self, burned: u64, worth: u64) -> Self {
        Self {
            escrowed: self.escrowed.saturating_sub(burned),
            tally: self.tally.plus(burned, worth),
            ..self
        }
    }

    /// Live seconds until its round is over.
    const fn left_s(&self, live_time: u64) -> u64 {
        ROUND_S.saturating_sub(live_time.saturating_sub(self.round_started))
    }

    /// The queue at a live time: a round is over after an hour.
    #[must_use]
    pub const fn at(self, live_time: u64) -> Self {
        let begun = self.tally.round != 0;
        if begun && live_time.saturating_sub(self.round_started) < ROUND_S {
            return self;
        }
        Self {
            escrowed: self.escrowed,
            round_started: live_time,
            tally: self.tally.of_round(self.tally.round.wrapping_add(1)),
        }
    }
}

/// One request to redeem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedeemRequest {
    /// Shares in escrow.
    pub shares: u64,
    /// Least atoms for all of them; a part needs as large a part.
    pub min_amount: u64,
    pub window: RequestWindow,
    pub tally: RoundTally,
}

/// The quote bank on the way out, brought to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedeemExit {
    pub bank: BankTerms,
    /// Native units that are neither lent out nor claimed by tickets; nothing while the bank is halted
    /// (7.5, 8.6).
    pub free: u64,
    pub outflow: Outflow,
    pub terms: OutflowTerms,
}

impl RedeemExit {
    /// What anyone may let out, and the bucket for it as it is now.
    fn open(&self) -> (u64, Bucket) {
        let capacity = self.terms.open_capacity();
        let open = self.outflow.open.at(capacity, self.terms.now);
        (open.room(capacity).min(self.free), open)
    }
}

/// Everything besides the pool's book that a redemption depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedeemTerms {
    pub pool: PoolTerms,
    pub exit: RedeemExit,
    pub queue: RedeemQueue,
    pub request: RedeemRequest,
    pub live_time: u64,
}

/// Shares burned, atoms out, and what stays in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedeemPlan {
    pub cash: CashPlan,
    /// The bank's buckets after.
    pub outflow: Outflow,
    pub burned: u64,
    /// Native units paid.
    pub amount: u64,
    /// E of the pool at the mark, before; and what all its shares together were redeemed at.
    pub equity_before: Atoms,
    pub value: Atoms,
    /// What [`share_price`] says before and after, at the mark.
    pub price_before: u64,
    pub price_after: u64,
    pub queue: RedeemQueue,
    /// The request with what is left of it; nothing when its shares are 0.
    pub request: RedeemRequest,
}

/// Redeems a request, or the part of it that the pool and the quote bank can carry.
///
/// All shares in issue are worth the lesser of Initial equity with positive results at zero and E at
/// the bounds that make it smallest (10.4); the request its part, floor. What leaves is at most the
/// pool's health_I, so that it ends at Initial or above, its quote deposit, and what the bank lets
/// out; and of that, with what the round paid already, the request's part of all shares that asked.
/// A part burns as many shares as it covers. A request of which the round has paid nothing yet, and of
/// which nothing can be paid, keeps its place: no share is burned, nothing else changes (decision 48).
/// Either way what is left may be executed until two hours later. A request that has received its part
/// of the round waits for the next.
///
/// The pool was found at Maintenance, and ends at Initial where anything leaves it: its clock is
/// cleared (8.4). Errors: `NothingToRedeem`, `CooldownRunning`, `RequestLapsed`, `PriceUnfit` when an asset of the pool has no fresh
/// price, `RedemptionsStopped` below Maintenance, `BelowMinAmount`, `TooLarge` for shares that nobody
/// owns.
pub fn plan_redeem<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    terms: &RedeemTerms,
    scratch: &mut Scratch<'_>,
) -> Result<RedeemPlan, RiskError> {
    let request = terms.request;
    request.window.require(terms.live_time)?;
    if request.shares > terms.pool.shares.saturating_sub(LOCKED_SHARES) {
        return Err(RiskError::TooLarge);
    }
    require_pool_prices(book, legs)?;
    let found = value_out(book, legs, scratch)?;

    let held = held(legs, 0);
    let deposit = deposit_amount(held, terms.exit.bank.deposit_index);
    let free = found.free.0.min(deposit.0).max(0).unsigned_abs();
    let queue = terms.queue.at(terms.live_time);
    let tally = request.tally.of_round(queue.tally.round);
    let (room, bucket) = terms.exit.open();
    let most = free.min(room);
    let part = part_of(&queue, &tally, request.shares, most);

    let (burned, worth) = shares_out(&request, terms.pool.shares, found.value, part)?;
    let (queue, tally) = counted(terms, (queue, tally), (burned, worth))?;
    let (cash, amount) = pay_out(held, &terms.exit.bank, worth);
    check_least(&request, burned, amount)?;
    let left = request.shares - burned;
    let equity = equity_after(found.at_mark, &cash, &terms.exit.bank);
    let kept_until = terms.live_time.saturating_add(REQUEST_WINDOW_S + ROUND_S);
    Ok(RedeemPlan {
        cash,
        outflow: Outflow {
            open: bucket.more(amount),
            ..terms.exit.outflow
        },
        burned,
        amount,
        equity_before: found.at_mark,
        value: found.value,
        price_before: share_price(found.at_mark, terms.pool.shares),
        price_after: share_price(equity, terms.pool.shares - burned),
        queue,
        request: RedeemRequest {
            shares: left,
            min_amount: mul_div_floor(request.min_amount, left, request.shares).unwrap_or(0),
            window: RequestWindow {
                closes: request.window.closes.max(kept_until),
                ..request.window
            },
            tally,
        },
    })
}

/// The queue and the request's part after a payment, both given as of this round. One of nothing starts
/// no round: where the round has paid the request before it is refused.
fn counted(
    terms: &RedeemTerms,
    (queue, own): (RedeemQueue, RoundTally),
    (burned, worth): (u64, u64),
) -> Result<(RedeemQueue, RoundTally), RiskError> {
    if burned != 0 {
        return Ok((queue.paid(burned, worth), own.plus(burned, worth)));
    }
    if own.burned != 0 {
        return Err(RiskError::NothingToRedeem {
            received: own.paid,
            left_s: queue.left_s(terms.live_time),
        });
    }
    Ok((terms.queue, terms.request.tally))
}

/// What all shares are redeemed at, and how much may leave before the pool is at Initial.
struct ValueOut {
    at_mark: Atoms,
    value: Atoms,
    free: Atoms,
}

fn value_out<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    scratch: &mut Scratch<'_>,
) -> Result<ValueOut, RiskError> {
    let judged = margin::both(book, legs, InitialTerms::WITHDRAWAL, scratch);
    if judged.maintenance.health().0 < 0 {
        return Err(RiskError::RedemptionsStopped {
            equity: judged.maintenance.equity,
            requirement: judged.maintenance.requirement,
        });
    }
    let (at_mark, at_worst) = margin::equity_at_worst(book, legs, scratch);
    Ok(ValueOut {
        at_mark,
        value: judged.initial.equity.min(at_worst).max(Atoms(0)),
        free: judged.initial.health().min(at_worst),
    })
}

/// What a request may receive of `most`: its part of the shares that asked in this round, of all that
/// the round paid and can still pay, less what it received, floor.
fn part_of(queue: &RedeemQueue, own: &RoundTally, shares: u64, most: u64) -> u64 {
    let whole = queue.tally.paid.saturating_add(most);
    let asked = queue.escrowed.saturating_add(queue.tally.burned);
    let own_asked = shares.saturating_add(own.burned);
    let part = mul_div_floor(whole, own_asked, asked).unwrap_or(0);
    part.saturating_sub(own.paid).min(most)
}

/// Shares to burn and what they are worth, floor: all when `part` covers them, else as many as it
/// covers, so that a share is worth the same to all who leave.
fn shares_out(
    request: &RedeemRequest,
    issued: u64,
    value: Atoms,
    part: u64,
) -> Result<(u64, u64), RiskError> {
    if part == 0 {
        return Ok((0, 0));
    }
    let value = value.0.unsigned_abs();
    let whole = mul_div_floor(value, request.shares, issued).ok_or(RiskError::TooLarge)?;
    if whole <= part {
        return Ok((request.shares, whole));
    }
    // part < value * shares / issued, hence fewer than the request's, and worth at most the part.
    let burned = mul_div_floor(part, issued, value).ok_or(RiskError::TooLarge)?;
    match mul_div_floor(value, burned, issued) {
        Some(0) => Ok((0, 0)),
        Some(worth) => Ok((burned, worth)),
        None => Err(RiskError::TooLarge),
    }
}

/// The pool's quote deposit after `worth` atoms left it, and the units that are paid. The deposit
/// falls by at most `worth` and by no less than what is paid, both sides rounding down.
fn pay_out(held: Shares, bank: &BankTerms, worth: u64) -> (CashPlan, u64) {
    let worth = Native(i64::try_from(worth).unwrap_or(i64::MAX));
    let burned = shares_for_deposit(worth, bank.deposit_index);
    let paid = deposit_amount(burned, bank.deposit_index);
    let plan = CashPlan {
        slot: 0,
        before: held,
        after: BalanceLeg {
            rate: bank.rate,
            shares: Shares(held.0.saturating_sub(burned.0)),
        },
        tokens: Native(-paid.0),
    };
    (plan, paid.0.unsigned_abs())
}

/// Burned shares bring at least their part of the request's least amount, ceil, and never nothing.
fn check_least(request: &RedeemRequest, burned: u64, amount: u64) -> Result<(), RiskError> {
    if burned == 0 {
        return Ok(());
    }
    let least = mul_div_ceil(request.min_amount, burned, request.shares).unwrap_or(u64::MAX);
    let least = least.max(1);
    if amount < least {
        return Err(RiskError::BelowMinAmount { amount, least });
    }
    Ok(())
}
