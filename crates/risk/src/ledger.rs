//! What a bank and a market owe, as values, and how a plan changes them (margin-spec I1 to I3).
//!
//! A plan names a change; a ledger after a change is another ledger. The program adds the same
//! change to the stored bytes.

use crate::carry::{Carries, Keep, SideTerms};
use crate::shares::{borrow_amount, deposit_amount};
use crate::units::{Carry48, Dust48, Frac40, Index48, Lots, PerSecond64, Shares};

/// One atom in the unit of [`Dust48`].
pub const DUST_ONE: u64 = 1 << 48;

/// A bank's ledger. Totals are native units or shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BankLedger {
    pub deposit_shares: u64,
    pub borrow_shares: u64,
    pub deposit_index: Index48,
    pub borrow_index: Index48,
    /// What the bank accounts for; its vault holds at least as much.
    pub tracked: u64,
    pub fees: u64,
    pub insurance: u64,
    pub dust: u64,
}

impl BankLedger {
    /// Owed to depositors, native units, floor.
    #[must_use]
    pub fn deposits(&self) -> u64 {
        let amount = deposit_amount(shares(self.deposit_shares), self.deposit_index);
        amount.0.unsigned_abs()
    }

    /// Owed by borrowers, native units, ceil.
    #[must_use]
    pub fn borrows(&self) -> u64 {
        let owed = Shares(-shares(self.borrow_shares).0);
        borrow_amount(owed, self.borrow_index).0.unsigned_abs()
    }

    /// `deposits + fees + insurance + dust - borrows`: what `tracked` is while the ledger balances
    /// (I1); saturates.
    #[must_use]
    pub fn owed(&self) -> u64 {
        let house = self.fees.saturating_add(self.insurance);
        let owed = self.deposits().saturating_add(house);
        owed.saturating_add(self.dust)
            .saturating_sub(self.borrows())
    }

    /// The ledger after a change: what rounding left over joins `dust`, which is never handed out.
    #[must_use]
    pub fn after(mut self, change: &BankChange) -> Self {
        self.deposit_shares = self.deposit_shares.saturating_add_signed(change.deposits);
        self.borrow_shares = self.borrow_shares.saturating_add_signed(change.borrows);
        self.tracked = self.tracked.saturating_add_signed(change.tokens);
        self.insurance = self.insurance.saturating_add_signed(change.insurance);
        if let Some((deposit, borrow)) = change.indices {
            self.deposit_index = deposit;
            self.borrow_index = borrow;
        }
        let dust = self.tracked.saturating_sub(self.owed());
        self.dust = self.dust.saturating_add(dust);
        self
    }
}

fn shares(count: u64) -> Shares {
    Shares(i64::try_from(count).unwrap_or(i64::MAX))
}

/// What a plan changes in a bank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BankChange {
    /// Of all deposits, and of all borrows, in shares.
    pub deposits: i64,
    pub borrows: i64,
    /// Tokens into the vault, native units; negative out of it.
    pub tokens: i64,
    pub insurance: i64,
    /// New indices of deposits and borrows.
    pub indices: Option<(Index48, Index48)>,
}

impl BankChange {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Of a balance that went from one number of shares to another.
    #[must_use]
    pub const fn of(before: Shares, after: Shares) -> Self {
        Self {
            deposits: positive(after.0).wrapping_sub(positive(before.0)),
            borrows: positive(after.0.saturating_neg())
                .wrapping_sub(positive(before.0.saturating_neg())),
            tokens: 0,
            insurance: 0,
            indices: None,
        }
    }

    /// Two changes of one bank together; saturates. The later indices hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            deposits: self.deposits.saturating_add(other.deposits),
            borrows: self.borrows.saturating_add(other.borrows),
            tokens: self.tokens.saturating_add(other.tokens),
            insurance: self.insurance.saturating_add(other.insurance),
            indices: other.indices.or(self.indices),
        }
    }
}

const fn positive(n: i64) -> i64 {
    if n > 0 { n } else { 0 }
}

/// One side of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SideLedger {
    /// Lots held, strays included.
    pub open_interest: u64,
    pub carry: Carry48,
    pub keep: Keep,
    /// Lots that deleveraging's rounding took from positions and no account holds yet, 40
    /// fractional bits (8.5).
    pub stray: Frac40,
    /// The quote that comes with them.
    pub stray_quote: i64,
}

