//! Taking one leg, or two legs of one hedge, of an account below Maintenance (margin-spec 8.1, 8.2,
//! 1.7).

mod cut;
mod hand_over;
mod search;
mod target;

use crate::book::{Amended, BalanceLeg, Book, Legs, PositionLeg};
use crate::error::RiskError;
use crate::failure::auction::penalty_rate;
use crate::failure::judge_receiver;
use crate::fitness::require_liquidation_prices;
use crate::ledger::{BankChange, MarketChange};
use crate::limits::check_growth;
use crate::margin::{self, Health, Kept, Scratch, Stance};
use crate::units::{Atoms, Lots, Ppm, Shares};
use hand_over::hand_over;
pub(in crate::failure) use hand_over::{market_change, received};
pub(in crate::failure) use search::end_of;
use search::{Search, Step};
use target::{Taken, find};

/// Sizes tried at most by one call (8.1).
pub const MAX_TRIES: usize = 8;
/// A deposit worth less than this is not worth taking (8.6), atoms ($1).
pub const MIN_TAKEN: Atoms = Atoms(1_000_000);

/// Which leg is taken, with the slots that hold it on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A position; sizes are lots.
    Position { slot: usize, liquidator_slot: usize },
    /// Two positions, so that a hedge is taken off as a whole; sizes are lots of the first, and of the
    /// second goes the same share, ceil.
    Hedge {
        slots: [usize; 2],
        liquidator_slots: [usize; 2],
    },
    /// A deposit against the negative quote of a closed position (size 0); sizes are atoms of that
    /// quote.
    Deposit {
        balance_slot: usize,
        position_slot: usize,
        liquidator_balance_slot: usize,
        liquidator_position_slot: usize,
    },
    /// A deposit against a borrow: the liquidator repays and receives collateral worth it plus the
    /// penalty; sizes are native units of the borrowed token.
    Borrow {
        deposit_slot: usize,
        borrow_slot: usize,
        liquidator_deposit_slot: usize,
        liquidator_borrow_slot: usize,
    },
}

/// Where a liquidation ends and what it costs (8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiquidationTerms {
    /// It ends at `E_M >= MM * (1 + buffer)`; default 5%.
    pub buffer: Ppm,
    /// Penalty over notional, at the start of the auction; default 0.5%.
    pub fee: Ppm,
    /// Share of the penalty that goes to the market's insurance, ceil.
    pub insurance_share: Ppm,
}

impl LiquidationTerms {
    /// The terms after so much live time of auction: the penalty rises to 5% over ten minutes (8.1).
    #[must_use]
    pub fn after(self, live_s: u64) -> Self {
        Self {
            fee: penalty_rate(self.fee, live_s),
            ..self
        }
    }
}

/// Which clause made a step as large as it is and no larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoppedBy {
    /// The caller's limit (8.1).
    MaxSize,
    /// The end: more would pass it by more than a lot, or by more than the last try told (8.1).
    End,
    /// Nothing of the leg is left.
    WholeLeg,
    /// The leg went whole, beyond the end, because the rest would have been dust (1.7).
    Dust,
    /// The leg went whole because the requirement is small (1.7).
    SmallRequirement,
    /// The pool's own limit in the market (8.5).
    PoolLimit,
}

/// Up to two slots with what they hold after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots<T> {
    slots: [(usize, T); 2],
    used: usize,
}

impl<T: Copy> Slots<T> {
    fn none(empty: T) -> Self {
        Self {
            slots: [(0, empty); 2],
            used: 0,
        }
    }

    fn one(slot: usize, leg: T) -> Self {
        Self {
            slots: [(slot, leg); 2],
            used: 1,
        }
    }

    fn two(slots: [(usize, T); 2]) -> Self {
        Self { slots, used: 2 }
    }

    /// The changed slots.
    #[must_use]
    pub fn as_slice(&self) -> &[(usize, T)] {
        self.slots.get(..self.used).unwrap_or_default()
    }

    /// The first changed slot.
    #[must_use]
    pub fn first(&self) -> Option<(usize, T)> {
        self.as_slice().first().copied()
    }
}

const NO_BALANCE: BalanceLeg = BalanceLeg {
    rate: 0,
    shares: Shares(0),
};

/// One side's legs after the step, by slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegChange {
    pub positions: Slots<PositionLeg>,
    pub balances: Slots<BalanceLeg>,
}

impl LegChange {
    /// The account as the step leaves it.
    #[must_use]
    pub fn of<L>(&self, base: L) -> Amended<'_, L> {
        Amended {
            base,
            balances: self.balances.as_slice(),
            positions: self.positions.as_slice(),
        }
    }
}

/// A step, judged and ready to be applied. The quotes of both sides' positions and the insurance's
/// part sum to what they were (I2); so do both sides' shares and the insurance's tokens (I1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiquidationPlan {
    pub target: Target,
    /// Lots taken, with the position's sign; atoms of negative quote taken over; or native units
    /// repaid.
    pub size: Lots,
    pub notional: Atoms,
    /// Paid by the account: to the liquidator, and to the insurance. Of a borrow it is what the
    /// collateral given besides is worth, floor.
    pub penalty_liquidator: Atoms,
    pub penalty_insurance: Atoms,
    pub account: LegChange,
    pub liquidator: LegChange,
    /// The ledgers of the positions' markets, in the target's order.
    pub markets: [MarketChange; 2],
    /// The ledgers of the deposit's and of the borrow's bank.
    pub deposit_bank: BankChange,
    pub borrow_bank: BankChange,
    pub stopped_by: StoppedBy,
    /// The account's Maintenance figures.
    pub before: Health,
    pub after: Health,
}

