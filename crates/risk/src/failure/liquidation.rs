//! Taking one leg of an account below Maintenance (margin-spec 8.1, 8.2, 1.7), without the auction.

use crate::book::{Amended, BalanceLeg, Book, Legs, PositionLeg};
use crate::cash::{check_asset_count, require_prices, require_prices_of};
use crate::error::RiskError;
use crate::fill::{moved, open_interest_change, quotes_change};
use crate::limits::check_growth;
use crate::margin::Scratch;
use crate::margin::{self, Health, InitialTerms, exposed_assets};
use crate::num::{mul_div_floor, ppm_ceil, value_ceil, value_floor};
use crate::price::Action;
use crate::shares::{credited, deposit_amount, shares_for_deposit};
use crate::units::{Atoms, Lots, Native, Ppm, Price, Shares};

/// Sizes tried at most by one call (8.1).
pub const MAX_TRIES: usize = 8;
/// A deposit worth less than this is not worth taking (8.6), atoms ($1).
pub const MIN_TAKEN: Atoms = Atoms(1_000_000);

/// Which leg is taken, with the slots that hold it on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A position; sizes are lots.
    Position { slot: usize, liquidator_slot: usize },
    /// A deposit against the negative quote of a closed position (size 0); sizes are atoms of that
    /// quote.
    Deposit {
        balance_slot: usize,
        position_slot: usize,
        liquidator_balance_slot: usize,
        liquidator_position_slot: usize,
    },
}

/// Where a liquidation ends and what it costs (8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiquidationTerms {
    /// It ends at `E_M >= MM * (1 + buffer)`; default 5%.
    pub buffer: Ppm,
    /// Penalty over notional.
    pub fee: Ppm,
    /// Share of the penalty that goes to the market's insurance, ceil.
    pub insurance_share: Ppm,
}

/// One side's legs after the step, by slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegChange {
    pub position: (usize, PositionLeg),
    pub balance: Option<(usize, BalanceLeg)>,
}

/// A step, judged and ready to be applied. The quotes of both positions and `penalty_insurance`
/// sum to what they were (I2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiquidationPlan {
    pub target: Target,
    /// Lots taken, with the position's sign, or atoms of negative quote taken over.
    pub size: Lots,
    pub notional: Atoms,
    /// Paid by the account: to the liquidator's position, and to the market's insurance.
    pub penalty_liquidator: Atoms,
    pub penalty_insurance: Atoms,
    pub account: LegChange,
    pub liquidator: LegChange,
    pub open_interest_change_long: i64,
    pub open_interest_change_short: i64,
    /// Change of the bank's deposit and borrow shares: not zero only where a liquidator's borrow is
    /// repaid by the deposit that he receives.
    pub deposit_shares_change: i64,
    pub borrow_shares_change: i64,
    /// What both positions' quotes changed by together: minus the insurance's part (I2).
    pub quotes_change: i64,
    /// The account's Maintenance figures.
    pub before: Health,
    pub after: Health,
}

/// A size tried: what moves, and the account's Maintenance without and then with the penalty.
#[derive(Clone, Copy, Debug)]
struct Step {
    size: i64,
    notional: u64,
    /// Quote that the account receives for it, before the penalty.
    amount: i64,
    /// Deposit shares that leave the account.
    shares: i64,
    gain: i64,
    penalty: i64,
    after: Health,
}

/// The account's legs that the target names.
#[derive(Clone, Copy, Debug)]
struct Taken {
    slot: usize,
    position: PositionLeg,
    price: Price,
    /// The deposit's slot, leg and index; the price is then that of its token.
    deposit: Option<(usize, BalanceLeg, crate::units::Index48)>,
    /// The greatest size.
    whole: i64,
}

