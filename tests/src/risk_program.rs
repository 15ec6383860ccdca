//! The functions of `keel-risk` in the VM, through the conformance program.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anyhow::{anyhow, ensure};
use keel_conformance::risk::Request;
use litesvm::LiteSVM;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_keypair::Keypair;
use solana_message::Message;
use solana_signer::Signer;
use solana_transaction::Transaction;

use crate::artifacts::program_file;
use crate::vm::{MAX_UNITS, keypair};

/// A VM with the conformance program, asked one [`Request`] at a time.
pub struct RiskProgram {
    svm: LiteSVM,
    payer: Keypair,
    program: Pubkey,
}

impl std::fmt::Debug for RiskProgram {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("RiskProgram").finish_non_exhaustive()
    }
}

impl RiskProgram {
    /// Fails when the program has not been built.
    pub fn new() -> anyhow::Result<Self> {
        let file = program_file("keel_conformance")?;
        let mut svm = LiteSVM::new()
            .with_sigverify(false)
            .with_blockhash_check(false)
            .with_transaction_history(0);
        let (payer, program) = (keypair(1), keypair(2).pubkey());
        svm.airdrop(&payer.pubkey(), 1_000_000_000_000)
            .map_err(|failure| anyhow!("{:?}", failure.err))?;
        svm.add_program_from_file(program, &file)?;
        Ok(Self {
            svm,
            payer,
            program,
        })
    }

    /// The result of a request, as bytes.
    pub fn answer(&self, request: &Request) -> anyhow::Result<Vec<u8>> {
        Ok(self.run(request, 1)?.0)
    }

    /// Units of the function alone: what computing it a second time adds. Loop and hiding of the
    /// argument are included.
    pub fn units(&self, request: &Request) -> anyhow::Result<u64> {
        let (once, twice) = (self.run(request, 1)?, self.run(request, 2)?);
        ensure!(once.0 == twice.0, "{request:?} gives two results");
        Ok(twice.1 - once.1)
    }

    fn run(&self, request: &Request, times: u16) -> anyhow::Result<(Vec<u8>, u64)> {
        let instructions = [
            ComputeBudgetInstruction::set_compute_unit_limit(MAX_UNITS),
            Instruction {
                program_id: self.program,
                accounts: Vec::new(),
                data: request.to_bytes(times),
            },
        ];
        let message = Message::new(&instructions, Some(&self.payer.pubkey()));
        let transaction = Transaction::new(&[&self.payer], message, self.svm.latest_blockhash());
        match self.svm.simulate_transaction(transaction) {
            Ok(done) => Ok((done.meta.return_data.data, done.meta.compute_units_consumed)),
            Err(failed) => Err(anyhow!(
                "{request:?}: {:?}\n{}",
                failed.err,
                failed.meta.pretty_logs()
            )),
        }
    }
}
