//! `deleverage`: what nobody bid for goes to the pool, and where it cannot, is closed against the other
//! side of the market; a pool below Maintenance is closed against it too (margin-spec 8.5, 10.3).

use anchor_lang::prelude::*;
use keel_risk::{
    Endangered, Legs, Lots, UnwindPlan, UnwindStep, UnwindTerms, plan_halt, plan_recovery,
    plan_unwind, plan_unwind_pool,
};
use keel_state::{BookView, MarginAccount, MarginKind, Market, Pool, RiskBook, Workspace};

use crate::errors::{KeelError, Merits};
use crate::events::{AuctionClockSet, Deleveraged};
use crate::load::{self, MarginRefMut};

#[derive(Accounts)]
pub struct Deleverage<'info> {
    #[account(mut)]
    pub risk_book: AccountLoader<'info, RiskBook>,
    /// The trader's account; none where the pool's own is unwound.
    #[account(mut)]
    pub margin: Option<AccountLoader<'info, MarginAccount>>,
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    #[account(constraint = pool.load()?.margin == pool_margin.key() @ KeelError::WrongPoolMargin)]
    pub pool: AccountLoader<'info, Pool>,
    #[account(mut)]
    pub pool_margin: AccountLoader<'info, MarginAccount>,
}

impl Deleverage<'_> {
    /// Checked in the attributes: every loader's owner and discriminator, pool_margin (the pool's). Here:
    /// market and pool of the group; with a trader's account, hence not the pool's, the market's own
    /// pool. In `load`: the margin accounts' groups. Anyone may call.
    fn validate(&self, book: &RiskBook) -> Result<()> {
        let (market, pool) = (self.market.load()?, self.pool.load()?);
        require_keys_eq!(market.group, book.group, KeelError::OtherGroup);
        require_keys_eq!(pool.group, book.group, KeelError::OtherGroup);
        if let Some(margin) = &self.margin {
            let kind = margin.load()?.kind;
            require!(kind == MarginKind::Trader as u8, KeelError::NotATrader);
            require_eq!(pool.id, market.backstop_pool, KeelError::WrongBackstopPool);
        }
        Ok(())
    }
}

pub fn handler(ctx: Context<Deleverage>, max_size: u64) -> Result<()> {
    let accounts = &ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    let book = accounts.risk_book.load()?;
    accounts.validate(&book)?;
    let mut market = accounts.market.load_mut()?;

    let max_size = Lots(i64::try_from(max_size).unwrap_or(i64::MAX));
    if recovered(accounts, (&book, now))? {
        return Ok(());
    }
    let event = unwind(accounts, (&book, now), &mut market, max_size)?;
    drop(book);

    // The other side is seen through its keep and carry of now before anything else is.
    let mut book = accounts.risk_book.load_mut()?;
    book.publish_market(market.index, &market.ledger());
    drop(book);
    let book = accounts.risk_book.load()?;
    load::margin_mut(&accounts.pool_margin, &book)?.touch_either(&mut market, now);

    market.invariant().map_err(KeelError::from)?;
    emit!(event);
    Ok(())
}

/// Ends the unwinding of a pool that is found at Initial while its clock runs (10.3).
#[inline(never)]
fn recovered(accounts: &Deleverage, (book, now): (&RiskBook, i64)) -> Result<bool> {
    if accounts.margin.is_some() {
        return Ok(false);
    }
    let mut pool = load::margin_mut(&accounts.pool_margin, book)?;
    let view = BookView::new(book, now);
    let clock = pool.account().auction_clock();
    let mut workspace = Workspace::for_account(&pool.view());
    let scratch = &mut workspace.scratch();
    let Some(plan) = plan_recovery(&view, &pool.view(), clock, scratch).merits()? else {
        return Ok(false);
    };

    pool.edit().apply_clock(plan.after);

    emit!(AuctionClockSet {
        account: accounts.pool_margin.key(),
        started: plan.after.started,
        health: plan.maintenance.health().0,
        requirement: plan.maintenance.requirement.0,
        net_asset_value: plan.net_asset_value.0,
        deficit_found_at: pool.account().deficit_found_at,
    });
    Ok(true)
}

