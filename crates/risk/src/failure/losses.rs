//! Who pays when an account is bankrupt (margin-spec 8.6): first what it still has, then insurance,
//! then those on the other side of its trades or the depositors of the bank that it owes. The order is
//! that of Drift's and Mango v4's bankruptcy instructions; derivatives never charge token lenders.

use crate::book::{Book, Legs, PositionLeg};
use crate::error::RiskError;
use crate::failure::liquidation::MIN_TAKEN;
use crate::ledger::{BankChange, BankLedger, MarketChange, MarketLedger};
use crate::margin::{self, InitialTerms, Scratch};
use crate::num::{mul_div_floor, ppm_floor, value_ceil, value_floor};
use crate::shares::{deposit_amount, shares_for_deposit};
use crate::units::{Atoms, Carry48, Dust48, Index48, Lots, Native, Ppm, Shares};

/// Length of an insurance's window, seconds (8.6).
pub const INSURANCE_WINDOW_S: i64 = 86_400;
/// A deficit beyond this share of a bank's deposits stops what could flee from it: 0.1% (8.6).
pub const HALTING_DEFICIT: Ppm = Ppm(1_000);
/// For at most so long, seconds: 2 h (8.6).
pub const MAX_HALT_S: i64 = 7_200;

/// An insurance and what it has paid in its window. Amounts are native units of the quote or token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insurance {
    pub balance: u64,
    /// Paid since the window began.
    pub used: u64,
    pub window_start: i64,
}

impl Insurance {
    /// The insurance at a moment: a day after its window began a new one does.
    #[must_use]
    pub const fn at(self, now: i64) -> Self {
        if now.saturating_sub(self.window_start) < INSURANCE_WINDOW_S {
            return self;
        }
        Self {
            balance: self.balance,
            used: 0,
            window_start: now,
        }
    }

    /// What it may still pay in its window: a quarter, floor, of what it held when that began, less
    /// what it has paid.
    #[must_use]
    pub const fn available(self) -> u64 {
        let quarter = self.balance.saturating_add(self.used) / 4;
        let left = quarter.saturating_sub(self.used);
        if left < self.balance {
            left
        } else {
            self.balance
        }
    }

    /// Pays as much of `asked` as it may: the amount, and the insurance after.
    #[must_use]
    pub const fn pays(self, asked: u64) -> (u64, Self) {
        let available = self.available();
        let paid = if asked < available { asked } else { available };
        let after = Self {
            balance: self.balance - paid,
            used: self.used.saturating_add(paid),
            window_start: self.window_start,
        };
        (paid, after)
    }
}

/// Whether an account is bankrupt: E < 0, with no deposit and no size worth taking, each below
/// [`MIN_TAKEN`] (8.6).
#[must_use]
pub fn is_bankrupt<B: Book, L: Legs>(book: &B, legs: &L, scratch: &mut Scratch<'_>) -> bool {
    let balances = (0..legs.balance_slots()).filter_map(|slot| legs.balance(slot));
    let deposits = balances.filter(|leg| leg.shares.0 > 0).any(|leg| {
        let rate = book.rate(leg.rate);
        let held = deposit_amount(leg.shares, rate.deposit_index);
        let worth = if leg.rate == crate::book::QUOTE_RATE {
            Atoms(held.0)
        } else {
            value_floor(Lots(held.0), book.asset(rate.asset).native_price)
        };
        worth >= MIN_TAKEN
    });
    let positions = (0..legs.position_slots()).filter_map(|slot| legs.position(slot));
    let sizes = positions.filter(|leg| leg.size.0 != 0).any(|leg| {
        let mark = book.instrument(leg.instrument).mark;
        value_ceil(Lots(leg.size.0.saturating_abs()), mark) >= MIN_TAKEN
    });
    if deposits || sizes {
        return false;
    }
    let found = margin::both(book, legs, InitialTerms::COUNTED, scratch);
    found.net_asset_value.0 < 0
}

