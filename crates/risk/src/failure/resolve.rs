//! Bankruptcy (margin-spec 8.6): what an account cannot pay, one market or one bank per call, in any
//! order. What it still has covers its debts pro rata, borrows first, as in the instructions of Drift
//! and Mango v4; what is missing goes down the waterfall of [`super::losses`].
//!
//! A debt that was resolved keeps the part that is covered until somebody settles or takes it. Its slot
//! is marked, and the assets that cover it are set aside: so the parts do not depend on the order of the
//! calls, but for roundings of an atom and for who finds how much in an insurance.

use crate::book::{Amended, BalanceLeg, Book, Legs, PositionLeg, QUOTE_RATE};
use crate::carry::{Carries, position_worth};
use crate::error::RiskError;
use crate::failure::auction::AuctionClock;
use crate::failure::liquidation::MIN_TAKEN;
use crate::failure::losses::{
    BankLossPlan, Debt, Insurance, MarketLossPlan, MarketLossTerms, Payers, cover, plan_bank_loss,
    plan_market_loss,
};
use crate::fitness::{bit, require_liquidation_prices};
use crate::ledger::{BankChange, BankLedger, MarketLedger, SideChange};
use crate::limits::{MAX_BALANCES, MAX_POOL_POSITIONS};
use crate::margin::{self, Scratch};
use crate::num::{mul_div_floor, value_ceil, value_floor};
use crate::shares::{borrow_amount, credited, deposit_amount, shares_for_repayment};
use crate::units::{Atoms, Frac40, Lots, Native, Price, Shares};

/// A size that is not worth taking passes to the strays; so many lots of it at most.
const MAX_DUST_LOTS: u64 = 1 << 22;

/// Slots whose debts were resolved before, as bits: what is left of each is covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    pub balances: u32,
    pub positions: u128,
}

impl Resolved {
    /// No slot.
    pub const NONE: Self = Self {
        balances: 0,
        positions: 0,
    };

    /// Whether the debt of a balance slot was.
    #[must_use]
    pub const fn balance(self, slot: usize) -> bool {
        slot < 32 && (self.balances >> slot) & 1 != 0
    }

    /// Whether the debt of a position slot was.
    #[must_use]
    pub const fn position(self, slot: usize) -> bool {
        slot < 128 && (self.positions >> slot) & 1 != 0
    }

    /// The same with a balance slot marked or not.
    #[must_use]
    pub const fn with_balance(mut self, slot: usize, covered: bool) -> Self {
        if slot < 32 {
            self.balances = (self.balances & !(1 << slot)) | ((covered as u32) << slot);
        }
        self
    }

    /// The same with a position slot marked or not.
    #[must_use]
    pub const fn with_position(mut self, slot: usize, covered: bool) -> Self {
        if slot < 128 {
            self.positions = (self.positions & !(1 << slot)) | ((covered as u128) << slot);
        }
        self
    }
}

/// What every call is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolveTerms {
    /// The account's slot of the market or of the bank.
    pub slot: usize,
    pub resolved: Resolved,
    pub clock: AuctionClock,
    pub live_time: u64,
}

/// What a call leaves of the account's bankruptcy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aftermath {
    /// E before, at the marks.
    pub net_asset_value: Atoms,
    /// What is still missing in other markets and banks, atoms.
    pub missing: u64,
    /// Empty once nothing is missing.
    pub resolved: Resolved,
    pub clock: AuctionClock,
}

/// A market's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketResolution {
    /// The four parts, the ledger's change, and the account's position after.
    pub loss: MarketLossPlan,
    /// Lots too small to take that passed to the market's strays, with their sign.
    pub dust: Lots,
    /// The account's quote, which the group's insurance paid into, and its bank.
    pub balance: (usize, BalanceLeg),
    pub bank: BankChange,
    pub account: Aftermath,
}

/// A bank's part, native units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BankResolution {
    /// The borrow that was written off, by who pays; `None` where a deposit too small to take passed
    /// to the bank's insurance.
    pub loss: Option<BankLossPlan>,
    pub swept: u64,
    pub balance: (usize, BalanceLeg),
    pub bank: BankChange,
    pub account: Aftermath,
}

