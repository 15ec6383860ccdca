//! Orders and liquidations.

use anyhow::{Context, ensure};
use keel_sdk::instruction::{self, TakenLeg, TradeKeys};
use keel_sdk::{Instruction, OrderArgs, OrderLeg, Snapshot, decode};
use keel_state::{MarginAccount, RiskBook};

use super::accounts::{edit, edit_margin};
use super::stage::Stage;
use super::{Figures, passes, refusal};
use keel::errors::KeelError;

/// What an order's leg is worth, atoms.
const LEG: i64 = 2_000_000_000;
/// What an account that is to be liquidated lacks, atoms.
const LACKING: i64 = 1_000_000;
/// A range at which three of them exceed the price, so that a short's gain is cut and all scenarios
/// are scanned.
const STRESSED_RANGE: u32 = 400_000;

pub fn measure(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    measure_orders(figures, stage)?;
    let healthy =
        [stage.trader.margin, stage.pool_margin()].map(|margin| stage.vm.account(&margin));
    impair(stage)?;
    measure_liquidations(figures, stage)?;
    for (margin, account) in [stage.trader.margin, stage.pool_margin()]
        .into_iter()
        .zip(healthy)
    {
        let account = account.context("the account vanished")?;
        stage.vm.set_account(margin, account);
    }
    Ok(())
}

/// One leg that adds to a position, or takes from it; two and eight legs in the linear shape.
pub fn measure_orders(figures: &mut Figures, stage: &Stage) -> anyhow::Result<()> {
    let shape = stage.shape.name;
    for (name, direction) in [("open_position", 1), ("close_position", -1)] {
        let units = |legs: usize| -> anyhow::Result<u64> {
            let order = order(stage, name, legs, direction)?;
            Ok(passes(stage, name, order, &[&stage.trader.key])?.units)
        };
        let one = units(1)?;
        figures.set(name, shape, one);
        if shape == "linear" {
            figures.set(name, "further_leg", units(2)? - one);
            figures.set(name, "eight_legs", units(8)?);
        }
    }
    Ok(())
}

/// An order in the trader's last markets, with the direction of his positions or against it.
pub(super) fn order(
    stage: &Stage,
    name: &str,
    legs: usize,
    direction: i64,
) -> anyhow::Result<Instruction> {
    let data = stage.data(&stage.trader.margin)?;
    let held = header_and_positions(&data)?.1;
    let count = stage.shape.positions;
    let chosen = &held[count - legs..count];
    let sizes = chosen
        .iter()
        .map(|position| {
            let lots = stage.lots_worth(position.instrument, LEG)?;
            Ok(position.size.signum() * direction * lots)
        })
        .collect::<anyhow::Result<Vec<i64>>>()?;
    let markets = chosen.iter().map(|position| position.instrument).collect();
    Ok(order_of(stage, name, markets, &sizes))
}

/// The same in the market of one of his positions.
pub(super) fn order_in(
    stage: &Stage,
    name: &str,
    place: usize,
    direction: i64,
) -> anyhow::Result<Instruction> {
    let data = stage.data(&stage.trader.margin)?;
    let position = header_and_positions(&data)?.1[place];
    let lots = stage.lots_worth(position.instrument, LEG)?;
    let size = position.size.signum() * direction * lots;
    Ok(order_of(stage, name, vec![position.instrument], &[size]))
}

fn order_of(stage: &Stage, name: &str, markets: Vec<u8>, sizes: &[i64]) -> Instruction {
    let leg = |&size: &i64| OrderLeg {
        size,
        limit_price: if size > 0 { u64::MAX } else { 0 },
    };
    let args = OrderArgs {
        legs: sizes.iter().map(leg).collect(),
        valid_until: stage.vm.now() + 60,
        expected_seq: None,
        client_id: 0,
        health_before: false,
    };
    let keys = TradeKeys {
        authority: stage.trader.owner(),
        margin: stage.trader.margin,
        pool: stage.pool,
        referrer: None,
        markets,
    };
    match name {
        "open_position" => instruction::open_position(&stage.keys, &keys, args),
        _ => instruction::close_position(&stage.keys, &keys, args),
    }
}

/// Lets the trader's first position lose, to the pool, what leaves him just below Maintenance.
fn impair(stage: &mut Stage) -> anyhow::Result<()> {
    super::auction::two_prints(stage)?;
    let health = {
        let book = stage.data(&stage.keys.risk_book)?;
        let data = stage.data(&stage.trader.margin)?;
        let snapshot = Snapshot::new(&book, stage.vm.now());
        let snapshot = snapshot.map_err(|error| anyhow::anyhow!("{error}"))?;
        let margin = snapshot.margin(&data);
        let margin = margin.map_err(|error| anyhow::anyhow!("{error}"))?;
        snapshot.assess(&margin).maintenance.health().0
    };
    ensure!(
        health > 0,
        "the stage's trader must begin above Maintenance"
    );
    let loss = health + LACKING;
    let (trader, pool) = (stage.trader.margin, stage.pool_margin());
    for (margin, change) in [(trader, -loss), (pool, loss)] {
        edit_margin(&mut stage.vm, &margin, |_, positions| {
            positions[0].quote += change;
        })?;
    }
    Ok(())
}

