//! What a deficit stops until it is resolved (margin-spec 8.6): whoever would lose by it must not be
//! able to leave first. As Compound and Aave pause a market with bad debt, but for two hours at most,
//! and once per account.

use super::losses::{MAX_HALT_S, halts};
use crate::book::{Book, Legs, QUOTE_RATE};
use crate::carry::{Carries, position_worth};
use crate::margin::{self, Health, Scratch};
use crate::num::value_floor;
use crate::units::{Atoms, Lots};

/// An account without equity, as a step finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deficit {
    /// E, below zero where there is a deficit.
    pub net_asset_value: Atoms,
    /// When a step first found one that halts; 0 for never.
    pub found_at: i64,
    pub now: i64,
}

/// Until when a ledger waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halt {
    /// When the account's deficit was found first, which nothing but its resolution clears: the same
    /// account extends no halt.
    pub found_at: i64,
    pub until: i64,
}

/// A ledger that an account's deficit may fall on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endangered {
    /// A bank, with what it owes its depositors, native units.
    Bank { rate: u8, deposits: u64 },
    /// A market, with what the quote's bank owes its depositors.
    Market { instrument: u8, deposits: u64 },
}

/// E of an account that a step found at this Maintenance. E_M never exceeds it, so that where E_M is
/// zero or more there is no deficit: then E_M in its place, and nothing is judged again.
#[must_use]
pub fn deficit_found<B: Book, L: Legs>(
    book: &B,
    account: &L,
    maintenance: Health,
    scratch: &mut Scratch<'_>,
) -> Atoms {
    if maintenance.equity.0 >= 0 {
        return maintenance.equity;
    }
    margin::net_asset_value(book, account, scratch)
}

/// Judges whether a ledger waits for the account's resolution (8.6): the account owes the bank, or its
/// position in the market is worth less than nothing, and E is below -0.1% of the bank's (of a market
/// the quote's) deposits at the mark, floor. `None` also where the two hours since the finding are
/// over.
#[must_use]
pub fn plan_halt<B: Book, L: Legs>(
    book: &B,
    account: &L,
    deficit: Deficit,
    ledger: Endangered,
) -> Option<Halt> {
    let (falls_on, deposits) = match ledger {
        Endangered::Bank { rate, deposits } => {
            let held = (0..account.balance_slots()).filter_map(|slot| account.balance(slot));
            let owes = held
                .filter(|leg| leg.rate == rate)
                .any(|leg| leg.shares.0 < 0);
            (owes, worth(book, rate, deposits))
        }
        Endangered::Market {
            instrument,
            deposits,
        } => {
            let held = (0..account.position_slots()).filter_map(|slot| account.position(slot));
            let terms = book.instrument(instrument);
            let loses = held
                .filter(|leg| leg.instrument == instrument)
                .any(|leg| position_worth(&leg, terms.mark, Carries::of(&terms)).0 < 0);
            (loses, deposits)
        }
    };
    let found_at = if deficit.found_at == 0 {
        deficit.now
    } else {
        deficit.found_at
    };
    let until = found_at.saturating_add(MAX_HALT_S);
    let stops = falls_on && halts(deficit.net_asset_value, deposits) && until > deficit.now;
    stops.then_some(Halt { found_at, until })
}

/// What native units of a bank are worth, atoms, floor.
fn worth<B: Book>(book: &B, rate: u8, native: u64) -> u64 {
    if rate == QUOTE_RATE {
        return native;
    }
    let price = book.asset(book.rate(rate).asset).native_price;
    let native = i64::try_from(native).unwrap_or(i64::MAX);
    value_floor(Lots(native), price).0.unsigned_abs()
}