/// Whether an account is bankrupt: E < 0 at the marks and short of Maintenance in its favour, with no
/// deposit and no size worth taking, each below [`MIN_TAKEN`] (8.6). A deposit of quote is worth taking
/// for a borrow alone: results it covers as it is, and so do results of closed positions.
#[must_use]
pub fn is_bankrupt<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    resolved: Resolved,
    scratch: &mut Scratch<'_>,
) -> bool {
    ruin(book, legs, resolved, scratch).is_ok()
}

/// E of a bankrupt account. Error: `NotBankrupt`.
#[inline(never)]
fn ruin<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    resolved: Resolved,
    scratch: &mut Scratch<'_>,
) -> Result<Atoms, RiskError> {
    let equity = margin::net_asset_value(book, legs, scratch);
    let refused = RiskError::NotBankrupt { equity };
    if equity.0 >= 0 || has_something(book, legs, resolved) {
        return Err(refused);
    }
    let in_favour = margin::maintenance_in_favour(book, legs, scratch);
    if !in_favour.is_liquidatable() {
        return Err(refused);
    }
    Ok(equity)
}

/// Whether a deposit or a size is worth taking.
fn has_something<B: Book, L: Legs>(book: &B, legs: &L, resolved: Resolved) -> bool {
    let deposits = (0..legs.balance_slots())
        .filter_map(|slot| legs.balance(slot))
        .filter(|leg| leg.shares.0 > 0)
        .any(|leg| {
            let rate = book.rate(leg.rate);
            let held = deposit_amount(leg.shares, rate.deposit_index).0;
            let worth = if leg.rate != QUOTE_RATE {
                value_floor(Lots(held), book.asset(rate.asset).native_price)
            } else if first_lender(book, legs, resolved).is_some() {
                Atoms(held.saturating_sub_unsigned(kept_for_quotes(book, legs, resolved)))
            } else {
                Atoms(0)
            };
            worth >= MIN_TAKEN
        });
    let positions = (0..legs.position_slots()).filter_map(|slot| legs.position(slot));
    let sizes = positions.filter(|leg| leg.size.0 != 0).any(|leg| {
        let mark = book.instrument(leg.instrument).mark;
        value_ceil(Lots(leg.size.0.saturating_abs()), mark) >= MIN_TAKEN
    });
    deposits || sizes
}

/// What a borrow that is not resolved is worth, atoms, if the account owes one.
fn first_lender<B: Book, L: Legs>(book: &B, legs: &L, resolved: Resolved) -> Option<u64> {
    (0..legs.balance_slots())
        .filter(|slot| !resolved.balance(*slot))
        .filter_map(|slot| legs.balance(slot))
        .find(|leg| leg.shares.0 < 0)
        .map(|leg| borrowed(book, leg).unsigned_abs())
}

/// Quote that covers what is left of resolved markets.
fn kept_for_quotes<B: Book, L: Legs>(book: &B, legs: &L, resolved: Resolved) -> u64 {
    (0..legs.position_slots())
        .filter(|slot| resolved.position(*slot))
        .map(|slot| result(book, legs, slot).min(0).unsigned_abs())
        .fold(0, u64::saturating_add)
}

/// What the position of a slot is worth, floor; 0 without one.
fn result<B: Book, L: Legs>(book: &B, legs: &L, slot: usize) -> i64 {
    legs.position(slot).map_or(0, |leg| {
        let terms = book.instrument(leg.instrument);
        position_worth(&leg, terms.mark, Carries::of(&terms)).0
    })
}

/// Which debt is asked for.
#[derive(Clone, Copy)]
enum Owing {
    Balance(usize),
    Position(usize),
}

/// One debt, what is missing of all together, and the marks that hold.
struct Owed {
    debt: Debt,
    missing: u64,
    resolved: Resolved,
}

