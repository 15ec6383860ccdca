//! Orders against a pool: one or more fills between two margin accounts, judged once at the end.

use crate::book::{Amended, AssetTerms, Book, InstrumentTerms, Legs, PositionLeg};
use crate::carry::{Carries, MAX_ACCRUAL_AGE_S};
use crate::cash::check_asset_count;
use crate::error::RiskError;
use crate::fill::{
    Fill, FillPlan, Reduction, check_limit, check_slip, is_risk_reducing, plan_fill,
};
use crate::fitness::{fill_distance, require_prices_of};
use crate::limits::{check_growth, grows};
use crate::margin::Scratch;
use crate::margin::{self, Assessment, Health, InitialTerms};
use crate::pool::PoolTerms;
use crate::price::Action;
use crate::quote::{
    FeeSplit, Quote, exceeds_open_interest, market_spread, open_interest_limit, quote, split_fee,
};
use crate::units::{Atoms, Lots, Ppm, Price};

/// Most legs of one order.
pub const MAX_ORDER_LEGS: usize = 8;

/// What the trader means to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Ends at or above Initial, whatever the sizes do.
    Open,
    /// Every leg moves towards zero and does not cross it.
    Close,
}

/// What a market's ledger and parameters say to a plan. Sizes are lots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MarketTerms {
    pub open_interest_long: u64,
    pub open_interest_short: u64,
    pub open_interest_cap: u64,
    /// What the market's insurance holds, and how many times that a side may be worth; 0 for no
    /// limit (3.4).
    pub insurance: Atoms,
    pub insurance_multiple: u32,
    pub min_size: u64,
    pub taker_fee: Ppm,
    /// What the maker gets of the fee, over the notional.
    pub maker_fee: Ppm,
    /// What a referrer gets, over the fee.
    pub referral_share: Ppm,
    pub base_spread: Ppm,
    pub conf_share: Ppm,
    /// How many standard deviations of the price's age half the spread grows by.
    pub age_share: Ppm,
    /// What traders hold net, lots, and the skew at which the fair price is twice the mark, or
    /// nothing; 0 for a market without a premium (10.1).
    pub skew: i64,
    pub skew_scale: u64,
    /// What was charged on skew so far and not earned back, atoms.
    pub impact_paid: u64,
    /// For how long funding that is due was not accrued (7.1).
    pub accrual_age_s: u32,
    pub max_age_fill_s: u32,
}

/// One leg as asked for, with the slots that hold it on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub instrument: u8,
    /// Positive buys.
    pub size: Lots,
    /// Worst price per lot, a mantissa of the mark's shift.
    pub limit_price: u64,
    pub taker_slot: usize,
    pub maker_slot: usize,
    /// Whether a referrer is there to get his part of the fee.
    pub referred: bool,
    pub market: MarketTerms,
}

/// One leg as filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegFill {
    /// The taker's position before.
    pub before: PositionLeg,
    /// What the taker paid, negative when he received.
    pub amount: Atoms,
    /// What of it was the premium on skew: the market's `impact_paid` changes by it.
    pub impact: Atoms,
    /// Who got the fee; the maker's part is in the plan's legs, the referrer's in `quotes_change`
    /// alone: his quote is the caller's to write.
    pub fees: FeeSplit,
    pub plan: FillPlan,
}

impl LegFill {
    /// A leg that is not filled yet.
    pub const EMPTY: Self = Self {
        before: PositionLeg::EMPTY,
        amount: Atoms(0),
        impact: Atoms(0),
        fees: FeeSplit {
            maker: Atoms(0),
            referral: Atoms(0),
            market: Atoms(0),
        },
        plan: FillPlan::EMPTY,
    };
}

/// Where a plan is written: as long as the order, owned by the caller so that no frame holds it.
#[derive(Debug)]
pub struct OrderBuffers<'a> {
    pub fills: &'a mut [LegFill],
    pub taker: &'a mut [(usize, PositionLeg)],
    pub maker: &'a mut [(usize, PositionLeg)],
}

/// The two margin accounts of an order.
#[derive(Debug)]
pub struct Parties<'a, T, M> {
    pub taker: &'a T,
    /// The pool's book.
    pub maker: &'a M,
}

