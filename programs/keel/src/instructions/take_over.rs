//! `take_over`: a bidder takes a share of everything that an account below Maintenance holds, at the
//! auction's discount (margin-spec 8.3, 8.4).

use anchor_lang::prelude::*;
use keel_risk::{
    AuctionClock, BalanceLeg, BankChange, Legs, Marked, MarketChange, PositionLeg, Ppm, Shares,
    TakeoverBuffers, TakeoverPlan, TakeoverTerms, plan_take_over,
};
use keel_state::{BALANCE_SLOTS, BookView, MarginAccount, MarginKind, RiskBook, Workspace};

use crate::errors::{KeelError, Merits};
use crate::events::TookOver;
use crate::ledgers::{Ledgers, Loaders};
use crate::load::{self, MarginRefMut};
use crate::restart;

/// How much is asked for, and how many of the remaining accounts are banks.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakeOverArgs {
    pub max_share_ppm: u32,
    /// The quote's bank first; markets follow.
    pub banks: u8,
}

#[derive(Accounts)]
pub struct TakeOver<'info> {
    /// Owner of the bidder's account.
    pub owner: Signer<'info>,
    pub risk_book: AccountLoader<'info, RiskBook>,
    /// The account below Maintenance.
    #[account(mut)]
    pub margin: AccountLoader<'info, MarginAccount>,
    #[account(mut, has_one = owner @ KeelError::NotOwner)]
    pub bidder: AccountLoader<'info, MarginAccount>,
    // Remaining accounts: the quote's bank, every other bank and market whose totals the takeover
    // changes: those of legs that net with an opposite one of the bidder's, and of positions that
    // were not written since their side was shrunk. More do no harm.
}

impl TakeOver<'_> {
    /// Checked in the attributes: owner (signer, the bidder's), every loader's owner and
    /// discriminator. By `load`: accounts and ledgers are of the risk book's group. Here: two different
    /// trader accounts. In the handler: the quote's bank, and that no ledger is missing.
    fn validate(&self) -> Result<()> {
        require_keys_neq!(self.margin.key(), self.bidder.key(), KeelError::SameAccount);
        for account in [&self.margin, &self.bidder] {
            require!(
                account.load()?.kind == MarginKind::Trader as u8,
                KeelError::NotATrader
            );
        }
        Ok(())
    }
}

pub fn handler<'info>(ctx: Context<'info, TakeOver<'info>>, args: TakeOverArgs) -> Result<()> {
    let accounts = &ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    let book = accounts.risk_book.load()?;
    accounts.validate()?;
    let mut margin = load::margin_mut(&accounts.margin, &book)?;
    let mut bidder = load::margin_mut(&accounts.bidder, &book)?;
    let banks = usize::from(args.banks);
    require!(
        banks <= ctx.remaining_accounts.len(),
        KeelError::WrongAccountCount
    );
    let (banks, markets) = ctx.remaining_accounts.split_at(banks);
    let loaders = Loaders::of(banks, markets, &book)?;
    let mut ledgers = loaders.load_mut()?;
    ledgers.bring_to_now(now);
    ledgers.touch(&mut margin);
    ledgers.touch(&mut bidder);

    let rates = ledgers.rates();
    let view = BookView::new(&book, now).with_rates(&rates);
    let auction = book.auction(margin.account().auction_clock(), restart::last_slot()?);
    let quote = ledgers.banks.first().filter(|bank| bank.index == 0);
    let insurance = quote
        .ok_or(KeelError::NotTheQuoteBank)?
        .insurance_fund()
        .at(now);
    let mut written = Written::for_account(&margin);
    let mut workspace = Workspace::for_account(&margin.view());

    let terms = TakeoverTerms {
        max_share: Ppm(args.max_share_ppm),
        liquidation: view.liquidation_terms(),
        live_s: auction.live_s(),
        insurance: insurance.available(),
        bidder_capacity: bidder.view().capacity(),
    };
    let parties = (&margin.view(), &bidder.view());
    let scratch = &mut workspace.scratch();
    let plan = plan_take_over(&view, parties, &terms, &mut written.buffers(), scratch).merits()?;
    let judged = (plan.before, plan.after);
    let clock = auction.stepped(&view, &margin.view(), judged).merits()?;
    written.check(&plan, (&margin, &bidder), &ledgers)?;

    ledgers.halt(&view, &mut margin, plan.net_asset_value, now);
    written.apply(&plan, (&mut margin, &mut bidder), &mut ledgers);
    margin.edit().apply_clock(clock);
    let (_, spent) = insurance.pays(plan.from_insurance.0.unsigned_abs());
    ledgers.banks[0].set_insurance_window(&spent);

    ledgers.invariant()?;
    emit!(event(
        accounts,
        &plan,
        (clock.started, terms.live_s),
        margin.account().seq
    ));
    Ok(())
}