/// Plans one step: the largest of at most eight sizes tried (`max_size`, then bisection) that does
/// not pass the end by more than one lot; the whole leg where dust would be left or the requirement
/// is small (1.7).
///
/// The leg moves at the mark. The penalty is the lesser of `fee * notional` (ceil) and half of what
/// the step adds to `health_M` at no penalty (floor); it is paid in quote, so that it lowers E_M by
/// exactly itself and leaves MM alone; for a deposit worth x the liquidator takes over x less his
/// part of it. The step's gain must be positive (8.2). The liquidator ends at Initial.
///
/// Errors: `PriceUnfit`, `NotLiquidatable`, `NothingToLiquidate` also for a deposit worth less than
/// [`MIN_TAKEN`], `ZeroSize` for a `max_size` below one or one that no native unit is worth, `TakeWhole`, `SizeBeyondEnd`, `BreaksHedge`, and for the liquidator `TooManyAssets`,
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
    require_prices(book, account, Action::Liquidate, |quality| {
        quality.max_age_liquidation_s
    })?;
    let before = margin::maintenance(book, account, scratch);
    if !before.is_liquidatable() {
        return Err(RiskError::NotLiquidatable {
            equity: before.equity,
            requirement: before.requirement,
        });
    }
    let taken = find(book, account, target)?;
    if max_size.0 <= 0 {
        return Err(RiskError::ZeroSize);
    }

    let mut search = Search {
        book,
        account,
        taken: &taken,
        before,
        terms,
        scratch,
    };
    let step = search.largest(max_size.0.min(taken.whole))?;
    if taken.deposit.is_some() && step.shares == 0 {
        return Err(RiskError::ZeroSize);
    }
    if step.gain <= 0 {
        return Err(RiskError::BreaksHedge {
            before: before.health(),
            after: step.after.health(),
        });
    }

    let plan = settle(book, liquidator, target, &taken, &step, before, terms)?;
    judge_liquidator(book, liquidator, &plan, taken.price, scratch)?;
    Ok(plan)
}

/// Reads the target's legs. Error: `NothingToLiquidate` when a slot does not hold what it should.
fn find<B: Book, A: Legs>(book: &B, account: &A, target: Target) -> Result<Taken, RiskError> {
    let nothing = RiskError::NothingToLiquidate;
    match target {
        Target::Position { slot, .. } => {
            let position = account.position(slot).ok_or(nothing)?;
            let whole = position.size.0.saturating_abs();
            if whole == 0 {
                return Err(nothing);
            }
            Ok(Taken {
                slot,
                position,
                price: book.instrument(position.instrument).mark,
                deposit: None,
                whole,
            })
        }
        Target::Deposit {
            balance_slot,
            position_slot,
            ..
        } => {
            let position = account.position(position_slot).ok_or(nothing)?;
            let balance = account.balance(balance_slot).ok_or(nothing)?;
            if position.size.0 != 0 || position.quote.0 >= 0 || balance.shares.0 <= 0 {
                return Err(nothing);
            }
            let rate = book.rate(balance.rate);
            let price = if balance.rate == crate::book::QUOTE_RATE {
                Price::ONE
            } else {
                book.asset(rate.asset).native_price
            };
            let held = deposit_amount(balance.shares, rate.deposit_index);
            let worth = value_floor(Lots(held.0), price);
            let owed = position.quote.0.saturating_neg();
            if worth < MIN_TAKEN {
                return Err(nothing);
            }
            Ok(Taken {
                slot: position_slot,
                position,
                price,
                deposit: Some((balance_slot, balance, rate.deposit_index)),
                whole: worth.0.min(owed),
            })
        }
    }
}

/// The search for the size.
struct Search<'s, 'l, B, A> {
    book: &'s B,
    account: &'s A,
    taken: &'s Taken,
    before: Health,
    terms: LiquidationTerms,
    scratch: &'s mut Scratch<'l>,
}

impl<B: Book, A: Legs> Search<'_, '_, B, A> {
    /// The step to take when at most `asked` may be taken.
    fn largest(&mut self, asked: i64) -> Result<Step, RiskError> {
        let group = self.book.group();
        let whole = self.taken.whole;
        let take_whole = RiskError::TakeWhole { asked, whole };
        let first = self.attempt(asked)?;
        if self.before.requirement < group.small_requirement {
            return if asked == whole {
                Ok(first)
            } else {
                Err(take_whole)
            };
        }

        let step = if self.passes(&first) {
            self.bisect(first)?
        } else {
            first
        };
        let left = whole - step.size;
        let dust = left > 0 && self.worth(left) < group.min_notional;
        match (dust, asked == whole) {
            (false, _) => Ok(step),
            (true, true) => Ok(first),
            (true, false) => Err(take_whole),
        }
    }

