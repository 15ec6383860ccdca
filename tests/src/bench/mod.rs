//! Compute units of every instruction, in the shapes of architecture 7, on the compiled bytecode.
//!
//! Each figure is of one instruction alone, simulated from the same state: no measurement moves
//! another. No instruction makes options yet: `mixed` and `full_pool` write them into the book.

pub(crate) mod accounts;
mod auction;
mod backstop;
mod cash;
mod delegation;
mod engine;
mod liquidity;
mod listing;
mod mixed;
mod money;
mod report;
mod risk;
mod shape;
mod sizes;
mod stage;
mod trade;
mod trading;

use std::collections::BTreeMap;

use anyhow::bail;
use keel_sdk::Instruction;
use solana_keypair::Keypair;

pub use auction::at_the_limits;
pub use report::{json, table};

use crate::vm::{BUDGET_UNITS, Failure, Sent};
use shape::{LINEAR, TYPICAL, WIDE_POOL};
use stage::Stage;

/// Units by instruction and shape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    units: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    sizes: sizes::Sizes,
}

impl Figures {
    fn set(&mut self, instruction: &'static str, shape: &'static str, units: u64) {
        self.units
            .entry(instruction)
            .or_default()
            .insert(shape, units);
    }

    /// Takes the sizes of what a stage sent; of each instruction the largest is kept.
    fn take_sizes(&mut self, stage: &Stage) {
        for (name, size) in stage.sizes.borrow().iter() {
            let kept = self.sizes.entry(*name).or_default();
            *kept = (*kept).max(*size);
        }
    }

    /// The figure of an instruction in a shape.
    pub fn get(&self, instruction: &str, shape: &str) -> Option<u64> {
        self.units.get(instruction)?.get(shape).copied()
    }
}

/// Measures everything. Fails when an instruction that must go through is refused, or the reverse.
pub fn measure() -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let mut typical = Stage::build(TYPICAL)?;
    cash::measure(&mut figures, &mut typical)?;
    liquidity::measure(&mut figures, &mut typical)?;
    trade::measure(&mut figures, &mut typical)?;
    delegation::measure(&mut figures, &mut typical)?;
    trading::measure(&mut figures, &mut typical)?;

    let mut linear = Stage::build(LINEAR)?;
    listing::measure(&mut figures, &mut linear)?;
    cash::measure(&mut figures, &mut linear)?;
    liquidity::measure(&mut figures, &mut linear)?;
    trade::measure(&mut figures, &mut linear)?;
    delegation::measure(&mut figures, &mut linear)?;
    money::measure(&mut figures, &mut linear)?;
    money::measure_refusals(&mut figures, &mut linear)?;
    trading::measure(&mut figures, &mut linear)?;
    cash::measure_refusals(&mut figures, &mut linear)?;
    liquidity::measure_refusals(&mut figures, &mut linear)?;
    trade::measure_refusals(&mut figures, &mut linear)?;
    trade::measure_below_initial(&mut figures, &mut linear)?;

    engine::measure(&mut figures, &mut linear)?;

    figures.take_sizes(&typical);
    figures.take_sizes(&linear);

    let wide = Stage::build(WIDE_POOL)?;
    trade::measure_orders(&mut figures, &wide)?;

    let mut stressed = Stage::build(LINEAR)?;
    trade::measure_stressed(&mut figures, &mut stressed)?;
    auction::measure(&mut figures)?;
    mixed::measure(&mut figures)?;
    backstop::measure(&mut figures)?;
    risk::measure(&mut figures)?;
    Ok(figures)
}

/// Measures the functions of `keel-risk` alone, net of any instruction.
pub fn measure_risk() -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    risk::measure(&mut figures)?;
    Ok(figures)
}

/// One instruction from the stage's state, which stays as it is.
fn passes(
    stage: &Stage,
    name: &'static str,
    instruction: Instruction,
    signers: &[&Keypair],
) -> anyhow::Result<Sent> {
    stage.note_size(name, &instruction);
    stage
        .vm
        .simulate(&[instruction], signers)
        .map_err(|failure| anyhow::anyhow!("{name}, {}: {failure}", stage.shape.name))
}

/// Units of a refusal with the program's error `code`; another end is an error.
fn refusal(
    stage: &Stage,
    name: &'static str,
    code: u32,
    instruction: Instruction,
    signers: &[&Keypair],
) -> anyhow::Result<u64> {
    match stage.vm.simulate(&[instruction], signers) {
        Ok(_) => bail!("{name}: went through where error {code} was expected"),
        Err(Failure {
            code: Some(got),
            units,
            ..
        }) if got == code => Ok(units.saturating_sub(BUDGET_UNITS)),
        Err(failure) => bail!("{name}: error {code} was expected\n{failure}"),
    }
}
