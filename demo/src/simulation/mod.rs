//! A run: the compiled program in the VM, driven through its public instructions alone.
//!
//! `stage` sets the scene, `market` publishes prices, `keeper` liquidates, `house` does the rest
//! (`accrual`, `liquidity`, `settling`, `backstop`), `ledger` checks the books from the accounts' bytes, `record`
//! keeps what the reports need. `chain` reads accounts for all.

mod accrual;
mod backstop;
mod chain;
mod events;
mod house;
mod keeper;
mod ledger;
mod liquidity;
mod market;
mod record;
mod settling;
mod stage;

use std::time::Instant;

use anyhow::Context;
use keel_sdk::Pubkey;
use keel_tests::program_file;

use crate::cli::Options;
use crate::path::PricePath;
use crate::progress::Progress;
use crate::result::{Invariants, RunResult};

use chain::Chain;
use house::Keeping;
use keeper::Keeper;
use ledger::Ledger;
use record::Record;
use stage::Stage;

/// Steps between two checks of the books on chain; the demo's own come after every step.
const CONSERVATION_EVERY: usize = 10;

impl Invariants {
    /// Counts one check; `failure` says what did not hold, at which step, with the figures.
    fn check(&mut self, holds: bool, failure: impl FnOnce() -> String) {
        self.checked += 1;
        if !holds {
            self.failed.push(failure());
        }
    }
}

/// Runs the cast through the path. An error means that the run could not go on; an invariant that
/// does not hold is part of the result.
pub fn run(
    options: &Options,
    path: PricePath,
    progress: &mut Progress,
) -> anyhow::Result<RunResult> {
    let started = Instant::now();
    let program_bytes = std::fs::metadata(program_file("keel")?)?.len();
    let opening = path.ticks.first().context("the price path is empty")?;
    progress.note("Listing the group, providing liquidity, opening positions.");
    let mut stage = Stage::set(opening)?;
    let mut keeper = Keeper::new(&stage);
    let mut ledger = Ledger::default();
    let mut record = Record::new(&stage)?;
    let mut keeping = Keeping::new(&stage, opening)?;

    stage.open_all()?;
    for (step, tick) in path.ticks.iter().enumerate() {
        if step > 0 {
            market::publish(&mut stage.world, tick, path.ticks.get(step + 1))
                .with_context(|| format!("prices of step {step}"))?;
        }
        let invariants = &mut ledger.invariants;
        keeping.open(&mut stage, tick, step, invariants)?;
        let chain = Chain::of(&stage.world);
        let found = record.sample(&chain, &stage, tick)?;
        let taken = keeper.act(&mut stage, &found, step, invariants)?;
        record.liquidations(&stage, tick, &taken);
        let name = |margin: &Pubkey| record.name_of(margin);
        keeping.close(&mut stage, (&found, &name), (tick, step), invariants)?;

        ledger.check(&mut stage, step)?;
        if step % CONSERVATION_EVERY == 0 || step + 1 == path.ticks.len() {
            ledger.check_on_chain(&mut stage, step)?;
        }
        progress.step(step, &record.state());
    }

    let mut result = record.finish(&stage, (ledger, keeping), &path)?;
    result.seed = options.seed;
    result.program_bytes = program_bytes;
    result.seconds = started.elapsed().as_secs_f64();
    Ok(result)
}
