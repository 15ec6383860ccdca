//! `liquidate`: anyone takes one leg, or two legs of one hedge, of an account below Maintenance, or
//! only sets the clock of its auction (margin-spec 8.1, 8.2, 8.4, 8.6).

use anchor_lang::prelude::*;
use keel_risk::{
    Atoms, AuctionClock, LiquidationPlan, Lots, Scratch, Target, deficit_found, plan_clock,
    plan_liquidation,
};
use keel_state::{BookView, MarginAccount, MarginKind, RiskBook, Workspace};

use crate::errors::{KeelError, Merits};
use crate::events::{AuctionClockSet, Liquidated};
use crate::ledgers::{Ledgers, Loaders};
use crate::load::{self, MarginRefMut};
use crate::restart;

/// What is taken, and which ledgers follow as remaining accounts.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiquidationTarget {
    /// A position: its market. Sizes are lots.
    Position,
    /// Two positions of one hedge: their markets. Sizes are lots of the first; of the second goes
    /// the same share.
    Hedge,
    /// A deposit against a closed position's negative result: the market, the deposit's bank. Sizes
    /// are atoms of that result.
    Deposit,
    /// A deposit against a borrow: the deposit's bank, the borrow's. Sizes are native units of the
    /// borrowed token.
    Borrow,
    /// Nothing: so many banks, then markets, which a deficit may stop.
    Clock { banks: u8 },
}

#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiquidateArgs {
    pub target: LiquidationTarget,
    /// Most that is taken; 0 only sets the clock.
    pub max_size: u64,
}

impl LiquidateArgs {
    fn only_sets_clock(&self) -> bool {
        self.max_size == 0 || matches!(self.target, LiquidationTarget::Clock { .. })
    }
}

impl LiquidationTarget {
    /// The target's banks and markets among the remaining accounts.
    fn ledgers<'info>(
        self,
        accounts: &'info [AccountInfo<'info>],
        book: &RiskBook,
    ) -> Result<Loaders<'info>> {
        let (expected, split) = match self {
            Self::Position => (1, 1),
            Self::Hedge => (2, 2),
            Self::Deposit => (2, 1),
            Self::Borrow => (2, 2),
            Self::Clock { banks } => (accounts.len(), usize::from(banks)),
        };
        let fits = accounts.len() == expected && split <= expected;
        require!(fits, KeelError::WrongAccountCount);
        let (first, second) = accounts.split_at(split);
        match self {
            Self::Borrow | Self::Clock { .. } => Loaders::of(first, second, book),
            _ => Loaders::of(second, first, book),
        }
    }

    /// The slots in which both sides hold the target, or will.
    fn slots(
        self,
        margin: &MarginRefMut,
        liquidator: &MarginRefMut,
        ledgers: &Ledgers,
    ) -> Result<Target> {
        let (positions, balances) = (
            Places::of_positions(margin, liquidator, ledgers)?,
            Places::of_balances(margin, liquidator, ledgers)?,
        );
        Ok(match self {
            Self::Position | Self::Clock { .. } => Target::Position {
                slot: positions.held[0],
                liquidator_slot: positions.taken[0],
            },
            Self::Hedge => Target::Hedge {
                slots: positions.held,
                liquidator_slots: positions.taken,
            },
            Self::Deposit => Target::Deposit {
                balance_slot: balances.held[0],
                position_slot: positions.held[0],
                liquidator_balance_slot: balances.taken[0],
                liquidator_position_slot: positions.taken[0],
            },
            Self::Borrow => Target::Borrow {
                deposit_slot: balances.held[0],
                borrow_slot: balances.held[1],
                liquidator_deposit_slot: balances.taken[0],
                liquidator_borrow_slot: balances.taken[1],
            },
        })
    }
}

/// Slots of up to two legs: where the account holds them and where the liquidator will.
#[derive(Default)]
struct Places {
    held: [usize; 2],
    taken: [usize; 2],
}

impl Places {
    fn of_positions(
        margin: &MarginRefMut,
        liquidator: &MarginRefMut,
        ledgers: &Ledgers,
    ) -> Result<Self> {
        let mut places = Self::default();
        for (number, market) in ledgers.markets.iter().enumerate().take(2) {
            let index = market.index;
            let allowed = liquidator.account().may_hold(index);
            require!(allowed, KeelError::NotInMarkets);
            let held = margin.view().held_slot(index);
            places.held[number] = held.ok_or(KeelError::NothingToLiquidate)?;
            let used = &places.taken[..number];
            let free = |slot| !used.contains(&slot);
            let taken = liquidator.view().position_slot(index, free);
            places.taken[number] = taken.ok_or(KeelError::NoFreePositionSlot)?;
        }
        Ok(places)
    }

