//! The engine alone, run by the program `keel-probe` on a stage's accounts.

use anyhow::{Context, ensure};
use keel_probe::Operation;
use keel_risk::black76::{Contract, OptionSide, greeks, lot_greeks};
use keel_risk::risk_array::{ArrayTerms, risk_array};
use keel_risk::{Ppm, SPAN_16, Scenario};
use keel_sdk::{AccountMeta, Instruction, Pubkey, instruction};
use keel_state::{InstrumentTag, MarginAccount, Position, RiskBook};
use solana_signer::Signer;

use super::Figures;
use super::accounts::{edit, edit_margin};
use super::stage::Stage;
use crate::vm::keypair;

/// Both requirements, each alone, and the perpetuals alone; then half of the positions as options.
pub fn measure(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    let program = keypair(4_001).pubkey();
    stage.vm.load(program, "keel_probe")?;
    let margin = stage.trader.margin;
    season(stage)?;
    rows(figures, stage, program, "linear")?;
    let empty = |account: &mut MarginAccount, _: &mut [Position]| {
        for balance in &mut account.balances[1..] {
            *balance = bytemuck::Zeroable::zeroed();
        }
    };
    let held = stage.vm.account(&margin).context("the trader's account")?;
    edit_margin(&mut stage.vm, &margin, empty)?;
    let units = run(stage, program, margin, Operation::Both)?;
    figures.set("engine", "perps", units);

    stage.vm.set_account(margin, held);
    mix(stage)?;
    rows(figures, stage, program, "mixed")?;
    let view = instruction::view_margin(&stage.keys, margin, 0);
    let sent = stage.vm.simulate(&[view], &[])?;
    figures.set("view_margin", "mixed", sent.units);
    Ok(())
}

fn rows(
    figures: &mut Figures,
    stage: &Stage,
    program: Pubkey,
    shape: &'static str,
) -> anyhow::Result<()> {
    let margin = stage.trader.margin;
    for (row, operation) in [
        ("engine", Operation::Both),
        ("engine_maintenance", Operation::Maintenance),
        ("engine_initial", Operation::Initial),
        ("replace", Operation::Replace),
    ] {
        figures.set(row, shape, run(stage, program, margin, operation)?);
    }
    Ok(())
}

/// A book in its later life: interest and funding have accrued.
pub fn season(stage: &mut Stage) -> anyhow::Result<()> {
    const INDEX: u64 = (1 << 48) + (3 << 43) + 0x1234_5678;
    const CARRY: [u64; 2] = [0x0003_2109_8765_4321, 0];
    edit::<RiskBook>(&mut stage.vm, &stage.keys.risk_book, |book| {
        for rate in &mut book.rates {
            (rate.deposit_index, rate.borrow_index) = (INDEX, INDEX);
        }
        for instrument in &mut book.instruments {
            (instrument.carry_long, instrument.carry_short) = (CARRY, CARRY);
        }
    })
}

/// Turns the second half of the trader's positions into options, one on each of its assets, calls and
/// puts, bought and sold, whose prices have moved a little since their arrays were made. The book gets
/// as many options as it has room for.
pub fn mix(stage: &mut Stage) -> anyhow::Result<()> {
    const EXPIRY_S: u32 = 30 * 86_400;
    let now = stage.vm.now();
    let first = stage.shape.perps;
    let assets = stage.shape.trader_assets;
    edit::<RiskBook>(&mut stage.vm, &stage.keys.risk_book, |book| {
        let scenarios: Vec<Scenario> = SPAN_16.to_vec();
        book.expiries[0].expiry = now + i64::from(EXPIRY_S);
        book.expiries[0].max_vol_step = 100_000;
        for place in 0..book.instruments.len() - first {
            let asset = book.assets[1 + place % assets];
            let side = [OptionSide::Call, OptionSide::Put][place % 2];
            let made = asset.lot_price - asset.lot_price / 1_000;
            let contract = Contract {
                side,
                forward: made,
                strike: asset.lot_price + asset.lot_price / 20,
                sigma: Ppm(700_000),
                time_s: EXPIRY_S,
            };
            let terms = ArrayTerms {
                contract,
                shift: asset.lot_shift,
                range: Ppm(asset.range),
                vol_range: Ppm(250_000),
                vol_floor: Ppm(100_000),
            };
            let valued = greeks(&contract);
            let lot = lot_greeks(&valued, made, asset.lot_shift);
            let entry = &mut book.instruments[first + place];
            risk_array(&terms, &scenarios, &mut entry.array);
            entry.kind = match side {
                OptionSide::Call => InstrumentTag::Call as u8,
                OptionSide::Put => InstrumentTag::Put as u8,
            };
            (entry.asset, entry.strike) = ((1 + place % assets) as u8, contract.strike);
            (entry.mark, entry.mark_updated, entry.made_price) = (valued.value, now, made);
            (entry.made_range, entry.made_vol, entry.vol) = (asset.range, 700_000, 700_000);
            (entry.delta, entry.gamma) = (i64::from(lot.delta.0), lot.gamma);
            (entry.vega, entry.theta) = (lot.vega, lot.theta);
        }
    })?;
    let margin = stage.trader.margin;
    edit_margin(&mut stage.vm, &margin, |_, positions| {
        let half = positions.len() - assets;
        for (place, position) in positions[half..].iter_mut().enumerate() {
            position.instrument = (first + place) as u8;
            position.quote = 0;
        }
    })
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
