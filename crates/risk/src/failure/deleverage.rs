//! The backstop (margin-spec 8.5): what nobody bid for goes to the pool, and what the pool cannot
//! carry is closed against the other side of the market, all of it at once and in proportion.
//! Automatic deleveraging as BitMEX and Drift do it needs a ranked list of holders; a factor per side
//! needs none.

use crate::book::{Book, Legs, PositionLeg, QUOTE_RATE};
use crate::carry::{EPOCH_BITS, Keep, SideTerms, Touched, price48, up_to_date};
use crate::error::RiskError;
use crate::failure::liquidation::{
    LiquidationPlan, LiquidationTerms, StepTerms, StoppedBy, Taker, Target, plan_step,
};
use crate::failure::takeover::merged;
use crate::fill::moved;
use crate::ledger::{DUST_ONE, MarketChange, MarketLedger, SideChange, SideLedger};
use crate::margin::{self, InitialTerms, Scratch};
use crate::num::{mul_div_floor, ppm_floor, value_ceil};
use crate::shares::amount;
use crate::units::{Atoms, Carry48, Dust48, Frac40, Lots, Ppm, Price};

/// The pool takes until its position in a market is worth this share of its Initial equity: 2% (8.5).
pub const POOL_TAKES: Ppm = Ppm(20_000);
/// How often the pool's share is halved before it is found too poor.
const POOL_HALVINGS: usize = 4;
/// A side's carry stays within this many times the mark, so that `size * F` of any leg can be judged.
pub const MAX_CARRY_MARKS: i128 = 64;
/// A side of more lots is not deleveraged: its strays could not be counted.
const MAX_OPEN_INTEREST: u64 = 1 << 46;
/// Stray lots that the pool takes at most at once.
const MAX_STRAYS: u64 = 1 << 22;

/// Plans what the pool takes of a leg at the auction's price of the moment, at most `max_size` lots: a
/// liquidation step whose liquidator is the pool, within its Initial margin, after which its position
/// in the market is worth at most 2% of its Initial equity or is nearer to zero than before.
///
/// Errors: those of [`crate::plan_liquidation`]; `PoolBelowMargin` where not even a sixteenth of that
/// fits, where it would be dust (1.7), or where the leg must be taken whole and the pool cannot.
pub fn plan_backstop<B: Book, A: Legs, P: Legs>(
    book: &B,
    (account, pool): (&A, &P),
    slots: (usize, usize),
    (max_size, terms): (Lots, LiquidationTerms),
    scratch: &mut Scratch<'_>,
) -> Result<LiquidationPlan, RiskError> {
    if max_size.0 <= 0 {
        return Err(RiskError::ZeroSize);
    }
    let nothing = RiskError::NothingToLiquidate;
    let leg = account.position(slots.0).ok_or(nothing)?;
    let mark = book.instrument(leg.instrument).mark;
    let initial = margin::initial(book, pool, InitialTerms::COUNTED, scratch);
    let limit = ppm_floor(initial.equity.0.max(0).unsigned_abs(), POOL_TAKES);
    let most = mul_div_floor(limit, 1 << mark.shift(), mark.mantissa()).unwrap_or(u64::MAX);
    // What the pool holds already counts, so that asking often takes no more; what it is short of the
    // leg's side is room besides.
    let held = pool.position(slots.1).map_or(0, |leg| leg.size.0);
    let room = if held.signum() * leg.size.0.signum() < 0 {
        most.saturating_add(held.unsigned_abs())
    } else {
        most.saturating_sub(held.unsigned_abs())
    };
    let asked = max_size.0.min(leg.size.0.saturating_abs());
    let mut size = asked.min(i64::try_from(room).unwrap_or(i64::MAX));
    let refused = RiskError::PoolBelowMargin {
        equity: initial.equity,
        requirement: initial.requirement,
    };
    let least = book.group().min_notional;
    for _ in 0..=POOL_HALVINGS {
        if size == 0 || size < asked && value_ceil(Lots(size), mark) < least {
            break;
        }
        let step = StepTerms {
            target: Target::Position {
                slot: slots.0,
                liquidator_slot: slots.1,
            },
            max_size: Lots(size),
            terms,
            taker: Taker::Pool,
        };
        match plan_step(book, (account, pool), step, scratch) {
            Ok(mut plan) => {
                if plan.stopped_by == StoppedBy::MaxSize && size < asked {
                    plan.stopped_by = StoppedBy::PoolLimit;
                }
                return Ok(plan);
            }
            Err(RiskError::BelowInitial { .. }) => size /= 2,
            Err(RiskError::TakeWhole { .. }) if size < asked => break,
            Err(other) => return Err(other),
        }
    }
    Err(refused)
}

