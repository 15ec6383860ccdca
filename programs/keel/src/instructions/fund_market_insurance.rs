//! `fund_market_insurance`: quote of a margin account given to what pays a market's losses.

use anchor_lang::prelude::*;
use keel_risk::{InitialTerms, plan_insure};
use keel_state::{BookView, MarginAccount, MarginKind, Market, RiskBook, Workspace};

use crate::errors::{KeelError, Merits};
use crate::events::{AssetPrice, MarketInsuranceFunded};
use crate::load;

/// Checked in the attributes: owner (signer, the margin account's), market (owner, discriminator). In
/// `load` and the handler: groups.
#[derive(Accounts)]
pub struct FundMarketInsurance<'info> {
    pub owner: Signer<'info>,
    pub risk_book: AccountLoader<'info, RiskBook>,
    #[account(mut, has_one = owner @ KeelError::NotOwner)]
    pub margin: AccountLoader<'info, MarginAccount>,
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
}

/// `amount` in atoms, out of the account's result in the market; it ends as after a withdrawal.
pub fn handler(ctx: Context<FundMarketInsurance>, amount: u64) -> Result<()> {
    let accounts = ctx.accounts;
    require!(amount > 0, KeelError::ZeroAmount);
    let now = Clock::get()?.unix_timestamp;
    let book = accounts.risk_book.load()?;
    let mut margin = load::margin_mut(&accounts.margin, &book)?;
    let mut market = accounts.market.load_mut()?;
    require_keys_eq!(market.group, book.group, KeelError::OtherGroup);
    require!(
        margin.account().kind == MarginKind::Trader as u8,
        KeelError::NotATrader
    );

    margin.touch(&mut market);
    let slot = margin
        .view()
        .position_slot(market.index, |_| true)
        .ok_or(KeelError::NoFreePositionSlot)?;
    let view = BookView::new(&book, now);
    let mut workspace = Workspace::for_account(&margin.view());
    let terms = InitialTerms::WITHDRAWAL;
    let health_before = load::health_before(&view, &margin, terms, &mut workspace);
    let plan = plan_insure(
        &view,
        &margin.view(),
        slot,
        market.index,
        amount,
        &mut workspace.scratch(),
    )
    .merits()?;

    let before = market.insurance;
    margin.edit().apply_insurance(&plan);
    margin.edit().note_deposit(|| plan.given());
    market.apply(&plan.market);

    market.invariant().map_err(KeelError::from)?;

    emit!(MarketInsuranceFunded {
        market: accounts.market.key(),
        margin: accounts.margin.key(),
        seq: margin.account().seq,
        amount,
        insurance_before: before,
        insurance_after: market.insurance,
        quote_before: plan.before.quote.0,
        quote_after: plan.after.quote.0,
        health_before,
        health_initial: plan.initial.health().0,
        price: AssetPrice::of(&view, market.asset),
    });
    Ok(())
}