/// Where the plan is written: the legs of both sides, their ledgers.
struct Written {
    account_balances: Vec<(usize, BalanceLeg)>,
    account_positions: Vec<(usize, PositionLeg)>,
    bidder_balances: Vec<(usize, BalanceLeg)>,
    bidder_positions: Vec<(usize, PositionLeg)>,
    marked: Vec<Marked>,
    banks: Vec<BankChange>,
    markets: Vec<MarketChange>,
}

impl Written {
    fn for_account(margin: &MarginRefMut) -> Self {
        const NONE: BalanceLeg = BalanceLeg {
            rate: 0,
            shares: Shares(0),
        };
        let positions = margin.view().position_slots();
        Self {
            account_balances: vec![(0, NONE); BALANCE_SLOTS],
            account_positions: vec![(0, PositionLeg::EMPTY); positions],
            bidder_balances: vec![(0, NONE); BALANCE_SLOTS],
            bidder_positions: vec![(0, PositionLeg::EMPTY); positions],
            marked: vec![Marked::EMPTY; positions],
            banks: vec![BankChange::default(); BALANCE_SLOTS],
            markets: vec![MarketChange::default(); positions],
        }
    }

    fn buffers(&mut self) -> TakeoverBuffers<'_> {
        TakeoverBuffers {
            account_balances: &mut self.account_balances,
            account_positions: &mut self.account_positions,
            bidder_balances: &mut self.bidder_balances,
            bidder_positions: &mut self.bidder_positions,
            marked: &mut self.marked,
            banks: &mut self.banks,
            markets: &mut self.markets,
        }
    }

    /// Every position is up to date with its side, every ledger that changes is at hand, and the
    /// bidder may hold what he gets.
    #[inline(never)]
    fn check(
        &self,
        plan: &TakeoverPlan,
        (margin, bidder): (&MarginRefMut, &MarginRefMut),
        ledgers: &Ledgers,
    ) -> Result<()> {
        let (account, taker) = (margin.view(), bidder.view());
        for number in 0..plan.positions {
            let (given, (taken, leg)) = (
                self.account_positions[number].0,
                self.bidder_positions[number],
            );
            let allowed = bidder.account().may_hold(leg.instrument);
            require!(allowed, KeelError::NotInMarkets);
            let touched = account.is_touched(given) && taker.is_touched(taken);
            let settled = self.markets[number].is_none();
            let at_hand = touched && settled || ledgers.market(leg.instrument).is_some();
            require!(at_hand, KeelError::MissingLedger);
        }
        for ((_, leg), change) in self
            .account_balances
            .iter()
            .zip(&self.banks)
            .take(plan.balances)
        {
            let at_hand = change.is_none() || ledgers.bank(leg.rate).is_some();
            require!(at_hand, KeelError::MissingLedger);
        }
        Ok(())
    }

    #[inline(never)]
    fn apply(
        &self,
        plan: &TakeoverPlan,
        (margin, bidder): (&mut MarginRefMut, &mut MarginRefMut),
        ledgers: &mut Ledgers,
    ) {
        let (balances, positions) = (plan.balances, plan.positions);
        margin.edit().apply_legs(
            &self.account_balances[..balances],
            &self.account_positions[..positions],
        );
        bidder.edit().apply_legs(
            &self.bidder_balances[..balances],
            &self.bidder_positions[..positions],
        );
        // He ended at Initial.
        bidder.edit().apply_clock(AuctionClock::STOPPED);
        for bank in &mut ledgers.banks {
            let legs = self.account_balances[..balances].iter();
            if let Some(place) = legs.clone().position(|(_, leg)| leg.rate == bank.index) {
                bank.apply(&self.banks[place]);
            }
        }
        for market in &mut ledgers.markets {
            let legs = self.account_positions[..positions].iter();
            if let Some(place) = legs
                .clone()
                .position(|(_, leg)| leg.instrument == market.index)
            {
                market.apply(&self.markets[place]);
            }
        }
    }
}

#[inline(never)]
fn event(
    accounts: &TakeOver,
    plan: &TakeoverPlan,
    (started, live_s): (u64, u64),
    seq: u64,
) -> TookOver {
    TookOver {
        account: accounts.margin.key(),
        bidder: accounts.bidder.key(),
        account_seq: seq,
        share: plan.share.0,
        stopped_by: plan.stopped_by as u8,
        worth: plan.worth.0,
        payment: plan.payment.0,
        from_insurance: plan.from_insurance.0,
        live_s,
        auction_started: started,
        net_asset_value: plan.net_asset_value.0,
        health_before: plan.before.health().0,
        health_after: plan.after.health().0,
        requirement_before: plan.before.requirement.0,
        requirement_after: plan.after.requirement.0,
    }
}
