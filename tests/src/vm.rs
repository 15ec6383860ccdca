//! The embedded VM with the program loaded.

use std::collections::BTreeMap;

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::{Instruction, error::InstructionError};
use litesvm::LiteSVM;
use litesvm::types::{FailedTransactionMetadata, TransactionMetadata};
use solana_account::Account;
use solana_clock::Clock;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_keypair::Keypair;
use solana_last_restart_slot::LastRestartSlot;
use solana_message::Message;
use solana_signer::Signer;
use solana_transaction::Transaction;
use solana_transaction_error::TransactionError;

use crate::artifacts::{ArtifactMissing, program_file};

/// Most units that a transaction may use.
pub const MAX_UNITS: u32 = 1_400_000;
/// What the compute-budget instruction of every transaction costs.
pub(crate) const BUDGET_UNITS: u64 = 150;

/// A key that is the same in every run.
pub fn keypair(seed: u64) -> Keypair {
    let mut bytes = [0x4b; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    Keypair::new_from_array(bytes)
}

/// A transaction that went through.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Units of the transaction's instructions together, the budget's own left out.
    pub units: u64,
    pub logs: Vec<String>,
    pub return_data: Vec<u8>,
}

/// A transaction that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The program's error number, when the program refused.
    pub code: Option<u32>,
    pub error: String,
    pub logs: Vec<String>,
    pub units: u64,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(out, "transaction failed: {}", self.error)?;
        for line in &self.logs {
            writeln!(out, "  {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// LiteSVM with Keel loaded, a payer, and a clock that only the test moves.
pub struct Vm {
    svm: LiteSVM,
    pub payer: Keypair,
    /// Units of every instruction that went through alone, by name.
    pub units: BTreeMap<&'static str, Vec<u64>>,
}

impl std::fmt::Debug for Vm {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Vm").field("units", &self.units).finish()
    }
}

impl Vm {
    /// A VM at the given time, slot 1.
    pub fn new(now: i64) -> Result<Self, ArtifactMissing> {
        let file = program_file("keel")?;
        let mut svm = LiteSVM::new()
            .with_sigverify(false)
            .with_blockhash_check(false)
            .with_transaction_history(0);
        svm.add_program_from_file(keel::ID, &file)
            .map_err(|_| ArtifactMissing { path: file })?;

        let mut vm = Self {
            svm,
            payer: keypair(1),
            units: BTreeMap::new(),
        };
        vm.fund(vm.payer.pubkey(), 1_000_000_000_000);
        vm.set_time(now, 1);
        Ok(vm)
    }

    /// Loads another of the workspace's programs (its library's name) at an address.
    pub fn load(&mut self, address: Pubkey, name: &str) -> Result<(), ArtifactMissing> {
        let file = program_file(name)?;
        self.svm
            .add_program_from_file(address, &file)
            .map_err(|_| ArtifactMissing { path: file })
    }

    /// Gives an address lamports.
    pub fn fund(&mut self, address: Pubkey, lamports: u64) {
        let account = Account {
            lamports,
            ..Account::default()
        };
        self.set_account(address, account);
    }

    /// Sets the chain's clock.
    pub fn set_time(&mut self, now: i64, slot: u64) {
        let mut clock: Clock = self.svm.get_sysvar();
        clock.unix_timestamp = now;
        clock.slot = slot;
        self.svm.set_sysvar(&clock);
    }

    /// Lets `seconds` pass, with slots of 400 ms.
    pub fn pass(&mut self, seconds: i64) {
        let clock: Clock = self.svm.get_sysvar();
        let slots = (seconds.unsigned_abs() * 5).div_ceil(2).max(1);
        self.set_time(clock.unix_timestamp + seconds, clock.slot + slots);
    }

    /// As if the cluster had last been restarted in a slot.
    pub fn restart(&mut self, last_restart_slot: u64) {
        self.svm.set_sysvar(&LastRestartSlot { last_restart_slot });
    }

    pub fn now(&self) -> i64 {
        self.svm.get_sysvar::<Clock>().unix_timestamp
    }

    pub fn slot(&self) -> u64 {
        self.svm.get_sysvar::<Clock>().slot
    }

    /// Writes an account as it is given, or removes it when it has no lamports.
    pub fn set_account(&mut self, address: Pubkey, account: Account) {
        let written = self.svm.set_account(address, account);
        assert!(written.is_ok(), "the VM refused an account: {written:?}");
    }

    pub fn account(&self, address: &Pubkey) -> Option<Account> {
        self.svm.get_account(address)
    }

    /// Rent-exempt lamports for an account of `bytes`.
    pub fn rent(&self, bytes: usize) -> u64 {
        self.svm.minimum_balance_for_rent_exemption(bytes)
    }

    /// Sends the instructions in one transaction, paid by the payer.
    pub fn send(
        &mut self,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) -> Result<Sent, Failure> {
        let transaction = self.transaction(instructions, signers);
        match self.svm.send_transaction(transaction) {
            Ok(meta) => Ok(sent(meta)),
            Err(failed) => Err(failure(failed)),
        }
    }

    /// What [`Self::send`] would do, leaving every account as it is.
    pub fn simulate(
        &self,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) -> Result<Sent, Failure> {
        let transaction = self.transaction(instructions, signers);
        match self.svm.simulate_transaction(transaction) {
            Ok(simulated) => Ok(sent(simulated.meta)),
            Err(failed) => Err(failure(failed)),
        }
    }

    /// The instructions behind their budget, signed by the payer and by whom they need.
    fn transaction(&self, instructions: &[Instruction], signers: &[&Keypair]) -> Transaction {
        let budget = [ComputeBudgetInstruction::set_compute_unit_limit(MAX_UNITS)];
        let all: Vec<Instruction> = budget.iter().chain(instructions).cloned().collect();
        let message = Message::new(&all, Some(&self.payer.pubkey()));
        let count = usize::from(message.header.num_required_signatures);
        let needed = message.account_keys[..count].to_vec();
        let mut keys: Vec<&Keypair> = vec![&self.payer];
        for signer in signers {
            let required = needed.contains(&signer.pubkey());
            if required && keys.iter().all(|key| key.pubkey() != signer.pubkey()) {
                keys.push(signer);
            }
        }
        let mut transaction = Transaction::new_unsigned(message);
        transaction.partial_sign(&keys, self.svm.latest_blockhash());
        transaction
    }

    /// Sends one instruction and keeps its units under its name.
    pub fn measure(
        &mut self,
        name: &'static str,
        instruction: Instruction,
        signers: &[&Keypair],
    ) -> Result<Sent, Failure> {
        let sent = self.send(&[instruction], signers)?;
        self.units.entry(name).or_default().push(sent.units);
        Ok(sent)
    }
}

fn sent(meta: TransactionMetadata) -> Sent {
    Sent {
        units: meta.compute_units_consumed.saturating_sub(BUDGET_UNITS),
        logs: meta.logs,
        return_data: meta.return_data.data,
    }
}

fn failure(failed: FailedTransactionMetadata) -> Failure {
    let code = match &failed.err {
        TransactionError::InstructionError(_, InstructionError::Custom(code)) => Some(*code),
        _ => None,
    };
    Failure {
        code,
        error: failed.err.to_string(),
        units: failed.meta.compute_units_consumed,
        logs: failed.meta.logs,
    }
}
