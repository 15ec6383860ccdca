//! The engine alone, run by the program `keel-probe` on a stage's accounts.

use anyhow::ensure;
use keel_probe::Operation;
use keel_sdk::{AccountMeta, Instruction, Pubkey};
use keel_state::RiskBook;
use solana_signer::Signer;

use super::Figures;
use super::accounts::{edit, edit_margin};
use super::stage::Stage;
use crate::vm::keypair;

/// Both requirements, Maintenance alone and the perpetuals alone.
pub fn measure(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    let program = keypair(4_001).pubkey();
    stage.vm.load(program, "keel_probe")?;
    let name = stage.shape.name;
    let margin = stage.trader.margin;
    season(stage)?;
    for (row, operation) in [
        ("engine", Operation::Both),
        ("engine_maintenance", Operation::Maintenance),
        ("engine_initial", Operation::Initial),
    ] {
        figures.set(row, name, run(stage, program, margin, operation)?);
    }
    edit_margin(&mut stage.vm, &margin, |account, _| {
        for balance in &mut account.balances[1..] {
            *balance = bytemuck::Zeroable::zeroed();
        }
    })?;
    figures.set(
        "engine",
        "perps",
        run(stage, program, margin, Operation::Both)?,
    );
    Ok(())
}

/// A book in its later life: interest and funding have accrued.
fn season(stage: &mut Stage) -> anyhow::Result<()> {
    const INDEX: u64 = (1 << 48) + (3 << 43) + 0x1234_5678;
    let margin = stage.trader.margin;
    edit::<RiskBook>(&mut stage.vm, &stage.keys.risk_book, |book| {
        for rate in &mut book.rates {
            (rate.deposit_index, rate.borrow_index) = (INDEX, INDEX);
        }
    })?;
    edit_margin(&mut stage.vm, &margin, |_, _| ())
}

/// Units of one operation: what the second of two runs adds.
fn run(
    stage: &Stage,
    program: Pubkey,
    margin: Pubkey,
    operation: Operation,
) -> anyhow::Result<u64> {
    let units = |times: u8| -> anyhow::Result<u64> {
        let mut data = vec![operation as u8, times];
        data.extend(stage.vm.now().to_le_bytes());
        let accounts = vec![
            AccountMeta::new_readonly(stage.keys.risk_book, false),
            AccountMeta::new_readonly(margin, false),
        ];
        let instruction = Instruction {
            program_id: program,
            accounts,
            data,
        };
        Ok(stage.vm.simulate(&[instruction], &[])?.units)
    };
    let (once, twice) = (units(1)?, units(2)?);
    ensure!(twice > once, "{operation:?} costs nothing");
    Ok(twice - once)
}
