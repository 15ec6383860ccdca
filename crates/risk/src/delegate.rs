//! What a delegate may do with an account that is not his (margin-spec 11): trade the markets granted,
//! within a budget of notional that refills as a leaky bucket, while the account's equity is above a
//! floor. Nothing here reads a calendar: a budget of calendar days is spent twice around midnight.

use crate::book::{Book, Legs, QUOTE_RATE};
use crate::cash::CashPlan;
use crate::error::RiskError;
use crate::fitness::require_prices;
use crate::margin::{self, Scratch};
use crate::num::{mul_div_floor, value_ceil};
use crate::order::LegFill;
use crate::price::Action;
use crate::units::{Atoms, Lots, Native};

/// A spent budget is whole again after this time, seconds (11.1).
pub const BUDGET_REFILL_S: u64 = 86_400;
/// Largest budget of a day and largest loss that an owner may grant, atoms ($72 billion): far above
/// what an account can trade, and every sum below fits 64 bits.
pub const MAX_GRANTED: u64 = 1 << 56;

/// A set of the book's 128 instruments, a bit for each: what a delegate may trade, what an isolated
/// account may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MarketSet(pub [u64; 2]);

impl MarketSet {
    /// Every instrument of a book.
    pub const ALL: Self = Self([u64::MAX; 2]);

    /// Whether an instrument is in the set; none beyond 127 is.
    #[must_use]
    pub fn contains(self, instrument: u8) -> bool {
        let word = self.0.get(usize::from(instrument >> 6)).copied();
        word.is_some_and(|word| word >> (instrument & 63) & 1 == 1)
    }

    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// What an owner grants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GrantTerms {
    /// Notional of opens and closes, atoms a day.
    pub budget: u64,
    /// How far equity may fall below that at the grant, deposits and withdrawals since left out.
    pub max_loss: u64,
    pub markets: MarketSet,
    /// Last second at which the delegate may trade.
    pub expiry: i64,
}

/// What of a budget is spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Atoms of notional that count now.
    pub level: u64,
    pub updated: i64,
}

impl Spent {
    /// What counts at a moment: `budget / 86,400` is forgotten each second, floor. A time before the
    /// last counts as none.
    #[must_use]
    pub fn at(self, budget: u64, now: i64) -> Self {
        let elapsed = now.saturating_sub(self.updated).max(0).unsigned_abs();
        let elapsed = elapsed.min(BUDGET_REFILL_S);
        let forgotten = mul_div_floor(budget, elapsed, BUDGET_REFILL_S).unwrap_or(u64::MAX);
        // What is too little to forget an atom leaves the time, so that asking often costs nothing.
        if forgotten == 0 && self.level != 0 {
            return self;
        }
        Self {
            level: self.level.saturating_sub(forgotten),
            updated: self.updated.max(now),
        }
    }
}

/// A grant as it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    pub terms: GrantTerms,
    /// E at the grant (4.2).
    pub equity: Atoms,
    /// Value of what was deposited since, less what was withdrawn.
    pub deposits: Atoms,
    pub spent: Spent,
}

impl Grant {
    /// Least equity that the delegate's instructions may leave; saturates.
    #[must_use]
    pub fn floor(&self) -> Atoms {
        let loss = i64::try_from(self.terms.max_loss).unwrap_or(i64::MAX);
        let had = self.equity.0.saturating_add(self.deposits.0);
        Atoms(had.saturating_sub(loss))
    }

    /// Notional that the delegate may trade now, atoms.
    #[must_use]
    pub fn available(&self, now: i64) -> u64 {
        let spent = self.spent.at(self.terms.budget, now);
        self.terms.budget.saturating_sub(spent.level)
    }
}

/// A grant that begins now, with nothing spent: `equity` is E at the mark, on prices as fresh as a
/// withdrawal needs. Error: `PriceUnfit`.
pub fn plan_grant<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    terms: GrantTerms,
    now: i64,
    scratch: &mut Scratch<'_>,
) -> Result<Grant, RiskError> {
    require_prices(book, legs, Action::Increase, |quality| {
        quality.max_age_withdrawal_s
    })?;
    Ok(Grant {
        terms,
        equity: margin::net_asset_value(book, legs, scratch),
        deposits: Atoms(0),
        spent: Spent {
            level: 0,
            updated: now,
        },
    })
}

/// Judges an order of a delegate's that is otherwise lawful, and spends its notional (11.1): `after`
/// are the account's legs as the fills leave them. Notional is `|size * mark|`, ceil, of every fill,
/// opens and closes alike.
///
/// That each fill is within `max_close_slip` of the mark is [`crate::plan_order`]'s part
/// ([`crate::Authority::Delegate`]). The floor is judged at the mark, and only where every price that
/// it rests on serves a reduction: a sleeping or split feed hides losses.
///
/// Errors: `GrantExpired`, `NotGranted`, `GrantSpent`, `PriceUnfit`, `BelowGrantFloor`.
pub fn plan_delegated<B: Book, L: Legs>(
    book: &B,
    after: &L,
    grant: &Grant,
    fills: &[LegFill],
    now: i64,
    scratch: &mut Scratch<'_>,
) -> Result<Spent, RiskError> {
    let expiry = grant.terms.expiry;
    if now > expiry {
        return Err(RiskError::GrantExpired { expiry });
    }
    let mut asked = 0u64;
    for fill in fills {
        let instrument = fill.before.instrument;
        if !grant.terms.markets.contains(instrument) {
            return Err(RiskError::NotGranted { instrument });
        }
        asked = asked.saturating_add(notional(book, fill));
    }
    let spent = spend(grant, asked, now)?;

    require_prices(book, after, Action::Reduce, |quality| {
        quality.max_age_margin_s
    })?;
    let (equity, floor) = (margin::net_asset_value(book, after, scratch), grant.floor());
    if equity < floor {
        return Err(RiskError::BelowGrantFloor { equity, floor });
    }
    Ok(spent)
}

/// `asked` atoms of notional out of the budget. Error: `GrantSpent` with what could be traded now.
fn spend(grant: &Grant, asked: u64, now: i64) -> Result<Spent, RiskError> {
    let available = grant.available(now);
    if asked > available {
        return Err(RiskError::GrantSpent { available, asked });
    }
    let spent = grant.spent.at(grant.terms.budget, now);
    Ok(Spent {
        level: spent.level.saturating_add(asked),
        ..spent
    })
}

/// What tokens of a bank are worth at the mark, positive into the account, ceil, as a delegate's floor
/// counts them: it is never lower for having been rounded. The quote is worth 1 (2.7).
pub fn token_value<B: Book>(book: &B, rate: u8, tokens: Native) -> Atoms {
    if rate == QUOTE_RATE {
        return Atoms(tokens.0);
    }
    let asset = book.asset(book.asset_of_rate(rate));
    value_ceil(Lots(tokens.0), asset.native_price)
}

/// What a deposit brings, or a withdrawal takes (negative): [`token_value`] of its tokens.
pub fn cash_value<B: Book>(book: &B, plan: &CashPlan) -> Atoms {
    token_value(book, plan.after.rate, plan.tokens)
}

/// What a fill trades at the mark, ceil.
fn notional<B: Book>(book: &B, fill: &LegFill) -> u64 {
    let size = (fill.plan.taker_after.size.0).saturating_sub(fill.before.size.0);
    let mark = book.instrument(fill.before.instrument).mark;
    value_ceil(Lots(size.saturating_abs()), mark)
        .0
        .unsigned_abs()
}
