//! `take_strays`: the market's pool takes lots that rounding of deleveragings left without a holder
//! (margin-spec 8.5).

use anchor_lang::prelude::*;
use keel_risk::{Legs, PositionLeg, RiskError, plan_take_strays};
use keel_state::{MarginAccount, Market, Pool, RiskBook};

use crate::errors::{KeelError, Merits};
use crate::events::StraysTaken;
use crate::load;

#[derive(Accounts)]
pub struct TakeStrays<'info> {
    pub risk_book: AccountLoader<'info, RiskBook>,
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    #[account(constraint = pool.load()?.margin == pool_margin.key() @ KeelError::WrongPoolMargin)]
    pub pool: AccountLoader<'info, Pool>,
    #[account(mut)]
    pub pool_margin: AccountLoader<'info, MarginAccount>,
}

impl TakeStrays<'_> {
    /// Checked in the attributes: every loader's owner and discriminator, pool_margin (the pool's). Here:
    /// market and pool of the group, the pool the market's own. In `load`: the margin account's group.
    /// Anyone may call.
    fn validate(&self, book: &RiskBook) -> Result<()> {
        let (market, pool) = (self.market.load()?, self.pool.load()?);
        require_keys_eq!(market.group, book.group, KeelError::OtherGroup);
        require_keys_eq!(pool.group, book.group, KeelError::OtherGroup);
        require_eq!(pool.id, market.backstop_pool, KeelError::WrongBackstopPool);
        Ok(())
    }
}

pub fn handler(ctx: Context<TakeStrays>) -> Result<()> {
    let accounts = &ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    let book = accounts.risk_book.load()?;
    accounts.validate(&book)?;
    let mut market = accounts.market.load_mut()?;
    let mut pool = load::margin_mut(&accounts.pool_margin, &book)?;
    pool.touch_either(&mut market, now);
    let slot = pool
        .view()
        .position_slot(market.index, |_| true)
        .ok_or(KeelError::NoFreePositionSlot)?;
    let mut event = StraysTaken {
        pool: accounts.pool.key(),
        market: accounts.market.key(),
        long: 0,
        short: 0,
        quote: 0,
    };

    for long in [true, false] {
        let held = pool.view().position(slot).unwrap_or(PositionLeg {
            instrument: market.index,
            ..PositionLeg::EMPTY
        });
        let plan = match plan_take_strays(&market.ledger(), held, long) {
            Err(RiskError::NothingToLiquidate) => continue,
            plan => plan.merits()?,
        };
        let lots = plan.after.size.0 - held.size.0;
        pool.edit().apply_strays(slot, &plan);
        market.apply_strays(lots, &plan, now);
        event.long += lots.max(0);
        event.short += lots.min(0);
        event.quote -= plan.market.long.stray_quote + plan.market.short.stray_quote;
    }
    let none = event.long == 0 && event.short == 0;
    require!(!none, KeelError::NothingToLiquidate);

    market.invariant().map_err(KeelError::from)?;
    emit!(event);
    Ok(())
}