/// What an account's assets cover of a debt. Assets are its quote deposit and what its positions are
/// worth; tokens too small to take cover nothing. What covers resolved debts is set aside; where that
/// is no longer there, as after a liquidation, the marks count nothing.
#[inline(never)]
fn owed<B: Book, L: Legs>(book: &B, legs: &L, resolved: Resolved, of: Owing) -> Owed {
    let mut borrows = [Debt::default(); MAX_BALANCES];
    let mut quotes = [Debt::default(); MAX_POOL_POSITIONS];
    let assets = gather(book, legs, &mut borrows, &mut quotes);
    let aside = set_aside(resolved, &mut borrows, &mut quotes);
    let (resolved, assets) = match assets.checked_sub(aside) {
        Some(left) => (resolved, left),
        None => (
            Resolved::NONE,
            gather(book, legs, &mut borrows, &mut quotes),
        ),
    };
    cover(assets, &mut borrows, &mut quotes);
    let debt = match of {
        Owing::Balance(slot) => borrows.get(slot),
        Owing::Position(slot) => quotes.get(slot),
    };
    let all = borrows.iter().chain(quotes.iter());
    let missing = all
        .map(|debt| debt.owed - debt.covered)
        .fold(0, u64::saturating_add);
    Owed {
        debt: debt.copied().unwrap_or_default(),
        missing,
        resolved,
    }
}

/// Writes every debt by its slot, in atoms, and returns the assets.
fn gather<B: Book, L: Legs>(book: &B, legs: &L, borrows: &mut [Debt], quotes: &mut [Debt]) -> u64 {
    let mut assets = 0u64;
    for (slot, debt) in borrows.iter_mut().enumerate() {
        *debt = Debt::default();
        let Some(leg) = legs.balance(slot) else {
            continue;
        };
        if leg.shares.0 < 0 {
            debt.owed = borrowed(book, leg).unsigned_abs();
        } else if leg.rate == QUOTE_RATE {
            let held = deposit_amount(leg.shares, book.rate(leg.rate).deposit_index);
            assets = assets.saturating_add(held.0.unsigned_abs());
        }
    }
    for (slot, debt) in quotes.iter_mut().enumerate() {
        let worth = result(book, legs, slot);
        assets = assets.saturating_add(worth.max(0).unsigned_abs());
        *debt = Debt {
            owed: worth.min(0).unsigned_abs(),
            covered: 0,
        };
    }
    assets
}

/// What a borrow is worth, ceil, in atoms.
fn borrowed<B: Book>(book: &B, leg: BalanceLeg) -> i64 {
    let owed = borrow_amount(leg.shares, book.rate(leg.rate).borrow_index);
    value_ceil(Lots(owed.0), native_price(book, leg.rate)).0
}

fn native_price<B: Book>(book: &B, rate: u8) -> Price {
    if rate == QUOTE_RATE {
        return Price::ONE;
    }
    book.asset(book.rate(rate).asset).native_price
}

/// Takes resolved debts out and returns what covers them.
fn set_aside(resolved: Resolved, borrows: &mut [Debt], quotes: &mut [Debt]) -> u64 {
    let mut aside = 0u64;
    let borrows = borrows.iter_mut().enumerate();
    let borrows = borrows.filter(|(slot, _)| resolved.balance(*slot));
    let quotes = quotes.iter_mut().enumerate();
    let quotes = quotes.filter(|(slot, _)| resolved.position(*slot));
    for (_, debt) in borrows.chain(quotes) {
        aside = aside.saturating_add(debt.owed);
        debt.owed = 0;
    }
    aside
}

/// What a market's part is judged by besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolveMarketTerms {
    pub account: ResolveTerms,
    /// Where the account holds the quote.
    pub quote_slot: usize,
    /// The sign of the account's last size in the market; 0 is not known.
    pub last_side: i8,
    pub ledger: MarketLedger,
    /// Both at this moment ([`Insurance::at`]).
    pub market_insurance: Insurance,
    pub group_insurance: Insurance,
}

