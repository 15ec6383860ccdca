//! `open_position` and `close_position`: one or more fills against the pool, judged once, at the end.

use anchor_lang::prelude::*;
use keel_risk::{
    Amended, AuctionClock, Authority, Health, InitialTerms, Intent, LegFill, Lots, Order,
    OrderBuffers, OrderOutcome, OrderTerms, Parties, PositionLeg, Scratch, Spent, plan_delegated,
    plan_order,
};
use keel_state::{BookView, MarginAccount, MarginKind, Market, Pool, RiskBook, Workspace};

use crate::errors::{KeelError, Merits};
use crate::events::Filled;
use crate::load::{self, MarginRefMut};

/// Most legs of one order.
pub const MAX_LEGS: usize = 8;

/// One leg; its market is the remaining account at the same place.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct OrderLeg {
    /// Lots; positive buys.
    pub size: i64,
    /// Worst price per lot, a mantissa of the asset's lot shift.
    pub limit_price: u64,
}

#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct OrderArgs {
    pub legs: Vec<OrderLeg>,
    /// Last second at which the order may execute.
    pub valid_until: i64,
    /// The margin account's `seq` that the trader saw, when he wants it compared.
    pub expected_seq: Option<u64>,
    /// Repeated in the events.
    pub client_id: u64,
    /// Whether the events say the Initial health before the order too: one more judgement, some 10,000
    /// units.
    pub health_before: bool,
}

#[derive(Accounts)]
pub struct Trade<'info> {
    /// The margin account's owner or delegate.
    pub authority: Signer<'info>,
    pub risk_book: AccountLoader<'info, RiskBook>,
    #[account(mut)]
    pub margin: AccountLoader<'info, MarginAccount>,
    #[account(constraint = pool.load()?.margin == pool_margin.key() @ KeelError::WrongPoolMargin)]
    pub pool: AccountLoader<'info, Pool>,
    #[account(mut)]
    pub pool_margin: AccountLoader<'info, MarginAccount>,
    /// Given to pay whoever referred the trader his part of the fee.
    #[account(mut)]
    pub referrer: Option<AccountLoader<'info, MarginAccount>>,
    // Remaining accounts: one writable market per leg.
}

impl Trade<'_> {
    /// Checked in the attributes: authority (signer), risk_book, pool_margin (the pool's). Here: the
    /// authority is the owner or the delegate, and as which it signs; taker, maker and referrer differ
    /// (Anchor's duplicate check skips loaders), the referrer is the margin account's. In `load`: groups
    /// and markets.
    fn validate(&self, args: &OrderArgs, now: i64) -> Result<Authority> {
        let account = self.margin.load()?;
        let authority = account
            .authority_of(self.authority.key)
            .ok_or(KeelError::NotOwner)?;
        let (taker, maker) = (self.margin.key(), self.pool_margin.key());
        require_keys_neq!(taker, maker, KeelError::SameAccount);
        require!(
            (1..=MAX_LEGS).contains(&args.legs.len()),
            KeelError::WrongLegCount
        );
        require!(now <= args.valid_until, KeelError::OrderExpired);
        require!(
            account.kind == MarginKind::Trader as u8,
            KeelError::NotATrader
        );
        if let Some(expected) = args.expected_seq {
            require_eq!(account.seq, expected, KeelError::SequenceChanged);
        }
        if let Some(referrer) = &self.referrer {
            let key = referrer.key();
            require_keys_eq!(key, account.referrer, KeelError::WrongReferrer);
            require_keys_neq!(key, taker, KeelError::SameAccount);
            require_keys_neq!(key, maker, KeelError::SameAccount);
        }
        Ok(authority)
    }
}