/// `linear` (or `typical`): the greatest of all positions' at a tenth of their size, which one try
/// accepts. `eight_tries`: the greatest at the whole size, where the end lies inside.
fn measure_liquidations(figures: &mut Figures, stage: &Stage) -> anyhow::Result<()> {
    let data = stage.data(&stage.trader.margin)?;
    let held = header_and_positions(&data)?.1;
    let (mut one, mut eight) = (None, None);
    for position in &held[..stage.shape.positions] {
        let size = position.size.unsigned_abs();
        let units = |size: u64| {
            let step = liquidation(stage, position.instrument, size);
            let sent = stage.vm.simulate(&[step], &[&stage.liquidator.key]);
            sent.ok().map(|sent| sent.units)
        };
        one = one.max(units(size / 10));
        eight = eight.max(units(u64::MAX));
    }
    let none = || {
        format!(
            "liquidate, {}: no position could be taken",
            stage.shape.name
        )
    };
    figures.set("liquidate", stage.shape.name, one.with_context(none)?);
    if stage.shape.name == "linear" {
        figures.set("liquidate", "eight_tries", eight.with_context(none)?);
    }
    Ok(())
}

fn liquidation(stage: &Stage, market: u8, max_size: u64) -> Instruction {
    instruction::liquidate(
        &stage.keys,
        stage.liquidator.owner(),
        stage.trader.margin,
        stage.liquidator.margin,
        TakenLeg::Position { market },
        max_size,
    )
}

/// Refusals of a healthy account.
pub fn measure_refusals(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    let key = stage.trader.key.insecure_clone();
    let growing = order(stage, "close_position", 1, 1)?;
    let code = u32::from(KeelError::NotReducing);
    let units = refusal(stage, "close_position", code, growing, &[&key])?;
    figures.set("close_position", "error", units);

    let liquidator = stage.liquidator.key.insecure_clone();
    let step = liquidation(stage, 0, u64::MAX);
    let code = u32::from(KeelError::NotLiquidatable);
    let units = refusal(stage, "liquidate", code, step, &[&liquidator])?;
    figures.set("liquidate", "error", units);
    Ok(())
}

/// An account below Initial: what opens and withdraws is refused, what closes is judged twice.
/// Leaves the stage with such an account.
pub fn measure_below_initial(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    impair(stage)?;
    let key = stage.trader.key.insecure_clone();
    let code = u32::from(KeelError::BelowInitial);
    let open = order(stage, "open_position", 1, 1)?;
    let units = refusal(stage, "open_position", code, open, &[&key])?;
    figures.set("open_position", "error", units);

    let token = stage.config.tokens[1].token;
    let (owner, margin) = (stage.trader.owner(), stage.trader.margin);
    let withdraw = instruction::withdraw(&stage.keys, owner, margin, token, 1_000_000);
    let units = refusal(stage, "withdraw", code, withdraw, &[&key])?;
    figures.set("withdraw", "error", units);

    let close = order(stage, "close_position", 1, -1)?;
    let sent = passes(stage, "close_position", close, &[&key])?;
    figures.set("close_position", "below_initial", sent.units);
    Ok(())
}

/// Ranges so wide that two scenarios do not suffice: every one is scanned.
pub fn measure_stressed(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    edit::<RiskBook>(&mut stage.vm, &stage.keys.risk_book, |book| {
        for asset in &mut book.assets {
            asset.range = STRESSED_RANGE;
        }
    })?;
    let view = instruction::view_margin(&stage.keys, stage.trader.margin, 0);
    let sent = passes(stage, "view_margin", view, &[])?;
    figures.set("view_margin", "wide_ranges", sent.units);

    // So wide a range asks for more margin than the stage's accounts have.
    let quote = 20_000_000_000_000;
    for margin in [stage.trader.margin, stage.pool_margin()] {
        edit_margin(&mut stage.vm, &margin, |account, _| {
            account.balances[0].shares += quote;
        })?;
    }
    let open = order(stage, "open_position", 1, 1)?;
    let sent = passes(stage, "open_position", open, &[&stage.trader.key])?;
    figures.set("open_position", "wide_ranges", sent.units);
    Ok(())
}

pub fn header_and_positions(
    data: &[u8],
) -> anyhow::Result<(&MarginAccount, &[keel_state::Position])> {
    let header = decode::account::<MarginAccount>(data);
    let header = header.map_err(|error| anyhow::anyhow!("{error}"))?;
    let positions = decode::positions(header, data);
    Ok((
        header,
        positions.map_err(|error| anyhow::anyhow!("{error}"))?,
    ))
}
