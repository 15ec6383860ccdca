//! Tokens in and out, prices, views.

use anyhow::ensure;
use keel_sdk::{Instruction, Pubkey, instruction};
use solana_signer::Signer;

use super::stage::Stage;
use super::{Figures, passes, refusal};
use keel::errors::KeelError;

/// Sources relayed by the call that `per_source` is a share of.
const SOURCES: usize = 8;
/// Banks and vaults of one call, beside all markets: a transaction locks at most 64 accounts.
const CHECKED_BANKS: usize = 8;

pub fn measure(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    let shape = stage.shape;
    let key = stage.trader.key.insecure_clone();
    let token = stage.config.tokens[1].token;
    stage.give(key.pubkey(), token, 1_000_000);

    let deposit = deposit(stage, 1, key.pubkey());
    let sent = passes(stage, "deposit", deposit, &[&key])?;
    figures.set("deposit", shape.name, sent.units);

    let margin = stage.trader.margin;
    let withdraw = instruction::withdraw(&stage.keys, key.pubkey(), margin, token, 1_000_000);
    let sent = passes(stage, "withdraw", withdraw, &[&key])?;
    figures.set("withdraw", shape.name, sent.units);

    let view = instruction::view_margin(&stage.keys, margin, 0);
    let sent = passes(stage, "view_margin", view, &[])?;
    figures.set("view_margin", shape.name, sent.units);

    let sent = passes(stage, "check_conservation", conservation(stage), &[])?;
    let (checked, failed) = (sent.return_data.first(), sent.return_data.get(1));
    ensure!(
        checked.is_some_and(|checked| *checked > 0) && failed.is_none_or(|failed| *failed == 0),
        "check_conservation, {}: the stage's books do not balance: {checked:?} {failed:?}",
        shape.name
    );
    figures.set("check_conservation", shape.name, sent.units);
    measure_prices(figures, stage)
}

/// Four sources in the typical shape, eight in the other; the stage gets no older.
fn measure_prices(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    let (now, slot) = (stage.vm.now(), stage.vm.slot());
    stage.vm.pass(1);
    stage.post();
    let name = stage.shape.name;
    let sources = if name == "typical" {
        SOURCES / 2
    } else {
        SOURCES
    };
    let sent = passes(
        stage,
        "update_prices",
        stage.relay(1..1 + sources, true),
        &[],
    )?;
    figures.set("update_prices", name, sent.units);
    if sources == SOURCES {
        figures.set("update_prices", "per_source", sent.units / SOURCES as u64);

        // The first prints after a full hour, 5% higher: each a sample that moves target and range.
        stage.vm.set_time(now + 3_600, slot);
        stage.post_times(1.05);
        let relay = stage.relay(1..1 + SOURCES, true);
        let sent = passes(stage, "update_prices", relay, &[])?;
        figures.set("update_prices", "per_sample", sent.units / SOURCES as u64);
    }
    stage.vm.set_time(now, slot);
    stage.post();
    Ok(())
}

pub fn measure_refusals(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    // The pool's book takes liquidity alone; the tokens have moved by the time that this is seen.
    let astray = instruction::deposit(
        &stage.keys,
        stage.trader.owner(),
        stage.pool_margin(),
        stage.config.tokens[1].token,
        1_000_000,
    );
    let key = stage.trader.key.insecure_clone();
    let code = u32::from(KeelError::NotATrader);
    let units = refusal(stage, "deposit", code, astray, &[&key])?;
    figures.set("deposit", "error", units);

    let stale = stage.relay(1..1 + SOURCES, true);
    let code = u32::from(KeelError::PriceNotNewer);
    let units = refusal(stage, "update_prices", code, stale, &[])?;
    figures.set("update_prices", "error", units);

    let view = instruction::view_margin(&stage.keys, stage.pool, 0);
    let code = anchor_lang::error::ErrorCode::AccountDiscriminatorMismatch as u32;
    let units = refusal(stage, "view_margin", code, view, &[])?;
    figures.set("view_margin", "error", units);

    let mut check = conservation(stage);
    check.accounts.swap(2, 4);
    let code = u32::from(KeelError::WrongVault);
    let units = refusal(stage, "check_conservation", code, check, &[])?;
    figures.set("check_conservation", "error", units);
    Ok(())
}

fn deposit(stage: &Stage, bank: usize, depositor: Pubkey) -> Instruction {
    let token = stage.config.tokens[bank].token;
    instruction::deposit(
        &stage.keys,
        depositor,
        stage.trader.margin,
        token,
        1_000_000,
    )
}

/// Up to eight banks and all markets.
fn conservation(stage: &Stage) -> Instruction {
    let banks = stage.shape.balances.min(CHECKED_BANKS);
    let mints: Vec<Pubkey> = stage.config.tokens[..banks]
        .iter()
        .map(|token| token.token.mint)
        .collect();
    let markets: Vec<u8> = (0..stage.shape.perps as u8).collect();
    instruction::check_conservation(&stage.keys, &mints, &markets)
}