/// A leg closed against the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeleveragePlan {
    /// The account's leg after, its size nearer to zero.
    pub after: PositionLeg,
    /// Lots closed, with the leg's sign.
    pub size: Lots,
    /// Price per lot of both sides, 48 fractional bits.
    pub price: Carry48,
    /// The side that was shrunk, as it is now.
    pub opposite: SideTerms,
    pub market: MarketChange,
    pub stopped_by: StoppedBy,
}

/// What a deleveraging is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeleverageTerms {
    pub leg: PositionLeg,
    pub max_size: Lots,
    pub mark: Price,
    /// The account's net asset value, and what this leg's notional is of all its legs' together:
    /// where E >= 0 the leg gives up that share of it (8.5). At most 1.
    pub equity: Atoms,
    pub share: Ppm,
}

/// Closes lots of a leg against all positions of the other side in proportion (8.5).
///
/// Price: where E is zero or more, the mark moved against the account by the leg's share of E, floor
/// against the account; below, the mark, and the deficit goes to 8.6. The other side's `keep` falls by
/// the share closed, floor, and its F moves so that every position there is worth what it would be
/// had its lots closed at that price: `F' = (F - (1 - k) * price) / k` with k the ratio of keeps,
/// rounded against that side. Lots that rounding takes from keep pass to the market's strays, at the
/// same price, until the pool takes them. Quotes, strays, fees and residue sum to what they were,
/// exactly (I2).
///
/// At most as much is closed as leaves the other side a lot. Errors: `ZeroSize`,
/// `NothingToLiquidate`, `TooLittleOpposite` where nothing can be closed or F would leave
/// [`MAX_CARRY_MARKS`], `TooLarge`.
pub fn plan_deleverage(
    ledger: &MarketLedger,
    terms: &DeleverageTerms,
) -> Result<DeleveragePlan, RiskError> {
    if terms.max_size.0 <= 0 {
        return Err(RiskError::ZeroSize);
    }
    let held = terms.leg.size;
    let whole = held.0.unsigned_abs();
    if whole == 0 {
        return Err(RiskError::NothingToLiquidate);
    }
    let asked = terms.max_size.0.unsigned_abs().min(whole);
    let opposite = *ledger.side(held.opposite());
    let short = RiskError::TooLittleOpposite {
        open_interest: opposite.open_interest,
        asked,
    };
    if opposite.open_interest >= MAX_OPEN_INTEREST {
        return Err(RiskError::TooLarge);
    }
    let closed = asked.min(opposite.open_interest.saturating_sub(1));
    let left = opposite.open_interest.saturating_sub(closed);
    if closed == 0 {
        return Err(short);
    }

    let price = price_of(terms, whole);
    let keep = opposite
        .keep
        .shrunk(left, opposite.open_interest)
        .ok_or(short)?;
    let carry = shrunk_carry(&opposite, keep, price, held.0 < 0).ok_or(short)?;
    if carry.unsigned_abs() > (MAX_CARRY_MARKS * price48(terms.mark)).unsigned_abs() {
        return Err(short);
    }
    let side = SideTerms {
        keep,
        carry: Carry48(carry),
    };

    let lots = closed as i64 * held.0.signum();
    let worth = value48_floor(lots, price).ok_or(RiskError::TooLarge)?;
    let (after, _) = moved(terms.leg, -lots, Some(worth), ledger.carries())?;
    let market = change(ledger, terms.leg, after, side)?;
    Ok(DeleveragePlan {
        after,
        size: Lots(lots),
        price: Carry48(price),
        opposite: side,
        market,
        stopped_by: if closed == whole {
            StoppedBy::WholeLeg
        } else if closed == asked {
            StoppedBy::MaxSize
        } else {
            StoppedBy::End
        },
    })
}

