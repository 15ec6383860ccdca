//! Deposits and liquidity: tokens into one balance, as plans. What leaves is in [`crate::withdrawal`].

use crate::book::{Amended, BalanceLeg, Book, Legs};
use crate::error::RiskError;
use crate::fitness::require_pool_prices;
use crate::limits::MAX_BANK_TOTAL;
use crate::margin::Scratch;
use crate::margin::{self, exposed_assets};
use crate::pool::{PoolTerms, provide_shares, share_price};
use crate::shares::{amount, borrow_amount, credited};
use crate::units::{Atoms, Index48, Native, Shares};

/// What a bank's ledger says to a plan. Totals and caps are native units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BankTerms {
    /// The bank's place in the risk book.
    pub rate: u8,
    pub deposit_index: Index48,
    pub borrow_index: Index48,
    /// All deposits at the index, floor.
    pub total_deposits: u64,
    pub deposit_cap: u64,
}

/// A change of one balance, with the tokens that move: positive into the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CashPlan {
    pub slot: usize,
    pub before: Shares,
    pub after: BalanceLeg,
    pub tokens: Native,
}

/// Credits `received` native units: they repay what the balance owes first, and the rest is a
/// deposit, in shares, floor: the rounding stays with the bank as dust.
///
/// Open in every price state (margin-spec 2.6); the cap bounds deposits, not repayments. Errors:
/// `TooLarge` beyond what a balance may hold (1.6), `DepositCap` beyond the bank's cap,
/// `TooManyAssets` beyond eight assets.
pub fn plan_deposit<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    slot: usize,
    bank: BankTerms,
    received: u64,
) -> Result<CashPlan, RiskError> {
    let tokens = native(received)?;
    let before = held(legs, slot);
    let owed = borrow_amount(before, bank.borrow_index);
    let deposited = received.saturating_sub(owed.0.unsigned_abs());
    let total = bank.total_deposits.saturating_add(deposited);
    if deposited > 0 && (total > bank.deposit_cap || total > MAX_BANK_TOTAL) {
        return Err(RiskError::DepositCap {
            total,
            cap: bank.deposit_cap,
        });
    }

    let shares = credited(before, tokens, bank.deposit_index, bank.borrow_index);
    if shares.0 == i64::MAX {
        return Err(RiskError::TooLarge);
    }
    let after = BalanceLeg {
        rate: bank.rate,
        shares,
    };

    let changed = [(slot, after)];
    let amended = Amended {
        base: legs,
        balances: &changed,
        positions: &[],
    };
    check_asset_count(legs, exposed_assets(book, &amended))?;
    Ok(CashPlan {
        slot,
        before,
        after,
        tokens,
    })
}

/// Whether an account holds anything besides deposits: a borrow, a size, or a negative result.
pub fn owes<L: Legs>(legs: &L) -> bool {
    let borrows = (0..legs.balance_slots())
        .filter_map(|slot| legs.balance(slot))
        .any(|leg| leg.shares.0 < 0);
    let positions = (0..legs.position_slots())
        .filter_map(|slot| legs.position(slot))
        .any(|leg| leg.size.0 != 0 || leg.quote.0 < 0);
    borrows || positions
}

/// Refuses an account that would be exposed to more assets than it may (`exposed` as bits).
pub fn check_asset_count<L: Legs>(legs: &L, exposed: u32) -> Result<(), RiskError> {
    if exposed.count_ones() as usize > legs.asset_limit() {
        return Err(RiskError::TooManyAssets);
    }
    Ok(())
}

/// Quote into a pool, shares of it out (margin-spec 10.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProvidePlan {
    pub cash: CashPlan,
    /// Shares that the provider receives, and shares that nobody ever will.
    pub minted: u64,
    pub locked: u64,
    /// E of the pool at the mark, before; and what the shares were bought at.
    pub equity_before: Atoms,
    pub value: Atoms,
    /// What [`share_price`] says before and after, at the mark.
    pub price_before: u64,
    pub price_after: u64,
}

/// Shares are `amount * shares / equity`, floor, at the pool's equity at the bounds that make it
/// largest; the first provider pays one atom per share and the first 1,000,000 stay locked.
///
/// Errors: `PriceUnfit` when an asset of the pool's positions has no fresh price, `PoolInsolvent`
/// when there are shares but no equity at the mark, `PoolCap`, `TooFewShares`, and those of [`plan_deposit`].
pub fn plan_provide<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    bank: BankTerms,
    pool: PoolTerms,
    received: u64,
    scratch: &mut Scratch<'_>,
) -> Result<ProvidePlan, RiskError> {
    require_pool_prices(book, legs)?;
    let (at_mark, equity) = margin::equity_at_best(book, legs, scratch);
    if pool.shares != 0 && at_mark.0 <= 0 {
        return Err(RiskError::PoolInsolvent);
    }
    if equity.0.saturating_add_unsigned(received) > pool.equity_cap.0 {
        return Err(RiskError::PoolCap {
            equity,
            cap: pool.equity_cap,
        });
    }

    let issued = provide_shares(received, pool.shares, equity)?;
    let cash = plan_deposit(book, legs, 0, bank, received)?;
    let shares = pool.shares.saturating_add(issued.minted + issued.locked);
    Ok(ProvidePlan {
        cash,
        minted: issued.minted,
        locked: issued.locked,
        equity_before: at_mark,
        value: equity,
        price_before: share_price(at_mark, pool.shares),
        price_after: share_price(equity_after(at_mark, &cash, &bank), shares),
    })
}

/// E after a change of the quote balance.
pub(crate) fn equity_after(before: Atoms, cash: &CashPlan, bank: &BankTerms) -> Atoms {
    let worth = |shares| amount(shares, bank.deposit_index, bank.borrow_index).0;
    let moved = worth(cash.after.shares).saturating_sub(worth(cash.before));
    Atoms(before.0.saturating_add(moved))
}

pub(crate) fn held<L: Legs>(legs: &L, slot: usize) -> Shares {
    legs.balance(slot).map_or(Shares(0), |leg| leg.shares)
}

pub(crate) fn native(amount: u64) -> Result<Native, RiskError> {
    i64::try_from(amount)
        .map(Native)
        .map_err(|_| RiskError::TooLarge)
}
