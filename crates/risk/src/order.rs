//! Orders against a pool: one or more fills between two margin accounts, judged once at the end.

use crate::book::{Amended, Book, Legs, PositionLeg};
use crate::carry::Carries;
use crate::cash::check_asset_count;
use crate::error::RiskError;
use crate::fill::{
    Fill, FillPlan, Reduction, check_limit, check_slip, fill_amount, is_risk_reducing, plan_fill,
};
use crate::fitness::{fill_distance, require_prices, require_prices_of};
use crate::limits::check_growth;
use crate::margin::Scratch;
use crate::margin::{self, Health, InitialTerms, exposed_assets};
use crate::num::ppm_ceil;
use crate::pool::{PoolTerms, half_spread};
use crate::price::Action;
use crate::units::{Atoms, Lots, Ppm};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketTerms {
    pub open_interest_long: u64,
    pub open_interest_short: u64,
    pub open_interest_cap: u64,
    pub min_size: u64,
    pub taker_fee: Ppm,
    pub base_spread: Ppm,
    pub conf_share: Ppm,
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
    pub market: MarketTerms,
}

/// One leg as filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegFill {
    /// The taker's position before.
    pub before: PositionLeg,
    /// What the taker paid, negative when he received.
    pub amount: Atoms,
    pub plan: FillPlan,
}

impl LegFill {
    /// A leg that is not filled yet.
    pub const EMPTY: Self = Self {
        before: PositionLeg::EMPTY,
        amount: Atoms(0),
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
    pub fees: Atoms,
}

/// Fills every order against the maker at the pool's quote and judges both sides.
///
/// Fill price: the mark, half a spread (`base + conf * conf_share`) against the taker, rounded
/// against him by at most an atom. Refused beyond the limit price, beyond `max_fill_deviation`
/// (half a range; a quarter, `max_close_slip`, when closing) from the mark, on a price that is unfit
/// or older than the market allows, beyond the open-interest cap, below the smallest size (1.6, 1.7,
/// 5.7, 10.2).
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
        fees = fees.saturating_add(fill.plan.fee.0);
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
    let taker_initial = match terms.intent {
        Intent::Open => judge_open(book, &taker_after, scratch),
        Intent::Close => judge_close(book, taker, &taker_after, fees, scratch),
    }?;
    judge_pool(book, &maker_after, orders, terms, scratch)?;
    Ok(OrderOutcome {
        taker_initial,
        fees,
    })
}

/// One leg at the pool's quote, without regard to health.
fn fill_leg<B: Book, T: Legs, M: Legs>(
    book: &B,
    parties: &Parties<'_, T, M>,
    order: &Order,
    OrderTerms {
        intent, authority, ..
    }: OrderTerms,
) -> Result<LegFill, RiskError> {
    let Parties { taker, maker } = *parties;
    let terms = book.instrument(order.instrument);
    let asset = book.asset(terms.asset);
    let (action, most) = match intent {
        Intent::Open => (Action::Increase, Ppm(asset.range.0 / 2)),
        Intent::Close => (Action::Reduce, Ppm(asset.range.0 / 4)),
    };
    let asked = (action, order.size.0 > 0);
    let distance = fill_distance(book, terms.asset, asked, order.market.max_age_fill_s)?;

    let before = position_at(taker, order.taker_slot, order.instrument);
    check_size(order, before.size, intent)?;
    let spread = half_spread(
        order.market.base_spread,
        book.quality(terms.asset).conf,
        order.market.conf_share,
    );
    // At a bound that is worse for him an exit goes as far as the bound.
    let (spread, most) = (spread.max(distance), most.max(distance));
    let most = match authority {
        Authority::Owner => most,
        Authority::Delegate => Ppm(asset.range.0 / 4),
    };
    let amount = fill_amount(order.size, terms.mark, spread)?;
    check_limit(order.size, amount, terms.mark, order.limit_price)?;
    check_slip(order.size, amount, terms.mark, most)?;

    let fee = Atoms(ppm_ceil(amount.0.unsigned_abs(), order.market.taker_fee) as i64);
    let maker_before = position_at(maker, order.maker_slot, order.instrument);
    let fill = Fill {
        size: order.size,
        amount,
        fee,
    };
    let plan = plan_fill(before, maker_before, fill, Carries::of(&terms))?;
    check_growth(before.size, plan.taker_after.size, terms.mark, false)?;
    check_growth(maker_before.size, plan.maker_after.size, terms.mark, true)?;
    check_open_interest(&order.market, &plan)?;
    check_dust(book, before.size, plan.taker_after.size, terms.mark)?;
    Ok(LegFill {
        before,
        amount,
        plan,
    })
}

