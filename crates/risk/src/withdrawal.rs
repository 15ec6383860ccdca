//! What leaves an account: withdrawals, borrows, transfers, and quote given to a market's insurance
//! (margin-spec 2.6, 2.7, 4.3, 5.7, 7.4, 7.5). Each ends with both healths at zero or above, positive
//! results counting nothing.

use crate::book::{Amended, BalanceLeg, Book, Legs, PositionLeg, QUOTE_ASSET, QUOTE_RATE};
use crate::carry::{MAX_ACCRUAL_AGE_S, utilisation};
use crate::cash::{CashPlan, check_asset_count, held, native, owes};
use crate::error::RiskError;
use crate::fitness::{require_borrow_price, require_withdrawal_prices};
use crate::ledger::{BankChange, BankLedger, MarketChange};
use crate::limits::MAX_LEG_VALUE;
use crate::margin::{self, Health, InitialTerms, Scratch, exposed_assets};
use crate::num::value_ceil;
use crate::outflow::{Gate, OutflowTerms, Outgoing};
use crate::price::Tier;
use crate::settle::BORROWING_UTILISATION;
use crate::shares::{borrow_amount, credited, debited, deposit_amount};
use crate::units::{Atoms, Lots, Native, Shares};

/// What a bank says to whoever takes out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LendingTerms {
    /// The bank's place in the risk book.
    pub rate: u8,
    /// Brought to now.
    pub ledger: BankLedger,
    /// Native units.
    pub deposit_cap: u64,
    pub borrow_cap: u64,
    /// Nothing leaves it until a bankrupt account is resolved (8.6).
    pub halted: bool,
    /// Whether the quote's own feed lets borrows of other tokens grow (2.7).
    pub peg_holds: bool,
    /// Seconds since the bank was last published.
    pub published_age_s: i64,
}

/// What is asked of a balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taking {
    pub slot: usize,
    /// Native units; `u64::MAX` takes the whole deposit, and leaves no share.
    pub amount: u64,
    /// Whether what the deposit lacks may be borrowed.
    pub allow_borrow: bool,
}

/// A bank on the way out, and what lets tokens out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    pub bank: LendingTerms,
    pub gate: Gate,
    pub terms: OutflowTerms,
}

/// A withdrawal, ready to be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithdrawPlan {
    pub cash: CashPlan,
    /// Of the tokens, what is borrowed.
    pub borrowed: Native,
    pub gate: Gate,
    /// Initial afterwards, which holds, and Maintenance with it.
    pub initial: Health,
}

/// Takes tokens out of a deposit, burning shares, ceil; with `allow_borrow` what the deposit lacks is
/// borrowed, ceil, and a borrow opens or grows.
///
/// The bank keeps what it owes beyond its deposits (fees, insurance, dust), so that deposits stay
/// above borrows; and the gate must let the tokens out (7.5). An account that holds only deposits may
/// otherwise always withdraw (I9). Any other needs a fresh or a stale price of every asset that it is
/// exposed to afterwards, is judged at the bounds that are worse for it where a price is in doubt
/// (2.6), and must end with both healths at zero or above (5.7): so also what Initial counts as
/// nothing cannot leave an account below it. [`LendingTerms`] and [`check_borrow`] say when a borrow
/// may grow.
///
/// Errors: `BankHalted`, `NothingToWithdraw`, `InsufficientDeposit` (a ticket's claim is no part of
/// what is available), `InsufficientLiquidity`, `OutflowCap`, `PriceUnfit`, `BelowInitial`; of a borrow
/// those of [`check_borrow`].
pub fn plan_withdraw<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    exit: &Exit,
    asked: Taking,
    scratch: &mut Scratch<'_>,
) -> Result<WithdrawPlan, RiskError> {
    let bank = &exit.bank;
    if bank.halted {
        return Err(RiskError::BankHalted);
    }
    let ticket = &exit.gate.ticket;
    let claims = ticket.claims(bank.rate, exit.terms.now);
    let ready = ticket.ready_amount(bank.rate, exit.terms.now);
    let taken = take(legs, bank, asked, claims.saturating_sub(ready))?;
    let ledger = bank.ledger.after(&BankChange {
        tokens: -taken.tokens,
        ..BankChange::of(taken.before, taken.after.shares)
    });
    if ledger.deposits() < ledger.borrows() {
        let free = bank.ledger.deposits().saturating_sub(bank.ledger.borrows());
        return Err(RiskError::InsufficientLiquidity {
            available: free,
            asked: taken.tokens.unsigned_abs(),
        });
    }
    let mut gate = exit.gate.let_out(
        &exit.terms,
        Outgoing {
            bank: bank.rate,
            amount: taken.tokens.unsigned_abs(),
            borrowed: taken.borrowed.unsigned_abs(),
            value: value_if_priced(book, bank.rate, taken.tokens),
        },
    )?;
    if taken.after.shares.0 <= 0 {
        gate = gate.emptied(bank.rate);
    }

    let changed = [(asked.slot, taken.after)];
    let amended = Amended {
        base: legs,
        balances: &changed,
        positions: &[],
    };
    if taken.borrowed > 0 {
        let waiting = gate.queue.waiting(exit.terms.now);
        check_borrow(book, &amended, bank, taken.after, &ledger, waiting)?;
    }
    let initial = judge_leaving(book, &amended, scratch)?;
    if taken.borrowed > 0 {
        check_min_equity(book, initial)?;
    }
    Ok(WithdrawPlan {
        cash: taken.cash(asked.slot),
        borrowed: Native(taken.borrowed),
        gate,
        initial,
    })
}