/// The price per lot, 48 bits: the mark, moved against the account by its leg's share of E (floor
/// for a long, ceil for a short).
fn price_of(terms: &DeleverageTerms, whole: u64) -> i128 {
    let mark = price48(terms.mark);
    if terms.equity.0 <= 0 {
        return mark;
    }
    let given = ppm_floor(terms.equity.0.unsigned_abs(), terms.share.min(Ppm::ONE));
    let per_lot = (i128::from(given) << 48) / i128::from(whole);
    if terms.leg.size.0 > 0 {
        mark - per_lot
    } else {
        mark + per_lot
    }
}

/// `lots * price` in atoms, floor; `None` beyond 64 bits.
fn value48_floor(lots: i64, price: i128) -> Option<i64> {
    let value = i128::from(lots).checked_mul(price)?;
    i64::try_from(value >> 48).ok()
}

/// F after a side shrank from one keep to another at a price, rounded against its holders: up for
/// longs, down for shorts. `None` beyond 127 bits.
fn shrunk_carry(side: &SideLedger, keep: Keep, price: i128, long: bool) -> Option<i128> {
    // In keeps of the new epoch: F' = P + (F - P) * before / after. The gap is divided first, so that
    // no product exceeds the result; the rest's is below 2^40 * 2^56.
    let epochs = keep.epoch.wrapping_sub(side.keep.epoch);
    let before = i128::from(side.keep.keep.0) << (EPOCH_BITS * epochs.min(1));
    let after = i128::from(keep.keep.0);
    let gap = side.carry.0.checked_sub(price)?;
    let rest = gap.rem_euclid(after).checked_mul(before)?;
    let whole = gap.div_euclid(after).checked_mul(before)?;
    let up = i128::from(long && rest.rem_euclid(after) != 0);
    let scaled = whole.checked_add(rest.div_euclid(after))?;
    price.checked_add(scaled)?.checked_add(up)
}

/// The ledger's change: what I2 leaves over is the strays' quote, floor, and residue.
fn change(
    ledger: &MarketLedger,
    before: PositionLeg,
    after: PositionLeg,
    side: SideTerms,
) -> Result<MarketChange, RiskError> {
    let opposite = before.size.opposite();
    let old = *ledger.side(opposite);
    let lots = after.size.0 - before.size.0;
    let quote = after.quote.0.wrapping_sub(before.quote.0);

    let mut change = MarketChange {
        quotes: quote,
        ..MarketChange::default()
    };
    let closed = -(lots.unsigned_abs() as i64);
    change.side_mut(before.size).open_interest = closed;
    *change.side_mut(opposite) = SideChange {
        open_interest: closed,
        terms: Some(side),
        stray: stray_lots(&old, side.keep, lots.unsigned_abs()),
        stray_quote: 0,
    };

    // What the ledger lacks without it, modulo 2^128: exact, as the sum itself is small.
    let lacking = ledger.after(&change).imbalance();
    let missing = lacking.wrapping_sub(ledger.imbalance()).wrapping_neg();
    let atoms = i64::try_from(missing >> 48).map_err(|_| RiskError::TooLarge)?;
    change.side_mut(opposite).stray_quote = atoms;
    change.quotes = quote.checked_add(atoms).ok_or(RiskError::TooLarge)?;
    change.residue = Dust48((missing as u64) % DUST_ONE);
    Ok(change)
}

