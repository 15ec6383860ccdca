//! Both sides after a step and its penalty.

use super::search::Step;
use super::target::Taken;
use super::{LegChange, LiquidationPlan, NO_BALANCE, Slots, StepTerms, StoppedBy, Target};
use crate::book::{BalanceLeg, Book, Legs, PositionLeg};
use crate::error::RiskError;
use crate::fill::{moved, open_interest_change, quotes_change};
use crate::ledger::{BankChange, MarketChange, SideChange};
use crate::margin::Health;
use crate::num::ppm_ceil;
use crate::shares::{credited, debited, deposit_amount};
use crate::units::{Atoms, Dust48, Lots, Native, Shares};

/// The plan of a step, judged of the account alone. Its `before` and `stopped_by` are the caller's
/// to set.
pub(super) fn hand_over<B: Book, K: Legs>(
    book: &B,
    liquidator: &K,
    asked: &StepTerms,
    taken: &Taken,
    step: &Step,
) -> Result<LiquidationPlan, RiskError> {
    let insurance = ppm_ceil(step.penalty.unsigned_abs(), asked.terms.insurance_share);
    let insurance = (insurance as i64).min(step.penalty);
    let quote_penalty = if taken.borrow.is_some() {
        0
    } else {
        step.penalty
    };
    let (account, dust) = taken.without(&step.cut, quote_penalty, step.penalty_shares)?;
    let reward = if taken.borrow.is_some() {
        0
    } else {
        step.penalty - insurance
    };
    let (positions, markets) = hand_over_positions(
        liquidator,
        asked.target,
        taken,
        step,
        reward,
        &account,
        dust,
    )?;
    let banks = hand_over_balances(book, liquidator, asked, taken, step);
    let mut plan = LiquidationPlan {
        target: asked.target,
        size: Lots(match taken.deposit {
            None => step.cut.lots.first().copied().unwrap_or(0),
            Some(_) => step.cut.size,
        }),
        notional: Atoms(i64::try_from(step.cut.notional).unwrap_or(i64::MAX)),
        penalty_liquidator: Atoms(step.penalty - insurance),
        penalty_insurance: Atoms(insurance),
        account,
        liquidator: LegChange {
            positions,
            balances: banks.balances,
        },
        markets,
        deposit_bank: banks.deposit,
        borrow_bank: banks.borrow,
        stopped_by: StoppedBy::MaxSize,
        before: Health::default(),
        after: step.after,
    };
    if taken.borrow.is_none()
        && let Some(market) = plan.markets.first_mut()
    {
        market.insurance = insurance;
    }
    Ok(plan)
}

type Positions = (Slots<PositionLeg>, [MarketChange; 2]);

/// The liquidator's positions: what left the account, at the mark, less his reward.
fn hand_over_positions<K: Legs>(
    liquidator: &K,
    target: Target,
    taken: &Taken,
    step: &Step,
    reward: i64,
    account: &LegChange,
    dust: [Dust48; 2],
) -> Result<Positions, RiskError> {
    let slots = match target {
        Target::Position {
            liquidator_slot, ..
        } => [liquidator_slot; 2],
        Target::Hedge {
            liquidator_slots, ..
        } => liquidator_slots,
        Target::Deposit {
            liquidator_position_slot,
            ..
        } => [liquidator_position_slot; 2],
        Target::Borrow { .. } => [0; 2],
    };
    let mut legs = [(0, PositionLeg::EMPTY); 2];
    let mut markets = [MarketChange::default(); 2];
    let rewards = [reward, 0];
    let sides = [taken.first, taken.second].into_iter().flatten();
    let given = sides.zip(account.positions.as_slice());
    let moves = step.cut.lots.iter().zip(step.cut.amounts).zip(rewards);
    let places = legs.iter_mut().zip(markets.iter_mut()).zip(dust);
    let mut used = 0;
    for ((((held, (_, after)), ((lots, amount), reward)), slot), ((leg, market), kept)) in
        given.zip(moves).zip(slots).zip(places)
    {
        let before = liquidator.position(slot).unwrap_or(PositionLeg {
            instrument: held.leg.instrument,
            size: Lots(0),
            quote: Atoms(0),
        });
        let (paid, rest) = moved(before, *lots, reward.checked_sub(amount), held.carries)?;
        let changes = [(held.leg, *after), (before, paid)];
        *leg = (slot, paid);
        *market = market_change(&changes, Dust48(kept.0 + rest.0));
        used += 1;
    }
    let slots = match (used, legs) {
        (0, _) => Slots::none(PositionLeg::EMPTY),
        (1, [(slot, leg), _]) => Slots::one(slot, leg),
        (_, legs) => Slots::two(legs),
    };
    Ok((slots, markets))
}

