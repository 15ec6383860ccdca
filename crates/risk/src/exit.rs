//! The exit that stays open when the pool cannot take a close (margin-spec 10.2): at the mark, less the
//! fee, against the other side of the market, as a deleveraging (8.5).

use crate::book::{Amended, Book, Legs, PositionLeg};
use crate::carry::SideTerms;
use crate::error::RiskError;
use crate::failure::{DeleverageTerms, plan_deleverage};
use crate::fill::check_limit;
use crate::fitness::{fill_distance, unfit};
use crate::ledger::{MarketChange, MarketLedger};
use crate::margin::{Health, Scratch};
use crate::num::value_ceil;
use crate::order::{
    Authority, Intent, LegFill, Order, OrderBuffers, OrderTerms, Parties, judge_close, plan_order,
    position_at,
};
use crate::pool::PoolTerms;
use crate::price::Action;
use crate::quote::split_fee;
use crate::units::{Atoms, Lots, Ppm};

/// A close that the other side of the market took, ready to be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitPlan {
    pub before: PositionLeg,
    pub after: PositionLeg,
    /// Lots as an order's: negative sells. At most as many as asked.
    pub size: Lots,
    /// What the trader paid at the mark, negative when he received.
    pub amount: Atoms,
    /// What he paid besides, all of it the market's.
    pub fee: Atoms,
    /// The side that was shrunk, as it is now; also in `market`.
    pub opposite: SideTerms,
    pub market: MarketChange,
    pub initial: Health,
    /// Whether he was found at or above Maintenance.
    pub maintained: bool,
}

/// Plans a close of one leg against the other side (10.2).
///
/// Only where [`plan_order`] refuses the close because the pool would end below its margin, whatever
/// the limit price: else `PoolTakesIt`, or that refusal. The price is the mark: refused beyond the
/// limit price (`BeyondLimit`), and where a close is open at a bound alone (`PriceUnfit`). Amount, fee
/// and the other side's carry round against who gains, as in [`plan_deleverage`]; at most as much is
/// closed as leaves the other side a lot. The trader ends at Initial or has reduced risk (5.7). Errors
/// besides: those of [`plan_deleverage`], `NotRiskReducing`.
pub fn plan_exit<B: Book, T: Legs, M: Legs>(
    book: &B,
    parties: &Parties<'_, T, M>,
    order: &Order,
    (ledger, pool): (&MarketLedger, PoolTerms),
    scratch: &mut Scratch<'_>,
) -> Result<ExitPlan, RiskError> {
    refused_by_pool(book, parties, order, pool, scratch)?;
    let terms = book.instrument(order.instrument);
    let quality = book.quality(terms.asset);
    let asked = (Action::Reduce, order.size.0 > 0);
    let bound = fill_distance(terms.asset, &quality, asked, order.market.max_age_fill_s)?;
    if bound.0 != 0 {
        return Err(unfit(terms.asset, &quality));
    }

    let before = position_at(parties.taker, order.taker_slot, order.instrument);
    let asked = DeleverageTerms {
        leg: before,
        max_size: Lots(order.size.0.saturating_abs()),
        mark: terms.mark,
        equity: Atoms(0),
        share: Ppm(0),
    };
    let plan = plan_deleverage(ledger, &asked)?;
    let size = plan.size.opposite();
    // The deleveraging's own amount, which it floors for the account.
    let amount = value_ceil(size, terms.mark);
    check_limit(size, amount, terms.mark, order.limit_price)?;

    let fee = split_fee(amount, &order.market, false).total();
    let quote = plan.after.quote.0.checked_sub(fee.0);
    let after = PositionLeg {
        quote: Atoms(quote.ok_or(RiskError::TooLarge)?),
        ..plan.after
    };
    let market = MarketChange {
        fees: plan.market.fees.saturating_add(fee.0),
        quotes: plan.market.quotes.saturating_sub(fee.0),
        ..plan.market
    };

    let changed = [(order.taker_slot, after)];
    let amended = Amended {
        base: parties.taker,
        balances: &[],
        positions: &changed,
    };
    let (initial, maintained) = judge_close(book, parties.taker, &amended, fee, scratch)?;
    Ok(ExitPlan {
        before,
        after,
        size,
        amount,
        fee,
        opposite: plan.opposite,
        market,
        initial,
        maintained,
    })
}

/// The ordinary close, which must fail for the pool's margin alone.
#[inline(never)]
fn refused_by_pool<B: Book, T: Legs, M: Legs>(
    book: &B,
    parties: &Parties<'_, T, M>,
    order: &Order,
    pool: PoolTerms,
    scratch: &mut Scratch<'_>,
) -> Result<(), RiskError> {
    let at_any_price = Order {
        limit_price: if order.size.0 > 0 { u64::MAX } else { 0 },
        ..*order
    };
    let terms = OrderTerms {
        intent: Intent::Close,
        authority: Authority::Owner,
        pool,
    };
    let mut buffers = OrderBuffers {
        fills: &mut [LegFill::EMPTY],
        taker: &mut [(0, PositionLeg::EMPTY)],
        maker: &mut [(0, PositionLeg::EMPTY)],
    };
    match plan_order(book, parties, &[at_any_price], terms, &mut buffers, scratch) {
        Err(RiskError::PoolBelowMargin { .. }) => Ok(()),
        Err(other) => Err(other),
        Ok(_) => Err(RiskError::PoolTakesIt),
    }
}
