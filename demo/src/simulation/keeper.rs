//! The keeper: judges everybody off chain with the program's own engine, liquidates through the
//! public instruction, and sells what it took to the pool.

use std::collections::VecDeque;

use anyhow::bail;
use keel::errors::KeelError;
use keel::events::Liquidated;
use keel_risk::num::value_floor;
use keel_risk::{
    Amended, Atoms, Book, Legs, Lots, PositionLeg, Price, Shares, borrow_amount, deposit_amount,
    maintenance,
};
use keel_sdk::instruction::TakenLeg;
use keel_sdk::{Pubkey, Snapshot, instruction};
use keel_state::{MarginView, Workspace};
use keel_tests::{Asset, Failure, World, market};

use crate::cast::Care;
use crate::result::Invariants;
use crate::simulation::chain::{self, Chain, Found};
use crate::simulation::events;
use crate::simulation::stage::Stage;

/// Liquidations of one account in one step, and sizes tried for one leg.
const MAX_TAKEN: usize = 32;
const MAX_SIZES: usize = 4;
/// What the program's own search covers in one call: its eight tries halve seven times.
const SEARCH_REACH: u64 = 128;

/// Deposits worth less are left alone: under a native unit's worth the program moves no token.
const DUST: u64 = 10_000;

/// A liquidation that went through.
pub struct Taken {
    pub margin: Pubkey,
    pub leg: Leg,
    pub event: Liquidated,
}

/// Something that can be taken of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    pub asset: Asset,
    pub kind: Kind,
    /// What the account's health gains when the whole leg goes, atoms.
    gain: i64,
    whole: u64,
}

/// What is taken, in the order in which the keeper tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The position in `asset`.
    Position,
    /// It and this one, which hedge each other.
    Hedge(Asset),
    /// This deposit, against the negative result of the closed position in `asset`.
    Deposit(Asset),
    /// This deposit, against what is borrowed of `asset`.
    Borrow(Asset),
}

impl Kind {
    /// Positions before hedges before deposits.
    const fn turn(self) -> u8 {
        match self {
            Self::Position => 0,
            Self::Hedge(_) => 1,
            Self::Deposit(_) | Self::Borrow(_) => 2,
        }
    }
}

#[derive(Debug)]
pub struct Keeper {
    /// Accounts that the program and the client are compared on, one each step.
    compared: VecDeque<Pubkey>,
}

impl Keeper {
    pub fn new(stage: &Stage) -> Self {
        Self {
            compared: stage.margins().into(),
        }
    }

    /// One step's work: relieves every account that was found below Maintenance, then unloads.
    pub fn act(
        &mut self,
        stage: &mut Stage,
        found: &[Found],
        step: usize,
        invariants: &mut Invariants,
    ) -> anyhow::Result<Vec<Taken>> {
        self.compare(stage, step, invariants)?;
        let mut all = Vec::new();
        for account in found.iter().filter(|found| found.health() < 0) {
            let due = match stage.care_of(&account.margin) {
                Care::Keeper => true,
                Care::Bidder | Care::Backstop => false,
                Care::Late(owed) => chain::usd(account.worth()) < -f64::from(owed),
            };
            if !due {
                continue;
            }
            let taken = relieve(stage, account.margin, step, invariants)?;
            all.extend(taken);
        }
        unload(stage, Closer::Keeper)?;
        Ok(all)
    }

    /// I10: what the program reports of an account is what the client computes, to the bit.
    fn compare(
        &mut self,
        stage: &mut Stage,
        step: usize,
        invariants: &mut Invariants,
    ) -> anyhow::Result<()> {
        let Some(margin) = self.compared.pop_front() else {
            return Ok(());
        };
        self.compared.push_back(margin);
        let client = Chain::of(&stage.world).report(margin)?;
        let program = stage.world.report(margin)?;
        let same = bytemuck::bytes_of(&client) == bytemuck::bytes_of(&program);
        invariants.check(same, || {
            format!(
                "I10 at step {step}: account {margin}: view_margin says health {}, the client {}",
                program.health_maintenance(),
                client.health_maintenance()
            )
        });
        Ok(())
    }
}

/// Takes legs until the account is at Maintenance again or nothing more can be taken.
fn relieve(
    stage: &mut Stage,
    margin: Pubkey,
    step: usize,
    invariants: &mut Invariants,
) -> anyhow::Result<Vec<Taken>> {
    let mut all = Vec::new();
    while all.len() < MAX_TAKEN {
        let legs = legs(&Chain::of(&stage.world), margin)?;
        let mut taken = None;
        for leg in legs {
            taken = take(stage, margin, leg)?;
            if taken.is_some() {
                break;
            }
        }
        let Some(taken) = taken else { break };
        check_step(&taken, step, invariants);
        all.push(taken);
    }
    Ok(all)
}

/// Only an account below Maintenance is liquidated, and every step of it raises its health (8.2).
fn check_step(taken: &Taken, step: usize, invariants: &mut Invariants) {
    let event = &taken.event;
    let (before, after) = (event.health_before, event.health_after);
    invariants.check(before < 0, || {
        format!(
            "step {step}: {} was liquidated at health {before}",
            event.account
        )
    });
    invariants.check(after > before, || {
        format!(
            "step {step}: liquidating {} took its health from {before} to {after}",
            event.account
        )
    });
}