/// One account of a transfer: its legs, and where it holds or will hold the bank.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a, L> {
    pub legs: &'a L,
    pub slot: usize,
}

/// A transfer, ready to be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferPlan {
    pub given: CashPlan,
    pub received: CashPlan,
    pub borrowed: Native,
    /// Both balances' change together; no token moves.
    pub change: BankChange,
    /// Of the giver: a lapsed ticket has given up its claim.
    pub gate: Gate,
    /// Of the giver.
    /// Initial afterwards, which holds, and Maintenance with it.
    pub initial: Health,
}

/// Moves tokens between two accounts of one bank (5.7): what leaves the giver is judged like a
/// withdrawal and rounded against him, what comes to the receiver is credited like a deposit, floor.
/// What a ticket claims does not move, ready or not.
/// What rounding leaves stays with the bank, so that a transfer there and back never gains (I5). No
/// token leaves the bank: neither its buckets nor its halt are asked, but a halted bank lends nothing.
///
/// Errors: those of [`plan_withdraw`] but `InsufficientLiquidity` and `OutflowCap`; `DepositCap` where
/// deposits grow beyond the cap, `TooManyAssets` and `TooLarge` of the receiver.
pub fn plan_transfer<B: Book, G: Legs, R: Legs>(
    book: &B,
    giver: &G,
    receiver: Holder<'_, R>,
    exit: &Exit,
    asked: Taking,
    scratch: &mut Scratch<'_>,
) -> Result<TransferPlan, RiskError> {
    let bank = &exit.bank;
    let claims = exit.gate.ticket.claims(bank.rate, exit.terms.now);
    let taken = take(giver, bank, asked, claims)?;
    let received = credit(book, receiver, bank, Native(taken.tokens))?;
    let change = BankChange::of(taken.before, taken.after.shares)
        .and(BankChange::of(received.before, received.after.shares));
    let ledger = bank.ledger.after(&change);
    let total = ledger.deposits();
    if total > bank.deposit_cap && total > bank.ledger.deposits() {
        return Err(RiskError::DepositCap {
            total,
            cap: bank.deposit_cap,
        });
    }
    let mut gate = exit.gate.without_lapsed(bank.rate, exit.terms.now);
    if taken.after.shares.0 <= 0 {
        gate = gate.emptied(bank.rate);
    }

    let changed = [(asked.slot, taken.after)];
    let amended = Amended {
        base: giver,
        balances: &changed,
        positions: &[],
    };
    if taken.borrowed > 0 {
        if bank.halted {
            return Err(RiskError::BankHalted);
        }
        let waiting = gate.queue.waiting(exit.terms.now);
        check_borrow(book, &amended, bank, taken.after, &ledger, waiting)?;
    }
    let initial = judge_leaving(book, &amended, scratch)?;
    if taken.borrowed > 0 {
        check_min_equity(book, initial)?;
    }
    Ok(TransferPlan {
        given: taken.cash(asked.slot),
        received,
        borrowed: Native(taken.borrowed),
        change,
        gate,
        initial,
    })
}

