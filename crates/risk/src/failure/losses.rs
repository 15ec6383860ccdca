//! Who pays when an account is bankrupt (margin-spec 8.6): first what it still has, then insurance,
//! then those on the other side of its trades or the depositors of the bank that it owes. The order is
//! that of Drift's and Mango v4's bankruptcy instructions; derivatives never charge token lenders.

use crate::book::PositionLeg;
use crate::carry::price48;
use crate::error::RiskError;
use crate::failure::deleverage::MAX_CARRY_MARKS;
use crate::ledger::{BankChange, BankLedger, MarketChange, MarketLedger};
use crate::num::{mul_div_floor, ppm_floor};
use crate::shares::{borrow_amount, deposit_amount, shares_for_deposit};
use crate::units::{Atoms, Carry48, Dust48, Index48, Lots, Native, Ppm, Price, Shares};

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

/// Whether a net asset value is such a deficit that withdrawals from the bank and settlement in the
/// market stop until it is resolved, at most [`MAX_HALT_S`]: below -0.1% of the bank's deposits, floor
/// (8.6).
#[must_use]
pub fn halts(net_asset_value: Atoms, deposits: u64) -> bool {
    let limit = ppm_floor(deposits, HALTING_DEFICIT);
    net_asset_value.0 < 0 && net_asset_value.0.unsigned_abs() > limit
}

/// Until when a ledger waits once its part of an account's deficit is resolved, that was found at
/// `found_at`: not at all, but for what a later finding of another account asks.
#[must_use]
pub const fn halt_after(halted_until: i64, found_at: i64) -> i64 {
    if halted_until <= found_at.saturating_add(MAX_HALT_S) {
        return 0;
    }
    halted_until
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

/// Who bears a market's deficit: the side opposite to what the account held (8.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payers {
    Longs,
    Shorts,
    /// Half each, where it is not known what the account held.
    Both,
}

impl Payers {
    /// Against an account whose last size in the market was of this sign; 0 is not known.
    #[must_use]
    pub const fn against(last_side: i8) -> Self {
        match last_side {
            0 => Self::Both,
            1.. => Self::Shorts,
            _ => Self::Longs,
        }
    }
}

/// A market's part of a bankruptcy, by who pays it: the four sum to the deficit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketLossPlan {
    pub deficit: u64,
    /// From the market's insurance.
    pub from_market: u64,
    /// From the group's: it becomes a deposit of the account, out of which the negative quote that is
    /// left is settled.
    pub from_group: u64,
    /// What that is in shares of the quote's bank.
    pub deposit: Shares,
    /// What leaves the group's insurance for it: what the shares are worth, ceil. With the fractions of
    /// others they may raise the bank's deposits by an atom more than `from_group`; else that atom is the
    /// bank's dust (I1).
    pub group_cost: u64,
    /// From the positions of the side charged, through their F.
    pub from_side: u64,
    /// What no side can bear: the market's insurance owes it, and stands below zero until fees or a
    /// donation fill it up.
    pub owed: u64,
    /// The account's closed position after.
    pub after: PositionLeg,
    pub market: MarketChange,
    pub market_insurance: Insurance,
    pub group_insurance: Insurance,
}

/// What a market's part of a bankruptcy is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketLossTerms {
    /// The account's position of size 0 with a negative quote.
    pub leg: PositionLeg,
    /// How much of that quote nothing else covers.
    pub deficit: u64,
    pub payers: Payers,
    pub mark: Price,
    /// At this moment ([`Insurance::at`]); the market's balance is its ledger's.
    pub market_insurance: Insurance,
    pub group_insurance: Insurance,
    /// Of the quote's bank: the group pays what is a whole number of shares.
    pub deposit_index: Index48,
}

/// Spreads a market's deficit (8.6): its insurance, the group's, each at most a quarter a day, then
/// each lot of the side charged, by raising (longs) or lowering (shorts) its F, ceil; what the ceil
/// collects too much joins the market's insurance. A lot is charged at most the mark, and no F leaves
/// [`MAX_CARRY_MARKS`]: what is beyond, as where a side has no lot at all, stays owed by the market's
/// insurance. Exact: the parts sum to the deficit, and quotes, fees, insurance and residue less carry
/// to what they were (I2).
///
/// Errors: `NothingToLiquidate` for a leg that is not closed or owes less than the deficit.
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
    let (offered, _) = terms.group_insurance.pays(terms.deficit - from_market);
    let deposit = shares_for_deposit(Native(offered as i64), terms.deposit_index);
    let from_group = deposit_amount(deposit, terms.deposit_index)
        .0
        .unsigned_abs();
    let whole = borrow_amount(Shares(-deposit.0), terms.deposit_index).0;
    // At most what was offered, which the shares are worth at most.
    let (group_cost, group_insurance) = terms.group_insurance.pays(whole.unsigned_abs());
    let left = terms.deficit - from_market - from_group;

    let mut market = MarketChange::default();
    let from_side = match terms.payers {
        Payers::Longs => charge(ledger, (true, left), terms.mark, &mut market),
        Payers::Shorts => charge(ledger, (false, left), terms.mark, &mut market),
        Payers::Both => {
            let longs = charge(ledger, (true, left / 2), terms.mark, &mut market);
            longs + charge(ledger, (false, left - longs), terms.mark, &mut market)
        }
    };
    // The deficit is at most the quote's magnitude, below 2^63.
    let owed = left - from_side;
    market.insurance = -((from_market + owed) as i64);
    market.quotes = (terms.deficit - from_group) as i64;
    Ok(MarketLossPlan {
        deficit: terms.deficit,
        from_market,
        from_group,
        deposit,
        group_cost,
        from_side,
        owed,
        after: PositionLeg {
            quote: Atoms(leg.quote.0 + market.quotes),
            ..leg
        },
        market,
        market_insurance,
        group_insurance,
    })
}

/// Charges the lots of a side through its F, as much of `atoms` as they bear. Returns what they pay.
fn charge(
    ledger: &MarketLedger,
    (longs, atoms): (bool, u64),
    mark: Price,
    market: &mut MarketChange,
) -> u64 {
    let sign = Lots(if longs { 1 } else { -1 });
    let side = *ledger.side(sign);
    let lots = i128::from(side.open_interest);
    let charged = if longs {
        side.carry.0
    } else {
        side.carry.0.saturating_neg()
    };
    let bound = MAX_CARRY_MARKS * price48(mark);
    let per_lot = bound.saturating_sub(charged).clamp(0, price48(mark));
    // Beyond 127 bits the side bears any deficit.
    let most = per_lot.checked_mul(lots).map_or(u64::MAX, |wide| {
        u64::try_from(wide >> 48).unwrap_or(u64::MAX)
    });
    let paid = atoms.min(most);
    if paid == 0 {
        return 0;
    }
    // paid < 2^63: 48 more bits fit, and the remainder is below the number of lots.
    let wide = i128::from(paid) << 48;
    let step = (wide + lots - 1) / lots;
    let over = (step * lots - wide) as u64;
    let mut terms = side.terms();
    terms.carry = Carry48(if longs {
        side.carry.0.saturating_add(step)
    } else {
        side.carry.0.saturating_sub(step)
    });
    market.side_mut(sign).terms = Some(terms);
    // Two sides leave below 2^64 together: open interest is below 2^62.
    market.residue = Dust48(market.residue.0.saturating_add(over));
    paid
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
/// Errors: `NothingToLiquidate` without such borrows, `TooLarge` where nothing would be left of the
/// deposits: a deposit of an index of zero would buy no shares.
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
        let index = index.filter(|index| *index != 0);
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
