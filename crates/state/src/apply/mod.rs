//! Applying plans to the stored bytes, and the invariants that every change must keep. Nothing is
//! decided here: a plan that reaches this module has been judged.

mod account;
mod bank;
mod book;
mod failure;
mod market;
mod pool;

pub use account::{KEEP_ONE, MarginMut, first_seq};

/// What an invariant found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// I1: `tracked` is not what the bank owes.
    BankLedger { tracked: u64, owed: u64 },
    /// I1: the vault holds less than `tracked`.
    VaultShort { vault: u64, tracked: u64 },
    /// I2: quotes, fees, insurance and residue, less carry, do not sum to zero. Atoms, floor.
    MarketLedger { sum: i64 },
    /// I3: longs and shorts differ.
    OpenInterest { long: u64, short: u64 },
}

/// An `i128` as the two words that are stored, low one first.
fn words(value: i128) -> [u64; 2] {
    [value as u64, (value >> 64) as u64]
}

/// The `i128` of two stored words.
fn wide([low, high]: [u64; 2]) -> i128 {
    (((high as u128) << 64) | low as u128) as i128
}