    fn of_balances(
        margin: &MarginRefMut,
        liquidator: &MarginRefMut,
        ledgers: &Ledgers,
    ) -> Result<Self> {
        let mut places = Self::default();
        for (number, bank) in ledgers.banks.iter().enumerate().take(2) {
            let held = margin.view().balance_slot(bank.index);
            places.held[number] = held.ok_or(KeelError::NothingToLiquidate)?;
            let used = &places.taken[..number];
            let free = |slot| !used.contains(&slot);
            let taken = liquidator.view().taking_balance_slot(bank.index, free);
            places.taken[number] = taken.ok_or(KeelError::NoFreeBalanceSlot)?;
        }
        Ok(places)
    }
}

#[derive(Accounts)]
pub struct Liquidate<'info> {
    /// Owner of the margin account that takes the leg; anyone where only the clock is set.
    pub owner: Signer<'info>,
    pub risk_book: AccountLoader<'info, RiskBook>,
    /// The account below Maintenance.
    #[account(mut)]
    pub margin: AccountLoader<'info, MarginAccount>,
    /// Not needed where only the clock is set.
    #[account(mut, has_one = owner @ KeelError::NotOwner)]
    pub liquidator: Option<AccountLoader<'info, MarginAccount>>,
    // Remaining accounts: the target's ledgers.
}

impl<'info> Liquidate<'info> {
    /// Checked in the attributes: owner (signer, the liquidator's), every loader's owner and
    /// discriminator. By `load`: both accounts and the ledgers are of the risk book's group. Here: two
    /// different trader accounts.
    fn validate(&self, args: &LiquidateArgs) -> Result<()> {
        require!(
            self.margin.load()?.kind == MarginKind::Trader as u8,
            KeelError::NotATrader
        );
        let Some(liquidator) = &self.liquidator else {
            require!(args.only_sets_clock(), KeelError::NoLiquidator);
            return Ok(());
        };
        require_keys_neq!(self.margin.key(), liquidator.key(), KeelError::SameAccount);
        require!(
            liquidator.load()?.kind == MarginKind::Trader as u8,
            KeelError::NotATrader
        );
        Ok(())
    }
}

pub fn handler<'info>(ctx: Context<'info, Liquidate<'info>>, args: LiquidateArgs) -> Result<()> {
    let accounts = &ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    let book = accounts.risk_book.load()?;
    accounts.validate(&args)?;
    let mut margin = load::margin_mut(&accounts.margin, &book)?;
    let loaders = args.target.ledgers(ctx.remaining_accounts, &book)?;
    let mut ledgers = loaders.load_mut()?;
    ledgers.bring_to_now(now);

    let step = Step {
        accounts,
        args,
        book: &book,
        now,
        restart_slot: restart::last_slot()?,
    };
    match &accounts.liquidator {
        Some(liquidator) if !args.only_sets_clock() => {
            let mut liquidator = load::margin_mut(liquidator, &book)?;
            step.take(&mut margin, &mut liquidator, (&loaders, &mut ledgers))
        }
        _ => step.set_clock(&mut margin, &mut ledgers),
    }
}

/// What both kinds of step begin with.
struct Step<'a, 'info> {
    accounts: &'a Liquidate<'info>,
    args: LiquidateArgs,
    book: &'a RiskBook,
    now: i64,
    restart_slot: u64,
}

impl Step<'_, '_> {
    /// Judges the account, sets its clock, stops what its deficit may fall on.
    #[inline(never)]
    fn set_clock(&self, margin: &mut MarginRefMut, ledgers: &mut Ledgers) -> Result<()> {
        let rates = ledgers.rates();
        let view = BookView::new(self.book, self.now).with_rates(&rates);
        let auction = self
            .book
            .auction(margin.account().auction_clock(), self.restart_slot);
        let mut workspace = Workspace::for_account(&margin.view());

        let plan =
            plan_clock(&view, &margin.view(), &auction, &mut workspace.scratch()).merits()?;

        margin.edit().apply_clock(plan.after);
        ledgers.halt(&view, margin, plan.net_asset_value, self.now);

        ledgers.invariant()?;
        emit!(AuctionClockSet {
            account: self.accounts.margin.key(),
            started: plan.after.started,
            health: plan.maintenance.health().0,
            requirement: plan.maintenance.requirement.0,
            net_asset_value: plan.net_asset_value.0,
            deficit_found_at: margin.account().deficit_found_at,
        });
        Ok(())
    }