pub fn handler<'info>(
    ctx: Context<'info, Trade<'info>>,
    args: OrderArgs,
    intent: Intent,
) -> Result<()> {
    let accounts = &ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    let authority = accounts.validate(&args, now)?;
    let book = accounts.risk_book.load()?;
    let mut sides = Sides::load(accounts, &book)?;
    let markets = load::markets(ctx.remaining_accounts, &book, args.legs.len())?;

    let view = BookView::new(&book, now);
    let orders = sides.orders(&args, intent, &markets, &view)?;
    let mut legs = Legs::for_orders(&orders);
    let mut workspace = Workspace::for_account(&sides.maker.view());

    let health_before = args
        .health_before
        .then(|| load::health_before(&view, &sides.taker, InitialTerms::COUNTED, &mut workspace));
    let outcome = plan_order(
        &view,
        &Parties {
            taker: &sides.taker.view(),
            maker: &sides.maker.view(),
        },
        &orders,
        OrderTerms {
            intent,
            authority,
            pool: accounts.pool.load()?.terms(),
        },
        &mut legs.buffers(),
        &mut workspace.scratch(),
    )
    .merits()?;
    let scratch = &mut workspace.scratch();
    let spent = spend(authority, &view, &sides.taker, &legs, scratch)?;

    sides.apply(&legs, &outcome);
    if let Some(spent) = spent {
        sides.taker.edit().account().apply_spent(spent);
    }
    for (market, (order, fill)) in markets.iter().zip(orders.iter().zip(&legs.fills)) {
        let mut market = market.load_mut()?;
        market.apply_leg(fill, order.size, now);
        market.invariant().map_err(KeelError::from)?;
    }

    let report = Report {
        accounts,
        client_id: args.client_id,
        seq: sides.taker.account().seq,
        initial: (health_before, outcome.taker_initial),
    };
    for ((order, fill), market) in orders.iter().zip(&legs.fills).zip(&markets) {
        report.emit(order, fill, market.key(), &view);
    }
    Ok(())
}

/// What the order leaves of a delegate's budget, judged by his grant (margin-spec 11); nothing changes
/// for the owner's.
#[inline(never)]
fn spend(
    authority: Authority,
    view: &BookView,
    taker: &MarginRefMut,
    legs: &Legs,
    scratch: &mut Scratch,
) -> Result<Option<Spent>> {
    if authority == Authority::Owner {
        return Ok(None);
    }
    let base = taker.view();
    let after = Amended {
        base: &base,
        balances: &[],
        positions: &legs.taker,
    };
    let (grant, fills) = (taker.account().grant(), &legs.fills);
    let spent = plan_delegated(view, &after, &grant, fills, view.now(), scratch);
    spent.merits().map(Some)
}

/// Where the plan is written: one entry per leg.
struct Legs {
    fills: Vec<LegFill>,
    taker: Vec<(usize, PositionLeg)>,
    maker: Vec<(usize, PositionLeg)>,
}

impl Legs {
    fn for_orders(orders: &[Order]) -> Self {
        Self {
            fills: vec![LegFill::EMPTY; orders.len()],
            taker: vec![(0, PositionLeg::EMPTY); orders.len()],
            maker: vec![(0, PositionLeg::EMPTY); orders.len()],
        }
    }

    fn buffers(&mut self) -> OrderBuffers<'_> {
        OrderBuffers {
            fills: &mut self.fills,
            taker: &mut self.taker,
            maker: &mut self.maker,
        }
    }
}

/// The accounts whose positions an order changes.
struct Sides<'a> {
    taker: MarginRefMut<'a>,
    maker: MarginRefMut<'a>,
    referrer: Option<MarginRefMut<'a>>,
    /// Where the referrer's part of each leg's fee goes, and its instrument.
    referrals: Vec<(usize, u8)>,
}

impl<'a> Sides<'a> {
    fn load(accounts: &'a Trade<'_>, book: &'a RiskBook) -> Result<Self> {
        Ok(Self {
            taker: load::margin_mut(&accounts.margin, book)?,
            maker: load::margin_mut(&accounts.pool_margin, book)?,
            referrer: match &accounts.referrer {
                Some(referrer) => Some(load::margin_mut(referrer, book)?),
                None => None,
            },
            referrals: Vec::new(),
        })
    }

