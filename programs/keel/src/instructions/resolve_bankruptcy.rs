//! `resolve_bankruptcy`: who pays what a bankrupt account cannot, one market or one bank per call
//! (margin-spec 8.6).

use anchor_lang::prelude::*;
use keel_risk::{
    BankResolution, MarketResolution, ResolveMarketTerms, ResolveTerms, plan_resolve_bank,
    plan_resolve_market,
};
use keel_state::{Bank, BookView, MarginAccount, Market, RiskBook, Workspace};

use crate::errors::{KeelError, Merits};
use crate::events::BankruptcyResolved;
use crate::load::{self, MarginRefMut};

#[derive(Accounts)]
pub struct ResolveBankruptcy<'info> {
    #[account(mut)]
    pub risk_book: AccountLoader<'info, RiskBook>,
    /// The bankrupt account, a trader's or a pool's.
    #[account(mut)]
    pub margin: AccountLoader<'info, MarginAccount>,
    /// Its insurance is the group's. Resolved itself where neither of the next is given.
    #[account(mut)]
    pub quote_bank: AccountLoader<'info, Bank>,
    /// Given to resolve a market.
    #[account(mut)]
    pub market: Option<AccountLoader<'info, Market>>,
    /// Given to resolve another token's bank.
    #[account(mut)]
    pub bank: Option<AccountLoader<'info, Bank>>,
}

impl ResolveBankruptcy<'_> {
    /// Checked in the attributes: every loader's owner and discriminator. Here: market and banks of the
    /// group, the quote's bank, another than it, at most one ledger besides. In `load`: the margin
    /// account's group. Anyone may call.
    fn validate(&self, book: &RiskBook) -> Result<()> {
        let quote = self.quote_bank.load()?;
        require_keys_eq!(quote.group, book.group, KeelError::OtherGroup);
        require_eq!(quote.index, 0, KeelError::NotTheQuoteBank);
        if let Some(market) = &self.market {
            require_keys_eq!(market.load()?.group, book.group, KeelError::OtherGroup);
            require!(self.bank.is_none(), KeelError::OneLedgerAtATime);
        }
        if let Some(bank) = &self.bank {
            require_keys_neq!(bank.key(), self.quote_bank.key(), KeelError::SameAccount);
            require_keys_eq!(bank.load()?.group, book.group, KeelError::OtherGroup);
        }
        Ok(())
    }
}

pub fn handler(ctx: Context<ResolveBankruptcy>) -> Result<()> {
    let accounts = &ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    let book = accounts.risk_book.load()?;
    accounts.validate(&book)?;
    let mut quote = accounts.quote_bank.load_mut()?;
    quote.bring_to_now(now);

    let event = match (&accounts.market, &accounts.bank) {
        (Some(market), _) => {
            let mut market = market.load_mut()?;
            let event = market_part(accounts, (&book, now), &mut market, &mut quote)?;
            drop(book);
            let mut book = accounts.risk_book.load_mut()?;
            book.publish_market(market.index, &market.ledger());
            event
        }
        (None, Some(bank)) => {
            let mut bank = bank.load_mut()?;
            bank.bring_to_now(now);
            let event = bank_part(accounts, (&book, now), &mut bank, bank_key(accounts))?;
            drop(book);
            publish(accounts, &mut bank, now)?;
            event
        }
        (None, None) => {
            let event = bank_part(accounts, (&book, now), &mut quote, bank_key(accounts))?;
            drop(book);
            event
        }
    };
    publish(accounts, &mut quote, now)?;
    emit!(event);
    Ok(())
}

/// The bank that is resolved.
fn bank_key(accounts: &ResolveBankruptcy) -> Pubkey {
    let other = accounts.bank.as_ref();
    other.unwrap_or(&accounts.quote_bank).key()
}

/// A bank's rate of the utilisation that holds now, and its copy in the book. No token moves, so the
/// vault stands where it stood: the ledger is checked against itself.
fn publish(accounts: &ResolveBankruptcy, bank: &mut Bank, now: i64) -> Result<()> {
    bank.bring_to_now(now);
    bank.invariant(bank.tracked).map_err(KeelError::from)?;
    let mut book = accounts.risk_book.load_mut()?;
    book.rates[usize::from(bank.index)].publish(&bank.ledger(), &bank.accruing());
    Ok(())
}

