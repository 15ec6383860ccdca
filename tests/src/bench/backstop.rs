//! Backstop and bankruptcy, on the largest accounts.

use anyhow::Context;
use keel_sdk::instruction::{self, Part};
use keel_sdk::{Instruction, address};
use keel_state::{Bank, Market, Position, RiskBook};

use super::accounts::{edit, edit_margin};
use super::shape::LINEAR;
use super::stage::Stage;
use super::{Figures, passes};

/// What a trader who is to be unwound lost in his first position, atoms.
const LOST: i64 = 20_000_000_000_000;
/// The bank whose borrow is written off.
const OWED: usize = 3;
/// What a bankrupt account owes in each ledger, atoms or native units.
const DEBT: i64 = 1_000_000_000;

pub fn measure(figures: &mut Figures) -> anyhow::Result<()> {
    let mut stage = Stage::build(LINEAR)?;
    unbid(&mut stage)?;
    figures.set("deleverage", "pool", dearest(&stage, true)?);
    let pool = stage.pool_margin();
    edit_margin(&mut stage.vm, &pool, |account, positions| {
        account.balances[0].shares = 1;
        positions[0].quote -= LOST;
    })?;
    figures.set("deleverage", "side", dearest(&stage, true)?);
    figures.set("deleverage", "of_pool", dearest(&stage, false)?);

    let market = address::market(&stage.keys.group, 0);
    edit::<Market>(&mut stage.vm, &market, |market| {
        market.stray_long = 3 << 40;
        market.stray_short = 5 << 40;
    })?;
    let strays = instruction::take_strays(&stage.keys, 0, stage.pool);
    let sent = passes(&stage, "take_strays", strays, &[])?;
    figures.set("take_strays", "linear", sent.units);

    bankrupt(&mut stage)?;
    let mint = stage.config.tokens[OWED].token.mint;
    for (shape, part) in [("market", Part::Market(0)), ("bank", Part::Bank(mint))] {
        let call = instruction::resolve_bankruptcy(&stage.keys, stage.trader.margin, part);
        let sent = passes(&stage, "resolve_bankruptcy", call, &[])?;
        figures.set("resolve_bankruptcy", shape, sent.units);
    }
    figures.take_sizes(&stage);
    Ok(())
}

/// A trader far below Maintenance, whose auction nobody ended.
fn unbid(stage: &mut Stage) -> anyhow::Result<()> {
    let margin = stage.trader.margin;
    edit_margin(&mut stage.vm, &margin, |account, positions| {
        positions[0].quote -= LOST;
        account.liquidation_started = 1;
    })?;
    edit::<RiskBook>(&mut stage.vm, &stage.keys.risk_book, |book| {
        book.live_time += 600;
    })
}

/// The dearest over the trader's markets, of his account or of the pool's.
fn dearest(stage: &Stage, of_trader: bool) -> anyhow::Result<u64> {
    let account = of_trader.then_some(stage.trader.margin);
    let call = |market: usize| -> Instruction {
        instruction::deleverage(&stage.keys, account, market as u8, stage.pool, u64::MAX)
    };
    let mut most = None;
    for market in 0..stage.shape.positions {
        if let Ok(sent) = stage.vm.simulate(&[call(market)], &[]) {
            stage.note_size("deleverage", &call(market));
            most = most.max(Some(sent.units));
        }
    }
    most.context("deleverage: no call went through")
}

/// The trader without anything but what he owes: in every market, and one token.
fn bankrupt(stage: &mut Stage) -> anyhow::Result<()> {
    let margin = stage.trader.margin;
    edit_margin(&mut stage.vm, &margin, |account, positions| {
        for balance in &mut account.balances {
            (balance.shares, balance.used) = (0, u8::from(balance.bank == 0));
        }
        let owed = &mut account.balances[OWED];
        (owed.bank, owed.shares, owed.used) = (OWED as u8, -DEBT, 1);
        for position in positions {
            *position = Position {
                size: 0,
                quote: -DEBT,
                last_side: 1,
                ..*position
            };
        }
    })?;
    let bank = address::bank(&stage.keys.group, &stage.config.tokens[OWED].token.mint);
    edit::<Bank>(&mut stage.vm, &bank, |bank| {
        bank.borrow_shares += DEBT as u64;
        bank.tracked -= DEBT as u64;
    })
}
