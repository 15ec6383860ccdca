//! `set_delegate` and `clear_delegate`: who else may trade for an account, and how far (margin-spec 11).

use anchor_lang::prelude::*;
use keel_risk::{GrantTerms, MAX_GRANTED, MarketSet, plan_grant};
use keel_state::{BookView, MarginAccount, RiskBook, Workspace};

use crate::errors::{KeelError, Merits};
use crate::events::{DelegateCleared, DelegateSet};
use crate::load;

/// What the owner grants.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct DelegateArgs {
    pub delegate: Pubkey,
    /// Notional of opens and closes, atoms a day, refilled by the second.
    pub budget: u64,
    /// Atoms by which equity may fall below what it is now, deposits and withdrawals left out.
    pub max_loss: u64,
    /// The markets that he may trade, a bit each, by their places in the risk book.
    pub markets: [u64; 2],
    /// Last second at which he may trade.
    pub expiry: i64,
}

impl DelegateArgs {
    fn terms(&self) -> GrantTerms {
        GrantTerms {
            budget: self.budget,
            max_loss: self.max_loss,
            markets: MarketSet(self.markets),
            expiry: self.expiry,
        }
    }

    fn validate(&self, owner: &Pubkey, now: i64) -> Result<()> {
        let is_another = self.delegate != *owner && self.delegate != Pubkey::default();
        require!(is_another, KeelError::WrongDelegate);
        let grants = (1..=MAX_GRANTED).contains(&self.budget)
            && self.max_loss <= MAX_GRANTED
            && !MarketSet(self.markets).is_empty()
            && self.expiry >= now;
        require!(grants, KeelError::GrantOutOfRange);
        Ok(())
    }
}

/// Checked in the attributes: owner (signer, the margin account's). In `load`: the book's group.
#[derive(Accounts)]
pub struct SetDelegate<'info> {
    pub owner: Signer<'info>,
    pub risk_book: AccountLoader<'info, RiskBook>,
    #[account(mut, has_one = owner @ KeelError::NotOwner)]
    pub margin: AccountLoader<'info, MarginAccount>,
}

/// A new grant replaces the one before, whoever's it was: nothing spent, nothing lost, as of now.
pub fn set_handler(ctx: Context<SetDelegate>, args: DelegateArgs) -> Result<()> {
    let accounts = &ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    args.validate(&accounts.owner.key(), now)?;
    let book = accounts.risk_book.load()?;
    let mut margin = load::margin_mut(&accounts.margin, &book)?;

    let view = BookView::new(&book, now);
    let mut workspace = Workspace::for_account(&margin.view());

    let grant = plan_grant(
        &view,
        &margin.view(),
        args.terms(),
        now,
        &mut workspace.scratch(),
    )
    .merits()?;

    let account = margin.edit().account();
    account.set_grant(args.delegate, &grant);

    emit!(DelegateSet {
        margin: accounts.margin.key(),
        delegate: args.delegate,
        seq: account.seq,
        budget: args.budget,
        max_loss: args.max_loss,
        markets: args.markets,
        expiry: args.expiry,
        equity: grant.equity.0,
    });
    Ok(())
}

/// Checked in the attributes: owner (signer, the margin account's). In `load`: its bytes. No price and no
/// book is asked for: a grant can be taken back at any time.
#[derive(Accounts)]
pub struct ClearDelegate<'info> {
    pub owner: Signer<'info>,
    #[account(mut, has_one = owner @ KeelError::NotOwner)]
    pub margin: AccountLoader<'info, MarginAccount>,
}

/// Goes through without a delegate too.
pub fn clear_handler(ctx: Context<ClearDelegate>) -> Result<()> {
    load::whole(&ctx.accounts.margin)?;
    let mut margin = ctx.accounts.margin.load_mut()?;
    let delegate = margin.delegate;

    margin.clear_grant();

    emit!(DelegateCleared {
        margin: ctx.accounts.margin.key(),
        delegate,
        seq: margin.seq,
    });
    Ok(())
}