    /// What the pure plan needs of each leg: its market's terms and where both sides hold it, brought
    /// up to date. An isolated account opens nothing outside its markets.
    fn orders(
        &mut self,
        args: &OrderArgs,
        intent: Intent,
        markets: &[AccountLoader<Market>],
        view: &BookView,
    ) -> Result<Vec<Order>> {
        let mut orders: Vec<Order> = Vec::with_capacity(args.legs.len());
        for (leg, market) in args.legs.iter().zip(markets) {
            let mut market = market.load_mut()?;
            let index = market.index;
            require!(
                intent == Intent::Close || self.taker.account().may_hold(index),
                KeelError::NotInMarkets
            );
            let free = |slot| orders.iter().all(|order: &Order| order.taker_slot != slot);
            let taker_slot = self.taker.view().position_slot(index, free);
            let taker_slot = taker_slot.ok_or(KeelError::NoFreePositionSlot)?;
            let free = |slot| orders.iter().all(|order: &Order| order.maker_slot != slot);
            let maker_slot = self.maker.view().position_slot(index, free);
            let maker_slot = maker_slot.ok_or(KeelError::NoFreePositionSlot)?;

            self.taker.edit().touch(taker_slot, &mut market);
            let maker = self.maker.edit();
            maker.touch_pool(maker_slot, &mut market, view.now());
            orders.push(Order {
                instrument: index,
                size: Lots(leg.size),
                limit_price: leg.limit_price,
                taker_slot,
                maker_slot,
                referred: self.refer(&mut market),
                market: market.terms(view),
            });
        }
        Ok(orders)
    }

    /// Whether a referrer is there and has a slot for a market's quote; without one the market keeps
    /// his part.
    fn refer(&mut self, market: &mut Market) -> bool {
        let Some(referrer) = &mut self.referrer else {
            return false;
        };
        let referrals = &self.referrals;
        let slot = referrer.view().referral_slot(market.index, |slot| {
            referrals.iter().all(|(taken, _)| *taken != slot)
        });
        if let Some(slot) = slot {
            referrer.edit().touch(slot, market);
            self.referrals.push((slot, market.index));
        }
        slot.is_some()
    }

    fn apply(&mut self, legs: &Legs, outcome: &OrderOutcome) {
        self.taker.edit().apply_positions(&legs.taker);
        self.maker.edit().apply_positions(&legs.maker);
        if outcome.taker_maintained {
            self.taker.edit().apply_clock(AuctionClock::STOPPED);
        }
        if outcome.maker_maintained {
            self.maker.edit().apply_clock(AuctionClock::STOPPED);
        }
        let Some(referrer) = &mut self.referrer else {
            return;
        };
        for (slot, instrument) in &self.referrals {
            let leg = legs
                .taker
                .iter()
                .position(|(_, leg)| leg.instrument == *instrument);
            if let Some(fill) = leg.and_then(|leg| legs.fills.get(leg)) {
                let referral = fill.fees.referral;
                referrer.edit().apply_referral(*slot, *instrument, referral);
            }
        }
    }
}

/// What all of an order's events have in common.
struct Report<'a, 'info> {
    accounts: &'a Trade<'info>,
    client_id: u64,
    seq: u64,
    /// Health before, where it was asked for, and the figures after.
    initial: (Option<i64>, Health),
}

impl Report<'_, '_> {
    /// One event per leg.
    fn emit(&self, order: &Order, fill: &LegFill, market: Pubkey, view: &BookView) {
        let asset = view.asset_entry_of(order.instrument);
        emit!(Filled {
            taker: self.accounts.margin.key(),
            maker: self.accounts.pool_margin.key(),
            market,
            taker_seq: self.seq,
            client_id: self.client_id,
            size: order.size.0,
            amount: fill.amount.0,
            impact: fill.impact.0,
            fee_maker: fill.fees.maker.0,
            fee_referral: fill.fees.referral.0,
            fee_market: fill.fees.market.0,
            price: asset.lot_price,
            price_conf: asset.conf,
            price_age_s: view.age_s(asset),
            size_before: fill.before.size.0,
            size_after: fill.plan.taker_after.size.0,
            quote_before: fill.before.quote.0,
            quote_after: fill.plan.taker_after.quote.0,
            health_before: self.initial.0,
            health_initial: self.initial.1.health().0,
        });
    }
}
