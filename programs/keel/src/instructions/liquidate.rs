//! `liquidate`: anyone takes one leg of an account below Maintenance (margin-spec 8.1, 8.2).

use anchor_lang::prelude::*;
use keel_risk::{LiquidationPlan, Lots, plan_liquidation};
use keel_state::{Bank, BookView, MarginAccount, MarginKind, Market, RiskBook, Workspace};

use crate::errors::{KeelError, Merits};
use crate::events::Liquidated;
use crate::load;

/// Which leg to take.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct LiquidateArgs {
    /// Most lots to take of the market's position; with `bank` given, most atoms of a closed
    /// position's negative result to take over against the account's deposit of that bank.
    pub max_size: u64,
}

#[derive(Accounts)]
pub struct Liquidate<'info> {
    /// Owner of the margin account that takes the leg.
    pub owner: Signer<'info>,
    pub risk_book: AccountLoader<'info, RiskBook>,
    /// The account below Maintenance.
    #[account(mut)]
    pub margin: AccountLoader<'info, MarginAccount>,
    #[account(mut, has_one = owner @ KeelError::NotOwner)]
    pub liquidator: AccountLoader<'info, MarginAccount>,
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// Given to take a deposit instead of a position.
    #[account(mut)]
    pub bank: Option<AccountLoader<'info, Bank>>,
}

impl Liquidate<'_> {
    /// Checked in the attributes: owner (signer, the liquidator's), every loader's owner and
    /// discriminator. Here: two different trader accounts, market and bank of the group.
    fn validate(&self, book: &RiskBook) -> Result<()> {
        require_keys_neq!(
            self.margin.key(),
            self.liquidator.key(),
            KeelError::SameAccount
        );
        for account in [&self.margin, &self.liquidator] {
            require!(
                account.load()?.kind == MarginKind::Trader as u8,
                KeelError::NotATrader
            );
        }
        require_keys_eq!(self.market.load()?.group, book.group, KeelError::OtherGroup);
        if let Some(bank) = &self.bank {
            require_keys_eq!(bank.load()?.group, book.group, KeelError::OtherGroup);
        }
        Ok(())
    }
}

pub fn handler<'info>(ctx: Context<'info, Liquidate<'info>>, args: LiquidateArgs) -> Result<()> {
    let accounts = &ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    let book = accounts.risk_book.load()?;
    accounts.validate(&book)?;
    let mut margin = load::margin_mut(&accounts.margin, &book)?;
    let mut liquidator = load::margin_mut(&accounts.liquidator, &book)?;
    let mut market = accounts.market.load_mut()?;
    let mut bank = match &accounts.bank {
        Some(bank) => Some(bank.load_mut()?),
        None => None,
    };

    margin.touch(&mut market);
    liquidator.touch(&mut market);
    let view = BookView::new(&book, now);
    let target = load::liquidation_target(&margin, &liquidator, &market, bank.as_deref())?;
    let mut workspace = Workspace::for_account(&margin.view());

    let max_size = i64::try_from(args.max_size).unwrap_or(i64::MAX);
    let plan = plan_liquidation(
        &view,
        &margin.view(),
        &liquidator.view(),
        target,
        Lots(max_size),
        view.liquidation_terms(),
        &mut workspace.scratch(),
    )
    .merits()?;

    margin.edit().apply_liquidation(&plan.account);
    liquidator.edit().apply_liquidation(&plan.liquidator);
    market.apply_liquidation(&plan);
    if let Some(bank) = bank.as_mut() {
        bank.apply_liquidation(&plan);
    }

    market.invariant().map_err(KeelError::from)?;
    // No token moves, so the vault stands where it stood: the ledger is checked against itself.
    if let Some(bank) = &bank {
        bank.invariant(bank.tracked).map_err(KeelError::from)?;
    }
    emit!(event(accounts, &plan, &view, &market, margin.account().seq));
    Ok(())
}

fn event(
    accounts: &Liquidate,
    plan: &LiquidationPlan,
    view: &BookView,
    market: &Market,
    seq: u64,
) -> Liquidated {
    let asset = view.asset_entry_of(market.index);
    Liquidated {
        account: accounts.margin.key(),
        liquidator: accounts.liquidator.key(),
        market: accounts.market.key(),
        account_seq: seq,
        kind: u8::from(accounts.bank.is_some()),
        size: plan.size.0,
        notional: plan.notional.0,
        penalty_liquidator: plan.penalty_liquidator.0,
        penalty_insurance: plan.penalty_insurance.0,
        price: asset.lot_price,
        price_age_s: view.age_s(asset),
        health_before: plan.before.health().0,
        health_after: plan.after.health().0,
        requirement_before: plan.before.requirement.0,
        requirement_after: plan.after.requirement.0,
    }
}