/// The account's legs, the one that weighs on its health most first; none when it is healthy.
fn legs(chain: &Chain<'_>, margin: Pubkey) -> anyhow::Result<Vec<Leg>> {
    let data = chain.data(&margin);
    let snapshot = chain.snapshot()?;
    let view = snapshot.margin(&data)?;
    if !snapshot.assess(&view).maintenance.is_liquidatable() {
        return Ok(Vec::new());
    }
    let mut legs: Vec<Leg> = positions(&snapshot, &view).collect();
    legs.extend(hedges(&snapshot, &view));
    legs.extend(deposits(&snapshot, &view));
    legs.extend(borrows(&snapshot, &view));
    legs.sort_by_key(|leg| (leg.kind.turn(), std::cmp::Reverse(leg.gain)));
    Ok(legs)
}

fn positions(snapshot: &Snapshot<'_>, view: &MarginView<'_>) -> impl Iterator<Item = Leg> {
    let before = health(snapshot, view);
    held(snapshot, view).map(move |held| Leg {
        asset: held.asset,
        kind: Kind::Position,
        gain: without(snapshot, view, &[held.closed]).saturating_sub(before),
        whole: held.size.unsigned_abs(),
    })
}

/// Every two positions of opposite sides.
fn hedges(snapshot: &Snapshot<'_>, view: &MarginView<'_>) -> Vec<Leg> {
    let before = health(snapshot, view);
    let all: Vec<Held> = held(snapshot, view).collect();
    let mut legs = Vec::new();
    for (at, first) in all.iter().enumerate() {
        for second in all.iter().skip(at + 1) {
            if first.size.signum() == second.size.signum() {
                continue;
            }
            let both = [first.closed, second.closed];
            legs.push(Leg {
                asset: first.asset,
                kind: Kind::Hedge(second.asset),
                gain: without(snapshot, view, &both).saturating_sub(before),
                whole: first.size.unsigned_abs(),
            });
        }
    }
    legs
}

/// An open position, and its slot with it closed at the mark.
struct Held {
    asset: Asset,
    size: i64,
    closed: (usize, PositionLeg),
}

fn held(snapshot: &Snapshot<'_>, view: &MarginView<'_>) -> impl Iterator<Item = Held> {
    let book = snapshot.view();
    (0..view.position_slots()).filter_map(move |slot| {
        let position = view
            .position(slot)
            .filter(|position| position.size.0 != 0)?;
        let terms = book.instrument(position.instrument);
        let value = value_floor(position.size, terms.mark).0;
        let closed = PositionLeg {
            size: Lots(0),
            quote: Atoms(position.quote.0.saturating_add(value)),
            ..position
        };
        Some(Held {
            asset: asset_at(terms.asset)?,
            size: position.size.0,
            closed: (slot, closed),
        })
    })
}

/// Maintenance health with these positions closed.
fn without(snapshot: &Snapshot<'_>, view: &MarginView<'_>, closed: &[(usize, PositionLeg)]) -> i64 {
    let amended = Amended {
        base: view,
        balances: &[],
        positions: closed,
    };
    health(snapshot, &amended)
}

/// Deposits against what closed positions still owe; the dearest deposit first.
fn deposits(snapshot: &Snapshot<'_>, view: &MarginView<'_>) -> Vec<Leg> {
    let book = snapshot.view();
    let before = health(snapshot, view);
    let owing: Vec<(Asset, i64)> = (0..view.position_slots())
        .filter_map(|slot| view.position(slot))
        .filter(|position| position.size.0 == 0 && position.quote.0 < 0)
        .filter_map(|position| {
            let asset = asset_at(book.instrument(position.instrument).asset)?;
            Some((asset, position.quote.0))
        })
        .collect();
    let mut legs = Vec::new();
    for slot in 0..view.balance_slots() {
        let Some(balance) = view.balance(slot).filter(|balance| balance.shares.0 > 0) else {
            continue;
        };
        let Some(deposit) = asset_at(book.rate(balance.rate).asset) else {
            continue;
        };
        let rate = book.rate(balance.rate);
        let price = match deposit {
            Asset::Usdc => Price::ONE,
            _ => book.asset(rate.asset).native_price,
        };
        let held = deposit_amount(balance.shares, rate.deposit_index).0;
        let worth = value_floor(Lots(held), price).0.unsigned_abs();
        let mut none = balance;
        none.shares = Shares(0);
        let without = Amended {
            base: view,
            balances: &[(slot, none)],
            positions: &[],
        };
        // What the deposit lends to health: little for a token of wide range, so that it goes first.
        let lent = before.saturating_sub(health(snapshot, &without));
        let each = owing.iter().map(|(asset, owed)| Leg {
            asset: *asset,
            kind: Kind::Deposit(deposit),
            gain: lent.saturating_neg(),
            whole: owed.unsigned_abs().min(worth),
        });
        legs.extend(each.filter(|leg| leg.whole >= DUST));
    }
    legs
}