/// Whether a net asset value is such a deficit that withdrawals from the bank and settlement in the
/// market stop until it is resolved, at most [`MAX_HALT_S`]: below -0.1% of the bank's deposits, floor
/// (8.6).
#[must_use]
pub fn halts(net_asset_value: Atoms, deposits: u64) -> bool {
    let limit = ppm_floor(deposits, HALTING_DEFICIT);
    net_asset_value.0 < 0 && net_asset_value.0.unsigned_abs() > limit
}

/// Something owed, and what of it is covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Debt {
    pub owed: u64,
    pub covered: u64,
}

/// What a bankrupt account still has repays its borrows, then its negative quotes, pro rata within
/// each (8.6). Writes what is covered, to the atom, and returns what is left.
pub fn cover(assets: u64, borrows: &mut [Debt], quotes: &mut [Debt]) -> u64 {
    let left = assets - share_out(assets, borrows);
    left - share_out(left, quotes)
}

/// Covers debts pro rata: the parts sum to what is given, and none exceeds its debt. Returns the sum.
fn share_out(given: u64, debts: &mut [Debt]) -> u64 {
    let total = debts
        .iter()
        .fold(0u64, |sum, debt| sum.saturating_add(debt.owed));
    let given = given.min(total);
    // Of running totals, so that each floor is made up for by the next.
    let (mut owed, mut paid) = (0u64, 0u64);
    for debt in debts {
        owed = owed.saturating_add(debt.owed);
        let until = mul_div_floor(given, owed, total).unwrap_or(0);
        debt.covered = until - paid;
        paid = until;
    }
    paid
}

/// A market's part of a bankruptcy, by who pays it: the three sum to the deficit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketLossPlan {
    pub deficit: u64,
    /// From the market's insurance.
    pub from_market: u64,
    /// From the group's: it becomes a deposit of the account, out of which the negative quote that is
    /// left is settled.
    pub from_group: u64,
    /// From the positions of the side charged, through their F.
    pub from_side: u64,
    /// The account's closed position after.
    pub after: PositionLeg,
    pub market: MarketChange,
    pub market_insurance: Insurance,
    pub group_insurance: Insurance,
    /// Deposit shares of the quote's bank that the account gets for the group's part, floor.
    pub deposit: Shares,
    /// The quote's bank.
    pub bank: BankChange,
}

/// What a market's part of a bankruptcy is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketLossTerms {
    /// The account's position of size 0 with a negative quote.
    pub leg: PositionLeg,
    /// How much of that quote nothing else covers.
    pub deficit: u64,
    /// Whether longs pay: those on the other side of what the account held.
    pub charge_longs: bool,
    /// At this moment ([`Insurance::at`]); the market's balance is its ledger's.
    pub market_insurance: Insurance,
    pub group_insurance: Insurance,
    /// Of the quote's bank.
    pub deposit_index: Index48,
}

/// Spreads a market's deficit (8.6): its insurance, the group's, each at most a quarter a day, then
/// each lot of the side charged, by raising (longs) or lowering (shorts) its F, ceil; what the ceil
/// collects too much joins the market's insurance. Exact: the parts sum to the deficit, and quotes,
/// fees and residue less carry to what they were (I2).
///
/// Errors: `NothingToLiquidate` for a leg that is not closed or owes less than the deficit,
/// `TooLittleOpposite` where the side charged has no lot, `TooLarge`.
pub fn plan_market_loss(
    ledger: &MarketLedger,
    terms: &MarketLossTerms,
) -> Result<MarketLossPlan, RiskError> {
    let leg = terms.leg;
    let owed = if leg.quote.0 < 0 {
        leg.quote.0.unsigned_abs()
    } else {
        0
    };
    if leg.size.0 != 0 || terms.deficit == 0 || owed < terms.deficit {
        return Err(RiskError::NothingToLiquidate);
    }
    let (from_market, market_insurance) = terms.market_insurance.pays(terms.deficit);
    let (from_group, group_insurance) = terms.group_insurance.pays(terms.deficit - from_market);
    let from_side = terms.deficit - from_market - from_group;

    let mut market = MarketChange {
        insurance: -(from_market as i64),
        quotes: (from_market + from_side) as i64,
        ..MarketChange::default()
    };
    if from_side != 0 {
        charge(ledger, terms.charge_longs, from_side, &mut market)?;
    }
    let deposit = shares_for_deposit(Native(from_group as i64), terms.deposit_index);
    Ok(MarketLossPlan {
        deficit: terms.deficit,
        from_market,
        from_group,
        from_side,
        after: PositionLeg {
            quote: Atoms(leg.quote.0 + (from_market + from_side) as i64),
            ..leg
        },
        market,
        market_insurance,
        group_insurance,
        deposit,
        bank: BankChange {
            deposits: deposit.0,
            insurance: -(from_group as i64),
            ..BankChange::default()
        },
    })
}

