//! Into and out of the pool.

use keel::errors::KeelError;
use keel_sdk::{Instruction, instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::stage::Stage;
use super::{Figures, passes, refusal};
use crate::vm::Failure;

/// What is provided and redeemed, atoms and shares.
const AMOUNT: u64 = 1_000_000_000;

/// Both ways, each step from the state that the one before leaves; the stage ends as it began.
pub fn measure(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    let (shape, key) = (stage.shape.name, stage.provider.insecure_clone());
    for way in [Way::In, Way::Out] {
        let [ask, execute, cancel] = way.names();
        let request = way.request(stage, 0);
        let sent = passes(stage, ask, request.clone(), &[&key])?;
        figures.set(ask, shape, sent.units);

        send(stage, request, &key)?;
        let sent = passes(stage, execute, way.execute(stage), &[])?;
        figures.set(execute, shape, sent.units);
        let sent = passes(stage, cancel, way.cancel(stage), &[&key])?;
        figures.set(cancel, shape, sent.units);
        send(stage, way.cancel(stage), &key)?;
    }
    Ok(())
}

/// Less than was asked for would come out, which is seen last.
pub fn measure_refusals(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    let key = stage.provider.insecure_clone();
    for (way, error) in [
        (Way::In, KeelError::TooFewShares),
        (Way::Out, KeelError::BelowMinAmount),
    ] {
        let [_, execute, _] = way.names();
        send(stage, way.request(stage, u64::MAX), &key)?;
        let units = refusal(stage, execute, u32::from(error), way.execute(stage), &[])?;
        figures.set(execute, "error", units);
        send(stage, way.cancel(stage), &key)?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

impl Way {
    const fn names(self) -> [&'static str; 3] {
        match self {
            Self::In => ["request_provide", "provide_liquidity", "cancel_provide"],
            Self::Out => ["request_redeem", "redeem_liquidity", "cancel_redeem"],
        }
    }

    fn request(self, stage: &Stage, least: u64) -> Instruction {
        let (keys, owner, quote) = (&stage.keys, stage.provider.pubkey(), stage.quote());
        match self {
            Self::In => instruction::request_provide(keys, owner, stage.pool, quote, AMOUNT, least),
            Self::Out => instruction::request_redeem(keys, owner, stage.pool, quote, AMOUNT, least),
        }
    }

    fn execute(self, stage: &Stage) -> Instruction {
        let (keys, owner, quote) = (&stage.keys, stage.provider.pubkey(), stage.quote());
        match self {
            Self::In => instruction::provide_liquidity(keys, owner, stage.pool, quote),
            Self::Out => instruction::redeem_liquidity(keys, owner, stage.pool, quote),
        }
    }

    fn cancel(self, stage: &Stage) -> Instruction {
        let (keys, owner, quote) = (&stage.keys, stage.provider.pubkey(), stage.quote());
        match self {
            Self::In => instruction::cancel_provide(keys, owner, owner, stage.pool, quote),
            Self::Out => instruction::cancel_redeem(keys, owner, owner, stage.pool, quote),
        }
    }
}

fn send(stage: &mut Stage, instruction: Instruction, key: &Keypair) -> anyhow::Result<()> {
    let sent = stage.vm.send(&[instruction], &[key]);
    sent.map(drop)
        .map_err(|failure: Failure| anyhow::anyhow!("liquidity, {}: {failure}", stage.shape.name))
}