fn check_size(order: &Order, held: Lots, intent: Intent) -> Result<(), RiskError> {
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

/// Open interest may grow only up to the market's cap (3.4).
fn check_open_interest(market: &MarketTerms, plan: &FillPlan) -> Result<(), RiskError> {
    let long = market
        .open_interest_long
        .saturating_add_signed(plan.open_interest_change_long);
    let grows = plan.open_interest_change_long > 0;
    if grows && long > market.open_interest_cap {
        return Err(RiskError::OpenInterestCap {
            open_interest: long,
            cap: market.open_interest_cap,
        });
    }
    Ok(())
}

/// A leg that is opened or grown ends worth at least `min_notional` (1.7).
fn check_dust<B: Book>(
    book: &B,
    before: Lots,
    after: Lots,
    mark: crate::units::Price,
) -> Result<(), RiskError> {
    let grows = after.0.unsigned_abs() > before.0.unsigned_abs();
    let notional = crate::num::value_ceil(Lots(after.0.saturating_abs()), mark);
    let least = book.group().min_notional;
    if grows && notional < least {
        return Err(RiskError::BelowMinNotional { notional, least });
    }
    Ok(())
}

/// Initial at the end, with prices fit to increase exposure and within the account's limits.
fn judge_open<B: Book, A: Legs>(
    book: &B,
    after: &A,
    scratch: &mut Scratch<'_>,
) -> Result<Health, RiskError> {
    let exposed = exposed_assets(book, after);
    require_prices_of(book, exposed, Action::Increase, |quality| {
        quality.max_age_margin_s
    })?;
    check_asset_count(after, exposed)?;

    let initial = margin::initial(book, after, InitialTerms::COUNTED, scratch);
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
    Ok(initial)
}

/// Initial at the end, or the reduction rule of 5.7: what that needs besides is judged only when it
/// decides. Prices of other assets block no exit.
fn judge_close<B: Book, T: Legs, A: Legs>(
    book: &B,
    before: &T,
    after: &A,
    fees: Atoms,
    scratch: &mut Scratch<'_>,
) -> Result<Health, RiskError> {
    let initial = margin::initial(book, after, InitialTerms::COUNTED, scratch);
    if initial.health().0 >= 0 {
        return Ok(initial);
    }

    let after = margin::both(book, after, InitialTerms::COUNTED, scratch);
    let before = margin::both(book, before, InitialTerms::COUNTED, scratch);
    is_risk_reducing(&before, &after, Reduction { fees })?;
    Ok(initial)
}

/// The pool's side (10.2): what opens leaves it at Initial with its own factor, on fresh prices, and
/// every touched asset within its cap; what closes leaves it at Maintenance.
fn judge_pool<B: Book, A: Legs>(
    book: &B,
    after: &A,
    orders: &[Order],
    terms: OrderTerms,
    scratch: &mut Scratch<'_>,
) -> Result<(), RiskError> {
    let health = match terms.intent {
        Intent::Open => {
            require_prices(book, after, Action::Reduce, |quality| {
                quality.max_age_margin_s
            })?;
            check_asset_caps(book, after, orders, terms.pool)?;
            let initial = InitialTerms {
                factor: Some(terms.pool.factor),
                ..InitialTerms::COUNTED
            };
            margin::initial(book, after, initial, scratch)
        }
        Intent::Close => margin::maintenance(book, after, scratch),
    };
    if health.health().0 < 0 {
        return Err(RiskError::PoolBelowMargin {
            equity: health.equity,
            requirement: health.requirement,
        });
    }
    Ok(())
}

fn check_asset_caps<B: Book, A: Legs>(
    book: &B,
    after: &A,
    orders: &[Order],
    pool: PoolTerms,
) -> Result<(), RiskError> {
    for order in orders {
        let asset = book.instrument(order.instrument).asset;
        let net = margin::net_value(book, after, asset);
        if net.0.saturating_abs() > pool.asset_cap.0 {
            return Err(RiskError::PoolAssetCap {
                net,
                cap: pool.asset_cap,
            });
        }
    }
    Ok(())
}

fn position_at<L: Legs>(legs: &L, slot: usize, instrument: u8) -> PositionLeg {
    legs.position(slot).unwrap_or(PositionLeg {
        instrument,
        size: Lots(0),
        quote: Atoms(0),
    })
}