/// Lots that the ledger counts and no position has, 40 bits, ceil: what the side's exact total falls
/// short of its open interest.
fn stray_lots(old: &SideLedger, keep: Keep, closed: u64) -> i64 {
    let epochs = keep.epoch.wrapping_sub(old.keep.epoch).min(1);
    let before = u128::from(old.keep.keep.0) << (EPOCH_BITS * epochs);
    // Positions' exact total is open interest less strays; both below 2^63, in 2^-40 lots.
    let total = (u128::from(old.open_interest) << 40).saturating_sub(u128::from(old.stray.0));
    let kept = total.saturating_mul(u128::from(keep.keep.0)) / before.max(1);
    let left = u128::from(old.open_interest.saturating_sub(closed)) << 40;
    let stray = left.saturating_sub(kept);
    let change = i128::try_from(stray).unwrap_or(i128::MAX) - i128::from(old.stray.0);
    i64::try_from(change).unwrap_or(i64::MAX)
}

/// A position brought up to date, and its market's ledger: what rounding takes from it joins the
/// strays (8.5).
#[must_use]
pub fn plan_touch(leg: PositionLeg, touched: Keep, side: SideTerms, mark: Price) -> TouchPlan {
    let Touched {
        leg: after,
        stray,
        paid,
    } = up_to_date(leg, touched, side, mark);
    let mut market = MarketChange::default();
    *market.side_mut(leg.size) = SideChange {
        stray: i64::try_from(stray.0).unwrap_or(i64::MAX),
        stray_quote: paid.0.saturating_neg(),
        ..SideChange::default()
    };
    TouchPlan { after, market }
}

/// A position as its side has it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TouchPlan {
    pub after: PositionLeg,
    pub market: MarketChange,
}

/// Whole stray lots of one side that the pool takes, with all the quote that came with them (8.5).
/// The pool's position changes as by a fill whose price that quote is. Errors: `NothingToLiquidate`
/// where there is no whole lot, `TooLarge`.
pub fn plan_take_strays(
    ledger: &MarketLedger,
    pool: PositionLeg,
    long: bool,
) -> Result<StrayPlan, RiskError> {
    let sign = if long { 1 } else { -1 };
    let side = *ledger.side(Lots(sign));
    let lots = (side.stray.0 >> 40).min(MAX_STRAYS) as i64;
    if lots == 0 {
        return Err(RiskError::NothingToLiquidate);
    }
    // The strays are counted in open interest and quotes already: a position that the pool takes over.
    let strays = PositionLeg {
        size: Lots(lots * sign),
        quote: Atoms(side.stray_quote),
        ..pool
    };
    let none = PositionLeg {
        size: Lots(0),
        quote: Atoms(0),
        ..pool
    };
    let (after, mut market) = merged(pool, strays, none, ledger.carries())?;
    let taken = market.side_mut(Lots(sign));
    taken.stray = -(Frac40::ONE.0 as i64 * lots);
    taken.stray_quote = -side.stray_quote;
    Ok(StrayPlan { after, market })
}

/// The pool's position with the strays, and the ledger's change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StrayPlan {
    pub after: PositionLeg,
    pub market: MarketChange,
}

/// A leg's share of everything that an account holds besides quote, positions and other tokens, by
/// their values: floor in ppm. What of E it gives up when it is deleveraged: a small leg beside a large
/// borrow does not give up all of it.
#[must_use]
pub fn notional_share<B: Book, L: Legs>(book: &B, legs: &L, slot: usize) -> Ppm {
    let value = |size: i64, price| {
        value_ceil(Lots(size.saturating_abs()), price)
            .0
            .unsigned_abs()
    };
    let notional = |slot: usize| {
        legs.position(slot).map_or(0, |leg| {
            value(leg.size.0, book.instrument(leg.instrument).mark)
        })
    };
    let token = |slot: usize| {
        let leg = legs.balance(slot).filter(|leg| leg.rate != QUOTE_RATE)?;
        let rate = book.rate(leg.rate);
        let held = amount(leg.shares, rate.deposit_index, rate.borrow_index);
        Some(value(held.0, book.asset(rate.asset).native_price))
    };
    let all = (0..legs.position_slots())
        .map(notional)
        .chain((0..legs.balance_slots()).filter_map(token))
        .fold(0, u64::saturating_add);
    let ppm = mul_div_floor(notional(slot), 1_000_000, all);
    Ppm(ppm.map_or(0, |ppm| ppm.min(1_000_000)) as u32)
}