/// Plans the call and applies it to the margin accounts and the market.
#[inline(never)]
fn unwind(
    accounts: &Deleverage,
    (book, now): (&RiskBook, i64),
    market: &mut Market,
    max_size: Lots,
) -> Result<Deleveraged> {
    let mut pool = load::margin_mut(&accounts.pool_margin, book)?;
    pool.touch_either(market, now);
    let view = BookView::new(book, now);

    let Some(margin) = &accounts.margin else {
        let terms = terms(&pool, market, (book, &view), max_size)?;
        let plan = plan_of_pool(&view, &pool, &terms)?;
        let event = event(accounts, &plan, (&pool, &terms), (&view, market));
        halt(&mut pool, market, (&plan, &view), now);
        pool.edit().apply_unwinding(terms.slot, &plan);
        market.apply_unwinding(&plan.step, true, now);
        return Ok(event);
    };
    let mut account = load::margin_mut(margin, book)?;
    account.touch_either(market, now);
    let terms = terms(&account, market, (book, &view), max_size)?;
    let plan = plan_of_trader(&view, (&account, &pool), market.index, &terms)?;
    let event = event(accounts, &plan, (&account, &terms), (&view, market));
    halt(&mut account, market, (&plan, &view), now);
    account.edit().apply_unwinding(terms.slot, &plan);
    if let UnwindStep::Pool(taken) = &plan.step {
        pool.edit().apply_taking(&taken.liquidator);
    }
    market.apply_unwinding(&plan.step, false, now);
    Ok(event)
}

/// Against a trader. The plan is large, so it goes to the heap.
#[inline(never)]
fn plan_of_trader(
    view: &BookView,
    (account, pool): (&MarginRefMut, &MarginRefMut),
    market: u8,
    terms: &UnwindTerms,
) -> Result<Box<UnwindPlan>> {
    let slot = pool.view().position_slot(market, |_| true);
    let slot = slot.ok_or(KeelError::NoFreePositionSlot)?;
    let mut workspace = Workspace::for_account(&pool.view());
    let parties = (&account.view(), &pool.view());
    let plan = plan_unwind(view, parties, slot, terms, &mut workspace.scratch());
    plan.map(Box::new).merits()
}

/// Against a pool.
#[inline(never)]
fn plan_of_pool(
    view: &BookView,
    pool: &MarginRefMut,
    terms: &UnwindTerms,
) -> Result<Box<UnwindPlan>> {
    let mut workspace = Workspace::for_account(&pool.view());
    let plan = plan_unwind_pool(view, &pool.view(), terms, &mut workspace.scratch());
    plan.map(Box::new).merits()
}

/// Stops settlement in the market where the account's deficit is large (8.6).
#[inline(never)]
fn halt(
    account: &mut MarginRefMut,
    market: &mut Market,
    (plan, view): (&UnwindPlan, &BookView),
    now: i64,
) {
    let deficit = account.account().deficit(plan.net_asset_value, now);
    let ledger = Endangered::Market {
        instrument: market.index,
        deposits: view.quote_deposits(),
    };
    if let Some(halt) = plan_halt(view, &account.view(), deficit, ledger) {
        account.edit().apply_halt(halt);
        market.apply_halt(halt);
    }
}

fn terms(
    account: &MarginRefMut,
    market: &Market,
    (book, view): (&RiskBook, &BookView),
    max_size: Lots,
) -> Result<UnwindTerms> {
    let slot = account.view().held_slot(market.index);
    Ok(UnwindTerms {
        slot: slot.ok_or(KeelError::NothingToLiquidate)?,
        max_size,
        ledger: market.ledger(),
        clock: account.account().auction_clock(),
        live_time: book.live_time,
        liquidation: view.liquidation_terms(),
    })
}

/// The event of a call that is not applied yet.
#[inline(never)]
fn event(
    accounts: &Deleverage,
    plan: &UnwindPlan,
    (account, terms): (&MarginRefMut, &UnwindTerms),
    (view, market): (&BookView, &Market),
) -> Deleveraged {
    let before = account
        .view()
        .position(terms.slot)
        .unwrap_or(keel_risk::PositionLeg::EMPTY);
    let asset = view.asset_entry_of(market.index);
    let (size, after, penalties, opposite) = match &plan.step {
        UnwindStep::Pool(plan) => (
            plan.size,
            plan.account
                .positions
                .first()
                .map_or(before, |(_, leg)| leg),
            (plan.penalty_liquidator.0, plan.penalty_insurance.0),
            terms.ledger.side(before.size.opposite()).keep,
        ),
        UnwindStep::Side(plan) => (plan.size, plan.after, (0, 0), plan.opposite.keep),
    };
    let kind = match (&plan.step, &accounts.margin) {
        (UnwindStep::Pool(_), _) => 0,
        (UnwindStep::Side(_), Some(_)) => 1,
        (UnwindStep::Side(_), None) => 2,
    };
    let margin = accounts.margin.as_ref().unwrap_or(&accounts.pool_margin);
    Deleveraged {
        account: margin.key(),
        market: accounts.market.key(),
        account_seq: account.account().seq + 1,
        kind,
        size: size.0,
        net_asset_value: plan.net_asset_value.0,
        quote_change: after.quote.0 - before.quote.0,
        penalty_pool: penalties.0,
        penalty_insurance: penalties.1,
        opposite_keep: opposite.keep.0,
        opposite_epoch: opposite.epoch,
        price: asset.lot_price,
        price_age_s: view.age_s(asset),
        health_before: plan.before.health().0,
        health_after: plan.after.health().0,
    }
}