/// Every deposit against every borrow, native units of what was borrowed.
fn borrows(snapshot: &Snapshot<'_>, view: &MarginView<'_>) -> Vec<Leg> {
    let book = snapshot.view();
    let held: Vec<_> = (0..view.balance_slots())
        .filter_map(|slot| view.balance(slot))
        .filter_map(|leg| Some((asset_at(book.rate(leg.rate).asset)?, leg)))
        .collect();
    let owed = held.iter().filter(|(_, leg)| leg.shares.0 < 0);
    owed.flat_map(|(asset, owed)| {
        let rate = book.rate(owed.rate);
        let whole = borrow_amount(owed.shares, rate.borrow_index).0;
        let deposits = held.iter().filter(|(_, leg)| leg.shares.0 > 0);
        deposits.map(move |(deposit, _)| Leg {
            asset: *asset,
            kind: Kind::Borrow(*deposit),
            gain: 0,
            whole: whole.unsigned_abs(),
        })
    })
    .collect()
}

fn health<L: Legs>(snapshot: &Snapshot<'_>, legs: &L) -> i64 {
    let mut workspace = Workspace::largest();
    maintenance(&snapshot.view(), legs, &mut workspace.scratch())
        .health()
        .0
}

fn asset_at(index: u8) -> Option<Asset> {
    Asset::ALL.get(usize::from(index)).copied()
}

/// Takes the leg: the whole is offered, the program takes what is needed. Smaller offers follow only
/// when its search cannot reach the end from there. `None` when this leg does not help.
fn take(stage: &mut Stage, margin: Pubkey, leg: Leg) -> anyhow::Result<Option<Taken>> {
    let mut offer = leg.whole;
    for _ in 0..MAX_SIZES {
        let world = &mut stage.world;
        let target = target(world, &leg);
        let sent = world.take(&stage.keeper, margin, target, offer.max(1));
        match sent {
            Ok(sent) => {
                let Some(event) = events::first(&sent.logs) else {
                    bail!("liquidate emitted no event");
                };
                return Ok(Some(Taken { margin, leg, event }));
            }
            Err(failure) if is(&failure, KeelError::SizeBeyondEnd) => offer /= SEARCH_REACH,
            Err(failure) if is(&failure, KeelError::TakeWhole) && offer < leg.whole => {
                offer = leg.whole;
            }
            Err(failure) if other_leg_may_do(&failure) => return Ok(None),
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(None)
}

fn target(world: &World, leg: &Leg) -> TakenLeg {
    let index = market(leg.asset);
    match leg.kind {
        Kind::Position => TakenLeg::Position { market: index },
        Kind::Hedge(other) => world.hedge(leg.asset, other),
        Kind::Deposit(deposit) => TakenLeg::Deposit {
            market: index,
            mint: world.token(deposit).mint,
        },
        Kind::Borrow(deposit) => world.borrow_leg(deposit, leg.asset),
    }
}

fn other_leg_may_do(failure: &Failure) -> bool {
    [
        KeelError::BreaksHedge,
        KeelError::NothingToLiquidate,
        KeelError::BelowInitial,
        KeelError::TakeWhole,
        KeelError::SizeBeyondEnd,
        // A jump that is not confirmed before the next tick: the keeper waits for it.
        KeelError::PriceUnfit,
        // So does it after a silence, for a second print.
        KeelError::TooFewPrints,
    ]
    .into_iter()
    .any(|error| is(failure, error))
}

pub fn is(failure: &Failure, error: KeelError) -> bool {
    failure.code == Some(u32::from(error))
}

/// Whose positions are closed against the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closer {
    Keeper,
    Bidder,
}

/// Closes against the pool what the keeper or the bidder holds. What the program refuses is left for
/// the next step; any other failure ends the run.
pub fn unload(stage: &mut Stage, closer: Closer) -> anyhow::Result<()> {
    let account = match closer {
        Closer::Keeper => &stage.keeper,
        Closer::Bidder => &stage.bidder,
    };
    let data = stage.world.data(&account.margin);
    let book = stage.world.book_data();
    let snapshot = Snapshot::new(&book, stage.world.vm.now())?;
    let view = snapshot.margin(&data)?;
    let held: Vec<(Asset, i64)> = Asset::TRADED
        .into_iter()
        .filter_map(|asset| {
            let slot = view.held_slot(market(asset))?;
            let size = view.position(slot)?.size.0;
            (size != 0).then_some((asset, size))
        })
        .collect();
    if held.is_empty() {
        return Ok(());
    }
    let assets: Vec<Asset> = held.iter().map(|(asset, _)| *asset).collect();
    let sizes: Vec<i64> = held.iter().map(|(_, size)| -size).collect();
    let world = &mut stage.world;
    let keys = world.trade_keys(account, &assets);
    let close = instruction::close_position(&world.keys, &keys, world.order(&sizes));
    match world.vm.measure("close_position", close, &[&account.key]) {
        Ok(sent) => stage.income.add(&sent.logs),
        Err(failure) if failure.code.is_none() => return Err(failure.into()),
        Err(_) => {}
    }
    Ok(())
}
