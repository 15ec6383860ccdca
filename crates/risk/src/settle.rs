//! Settlement of results between two accounts (margin-spec 7.4), as Mango v4's and Drift's
//! `settle_pnl`: quote of a market becomes quote in the bank, from who lost to who gained.

use crate::book::{Amended, BalanceLeg, Book, Legs, PositionLeg, QUOTE_RATE};
use crate::carry::{Carries, position_worth, utilisation};
use crate::error::RiskError;
use crate::fitness::require_prices;
use crate::ledger::{BankChange, BankLedger};
use crate::margin::{self, Health, InitialTerms, Scratch};
use crate::price::Action;
use crate::shares::{credited, debited, deposit_amount};
use crate::units::{Atoms, Native, Ppm, Shares};

/// Settlement may lend out a bank up to this, 95% (7.4).
pub const SETTLEMENT_UTILISATION: Ppm = Ppm(950_000);
/// Voluntary borrowing stops here, 90% (7.4).
pub const BORROWING_UTILISATION: Ppm = Ppm(900_000);

/// One account of a settlement: where it holds the market's position and the quote.
#[derive(Clone, Copy, Debug)]
pub struct Settling<'a, L> {
    pub legs: &'a L,
    pub position_slot: usize,
    pub balance_slot: usize,
}

/// What a settlement depends on besides the two accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettleTerms {
    /// At most so much moves.
    pub max_amount: u64,
    /// Whether the market has a flagged account of E < 0: its gains wait (7.4).
    pub closed: bool,
    /// The quote's bank, brought to now.
    pub bank: BankLedger,
}

/// Which rule of 7.4 bounds a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettledUpTo {
    MaxAmount,
    /// The smaller of gain and loss.
    Result,
    /// The loser's own deposit: he may not borrow, or need not.
    Deposit,
}

/// A settlement, ready to be applied. The two quotes move by the same amount, so that the market's
/// ledger stands where it stood (I2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettlePlan {
    pub amount: Atoms,
    /// Of it, what the loser borrows.
    pub borrowed: Atoms,
    pub winner_position: (usize, PositionLeg),
    pub loser_position: (usize, PositionLeg),
    pub winner_balance: (usize, BalanceLeg),
    pub loser_balance: (usize, BalanceLeg),
    pub bank: BankChange,
    pub up_to: SettledUpTo,
    /// Whether the loser was found at Maintenance or above: no auction of his is under way (8.4).
    pub loser_maintained: bool,
}

/// Moves quote from the loser's bank balance to the winner's, and the same of their results in one
/// market the other way (7.4): at most the smaller of gain and loss (floors of what the positions are
/// worth), and at most the loser's own deposit. Beyond it he borrows, only if he then ends at Initial
/// with results counting nothing and the bank at or below 95% utilisation; else his deposit alone
/// moves. From an account below Maintenance only its deposit moves, and only while it owes no borrow of
/// another bank. What leaves the loser is rounded up, what comes to the winner down.
///
/// Errors: `SettlementClosed`, `PriceUnfit`, `NothingToSettle`; with no deposit to move
/// `BelowInitial` or `UtilisationCap`; `ZeroSize` for a `max_amount` of nothing.
pub fn plan_settle<B: Book, W: Legs, L: Legs>(
    book: &B,
    winner: Settling<'_, W>,
    loser: Settling<'_, L>,
    terms: &SettleTerms,
    scratch: &mut Scratch<'_>,
) -> Result<SettlePlan, RiskError> {
    if terms.closed {
        return Err(RiskError::SettlementClosed);
    }
    if terms.max_amount == 0 {
        return Err(RiskError::ZeroSize);
    }
    require_prices(book, loser.legs, Action::Settle, |quality| {
        quality.max_age_margin_s
    })?;
    let results = results(book, &winner, &loser)?;
    let result = results.gain.min(results.loss);
    let most = i64::try_from(terms.max_amount).unwrap_or(i64::MAX);
    let wanted = result.min(most);
    let held = shares_at(loser.legs, loser.balance_slot);
    let deposit = deposit_amount(held, terms.bank.deposit_index).0;

    let full = (
        wanted,
        if wanted == result {
            SettledUpTo::Result
        } else {
            SettledUpTo::MaxAmount
        },
    );
    let before = margin::maintenance(book, loser.legs, scratch);
    let refused = may_move(
        book,
        &loser,
        (results.lost, before),
        (wanted, deposit),
        terms,
        scratch,
    );
    let (amount, up_to) = match refused {
        Ok(()) => full,
        Err(Refused::Nothing(error)) => return Err(error),
        Err(Refused::Beyond(_)) if wanted <= deposit => full,
        Err(Refused::Beyond(_)) if deposit > 0 => (deposit, SettledUpTo::Deposit),
        Err(Refused::Beyond(error)) => return Err(error),
    };
    Ok(SettlePlan {
        loser_maintained: !before.is_liquidatable(),
        ..plan(&winner, &loser, &results, terms, amount, up_to)
    })
}

/// Both positions and what they are worth.
#[derive(Clone, Copy, Debug)]
struct Results {
    gained: PositionLeg,
    lost: PositionLeg,
    gain: i64,
    loss: i64,
}

