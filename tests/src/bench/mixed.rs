//! Shapes with options: half of the trader's positions, and half or three quarters of the pool's legs.
//! No instruction makes options yet; they are written into the book, so that what is traded, moved or
//! taken here is a perpetual or a token beside them.

use anyhow::Context;
use keel_sdk::instruction::{self, TakenLeg};
use keel_state::Position;
use solana_signer::Signer;

use super::accounts::edit_margin;
use super::auction::{below_maintenance, step, two_prints};
use super::shape::LINEAR;
use super::stage::Stage;
use super::{Figures, engine, passes, trade};

/// Options of the pool beside its 32 perpetuals in the fullest shape, and of it in the mixed one.
const FULL: usize = 96;
const HALF: usize = 16;
/// What one of the pool's option legs is worth in lots, atoms.
const POOL_LEG: i64 = 1_000_000_000;

pub fn measure(figures: &mut Figures) -> anyhow::Result<()> {
    let mut stage = Stage::build(LINEAR)?;
    two_prints(&mut stage)?;
    engine::mix(&mut stage)?;
    pool_options(&mut stage, LINEAR.perps - HALF..LINEAR.perps)?;
    cash(figures, &mut stage)?;
    orders(figures, &stage, "mixed")?;
    liquidations(figures, &mut stage)?;

    let mut stage = Stage::build(LINEAR)?;
    engine::mix(&mut stage)?;
    pool_options(&mut stage, LINEAR.perps..LINEAR.perps + FULL)?;
    orders(figures, &stage, "full_pool")
}

/// Turns the pool's positions of these slots into options, bought and sold.
fn pool_options(stage: &mut Stage, slots: core::ops::Range<usize>) -> anyhow::Result<()> {
    let lots = (0..slots.len())
        .map(|place| stage.lots_worth((place % stage.shape.trader_assets) as u8, POOL_LEG))
        .collect::<anyhow::Result<Vec<i64>>>()?;
    let first = stage.shape.perps;
    let pool = stage.pool_margin();
    edit_margin(&mut stage.vm, &pool, |account, positions| {
        let like = positions[0];
        for (place, (slot, lots)) in slots.clone().zip(lots).enumerate() {
            positions[slot] = Position {
                instrument: (first + place) as u8,
                size: if place % 2 == 0 { lots } else { -lots },
                quote: 0,
                ..like
            };
        }
        account.positions_end = account.positions_end.max(slots.end as u16);
    })
}

fn cash(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    let key = stage.trader.key.insecure_clone();
    let (owner, margin) = (key.pubkey(), stage.trader.margin);
    let token = stage.config.tokens[1].token;
    stage.give(owner, token, 1_000_000);
    let deposit = instruction::deposit(&stage.keys, owner, margin, token, 1_000_000);
    figures.set(
        "deposit",
        "mixed",
        passes(stage, "deposit", deposit, &[&key])?.units,
    );
    let withdraw = instruction::withdraw(&stage.keys, owner, margin, token, 1_000_000);
    figures.set(
        "withdraw",
        "mixed",
        passes(stage, "withdraw", withdraw, &[&key])?.units,
    );
    Ok(())
}

/// An order in the trader's first market, which stayed a perpetual.
fn orders(figures: &mut Figures, stage: &Stage, shape: &'static str) -> anyhow::Result<()> {
    for (name, direction) in [("open_position", 1), ("close_position", -1)] {
        let order = trade::order_in(stage, name, 0, direction)?;
        let sent = passes(stage, name, order, &[&stage.trader.key])?;
        figures.set(name, shape, sent.units);
    }
    Ok(())
}

/// The dearest of the trader's perpetuals.
fn liquidations(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    below_maintenance(stage)?;
    let perps = stage.shape.positions - stage.shape.trader_assets;
    let markets = stage.shape.trader_markets();
    let units = markets.iter().take(perps).filter_map(|market| {
        let leg = TakenLeg::Position { market: *market };
        let step = step(stage, leg, u64::MAX);
        let sent = stage.vm.simulate(&[step], &[&stage.liquidator.key]);
        sent.ok().map(|sent| sent.units)
    });
    let most = units.max().context("no position could be taken")?;
    figures.set("liquidate", "mixed", most);
    Ok(())
}