/// The receiver's part of a transfer.
fn credit<B: Book, R: Legs>(
    book: &B,
    receiver: Holder<'_, R>,
    bank: &LendingTerms,
    tokens: Native,
) -> Result<CashPlan, RiskError> {
    let before = held(receiver.legs, receiver.slot);
    let (deposit, borrow) = (bank.ledger.deposit_index, bank.ledger.borrow_index);
    let shares = credited(before, tokens, deposit, borrow);
    if shares.0 == i64::MAX {
        return Err(RiskError::TooLarge);
    }
    let after = BalanceLeg {
        rate: bank.rate,
        shares,
    };
    let changed = [(receiver.slot, after)];
    let amended = Amended {
        base: receiver.legs,
        balances: &changed,
        positions: &[],
    };
    check_asset_count(receiver.legs, exposed_assets(book, &amended))?;
    Ok(CashPlan {
        slot: receiver.slot,
        before,
        after,
        tokens,
    })
}

/// What a balance gives.
#[derive(Clone, Copy, Debug)]
struct Taken {
    before: Shares,
    after: BalanceLeg,
    /// Native units, and how many of them are borrowed.
    tokens: i64,
    borrowed: i64,
}

impl Taken {
    const fn cash(&self, slot: usize) -> CashPlan {
        CashPlan {
            slot,
            before: self.before,
            after: self.after,
            tokens: Native(-self.tokens),
        }
    }
}

/// What is asked of a balance of which `claimed` native units must stay.
fn take<L: Legs>(
    legs: &L,
    bank: &LendingTerms,
    asked: Taking,
    claimed: u64,
) -> Result<Taken, RiskError> {
    let (index, borrow_index) = (bank.ledger.deposit_index, bank.ledger.borrow_index);
    let before = held(legs, asked.slot);
    let deposit = deposit_amount(before, index).0;
    let free = deposit
        .saturating_sub_unsigned(claimed)
        .clamp(0, deposit.max(0));

    let tokens = match asked.amount {
        // Shares that are worth less than a unit go with the rest.
        u64::MAX if free > 0 || (before.0 > 0 && deposit == 0) => free,
        u64::MAX => return Err(lacking(deposit, free, deposit)),
        amount => native(amount)?.0,
    };
    let may_borrow = asked.allow_borrow && claimed == 0;
    if tokens > free && !may_borrow {
        return Err(lacking(deposit, free, tokens));
    }
    let shares = if tokens == deposit && before.0 > 0 {
        Shares(0)
    } else {
        debited(before, Native(tokens), index, borrow_index)
    };
    Ok(Taken {
        before,
        after: BalanceLeg {
            rate: bank.rate,
            shares,
        },
        tokens,
        borrowed: tokens.saturating_sub(deposit).max(0),
    })
}

fn lacking(deposit: i64, free: i64, asked: i64) -> RiskError {
    if deposit == 0 {
        return RiskError::NothingToWithdraw;
    }
    RiskError::InsufficientDeposit {
        available: free,
        asked,
    }
}

/// Whether a borrow may grow to `after` in a bank whose ledger will be `ledger`: a leg of at least
/// `min_notional` and within a leg's bound (1.6, 1.7), of a token whose own price is not stale
/// (decision 31), while the quote holds its peg (2.7) and the bank was published within the hour
/// (7.1); within its cap, at most 90% lent out (7.4), and what tickets claim stays behind (I9).
///
/// Errors: `BorrowsStopped`, `AccrualTooOld`, `BorrowCap`, `UtilisationCap`, `InsufficientLiquidity`,
/// `PriceUnfit`, `LegTooLarge`, `BelowMinNotional`, `TooManyAssets`; afterwards `BelowMinEquity`.
fn check_borrow<B: Book, L: Legs>(
    book: &B,
    amended: &L,
    bank: &LendingTerms,
    after: BalanceLeg,
    ledger: &BankLedger,
    waiting: u64,
) -> Result<(), RiskError> {
    if !bank.peg_holds && bank.rate != QUOTE_RATE {
        return Err(RiskError::BorrowsStopped);
    }
    if bank.published_age_s > i64::from(MAX_ACCRUAL_AGE_S) {
        return Err(RiskError::AccrualTooOld {
            age_s: bank.published_age_s,
            limit_s: i64::from(MAX_ACCRUAL_AGE_S),
        });
    }
    let (deposits, borrows) = (ledger.deposits(), ledger.borrows());
    if borrows > bank.borrow_cap {
        return Err(RiskError::BorrowCap {
            total: borrows,
            cap: bank.borrow_cap,
        });
    }
    let used = utilisation(deposits, borrows);
    if used > BORROWING_UTILISATION {
        return Err(RiskError::UtilisationCap {
            utilisation: used,
            most: BORROWING_UTILISATION,
        });
    }
    let left = deposits.saturating_sub(borrows);
    if left < waiting {
        return Err(RiskError::InsufficientLiquidity {
            available: left,
            asked: waiting,
        });
    }

    let asset = book.asset_of_rate(bank.rate);
    require_borrow_price(book, asset)?;
    check_asset_count(amended, exposed_assets(book, amended))?;
    let owed = borrow_amount(after.shares, bank.ledger.borrow_index);
    let value = worth(book, asset, owed.0);
    if value > MAX_LEG_VALUE {
        return Err(RiskError::LegTooLarge {
            value,
            limit: MAX_LEG_VALUE,
        });
    }
    let least = book.group().min_notional;
    if value < least {
        return Err(RiskError::BelowMinNotional {
            notional: value,
            least,
        });
    }
    Ok(())
}