/// What two positions of one market changed in its ledger.
pub(in crate::failure) fn market_change(
    changes: &[(PositionLeg, PositionLeg); 2],
    residue: Dust48,
) -> MarketChange {
    let (long, short) = open_interest_change(changes);
    MarketChange {
        long: SideChange {
            open_interest: long,
            ..SideChange::default()
        },
        short: SideChange {
            open_interest: short,
            ..SideChange::default()
        },
        quotes: quotes_change(changes),
        residue,
        ..MarketChange::default()
    }
}

struct Banks {
    balances: Slots<BalanceLeg>,
    deposit: BankChange,
    borrow: BankChange,
}

/// Deposit shares change hands one for one, without rounding, unless they first repay a borrow; a
/// repayment is the liquidator's tokens, out of his deposit or borrowed.
fn hand_over_balances<B: Book, K: Legs>(
    book: &B,
    liquidator: &K,
    asked: &StepTerms,
    taken: &Taken,
    step: &Step,
) -> Banks {
    let mut banks = Banks {
        balances: Slots::none(NO_BALANCE),
        deposit: BankChange::default(),
        borrow: BankChange::default(),
    };
    let (slot, repaying) = match asked.target {
        Target::Deposit {
            liquidator_balance_slot,
            ..
        } => (liquidator_balance_slot, None),
        Target::Borrow {
            liquidator_deposit_slot,
            liquidator_borrow_slot,
            ..
        } => (liquidator_deposit_slot, Some(liquidator_borrow_slot)),
        Target::Position { .. } | Target::Hedge { .. } => return banks,
    };
    let Some(deposit) = taken.deposit else {
        return banks;
    };

    // Of collateral paid as penalty the insurance keeps its share as tokens, floor.
    let kept = ppm_ceil(
        step.penalty_shares.unsigned_abs(),
        asked.terms.insurance_share,
    );
    let kept = (kept as i64).min(step.penalty_shares);
    let given = step.shares - kept;
    let held = held_shares(liquidator, slot);
    let after = received(book, deposit.leg.rate, held, given);
    let leg = BalanceLeg {
        rate: deposit.leg.rate,
        shares: after,
    };
    banks.deposit = BankChange {
        insurance: deposit_amount(Shares(kept), deposit.deposit_index).0,
        ..BankChange::of(held, after)
    };
    banks.deposit.deposits -= step.shares;
    banks.balances = Slots::one(slot, leg);

    if let (Some(borrow), Some(paying)) = (taken.borrow, repaying) {
        let held = held_shares(liquidator, paying);
        let rate = book.rate(borrow.leg.rate);
        let after = debited(
            held,
            Native(step.cut.repaid),
            rate.deposit_index,
            rate.borrow_index,
        );
        banks.borrow = BankChange::of(held, after);
        banks.borrow.borrows -= step.cut.extinguished;
        let paid = BalanceLeg {
            rate: borrow.leg.rate,
            shares: after,
        };
        banks.balances = Slots::two([(slot, leg), (paying, paid)]);
    }
    banks
}

fn held_shares<K: Legs>(legs: &K, slot: usize) -> Shares {
    legs.balance(slot).map_or(Shares(0), |leg| leg.shares)
}

/// A balance that deposit shares come to: they repay what it owes before they are its deposit.
pub(in crate::failure) fn received<B: Book>(
    book: &B,
    rate: u8,
    held: Shares,
    given: i64,
) -> Shares {
    if held.0 >= 0 {
        return Shares(held.0.saturating_add(given));
    }
    let rate = book.rate(rate);
    let tokens = deposit_amount(Shares(given), rate.deposit_index);
    credited(held, tokens, rate.deposit_index, rate.borrow_index)
}