    /// Takes the target, at the auction's penalty of the moment.
    #[inline(never)]
    fn take(
        &self,
        margin: &mut MarginRefMut,
        liquidator: &mut MarginRefMut,
        (loaders, ledgers): (&Loaders, &mut Ledgers),
    ) -> Result<()> {
        ledgers.touch(margin);
        ledgers.touch(liquidator);
        let rates = ledgers.rates();
        let view = BookView::new(self.book, self.now).with_rates(&rates);
        let auction = self
            .book
            .auction(margin.account().auction_clock(), self.restart_slot);
        let target = self.args.target.slots(margin, liquidator, ledgers)?;
        let mut workspace = Workspace::for_account(&margin.view());
        let scratch = &mut workspace.scratch();

        let plan = self.plan(
            &view,
            (margin, liquidator),
            (target, auction.live_s()),
            scratch,
        )?;
        let judged = (plan.before, plan.after);
        let clock = auction.stepped(&view, &margin.view(), judged).merits()?;
        let equity = deficit_found(&view, &margin.view(), plan.before, scratch);

        ledgers.halt(&view, margin, equity, self.now);
        margin.edit().apply_liquidation(&plan.account);
        margin.edit().apply_clock(clock);
        liquidator.edit().apply_taking(&plan.liquidator);
        apply(ledgers, &plan);

        ledgers.invariant()?;
        self.report(
            &plan,
            (clock, auction.live_s()),
            margin.account().seq,
            (loaders, ledgers),
        );
        Ok(())
    }

    /// The plan is large: it is made in a frame of its own, and lives on the heap.
    #[inline(never)]
    fn plan(
        &self,
        view: &BookView,
        (margin, liquidator): (&MarginRefMut, &MarginRefMut),
        (target, live_s): (Target, u64),
        scratch: &mut Scratch,
    ) -> Result<Box<LiquidationPlan>> {
        let plan = plan_liquidation(
            view,
            &margin.view(),
            &liquidator.view(),
            target,
            Lots(i64::try_from(self.args.max_size).unwrap_or(i64::MAX)),
            view.liquidation_terms().after(live_s),
            scratch,
        );
        Ok(Box::new(plan.merits()?))
    }

    #[inline(never)]
    fn report(
        &self,
        plan: &LiquidationPlan,
        (clock, live_s): (AuctionClock, u64),
        seq: u64,
        (loaders, ledgers): (&Loaders, &Ledgers),
    ) {
        let (kind, addresses) = match plan.target {
            Target::Position { .. } => (0, [loaders.market(0), Pubkey::default()]),
            Target::Hedge { .. } => (1, [loaders.market(0), loaders.market(1)]),
            Target::Deposit { .. } => (2, [loaders.market(0), loaders.bank(0)]),
            Target::Borrow { .. } => (3, [loaders.bank(0), loaders.bank(1)]),
        };
        let asset = match (ledgers.markets.first(), ledgers.banks.get(1)) {
            (Some(market), _) => self.book.instruments[usize::from(market.index)].asset,
            (None, Some(bank)) => self.book.rates[usize::from(bank.index)].asset,
            (None, None) => 0,
        };
        let asset = &self.book.assets[usize::from(asset)];
        let Atoms(penalty_liquidator) = plan.penalty_liquidator;
        emit!(Liquidated {
            account: self.accounts.margin.key(),
            liquidator: self
                .accounts
                .liquidator
                .as_ref()
                .map(Key::key)
                .unwrap_or_default(),
            ledgers: addresses,
            account_seq: seq,
            kind,
            stopped_by: plan.stopped_by as u8,
            live_s,
            auction_started: clock.started,
            size: plan.size.0,
            notional: plan.notional.0,
            penalty_liquidator,
            penalty_insurance: plan.penalty_insurance.0,
            price: asset.lot_price,
            price_age_s: keel_risk::age_s(asset.publish_time, self.now),
            health_before: plan.before.health().0,
            health_after: plan.after.health().0,
            requirement_before: plan.before.requirement.0,
            requirement_after: plan.after.requirement.0,
        });
    }
}

/// Writes a step into its ledgers: markets in the target's order, the deposit's bank, the borrow's.
fn apply(ledgers: &mut Ledgers, plan: &LiquidationPlan) {
    for (number, market) in ledgers.markets.iter_mut().enumerate() {
        market.apply_liquidation(plan, number);
    }
    if let Some(bank) = ledgers.banks.first_mut() {
        bank.apply_liquidation(plan);
    }
    if let Some(bank) = ledgers.banks.get_mut(1) {
        bank.apply_repayment(plan);
    }
}