fn results<B: Book, W: Legs, L: Legs>(
    book: &B,
    winner: &Settling<'_, W>,
    loser: &Settling<'_, L>,
) -> Result<Results, RiskError> {
    let none = RiskError::NothingToSettle {
        gain: Atoms(0),
        loss: Atoms(0),
    };
    let gained = winner.legs.position(winner.position_slot).ok_or(none)?;
    let lost = loser.legs.position(loser.position_slot).ok_or(none)?;
    if gained.instrument != lost.instrument {
        return Err(none);
    }
    let terms = book.instrument(gained.instrument);
    let carries = Carries::of(&terms);
    let gain = position_worth(&gained, terms.mark, carries);
    let loss = Atoms(
        position_worth(&lost, terms.mark, carries)
            .0
            .saturating_neg(),
    );
    if gain.0 <= 0 || loss.0 <= 0 {
        return Err(RiskError::NothingToSettle { gain, loss });
    }
    Ok(Results {
        gained,
        lost,
        gain: gain.0,
        loss: loss.0,
    })
}

/// Why the whole of what is wanted may not move.
enum Refused {
    /// Nothing may.
    Nothing(RiskError),
    /// Nothing beyond the deposit may.
    Beyond(RiskError),
}

/// Whether the loser, whose Maintenance is `before`, may part with `wanted`, borrowing what his deposit
/// lacks.
fn may_move<B: Book, L: Legs>(
    book: &B,
    loser: &Settling<'_, L>,
    (lost, before): (PositionLeg, Health),
    (wanted, deposit): (i64, i64),
    terms: &SettleTerms,
    scratch: &mut Scratch<'_>,
) -> Result<(), Refused> {
    let below = RiskError::BelowInitial {
        equity: before.equity,
        requirement: before.requirement,
    };
    if before.is_liquidatable() {
        let owes = (0..loser.legs.balance_slots())
            .filter_map(|slot| loser.legs.balance(slot))
            .any(|leg| leg.rate != QUOTE_RATE && leg.shares.0 < 0);
        return Err(if owes {
            Refused::Nothing(below)
        } else {
            Refused::Beyond(below)
        });
    }
    if wanted <= deposit {
        return Ok(());
    }

    let held = shares_at(loser.legs, loser.balance_slot);
    let after = debited(
        held,
        Native(wanted),
        terms.bank.deposit_index,
        terms.bank.borrow_index,
    );
    let balances = [(loser.balance_slot, quote_balance(after))];
    let positions = [(loser.position_slot, with_quote(lost, wanted))];
    let amended = Amended {
        base: loser.legs,
        balances: &balances,
        positions: &positions,
    };
    let initial = margin::initial(book, &amended, InitialTerms::WITHDRAWAL, scratch);
    if initial.health().0 < 0 {
        return Err(Refused::Beyond(RiskError::BelowInitial {
            equity: initial.equity,
            requirement: initial.requirement,
        }));
    }
    let bank = terms.bank.after(&BankChange::of(held, after));
    let received = bank.deposits().saturating_add(wanted.unsigned_abs());
    let used = utilisation(received, bank.borrows());
    if used > SETTLEMENT_UTILISATION {
        return Err(Refused::Beyond(RiskError::UtilisationCap {
            utilisation: used,
            most: SETTLEMENT_UTILISATION,
        }));
    }
    Ok(())
}

fn plan<W: Legs, L: Legs>(
    winner: &Settling<'_, W>,
    loser: &Settling<'_, L>,
    results: &Results,
    terms: &SettleTerms,
    amount: i64,
    up_to: SettledUpTo,
) -> SettlePlan {
    let (deposit, borrow) = (terms.bank.deposit_index, terms.bank.borrow_index);
    let held = shares_at(loser.legs, loser.balance_slot);
    let paid = debited(held, Native(amount), deposit, borrow);
    let had = shares_at(winner.legs, winner.balance_slot);
    let got = credited(had, Native(amount), deposit, borrow);
    SettlePlan {
        amount: Atoms(amount),
        borrowed: Atoms((amount - deposit_amount(held, deposit).0).max(0)),
        winner_position: (
            winner.position_slot,
            with_quote(results.gained, amount.saturating_neg()),
        ),
        loser_position: (loser.position_slot, with_quote(results.lost, amount)),
        winner_balance: (winner.balance_slot, quote_balance(got)),
        loser_balance: (loser.balance_slot, quote_balance(paid)),
        bank: BankChange::of(held, paid).and(BankChange::of(had, got)),
        up_to,
        loser_maintained: false,
    }
}

fn with_quote(leg: PositionLeg, more: i64) -> PositionLeg {
    PositionLeg {
        quote: Atoms(leg.quote.0.saturating_add(more)),
        ..leg
    }
}

fn quote_balance(shares: Shares) -> BalanceLeg {
    BalanceLeg {
        rate: QUOTE_RATE,
        shares,
    }
}

fn shares_at<L: Legs>(legs: &L, slot: usize) -> Shares {
    legs.balance(slot).map_or(Shares(0), |leg| leg.shares)
}