/// Plans a market's part of a bankruptcy (8.6): the account's negative quote there less its pro rata
/// part of what the account still has, spread by [`plan_market_loss`]. A size that is not worth taking
/// first passes to the market's strays, at the mark, as lots that rounding loses do. The group's part is
/// paid into the account's quote, and settled from there.
///
/// Errors: `NothingToLiquidate` without a position, `PriceUnfit`, `NotBankrupt`, `NothingMissing`;
/// `LendersFirst` where the group would pay while a borrow is not resolved, and could be repaid out of
/// that; `TooLarge` where the strays must be taken first.
pub fn plan_resolve_market<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    terms: &ResolveMarketTerms,
    scratch: &mut Scratch<'_>,
) -> Result<MarketResolution, RiskError> {
    let slot = terms.account.slot;
    let nothing = RiskError::NothingToLiquidate;
    let held = legs.position(slot).ok_or(nothing)?;
    require_liquidation_prices(book, legs, bit(book.asset_of(held.instrument)))?;
    let net_asset_value = ruin(book, legs, terms.account.resolved, scratch)?;
    let found = owed(book, legs, terms.account.resolved, Owing::Position(slot));
    let deficit = found.debt.owed - found.debt.covered;
    if deficit == 0 {
        return Err(RiskError::NothingMissing);
    }

    let leg = PositionLeg {
        size: Lots(0),
        quote: Atoms(result(book, legs, slot)),
        ..held
    };
    let mut loss = plan_market_loss(
        &terms.ledger,
        &MarketLossTerms {
            leg,
            deficit,
            payers: Payers::against(if held.size.0 == 0 {
                terms.last_side
            } else {
                held.size.0.signum() as i8
            }),
            mark: book.instrument(held.instrument).mark,
            market_insurance: terms.market_insurance,
            group_insurance: terms.group_insurance,
            deposit_index: book.rate(QUOTE_RATE).deposit_index,
        },
    )?;
    pass_to_strays(held, leg, &terms.ledger, &mut loss)?;
    let (balance, bank) = paid_in(book, legs, terms, (&loss, found.resolved))?;

    let (positions, balances) = ([(slot, loss.after)], [balance]);
    let after = Amended {
        base: legs,
        balances: &balances,
        positions: &positions,
    };
    let marks = found.resolved.with_position(slot, loss.after.quote.0 < 0);
    Ok(MarketResolution {
        loss,
        dust: held.size,
        balance,
        bank,
        account: aftermath(
            book,
            &after,
            (net_asset_value, marks),
            &terms.account,
            scratch,
        ),
    })
}

/// A size goes to its side's strays with the quote that it was worth nothing with: open interest
/// counts it as before.
fn pass_to_strays(
    held: PositionLeg,
    closed: PositionLeg,
    ledger: &MarketLedger,
    loss: &mut MarketLossPlan,
) -> Result<(), RiskError> {
    let lots = held.size.0.unsigned_abs();
    if lots == 0 {
        return Ok(());
    }
    let strays = ledger.side(held.size).stray.0;
    if lots >= MAX_DUST_LOTS || strays > u64::MAX / 2 {
        return Err(RiskError::TooLarge);
    }
    let side = loss.market.side_mut(held.size);
    *side = SideChange {
        stray: (lots * Frac40::ONE.0) as i64,
        stray_quote: held.quote.0.saturating_sub(closed.quote.0),
        ..*side
    };
    Ok(())
}

/// The account's quote with the group's part. Error: `LendersFirst`.
fn paid_in<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    terms: &ResolveMarketTerms,
    (loss, resolved): (&MarketLossPlan, Resolved),
) -> Result<((usize, BalanceLeg), BankChange), RiskError> {
    let slot = terms.quote_slot;
    let rate = book.rate(QUOTE_RATE);
    let held = legs.balance(slot).map_or(Shares(0), |leg| leg.shares);
    if let Some(owed) = first_lender(book, legs, resolved)
        && loss.from_group != 0
    {
        return Err(RiskError::LendersFirst { owed });
    }
    let shares = if held.0 >= 0 {
        Shares(held.0.saturating_add(loss.deposit.0))
    } else {
        let paid = Native(loss.from_group as i64);
        credited(held, paid, rate.deposit_index, rate.borrow_index)
    };
    let leg = BalanceLeg {
        rate: QUOTE_RATE,
        shares,
    };
    let bank = BankChange {
        insurance: -(loss.group_cost as i64),
        ..BankChange::of(held, shares)
    };
    Ok(((slot, leg), bank))
}

