//! `exit_position`: a close that the pool cannot take, at the mark less the fee, against the other side
//! of the market (margin-spec 10.2, 8.5).

use anchor_lang::prelude::*;
use keel_risk::{AuctionClock, ExitPlan, InitialTerms, Lots, Order, Parties, plan_exit};
use keel_state::{BookView, MarginAccount, MarginKind, Market, Pool, RiskBook, Workspace};

use crate::errors::{KeelError, Merits};
use crate::events::Exited;
use crate::instructions::order::OrderLeg;
use crate::load::{self, MarginRefMut};

#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct ExitArgs {
    /// Lots against the position held, as a close's, and the worst price.
    pub leg: OrderLeg,
    /// Last second at which the order may execute.
    pub valid_until: i64,
    /// The margin account's `seq` that the trader saw, when he wants it compared.
    pub expected_seq: Option<u64>,
    /// Repeated in the event.
    pub client_id: u64,
}

#[derive(Accounts)]
pub struct ExitPosition<'info> {
    pub owner: Signer<'info>,
    #[account(mut)]
    pub risk_book: AccountLoader<'info, RiskBook>,
    #[account(mut, has_one = owner @ KeelError::NotOwner)]
    pub margin: AccountLoader<'info, MarginAccount>,
    #[account(constraint = pool.load()?.margin == pool_margin.key() @ KeelError::WrongPoolMargin)]
    pub pool: AccountLoader<'info, Pool>,
    #[account(mut)]
    pub pool_margin: AccountLoader<'info, MarginAccount>,
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
}

impl ExitPosition<'_> {
    /// Checked in the attributes: owner (signer, the margin account's), pool_margin (the pool's), every
    /// loader's owner and discriminator. Here: a trader's account, hence not the pool's; the market's
    /// group. In `load`: the margin accounts' groups.
    fn validate(&self, args: &ExitArgs, now: i64) -> Result<()> {
        require!(now <= args.valid_until, KeelError::OrderExpired);
        let account = self.margin.load()?;
        require!(
            account.kind == MarginKind::Trader as u8,
            KeelError::NotATrader
        );
        if let Some(expected) = args.expected_seq {
            require_eq!(account.seq, expected, KeelError::SequenceChanged);
        }
        let group = self.risk_book.load()?.group;
        require_keys_eq!(self.market.load()?.group, group, KeelError::OtherGroup);
        Ok(())
    }
}

pub fn handler(ctx: Context<ExitPosition>, args: ExitArgs) -> Result<()> {
    let accounts = &ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(&args, now)?;
    let mut market = accounts.market.load_mut()?;

    // The other side's keep and carry are published before anything else is seen through them.
    let event = close(accounts, &args, &mut market, now)?;
    let mut book = accounts.risk_book.load_mut()?;
    book.publish_market(market.index, &market.ledger());
    drop(book);
    let book = accounts.risk_book.load()?;
    let mut pool = load::margin_mut(&accounts.pool_margin, &book)?;
    pool.touch_either(&mut market, now);

    market.invariant().map_err(KeelError::from)?;
    emit!(event);
    Ok(())
}

/// Plans the close and applies it to the trader and the market.
fn close(
    accounts: &ExitPosition,
    args: &ExitArgs,
    market: &mut Market,
    now: i64,
) -> Result<Exited> {
    let book = accounts.risk_book.load()?;
    let mut taker = load::margin_mut(&accounts.margin, &book)?;
    let mut maker = load::margin_mut(&accounts.pool_margin, &book)?;
    let view = BookView::new(&book, now);
    taker.touch_either(market, now);
    maker.touch_either(market, now);
    let order = order(args, market, (&taker, &maker), &view)?;
    let mut workspace = Workspace::for_account(&maker.view());

    let terms = InitialTerms::COUNTED;
    let health_before = load::health_before(&view, &taker, terms, &mut workspace);
    let plan = plan_exit(
        &view,
        &Parties {
            taker: &taker.view(),
            maker: &maker.view(),
        },
        &order,
        (&market.ledger(), accounts.pool.load()?.terms()),
        &mut workspace.scratch(),
    )
    .merits()?;

    taker.edit().apply_exit(order.taker_slot, &plan);
    if plan.maintained {
        taker.edit().apply_clock(AuctionClock::STOPPED);
    }
    market.apply_exit(&plan);
    Ok(event(
        accounts,
        args,
        &plan,
        (&view, market.index),
        (taker.account().seq, health_before),
    ))
}

/// What the plan needs of the leg; a pool that holds nothing could take it over in a slot of its own.
fn order(
    args: &ExitArgs,
    market: &Market,
    (taker, maker): (&MarginRefMut, &MarginRefMut),
    view: &BookView,
) -> Result<Order> {
    let free = KeelError::NoFreePositionSlot;
    Ok(Order {
        instrument: market.index,
        size: Lots(args.leg.size),
        limit_price: args.leg.limit_price,
        taker_slot: (taker.view().held_slot(market.index)).ok_or(KeelError::NotReducing)?,
        maker_slot: (maker.view().position_slot(market.index, |_| true)).ok_or(free)?,
        referred: false,
        market: market.terms(view),
    })
}

fn event(
    accounts: &ExitPosition,
    args: &ExitArgs,
    plan: &ExitPlan,
    (view, instrument): (&BookView, u8),
    (seq, health_before): (u64, i64),
) -> Exited {
    let asset = view.asset_entry_of(instrument);
    Exited {
        margin: accounts.margin.key(),
        market: accounts.market.key(),
        seq,
        client_id: args.client_id,
        size: plan.size.0,
        amount: plan.amount.0,
        fee: plan.fee.0,
        price: asset.lot_price,
        price_conf: asset.conf,
        price_age_s: view.age_s(asset),
        size_before: plan.before.size.0,
        size_after: plan.after.size.0,
        quote_before: plan.before.quote.0,
        quote_after: plan.after.quote.0,
        health_before,
        health_initial: plan.initial.health().0,
        opposite_keep: plan.opposite.keep.keep.0,
        opposite_epoch: plan.opposite.keep.epoch,
    }
}