/// Charges `atoms` to the lots of a side through its F.
fn charge(
    ledger: &MarketLedger,
    longs: bool,
    atoms: u64,
    market: &mut MarketChange,
) -> Result<(), RiskError> {
    let sign = Lots(if longs { 1 } else { -1 });
    let side = *ledger.side(sign);
    let lots = i128::from(side.open_interest);
    if lots == 0 {
        return Err(RiskError::TooLittleOpposite {
            open_interest: 0,
            asked: 1,
        });
    }
    // atoms < 2^63: 48 more bits fit, and the remainder is below the number of lots.
    let wide = i128::from(atoms) << 48;
    let step = (wide + lots - 1) / lots;
    let over = u64::try_from(step * lots - wide).map_err(|_| RiskError::TooLarge)?;
    let carry = if longs {
        side.carry.0.checked_add(step)
    } else {
        side.carry.0.checked_sub(step)
    };
    let mut terms = side.terms();
    terms.carry = Carry48(carry.ok_or(RiskError::TooLarge)?);
    market.side_mut(sign).terms = Some(terms);
    market.residue = Dust48(over);
    Ok(())
}

/// A bank's part of a bankruptcy, native units: the two sum to the deficit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BankLossPlan {
    pub deficit: u64,
    pub from_insurance: u64,
    pub from_depositors: u64,
    pub insurance: Insurance,
    /// The borrow is written off, the insurance pays, the deposit index falls; what the floor of the
    /// index takes too much joins the dust.
    pub bank: BankChange,
}

/// Writes off `shares` of a bank's borrows (8.6): its insurance pays what it may, and the rest lowers
/// the deposit index, floor, so that every depositor loses the same share. The only way in which an
/// index ever falls (7.1).
///
/// Errors: `NothingToLiquidate` without such borrows, `TooLarge` where depositors have less than is
/// missing.
pub fn plan_bank_loss(
    bank: &BankLedger,
    shares: u64,
    insurance: Insurance,
) -> Result<BankLossPlan, RiskError> {
    if shares == 0 || shares > bank.borrow_shares || shares > i64::MAX.unsigned_abs() {
        return Err(RiskError::NothingToLiquidate);
    }
    let without = BankLedger {
        borrow_shares: bank.borrow_shares - shares,
        ..*bank
    };
    let deficit = bank.borrows() - without.borrows();
    let (from_insurance, after) = insurance.pays(deficit);
    let from_depositors = deficit - from_insurance;
    let left = bank
        .deposits()
        .checked_sub(from_depositors)
        .ok_or(RiskError::TooLarge)?;
    let index = if from_depositors == 0 {
        bank.deposit_index
    } else {
        let index = mul_div_floor(left, Index48::ONE.0, bank.deposit_shares);
        Index48(index.ok_or(RiskError::TooLarge)?.min(bank.deposit_index.0))
    };
    Ok(BankLossPlan {
        deficit,
        from_insurance,
        from_depositors,
        insurance: after,
        bank: BankChange {
            borrows: -(shares as i64),
            insurance: -i64::try_from(from_insurance).map_err(|_| RiskError::TooLarge)?,
            indices: Some((index, bank.borrow_index)),
            ..BankChange::default()
        },
    })
}