/// Resolves a market's part and applies it.
#[inline(never)]
fn market_part(
    accounts: &ResolveBankruptcy,
    (book, now): (&RiskBook, i64),
    market: &mut Market,
    quote: &mut Bank,
) -> Result<BankruptcyResolved> {
    let mut margin = load::margin_mut(&accounts.margin, book)?;
    margin.touch_either(market, now);
    let slot = margin
        .view()
        .held_slot(market.index)
        .ok_or(KeelError::NothingToLiquidate)?;
    let rates = [quote.fresh_rate()];
    let view = BookView::new(book, now).with_rates(&rates);
    let mut workspace = Workspace::for_account(&margin.view());

    let terms = ResolveMarketTerms {
        account: terms(&margin, book, slot),
        quote_slot: 0,
        last_side: margin.view().last_side(slot),
        ledger: market.ledger(),
        market_insurance: market.insurance_fund().at(now),
        group_insurance: quote.insurance_fund().at(now),
    };
    let plan = plan_resolve_market(&view, &margin.view(), &terms, &mut workspace.scratch());
    let plan = plan.merits()?;

    let found_at = margin.account().deficit_found_at;
    margin.edit().apply_market_resolution(slot, &plan);
    market.apply_resolution(&plan, found_at);
    quote.apply_group_part(&plan);

    market.invariant().map_err(KeelError::from)?;
    Ok(market_event(accounts, &plan, margin.account().seq))
}

/// Resolves a bank's part and applies it.
#[inline(never)]
fn bank_part(
    accounts: &ResolveBankruptcy,
    (book, now): (&RiskBook, i64),
    bank: &mut Bank,
    key: Pubkey,
) -> Result<BankruptcyResolved> {
    let mut margin = load::margin_mut(&accounts.margin, book)?;
    let slot = margin
        .view()
        .balance_slot(bank.index)
        .ok_or(KeelError::NothingToLiquidate)?;
    let rates = [bank.fresh_rate()];
    let view = BookView::new(book, now).with_rates(&rates);
    let mut workspace = Workspace::for_account(&margin.view());

    let plan = plan_resolve_bank(
        &view,
        &margin.view(),
        &terms(&margin, book, slot),
        (&bank.ledger(), bank.insurance_fund().at(now)),
        &mut workspace.scratch(),
    )
    .merits()?;

    let found_at = margin.account().deficit_found_at;
    margin.edit().apply_bank_resolution(&plan);
    bank.apply_resolution(&plan, found_at);
    Ok(bank_event(accounts, &plan, key, margin.account().seq))
}

fn terms(margin: &MarginRefMut, book: &RiskBook, slot: usize) -> ResolveTerms {
    ResolveTerms {
        slot,
        resolved: margin.view().resolved(),
        clock: margin.account().auction_clock(),
        live_time: book.live_time,
    }
}

fn market_event(
    accounts: &ResolveBankruptcy,
    plan: &MarketResolution,
    seq: u64,
) -> BankruptcyResolved {
    BankruptcyResolved {
        account: accounts.margin.key(),
        ledger: accounts
            .market
            .as_ref()
            .map_or(Pubkey::default(), |market| market.key()),
        account_seq: seq,
        kind: 0,
        net_asset_value: plan.account.net_asset_value.0,
        deficit: plan.loss.deficit,
        from_market: plan.loss.from_market,
        from_insurance: plan.loss.from_group,
        from_holders: plan.loss.from_side,
        owed: plan.loss.owed,
        dust: plan.dust.0,
        swept: 0,
        missing: plan.account.missing,
    }
}

fn bank_event(
    accounts: &ResolveBankruptcy,
    plan: &BankResolution,
    ledger: Pubkey,
    seq: u64,
) -> BankruptcyResolved {
    let loss = plan.loss.as_ref();
    BankruptcyResolved {
        account: accounts.margin.key(),
        ledger,
        account_seq: seq,
        kind: 1,
        net_asset_value: plan.account.net_asset_value.0,
        deficit: loss.map_or(0, |loss| loss.deficit),
        from_market: 0,
        from_insurance: loss.map_or(0, |loss| loss.from_insurance),
        from_holders: loss.map_or(0, |loss| loss.from_depositors),
        owed: 0,
        dust: 0,
        swept: plan.swept,
        missing: plan.account.missing,
    }
}