impl SideLedger {
    /// What a position meets.
    #[must_use]
    pub const fn terms(&self) -> SideTerms {
        SideTerms {
            keep: self.keep,
            carry: self.carry,
        }
    }
}

/// A market's ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketLedger {
    pub long: SideLedger,
    pub short: SideLedger,
    pub fees: i64,
    pub insurance: i64,
    /// Sum of every position's quote and of the strays'.
    pub quotes: i64,
    /// What rounding of carry left over, below one atom.
    pub residue: Dust48,
}

impl MarketLedger {
    /// I2: quotes, fees, insurance and residue less the carry of every position, in 2^-48 atoms,
    /// modulo 2^128: zero while the ledger balances.
    #[must_use]
    pub const fn imbalance(&self) -> i128 {
        let owed = self.quotes as i128 + self.fees as i128 + self.insurance as i128;
        let held = owed
            .wrapping_mul(1 << 48)
            .wrapping_add(self.residue.0 as i128);
        let long = (self.long.open_interest as i128).wrapping_mul(self.long.carry.0);
        let short = (self.short.open_interest as i128).wrapping_mul(self.short.carry.0);
        held.wrapping_sub(long).wrapping_add(short)
    }

    /// The ledger once nobody holds a lot: F of both sides starts anew at zero (8.5, decision 49). Every
    /// sum of I2 stands, as no lot carries any; a held lot anywhere leaves all as it is.
    #[must_use]
    pub const fn rested(mut self) -> Self {
        if self.long.open_interest == 0 && self.short.open_interest == 0 {
            self.long.carry = Carry48(0);
            self.short.carry = Carry48(0);
        }
        self
    }

    /// F of both sides.
    #[must_use]
    pub const fn carries(&self) -> Carries {
        Carries {
            long: self.long.carry,
            short: self.short.carry,
        }
    }

    /// The side that a size is on; nothing's is the long side.
    #[must_use]
    pub const fn side(&self, size: Lots) -> &SideLedger {
        if size.0 < 0 { &self.short } else { &self.long }
    }

    /// The ledger after a change: whole atoms of residue join the insurance.
    #[must_use]
    pub fn after(mut self, change: &MarketChange) -> Self {
        self.long = side_after(self.long, &change.long);
        self.short = side_after(self.short, &change.short);
        self.fees = self.fees.saturating_add(change.fees);
        self.quotes = self.quotes.saturating_add(change.quotes);
        let residue = self.residue.0.saturating_add(change.residue.0);
        self.residue = Dust48(residue % DUST_ONE);
        self.insurance = self
            .insurance
            .saturating_add(change.insurance)
            .saturating_add((residue / DUST_ONE) as i64);
        self
    }
}

fn side_after(mut side: SideLedger, change: &SideChange) -> SideLedger {
    side.open_interest = side
        .open_interest
        .saturating_add_signed(change.open_interest);
    side.stray = Frac40(side.stray.0.saturating_add_signed(change.stray));
    side.stray_quote = side.stray_quote.saturating_add(change.stray_quote);
    if let Some(terms) = change.terms {
        side.carry = terms.carry;
        side.keep = terms.keep;
    }
    side
}

/// What a plan changes of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SideChange {
    pub open_interest: i64,
    /// Keep and carry anew.
    pub terms: Option<SideTerms>,
    /// Stray lots, 40 fractional bits, and their quote.
    pub stray: i64,
    pub stray_quote: i64,
}

/// What a plan changes in a market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MarketChange {
    pub long: SideChange,
    pub short: SideChange,
    pub fees: i64,
    pub insurance: i64,
    /// Of all quotes together, the strays' included.
    pub quotes: i64,
    pub residue: Dust48,
}

impl MarketChange {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        let SideChange { open_interest, .. } = self.long;
        // Cheap ones first: most changes change open interest.
        open_interest == 0 && *self == Self::default()
    }

    /// One side's change, by the sign of a size.
    pub const fn side_mut(&mut self, size: Lots) -> &mut SideChange {
        if size.0 < 0 {
            &mut self.short
        } else {
            &mut self.long
        }
    }
}

/// How fast a bank's borrows grow, and since when: what judging extrapolates by (4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accruing {
    pub rate: PerSecond64,
    pub since: i64,
    /// Growth that is not in the indices yet, as a fraction with 64 bits (7.3).
    pub pending: u64,
}