/// Who takes the leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taker {
    Trader,
    /// Its legs may be larger (1.6).
    Pool,
}

/// Plans one step: the largest of at most eight sizes tried (`max_size`, then bisection) that does
/// not pass the end by more than one lot; the whole leg where dust would be left or the requirement
/// is small (1.7). The step of size 0, which only sets the clock, is [`crate::plan_clock`].
///
/// Positions move at the mark, their carry with them. The penalty is the lesser of `fee * notional`
/// (ceil) and half of what the step adds to `health_M` at no penalty (floor). It is paid in quote, so
/// that it lowers E_M by exactly itself and leaves MM alone; for a deposit worth x the liquidator
/// takes over x less his part of it. Where a borrow is repaid there is no quote: the penalty is more
/// collateral, and is cut until health rises by at least half of what it would without. The step's
/// gain must be positive (8.2). The liquidator ends at Initial.
///
/// Errors: `PriceUnfit`, `NotLiquidatable`, `NothingToLiquidate` also for a deposit worth less than
/// [`MIN_TAKEN`], `ZeroSize` for a `max_size` below one or one that no native unit is worth,
/// `TakeWhole`, `SizeBeyondEnd`, `BreaksHedge`, and for the liquidator `TooManyAssets`,
/// `BelowInitial`, `LegTooLarge`, `TooLarge`.
pub fn plan_liquidation<B: Book, A: Legs, K: Legs>(
    book: &B,
    account: &A,
    liquidator: &K,
    target: Target,
    max_size: Lots,
    terms: LiquidationTerms,
    scratch: &mut Scratch<'_>,
) -> Result<LiquidationPlan, RiskError> {
    let parties = (account, liquidator);
    let step = StepTerms {
        target,
        max_size,
        terms,
        taker: Taker::Trader,
    };
    plan_step(book, parties, step, scratch)
}

/// What is asked of one step.
#[derive(Clone, Copy, Debug)]
pub(super) struct StepTerms {
    pub target: Target,
    pub max_size: Lots,
    pub terms: LiquidationTerms,
    pub taker: Taker,
}

/// [`plan_liquidation`] for a trader or a pool. The plan is large, hence a frame of its own.
#[inline(never)]
pub(super) fn plan_step<B: Book, A: Legs, K: Legs>(
    book: &B,
    (account, liquidator): (&A, &K),
    asked: StepTerms,
    scratch: &mut Scratch<'_>,
) -> Result<LiquidationPlan, RiskError> {
    let found = find(book, account, asked.target);
    let assets = found.as_ref().map_or(0, |taken| taken.assets(book));
    require_liquidation_prices(book, account, assets)?;
    let taken = match found {
        Ok(taken) => taken,
        Err(nothing) => {
            let healthy = margin::maintenance_in_favour(book, account, scratch);
            return Err(not_liquidatable(healthy).unwrap_or(nothing));
        }
    };
    let (step, stopped_by, before) = find_step(book, account, &taken, &asked, scratch)?;

    let mut plan = hand_over(book, liquidator, &asked, &taken, &step)?;
    plan.before = before;
    plan.stopped_by = stopped_by;
    judge_liquidator(book, liquidator, &plan, (asked.taker, assets), scratch)?;
    Ok(plan)
}

/// The step to take, what stopped it, and the account's Maintenance before it. The kept sums are large,
/// so they have a frame of their own.
#[inline(never)]
fn find_step<B: Book, A: Legs>(
    book: &B,
    account: &A,
    taken: &Taken,
    asked: &StepTerms,
    scratch: &mut Scratch<'_>,
) -> Result<(Step, StoppedBy, Health), RiskError> {
    let replaced = taken.legs();
    let slots = (replaced.positions.as_slice(), replaced.balances.as_slice());
    let mut kept = Kept::new(book, account, Stance::InFavour, slots, scratch);
    let before = kept.try_legs(slots, scratch);
    if let Some(refusal) = not_liquidatable(before) {
        return Err(refusal);
    }
    if asked.max_size.0 <= 0 {
        return Err(RiskError::ZeroSize);
    }

    let mut search = Search {
        book,
        kept: &mut kept,
        taken,
        before,
        terms: asked.terms,
        scratch,
    };
    let (step, stopped_by) = search.largest(asked.max_size.0.min(taken.whole))?;
    if taken.deposit.is_some() && step.shares == 0 {
        return Err(RiskError::ZeroSize);
    }
    let raised = step.after.health().0.saturating_sub(before.health().0);
    if step.gain <= 0 || raised < step.gain - step.gain / 2 {
        return Err(RiskError::BreaksHedge {
            before: before.health(),
            after: step.after.health(),
        });
    }
    Ok((step, stopped_by, before))
}

/// Why an account of this Maintenance may not be liquidated, if so.
fn not_liquidatable(found: Health) -> Option<RiskError> {
    (!found.is_liquidatable()).then_some(RiskError::NotLiquidatable {
        equity: found.equity,
        requirement: found.requirement,
    })
}

/// The liquidator stays within his limits and ends at or above Initial.
fn judge_liquidator<B: Book, K: Legs>(
    book: &B,
    liquidator: &K,
    plan: &LiquidationPlan,
    (taker, taken): (Taker, u32),
    scratch: &mut Scratch<'_>,
) -> Result<(), RiskError> {
    for (slot, position) in plan.liquidator.positions.as_slice() {
        let held = liquidator.position(*slot).map_or(Lots(0), |leg| leg.size);
        let mark = book.instrument(position.instrument).mark;
        check_growth(held, position.size, mark, taker == Taker::Pool)?;
    }

    let amended = plan.liquidator.of(liquidator);
    // What he takes is priced well enough to be taken.
    judge_receiver(book, &amended, taken, scratch)
}