/// Who sends an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    Owner,
    /// Every fill is within `max_close_slip` of the mark, whatever its intent and the price's tier
    /// (11.1); the rest of his rules are [`crate::plan_delegated`]'s.
    Delegate,
}

/// What is asked of an order besides its legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderTerms {
    pub intent: Intent,
    pub authority: Authority,
    pub pool: PoolTerms,
}

/// What the order does besides its fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderOutcome {
    /// The taker's Initial figures after the order.
    pub taker_initial: Health,
    /// Whether he was found at or above Maintenance, so that no liquidation of him is under way.
    pub taker_maintained: bool,
    /// The same of the maker: a pool that closes below it may not be.
    pub maker_maintained: bool,
    /// What the taker paid in fees, whoever got it.
    pub fees: Atoms,
}

/// Fills every order against the maker at the pool's quote and judges both sides.
///
/// Fill price: [`quote`], rounded against the taker by less than two atoms. Refused beyond the limit
/// price, beyond `max_fill_deviation` (half a range; a quarter, `max_close_slip`, when closing) from the
/// mark, on a price that is unfit or older than the market allows, beyond the open-interest limit,
/// below the smallest size, and where a leg grows in a market whose funding is due for over an hour
/// (1.6, 1.7, 3.4, 5.7, 7.1, 10.1, 10.2). The fee goes to the maker, a referrer and the market.
///
/// The taker ends with Initial health at or above zero, or, when closing, has reduced risk (5.7).
/// The pool ends at or above Initial with `pool_factor` when an order opens, and at or above
/// Maintenance when it closes. The buffers are as long as the order; what they held is overwritten.
pub fn plan_order<B: Book, T: Legs, M: Legs>(
    book: &B,
    parties: &Parties<'_, T, M>,
    orders: &[Order],
    terms: OrderTerms,
    buffers: &mut OrderBuffers<'_>,
    scratch: &mut Scratch<'_>,
) -> Result<OrderOutcome, RiskError> {
    let Parties { taker, maker } = *parties;
    let slots = (buffers.fills.iter_mut())
        .zip(buffers.taker.iter_mut())
        .zip(buffers.maker.iter_mut());
    let mut fees = 0i64;
    for (order, ((filled, taker_leg), maker_leg)) in orders.iter().zip(slots) {
        let fill = fill_leg(book, parties, order, terms)?;
        fees = fees.saturating_add(fill.fees.total().0);
        *taker_leg = (order.taker_slot, fill.plan.taker_after);
        *maker_leg = (order.maker_slot, fill.plan.maker_after);
        *filled = fill;
    }

    let fees = Atoms(fees);
    let taker_after = Amended {
        base: taker,
        balances: &[],
        positions: &*buffers.taker,
    };
    let maker_after = Amended {
        base: maker,
        balances: &[],
        positions: &*buffers.maker,
    };
    let ((taker_initial, taker_maintained), maker_maintained) = match terms.intent {
        Intent::Open => {
            let judged = judge_open(book, &taker_after, scratch)?;
            let pool = (orders, terms.pool);
            judge_pool_opening(book, &maker_after, pool, judged.exposed, scratch)?;
            ((judged.initial, true), true)
        }
        Intent::Close => {
            let judged = judge_close(book, taker, &taker_after, fees, scratch)?;
            (
                judged,
                judge_pool_closing(book, maker, &maker_after, scratch)?,
            )
        }
    };
    Ok(OrderOutcome {
        taker_initial,
        taker_maintained,
        maker_maintained,
        fees,
    })
}

/// One leg at the pool's quote, without regard to health.
fn fill_leg<B: Book, T: Legs, M: Legs>(
    book: &B,
    parties: &Parties<'_, T, M>,
    order: &Order,
    asked: OrderTerms,
) -> Result<LegFill, RiskError> {
    let Parties { taker, maker } = *parties;
    let terms = book.instrument(order.instrument);
    let asset = book.asset(terms.asset);
    let before = position_at(taker, order.taker_slot, order.instrument);
    check_size(order, before.size, asked.intent)?;
    let quote = quote_leg(book, order, asked, &terms, asset.range)?;

    let fees = split_fee(quote.amount, &order.market, order.referred);
    let maker_before = position_at(maker, order.maker_slot, order.instrument);
    let fill = Fill {
        size: order.size,
        amount: quote.amount,
        fee: fees.total(),
    };
    let mut plan = plan_fill(before, maker_before, fill, Carries::of(&terms))?;
    plan.share_fee(fees)?;
    check_growth(before.size, plan.taker_after.size, terms.mark, false)?;
    check_growth(maker_before.size, plan.maker_after.size, terms.mark, true)?;
    check_open_interest(&order.market, &asset, &plan)?;
    if grows(before.size, plan.taker_after.size) {
        check_accrual(&order.market)?;
    }
    check_dust(book, before.size, plan.taker_after.size, terms.mark)?;
    Ok(LegFill {
        before,
        amount: quote.amount,
        impact: quote.impact,
        fees,
        plan,
    })
}

