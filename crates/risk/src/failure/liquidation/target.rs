//! Reading the legs that a target names.

use super::{MIN_TAKEN, Target};
use crate::book::{BalanceLeg, Book, Legs, PositionLeg, QUOTE_RATE};
use crate::carry::Carries;
use crate::error::RiskError;
use crate::num::{mul_div_floor, value_floor};
use crate::shares::{borrow_amount, deposit_amount};
use crate::units::{Index48, Lots, Price};

/// A position that is taken from, with its market's figures.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeldPosition {
    pub slot: usize,
    pub leg: PositionLeg,
    pub mark: Price,
    pub carries: Carries,
}

/// A balance that is taken from or repaid, with its bank's figures.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeldBalance {
    pub slot: usize,
    pub leg: BalanceLeg,
    pub price: Price,
    pub deposit_index: Index48,
    pub borrow_index: Index48,
}

/// The account's legs that the target names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// The position, or the closed one with a negative quote.
    pub first: Option<HeldPosition>,
    /// The hedge's other leg.
    pub second: Option<HeldPosition>,
    pub deposit: Option<HeldBalance>,
    pub borrow: Option<HeldBalance>,
    /// The greatest size.
    pub whole: i64,
}

/// Reads the target's legs. Error: `NothingToLiquidate` when a slot does not hold what it should.
pub(super) fn find<B: Book, A: Legs>(
    book: &B,
    account: &A,
    target: Target,
) -> Result<Taken, RiskError> {
    let mut taken = Taken {
        first: None,
        second: None,
        deposit: None,
        borrow: None,
        whole: 0,
    };
    match target {
        Target::Position { slot, .. } => {
            let first = open_position(book, account, slot)?;
            taken.whole = first.leg.size.0.saturating_abs();
            taken.first = Some(first);
        }
        Target::Hedge { slots, .. } => {
            let [first, second] = slots;
            if first == second {
                return Err(RiskError::NothingToLiquidate);
            }
            let first = open_position(book, account, first)?;
            taken.whole = first.leg.size.0.saturating_abs();
            taken.first = Some(first);
            taken.second = Some(open_position(book, account, second)?);
        }
        Target::Deposit {
            balance_slot,
            position_slot,
            ..
        } => {
            let debt = position(book, account, position_slot)?;
            if debt.leg.size.0 != 0 || debt.leg.quote.0 >= 0 {
                return Err(RiskError::NothingToLiquidate);
            }
            let (deposit, worth) = worthy_deposit(book, account, balance_slot)?;
            taken.whole = worth.min(debt.leg.quote.0.saturating_neg());
            taken.first = Some(debt);
            taken.deposit = Some(deposit);
        }
        Target::Borrow {
            deposit_slot,
            borrow_slot,
            ..
        } => {
            let borrow = balance(book, account, borrow_slot)?;
            let owed = borrow_amount(borrow.leg.shares, borrow.borrow_index);
            let (deposit, worth) = worthy_deposit(book, account, deposit_slot)?;
            let (mantissa, shift) = (borrow.price.mantissa(), borrow.price.shift());
            let covered = mul_div_floor(worth.unsigned_abs(), 1 << shift, mantissa);
            let covered = covered.and_then(|native| i64::try_from(native).ok());
            taken.whole = owed.0.min(covered.unwrap_or(i64::MAX));
            if taken.whole <= 0 {
                return Err(RiskError::NothingToLiquidate);
            }
            taken.deposit = Some(deposit);
            taken.borrow = Some(borrow);
        }
    }
    Ok(taken)
}

fn position<B: Book, A: Legs>(
    book: &B,
    account: &A,
    slot: usize,
) -> Result<HeldPosition, RiskError> {
    let leg = account
        .position(slot)
        .ok_or(RiskError::NothingToLiquidate)?;
    let terms = book.instrument(leg.instrument);
    Ok(HeldPosition {
        slot,
        leg,
        mark: terms.mark,
        carries: Carries::of(&terms),
    })
}

fn open_position<B: Book, A: Legs>(
    book: &B,
    account: &A,
    slot: usize,
) -> Result<HeldPosition, RiskError> {
    let held = position(book, account, slot)?;
    if held.leg.size.0 == 0 {
        return Err(RiskError::NothingToLiquidate);
    }
    Ok(held)
}

fn balance<B: Book, A: Legs>(book: &B, account: &A, slot: usize) -> Result<HeldBalance, RiskError> {
    let leg = account.balance(slot).ok_or(RiskError::NothingToLiquidate)?;
    let rate = book.rate(leg.rate);
    let price = if leg.rate == QUOTE_RATE {
        Price::ONE
    } else {
        book.asset(rate.asset).native_price
    };
    Ok(HeldBalance {
        slot,
        leg,
        price,
        deposit_index: rate.deposit_index,
        borrow_index: rate.borrow_index,
    })
}

/// A deposit and what it is worth, floor, if that is worth taking.
fn worthy_deposit<B: Book, A: Legs>(
    book: &B,
    account: &A,
    slot: usize,
) -> Result<(HeldBalance, i64), RiskError> {
    let held = balance(book, account, slot)?;
    let amount = deposit_amount(held.leg.shares, held.deposit_index);
    let worth = value_floor(Lots(amount.0), held.price);
    if held.leg.shares.0 <= 0 || worth < MIN_TAKEN {
        return Err(RiskError::NothingToLiquidate);
    }
    Ok((held, worth.0))
}