    /// Between nothing and a size that passes the end, with the seven tries that are left.
    fn bisect(&mut self, first: Step) -> Result<Step, RiskError> {
        let (mut short, mut beyond): (Option<Step>, Step) = (None, first);
        for _ in 1..MAX_TRIES {
            let low = short.map_or(0, |step| step.size);
            if beyond.size - low <= 1 {
                break;
            }
            let step = self.attempt(low + (beyond.size - low) / 2)?;
            if self.passes(&step) {
                beyond = step;
            } else {
                short = Some(step);
            }
        }
        // One lot past a size that does not pass is the end to within a lot.
        match short {
            None if beyond.size == 1 => Ok(beyond),
            None => Err(RiskError::SizeBeyondEnd {
                least_tried: beyond.size,
            }),
            Some(step) if beyond.size - step.size == 1 => Ok(beyond),
            Some(step) => Ok(step),
        }
    }

    /// Whether the step, its penalty paid, reaches `E_M >= MM * (1 + buffer)`.
    fn passes(&self, step: &Step) -> bool {
        let requirement = step.after.requirement.0.unsigned_abs();
        let end = requirement.saturating_add(ppm_ceil(requirement, self.terms.buffer));
        step.after.equity.0 >= i64::try_from(end).unwrap_or(i64::MAX)
    }

    /// What `size` of the leg is worth, ceil.
    fn worth(&self, size: i64) -> Atoms {
        match self.taken.deposit {
            None => value_ceil(Lots(size), self.taken.price),
            Some(_) => Atoms(size),
        }
    }

    /// The account without `size` of the leg: one evaluation.
    fn attempt(&mut self, size: i64) -> Result<Step, RiskError> {
        let taken = self.taken;
        let (amount, shares) = match taken.deposit {
            None => {
                let lots = size * taken.position.size.0.signum();
                (value_floor(Lots(lots), taken.price).0, 0)
            }
            Some((_, balance, index)) => (size, shares_worth(size, taken.price, index, balance)),
        };
        let position = without(taken, size, amount)?;
        let balance = taken.deposit.map(|(slot, leg, _)| {
            let left = Shares(leg.shares.0 - shares);
            (
                slot,
                BalanceLeg {
                    shares: left,
                    ..leg
                },
            )
        });
        let amended = Amended {
            base: self.account,
            balances: balance.as_slice(),
            positions: &[(taken.slot, position)],
        };
        let free = margin::maintenance(self.book, &amended, self.scratch);

        let gain = free.health().0.saturating_sub(self.before.health().0);
        let notional = amount.unsigned_abs();
        let half = gain.max(0).unsigned_abs() / 2;
        let penalty = ppm_ceil(notional, self.terms.fee).min(half) as i64;
        Ok(Step {
            size,
            notional,
            amount,
            shares,
            gain,
            penalty,
            after: Health {
                equity: Atoms(free.equity.0.saturating_sub(penalty)),
                requirement: free.requirement,
            },
        })
    }
}

/// Deposit shares worth `atoms` at the price, floor, at most those held.
fn shares_worth(atoms: i64, price: Price, index: crate::units::Index48, held: BalanceLeg) -> i64 {
    let native = mul_div_floor(atoms.unsigned_abs(), 1 << price.shift(), price.mantissa());
    let native = native.and_then(|native| i64::try_from(native).ok());
    let native = Native(native.unwrap_or(i64::MAX));
    shares_for_deposit(native, index).0.min(held.shares.0)
}

/// The account's position without `size` of the leg, `amount` received for it.
fn without(taken: &Taken, size: i64, amount: i64) -> Result<PositionLeg, RiskError> {
    let lots = match taken.deposit {
        None => -size * taken.position.size.0.signum(),
        Some(_) => 0,
    };
    moved(taken.position, lots, Some(amount))
}