fn check_min_equity<B: Book>(book: &B, initial: Health) -> Result<(), RiskError> {
    let (equity, least) = (initial.equity, book.group().min_equity);
    if equity < least {
        return Err(RiskError::BelowMinEquity { equity, least });
    }
    Ok(())
}

/// The post-condition of whatever leaves an account: both healths at zero or above (5.7). At the marks
/// no account has more of Initial health than of Maintenance (5.5), so that this alone is judged;
/// where a price is in doubt both are.
fn judge_leaving<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    scratch: &mut Scratch<'_>,
) -> Result<Health, RiskError> {
    let judged = margin::judged_initially(book, legs, InitialTerms::WITHDRAWAL, scratch);
    let initial = judged.initial;
    let fit = require_withdrawal_prices(book, judged.exposed);
    if fit.is_ok() && initial.health().0 >= 0 && !judged.in_doubt || !owes(legs) {
        return Ok(initial);
    }
    fit?;
    let both = margin::both(book, legs, InitialTerms::WITHDRAWAL, scratch);
    if initial.health().0 < 0 || both.maintenance.health().0 < 0 {
        return Err(RiskError::BelowInitial {
            equity: initial.equity,
            requirement: initial.requirement,
        });
    }
    Ok(initial)
}

/// What tokens of a bank are worth, ceil; nothing to go by before the first price or while halted.
fn value_if_priced<B: Book>(book: &B, rate: u8, tokens: i64) -> Option<Atoms> {
    let asset = book.asset_of_rate(rate);
    if asset != QUOTE_ASSET && book.tier(asset) == Tier::Invalid {
        return None;
    }
    Some(worth(book, asset, tokens))
}

fn worth<B: Book>(book: &B, asset: u8, tokens: i64) -> Atoms {
    if asset == QUOTE_ASSET {
        return Atoms(tokens);
    }
    value_ceil(Lots(tokens), book.asset(asset).native_price)
}

/// Quote that an account gives to a market's insurance, ready to be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InsurePlan {
    pub slot: usize,
    pub before: PositionLeg,
    pub after: PositionLeg,
    /// The quote falls by what the insurance rises by: the market's ledger stands (I2).
    pub market: MarketChange,
    /// Initial afterwards, which holds, and Maintenance with it.
    pub initial: Health,
}

impl InsurePlan {
    /// What the account's worth changed by: negative, what it gave.
    #[must_use]
    pub const fn given(&self) -> Atoms {
        Atoms(self.market.quotes)
    }
}

/// Gives `amount` atoms of an account's result in a market to that market's insurance (8.6). What the
/// account then owes there is settled out of its deposit like any loss (7.4). It leaves the account,
/// which is judged as by a withdrawal.
///
/// Errors: `TooLarge` beyond what a leg may be worth, `PriceUnfit`, `BelowInitial`.
pub fn plan_insure<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    slot: usize,
    instrument: u8,
    amount: u64,
    scratch: &mut Scratch<'_>,
) -> Result<InsurePlan, RiskError> {
    let given = native(amount)?.0;
    let before = legs.position(slot).unwrap_or(PositionLeg {
        instrument,
        ..PositionLeg::EMPTY
    });
    let quote = before.quote.0.saturating_sub(given);
    if given > MAX_LEG_VALUE.0 || quote < -MAX_LEG_VALUE.0 {
        return Err(RiskError::TooLarge);
    }
    let after = PositionLeg {
        quote: Atoms(quote),
        ..before
    };

    let changed = [(slot, after)];
    let amended = Amended {
        base: legs,
        balances: &[],
        positions: &changed,
    };
    let initial = judge_leaving(book, &amended, scratch)?;
    Ok(InsurePlan {
        slot,
        before,
        after,
        market: MarketChange {
            insurance: given,
            quotes: given.saturating_neg(),
            ..MarketChange::default()
        },
        initial,
    })
}