/// The pool's quote for a leg, on a price that serves and within limit price and slip.
fn quote_leg<B: Book>(
    book: &B,
    order: &Order,
    asked: OrderTerms,
    terms: &InstrumentTerms,
    range: Ppm,
) -> Result<Quote, RiskError> {
    let (action, most) = match asked.intent {
        Intent::Open => (Action::Increase, Ppm(range.0 / 2)),
        Intent::Close => (Action::Reduce, Ppm(range.0 / 4)),
    };
    let quality = book.quality(terms.asset);
    let does = (action, order.size.0 > 0);
    let bound = fill_distance(terms.asset, &quality, does, order.market.max_age_fill_s)?;
    // At a bound that is worse for him an exit goes as far as the bound.
    let most = match asked.authority {
        Authority::Owner => most.max(bound),
        Authority::Delegate => Ppm(range.0 / 4),
    };
    let spread = market_spread(&order.market, &quality, book.variance(terms.asset));
    let quoted = quote(order.size, terms.mark, &order.market, (spread, bound))?;
    check_limit(order.size, quoted.amount, terms.mark, order.limit_price)?;
    check_slip(order.size, quoted.amount, terms.mark, most)?;
    Ok(quoted)
}

pub(crate) fn check_size(order: &Order, held: Lots, intent: Intent) -> Result<(), RiskError> {
    if order.size.0 == 0 {
        return Err(RiskError::ZeroSize);
    }
    let after = held
        .0
        .checked_add(order.size.0)
        .ok_or(RiskError::TooLarge)?;
    let towards_zero =
        after.unsigned_abs() < held.0.unsigned_abs() && after.signum() * held.0.signum() >= 0;
    if intent == Intent::Close && !towards_zero {
        return Err(RiskError::NotReducing {
            held: held.0,
            asked: order.size.0,
        });
    }
    let small = order.size.0.unsigned_abs() < order.market.min_size;
    if small && after != 0 {
        return Err(RiskError::BelowMinSize {
            asked: order.size.0,
            least: order.market.min_size,
        });
    }
    Ok(())
}

/// Open interest may grow only up to the market's limit (3.4).
fn check_open_interest(
    market: &MarketTerms,
    asset: &AssetTerms,
    plan: &FillPlan,
) -> Result<(), RiskError> {
    if plan.open_interest_change_long <= 0 {
        return Ok(());
    }
    let long = market
        .open_interest_long
        .saturating_add_signed(plan.open_interest_change_long);
    if exceeds_open_interest(market, long, asset.depth, asset.lot_price) {
        return Err(RiskError::OpenInterestCap {
            open_interest: long,
            cap: open_interest_limit(market, asset.depth, asset.lot_price),
        });
    }
    Ok(())
}

/// Exposure grows only where carry is known up to an hour ago (7.1).
fn check_accrual(market: &MarketTerms) -> Result<(), RiskError> {
    if market.accrual_age_s > MAX_ACCRUAL_AGE_S {
        return Err(RiskError::AccrualTooOld {
            age_s: i64::from(market.accrual_age_s),
            limit_s: i64::from(MAX_ACCRUAL_AGE_S),
        });
    }
    Ok(())
}

/// A leg that is opened or grown ends worth at least `min_notional` (1.7).
fn check_dust<B: Book>(book: &B, before: Lots, after: Lots, mark: Price) -> Result<(), RiskError> {
    let grows = after.0.unsigned_abs() > before.0.unsigned_abs();
    let notional = crate::num::value_ceil(Lots(after.0.saturating_abs()), mark);
    let least = book.group().min_notional;
    if grows && notional < least {
        return Err(RiskError::BelowMinNotional { notional, least });
    }
    Ok(())
}