/// Both sides after the step and its penalty.
fn settle<B: Book, K: Legs>(
    book: &B,
    liquidator: &K,
    target: Target,
    taken: &Taken,
    step: &Step,
    before: Health,
    terms: LiquidationTerms,
) -> Result<LiquidationPlan, RiskError> {
    let insurance = ppm_ceil(step.penalty.unsigned_abs(), terms.insurance_share);
    let insurance = (insurance as i64).min(step.penalty);
    let reward = step.penalty - insurance;

    let (liquidator_slot, lots) = match target {
        Target::Position {
            liquidator_slot, ..
        } => (liquidator_slot, step.size * taken.position.size.0.signum()),
        Target::Deposit {
            liquidator_position_slot,
            ..
        } => (liquidator_position_slot, 0),
    };
    let (credit, debit) = match (
        step.amount.checked_sub(step.penalty),
        reward.checked_sub(step.amount),
    ) {
        (Some(credit), Some(debit)) => (credit, debit),
        _ => return Err(RiskError::TooLarge),
    };
    let received = without(taken, step.size, credit)?;
    let held = liquidator.position(liquidator_slot).unwrap_or(PositionLeg {
        instrument: taken.position.instrument,
        size: Lots(0),
        quote: Atoms(0),
    });
    let paid = moved(held, lots, Some(debit))?;
    let changes = [(taken.position, received), (held, paid)];
    let (long, short) = open_interest_change(&changes);
    let deposits = move_deposit(book, liquidator, target, taken, step);

    Ok(LiquidationPlan {
        target,
        size: match taken.deposit {
            None => Lots(lots),
            Some(_) => Lots(step.size),
        },
        notional: Atoms(step.notional as i64),
        penalty_liquidator: Atoms(reward),
        penalty_insurance: Atoms(insurance),
        account: LegChange {
            position: (taken.slot, received),
            balance: deposits.map(|moved| moved.account),
        },
        liquidator: LegChange {
            position: (liquidator_slot, paid),
            balance: deposits.map(|moved| moved.liquidator),
        },
        open_interest_change_long: long,
        open_interest_change_short: short,
        deposit_shares_change: deposits.map_or(0, |moved| moved.deposit_change),
        borrow_shares_change: deposits.map_or(0, |moved| moved.borrow_change),
        quotes_change: quotes_change(&changes),
        before,
        after: step.after,
    })
}

/// Deposit shares from one account to another.
#[derive(Clone, Copy, Debug)]
struct MovedDeposit {
    account: (usize, BalanceLeg),
    liquidator: (usize, BalanceLeg),
    deposit_change: i64,
    borrow_change: i64,
}

/// Shares change hands one for one, without rounding, unless they first repay a borrow.
fn move_deposit<B: Book, K: Legs>(
    book: &B,
    liquidator: &K,
    target: Target,
    taken: &Taken,
    step: &Step,
) -> Option<MovedDeposit> {
    let (slot, balance, index) = taken.deposit?;
    let Target::Deposit {
        liquidator_balance_slot,
        ..
    } = target
    else {
        return None;
    };

    let held = liquidator
        .balance(liquidator_balance_slot)
        .map_or(0, |leg| leg.shares.0);
    let after = if held >= 0 {
        held.saturating_add(step.shares)
    } else {
        let tokens = deposit_amount(Shares(step.shares), index);
        credited(
            Shares(held),
            tokens,
            index,
            book.rate(balance.rate).borrow_index,
        )
        .0
    };
    Some(MovedDeposit {
        account: (
            slot,
            BalanceLeg {
                shares: Shares(balance.shares.0 - step.shares),
                ..balance
            },
        ),
        liquidator: (
            liquidator_balance_slot,
            BalanceLeg {
                rate: balance.rate,
                shares: Shares(after),
            },
        ),
        deposit_change: after.max(0) - held.max(0) - step.shares,
        borrow_change: held.min(0) - after.min(0),
    })
}

/// The liquidator stays within his limits and ends at or above Initial.
fn judge_liquidator<B: Book, K: Legs>(
    book: &B,
    liquidator: &K,
    plan: &LiquidationPlan,
    mark: Price,
    scratch: &mut Scratch<'_>,
) -> Result<(), RiskError> {
    let (slot, position) = plan.liquidator.position;
    let held = liquidator.position(slot).map_or(Lots(0), |leg| leg.size);
    check_growth(held, position.size, mark, false)?;

    let amended = Amended {
        base: liquidator,
        balances: plan.liquidator.balance.as_slice(),
        positions: &[(slot, position)],
    };
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