/// Plans a bank's part of a bankruptcy (8.6): of the account's borrow what its assets do not cover, pro
/// rata of its borrows by their worth, is written off by [`plan_bank_loss`]. A deposit of another token,
/// too small to take, passes to that bank's insurance instead.
///
/// `insurance` is the bank's at this moment ([`Insurance::at`]). Errors: `NothingToLiquidate` without a
/// balance, `PriceUnfit`, `NotBankrupt`, `NothingMissing`, `TooLarge`.
pub fn plan_resolve_bank<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    terms: &ResolveTerms,
    (bank, insurance): (&BankLedger, Insurance),
    scratch: &mut Scratch<'_>,
) -> Result<BankResolution, RiskError> {
    let nothing = RiskError::NothingToLiquidate;
    let held = legs.balance(terms.slot).ok_or(nothing)?;
    require_liquidation_prices(book, legs, bit(book.rate(held.rate).asset))?;
    let net_asset_value = ruin(book, legs, terms.resolved, scratch)?;
    let found = owed(book, legs, terms.resolved, Owing::Balance(terms.slot));

    let (loss, swept, shares, change) = if held.shares.0 > 0 && held.rate != QUOTE_RATE {
        let swept = deposit_amount(held.shares, bank.deposit_index).0;
        let change = BankChange {
            deposits: -held.shares.0,
            insurance: swept,
            ..BankChange::default()
        };
        (None, swept.unsigned_abs(), Shares(0), change)
    } else {
        let gone = written_off(book, held, found.debt).ok_or(RiskError::NothingMissing)?;
        let loss = plan_bank_loss(bank, gone, insurance)?;
        let left = Shares(held.shares.0.saturating_add_unsigned(gone));
        (Some(loss), 0, left, loss.bank)
    };

    let balance = (
        terms.slot,
        BalanceLeg {
            rate: held.rate,
            shares,
        },
    );
    let balances = [balance];
    let after = Amended {
        base: legs,
        balances: &balances,
        positions: &[],
    };
    let marks = found.resolved.with_balance(terms.slot, shares.0 < 0);
    Ok(BankResolution {
        loss,
        swept,
        balance,
        bank: change,
        account: aftermath(book, &after, (net_asset_value, marks), terms, scratch),
    })
}

/// Shares of a borrow to write off, so that what is left is worth no more than what covers it; `None`
/// where nothing is missing.
fn written_off<B: Book>(book: &B, leg: BalanceLeg, debt: Debt) -> Option<u64> {
    if debt.owed == debt.covered {
        return None;
    }
    let rate = book.rate(leg.rate);
    let price = native_price(book, leg.rate);
    let covered = mul_div_floor(debt.covered, 1 << price.shift(), price.mantissa()).unwrap_or(0);
    let covered = Native(i64::try_from(covered).unwrap_or(i64::MAX));
    let left = shares_for_repayment(covered, rate.borrow_index).0;
    let all = leg.shares.0.min(0).unsigned_abs();
    Some(all.saturating_sub(left.unsigned_abs())).filter(|gone| *gone != 0)
}

/// The account after a call.
#[inline(never)]
fn aftermath<B: Book, L: Legs>(
    book: &B,
    after: &L,
    (net_asset_value, marks): (Atoms, Resolved),
    terms: &ResolveTerms,
    scratch: &mut Scratch<'_>,
) -> Aftermath {
    let left = owed(book, after, marks, Owing::Balance(terms.slot));
    let maintenance = margin::maintenance_in_favour(book, after, scratch);
    Aftermath {
        net_asset_value,
        missing: left.missing,
        resolved: if left.missing == 0 {
            Resolved::NONE
        } else {
            left.resolved
        },
        clock: terms.clock.found(maintenance, terms.live_time),
    }
}