/// Where exposure grows: no more assets than he may have, their prices fit to increase it and as fresh
/// as margin asks; and Initial at the end, within the group's least equity.
fn judge_open<B: Book, A: Legs>(
    book: &B,
    after: &A,
    scratch: &mut Scratch<'_>,
) -> Result<Assessment, RiskError> {
    let judged = margin::judged_initially(book, after, InitialTerms::COUNTED, scratch);
    require_prices_of(book, judged.exposed, Action::Increase, |quality| {
        quality.max_age_margin_s
    })?;
    check_asset_count(after, judged.exposed)?;
    let initial = judged.initial;
    if initial.health().0 < 0 {
        return Err(RiskError::BelowInitial {
            equity: initial.equity,
            requirement: initial.requirement,
        });
    }
    let least = book.group().min_equity;
    if initial.equity < least {
        return Err(RiskError::BelowMinEquity {
            equity: initial.equity,
            least,
        });
    }
    Ok(judged)
}

/// Initial at the end, or the reduction rule of 5.7: what that needs besides is judged only when it
/// decides. Prices of other assets block no exit. Returns Initial, and whether Maintenance holds.
pub(crate) fn judge_close<B: Book, T: Legs, A: Legs>(
    book: &B,
    before: &T,
    after: &A,
    fees: Atoms,
    scratch: &mut Scratch<'_>,
) -> Result<(Health, bool), RiskError> {
    let initial = margin::initial(book, after, InitialTerms::COUNTED, scratch);
    if initial.health().0 >= 0 {
        return Ok((initial, true));
    }

    let after = margin::both(book, after, InitialTerms::COUNTED, scratch);
    let before = margin::both(book, before, InitialTerms::COUNTED, scratch);
    is_risk_reducing(&before, &after, Reduction { fees })?;
    Ok((initial, !after.maintenance.is_liquidatable()))
}

/// The pool's side of what opens: its assets besides the taker's, which were looked at, have prices
/// that serve a reduction (what may grow may shrink), every touched asset stays within its cap, and it
/// ends at Initial with its own factor (10.2).
fn judge_pool_opening<B: Book, A: Legs>(
    book: &B,
    after: &A,
    (orders, pool): (&[Order], PoolTerms),
    looked_at: u32,
    scratch: &mut Scratch<'_>,
) -> Result<(), RiskError> {
    let terms = InitialTerms {
        factor: Some(pool.factor),
        ..InitialTerms::COUNTED
    };
    let judged = margin::judged_initially(book, after, terms, scratch);
    let rest = judged.exposed & !looked_at;
    require_prices_of(book, rest, Action::Reduce, |quality| {
        quality.max_age_margin_s
    })?;
    for order in orders {
        let asset = book.asset_of(order.instrument);
        let net = margin::net_value_judged(book, judged.assets, asset, scratch);
        if net.0.saturating_abs() > pool.asset_cap.0 {
            return Err(RiskError::PoolAssetCap {
                net,
                cap: pool.asset_cap,
            });
        }
    }
    if judged.initial.health().0 < 0 {
        return Err(pool_below(judged.initial));
    }
    Ok(())
}

/// The pool's side of what closes: it ends at Maintenance (10.2), or, where it was below already, with
/// a lower requirement (10.3). Returns whether Maintenance holds.
fn judge_pool_closing<B: Book, M: Legs, A: Legs>(
    book: &B,
    before: &M,
    after: &A,
    scratch: &mut Scratch<'_>,
) -> Result<bool, RiskError> {
    let health = margin::maintenance(book, after, scratch);
    if health.health().0 >= 0 {
        return Ok(true);
    }
    let before = margin::maintenance(book, before, scratch);
    if before.is_liquidatable() && health.requirement < before.requirement {
        return Ok(false);
    }
    Err(pool_below(health))
}

fn pool_below(health: Health) -> RiskError {
    RiskError::PoolBelowMargin {
        equity: health.equity,
        requirement: health.requirement,
    }
}

pub(crate) fn position_at<L: Legs>(legs: &L, slot: usize, instrument: u8) -> PositionLeg {
    legs.position(slot).unwrap_or(PositionLeg {
        instrument,
        size: Lots(0),
        quote: Atoms(0),
    })
}
