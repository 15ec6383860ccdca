//! Exits past a pool that cannot take a close, settlements, and an order that pays a referrer.

use anyhow::Context;
use keel_sdk::instruction::{self, ExitKeys, SettleKeys};
use keel_sdk::{ExitArgs, Instruction, OrderLeg, Snapshot, decode};
use keel_state::MarginAccount;

use super::accounts::{edit, edit_margin};
use super::stage::Stage;
use super::{Figures, passes, trade};

/// What the pool has left above Maintenance while exits are measured, atoms.
const LEFT: i64 = 1_000_000;

/// The stage ends as it was.
pub fn measure(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    measure_settlements(figures, stage)?;
    measure_referred(figures, stage)?;
    let pool = stage.pool_margin();
    let healthy = stage.vm.account(&pool).context("no pool")?;
    impoverish(stage)?;
    measure_exits(figures, stage)?;
    stage.vm.set_account(pool, healthy);
    Ok(())
}

/// The dearest of all positions' that settle, in either direction.
fn measure_settlements(figures: &mut Figures, stage: &Stage) -> anyhow::Result<()> {
    let (trader, pool) = (stage.trader.margin, stage.pool_margin());
    let units = |market: u8, winner, loser| {
        let keys = SettleKeys {
            winner,
            loser,
            market,
        };
        let settle = instruction::settle_pnl(&stage.keys, &keys, u64::MAX);
        let sent = stage.vm.simulate(&[settle], &[]);
        sent.ok().map(|sent| sent.units)
    };
    let markets = stage.shape.trader_markets();
    let each = markets
        .iter()
        .flat_map(|&market| [units(market, trader, pool), units(market, pool, trader)]);
    let most = each.flatten().max().context("nothing settles")?;
    figures.set("settle_pnl", stage.shape.name, most);
    Ok(())
}

/// What a referrer adds to an order of one leg.
fn measure_referred(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    let (trader, referrer) = (stage.trader.margin, stage.liquidator.margin);
    let before = stage.vm.account(&trader).context("no trader's account")?;
    edit::<MarginAccount>(&mut stage.vm, &trader, |account| {
        account.referrer = referrer;
    })?;
    let mut order = trade::order(stage, "open_position", 1, 1)?;
    order.accounts[5].pubkey = referrer;
    order.accounts[5].is_writable = true;
    let sent = passes(stage, "open_position", order, &[&stage.trader.key])?;
    figures.set("open_position", "referred", sent.units);
    stage.vm.set_account(trader, before);
    Ok(())
}

/// The pool loses all but a dollar of what it has above Maintenance.
fn impoverish(stage: &mut Stage) -> anyhow::Result<()> {
    let pool = stage.pool_margin();
    let health = {
        let book = stage.data(&stage.keys.risk_book)?;
        let data = stage.data(&pool)?;
        let snapshot = Snapshot::new(&book, stage.vm.now());
        let snapshot = snapshot.map_err(|error| anyhow::anyhow!("{error}"))?;
        let margin = decode::margin(&data, snapshot.book());
        let margin = margin.map_err(|error| anyhow::anyhow!("{error}"))?;
        snapshot.assess(&margin).maintenance.health().0
    };
    edit_margin(&mut stage.vm, &pool, |account, _| {
        account.balances[0].shares -= health - LEFT;
    })
}

/// The dearest of all positions' tenths that the poor pool does not take.
fn measure_exits(figures: &mut Figures, stage: &Stage) -> anyhow::Result<()> {
    let data = stage.data(&stage.trader.margin)?;
    let held = trade::header_and_positions(&data)?.1;
    let exits = held[..stage.shape.positions].iter().filter_map(|position| {
        let exit = exit(stage, position.instrument, -position.size / 10);
        let sent = stage.vm.simulate(&[exit], &[&stage.trader.key]);
        sent.ok().map(|sent| sent.units)
    });
    if let Some(most) = exits.max() {
        figures.set("exit_position", stage.shape.name, most);
    }
    Ok(())
}

fn exit(stage: &Stage, market: u8, size: i64) -> Instruction {
    let keys = ExitKeys {
        owner: stage.trader.owner(),
        margin: stage.trader.margin,
        pool: stage.pool,
        market,
    };
    let args = ExitArgs {
        leg: OrderLeg {
            size,
            limit_price: if size > 0 { u64::MAX } else { 0 },
        },
        valid_until: stage.vm.now() + 60,
        expected_seq: None,
        client_id: 0,
    };
    instruction::exit_position(&stage.keys, &keys, args)
}
