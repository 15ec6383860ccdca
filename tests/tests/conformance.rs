//! The compiled bytecode computes what the same code computes natively.
//!
//! The cases of `keel-conformance` run in the virtual machine and here, on the same operands: every
//! operation of every suite, with operands at the edges of each width and random ones, from a fixed
//! seed. `KEEL_CONFORMANCE_CASES` asks for another number of cases than the default.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::{AccountMeta, Instruction};
use keel_conformance::{
    CASE_BYTES, Case, OUTCOME_BYTES, PANIC_LINE, PANIC_MESSAGE, SCRATCH_BYTES, Suite, memory,
};
use keel_tests::{keypair, program_file};
use litesvm::LiteSVM;
use litesvm::types::{FailedTransactionMetadata, TransactionMetadata};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use solana_account::Account;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_keypair::Keypair;
use solana_message::Message;
use solana_signer::Signer;
use solana_transaction::Transaction;

const DEFAULT_CASES: usize = 1_000_000;
const SEED: u64 = 0x6b65_656c;
const MAX_UNITS: u32 = 1_400_000;
/// Cases that a transaction starts with; it is halved where they need more than a transaction has.
const BATCH: usize = 512;
/// The same, where each case takes up to a few kilobytes of the 32 that the heap has.
const HEAP_BATCH: usize = 8;
const DIFFERENCES_SHOWN: usize = 10;

/// The conformance program in a virtual machine.
struct Vm {
    svm: LiteSVM,
    payer: Keypair,
    program: Pubkey,
    cases: Pubkey,
    outcomes: Pubkey,
    scratch: Pubkey,
}

impl Vm {
    fn new() -> Self {
        let path = program_file("keel_conformance").unwrap_or_else(|missing| panic!("{missing}"));
        let mut svm = LiteSVM::new()
            .with_sigverify(false)
            .with_blockhash_check(false)
            .with_transaction_history(0);
        let [payer, program, cases, outcomes, scratch] = [1, 2, 3, 4, 5].map(keypair);
        svm.airdrop(&payer.pubkey(), 1_000_000_000_000)
            .expect("the payer is funded");
        svm.add_program_from_file(program.pubkey(), &path)
            .expect("the program is loaded");
        Self {
            svm,
            payer,
            program: program.pubkey(),
            cases: cases.pubkey(),
            outcomes: outcomes.pubkey(),
            scratch: scratch.pubkey(),
        }
    }

    fn set_account(&mut self, address: Pubkey, data: Vec<u8>) {
        let account = Account {
            lamports: u64::MAX / 8,
            data,
            owner: self.program,
            executable: false,
            rent_epoch: u64::MAX,
        };
        self.svm
            .set_account(address, account)
            .expect("the account is set");
    }

    fn send(
        &mut self,
        data: Vec<u8>,
    ) -> Result<TransactionMetadata, Box<FailedTransactionMetadata>> {
        let accounts = vec![
            AccountMeta::new_readonly(self.cases, false),
            AccountMeta::new(self.outcomes, false),
            AccountMeta::new(self.scratch, false),
        ];
        let instructions = [
            ComputeBudgetInstruction::set_compute_unit_limit(MAX_UNITS),
            Instruction {
                program_id: self.program,
                accounts,
                data,
            },
        ];
        let message = Message::new(&instructions, Some(&self.payer.pubkey()));
        let blockhash = self.svm.latest_blockhash();
        let transaction = Transaction::new(&[&self.payer], message, blockhash);
        self.svm.send_transaction(transaction).map_err(Box::new)
    }

    /// Runs cases in the virtual machine and returns their outcomes, encoded.
    fn run(&mut self, cases: &[Case]) -> Vec<u8> {
        self.set_account(
            self.cases,
            cases.iter().flat_map(|case| case.to_bytes()).collect(),
        );
        self.set_account(self.outcomes, vec![0xee; cases.len() * OUTCOME_BYTES]);
        self.set_account(self.scratch, vec![0; SCRATCH_BYTES]);
        match self.send(Vec::new()) {
            Ok(_) => {
                self.svm
                    .get_account(&self.outcomes)
                    .expect("the outcomes exist")
                    .data
            }
            Err(failure) => {
                assert!(
                    cases.len() > 1,
                    "{:?} failed: {:?}\n{}",
                    cases,
                    failure.err,
                    failure.meta.pretty_logs()
                );
                let (first, second) = cases.split_at(cases.len() / 2);
                [self.run(first), self.run(second)].concat()
            }
        }
    }
}

/// Operands that find mistakes: every bit length, edges, negatives, sparse and dense ones.
fn operand(rng: &mut ChaCha8Rng) -> u128 {
    const LENGTHS: [u32; 21] = [
        1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 62, 63, 64, 65, 95, 96, 100, 126, 127, 128,
    ];
    let length = LENGTHS[rng.random_range(0..LENGTHS.len())];
    let below: u128 = rng.random::<u128>() >> (128 - length);
    let power = 1u128 << rng.random_range(0..128);
    match rng.random_range(0..20) {
        0..=9 => below,
        10..=12 => below.wrapping_neg(),
        13..=15 => power.wrapping_sub(rng.random_range(0..3)),
        16 => power.wrapping_neg(),
        17 => rng.random_range(0..300),
        18 => below | below << 64,
        _ => rng.random::<u64>().into(),
    }
}

/// The cases: each operation once before any is repeated, `count` in all.
fn cases(count: usize) -> Vec<Case> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let kinds: Vec<(Suite, u8, u8)> = Suite::ALL
        .into_iter()
        .flat_map(|suite| {
            let (kinds, operations) = suite.size();
            (0..kinds).flat_map(move |kind| (0..operations).map(move |op| (suite, kind, op)))
        })
        .collect();
    let mut cases: Vec<Case> = every_small_size(&mut rng);
    cases.extend(
        kinds
            .into_iter()
            .cycle()
            .take(count)
            .map(|(suite, kind, operation)| {
                let (mut a, b) = (operand(&mut rng), operand(&mut rng));
                if suite == Suite::Memory {
                    a = a << 64 | rng.random_range(0..20_000);
                }
                Case {
                    suite,
                    kind,
                    operation,
                    a,
                    b,
                }
            }),
    );
    cases
}

/// Each memory operation with each size up to 300 bytes.
fn every_small_size(rng: &mut ChaCha8Rng) -> Vec<Case> {
    let mut cases = Vec::new();
    for operation in 0..memory::OPERATIONS {
        for size in 0..memory::SMALL_SIZES {
            let a = operand(rng) << 64 | size as u128;
            cases.push(Case {
                suite: Suite::Memory,
                kind: 0,
                operation,
                a,
                b: rng.random(),
            });
        }
    }
    cases
}

fn case_count() -> usize {
    match std::env::var("KEEL_CONFORMANCE_CASES") {
        Ok(text) => text.parse().expect("KEEL_CONFORMANCE_CASES is a number"),
        Err(_) => DEFAULT_CASES,
    }
}

#[test]
fn bytecode_and_native_code_agree() {
    let mut vm = Vm::new();
    let mut scratch = vec![0; SCRATCH_BYTES];
    let (mut on_heap, mut others): (Vec<Case>, Vec<Case>) = cases(case_count())
        .into_iter()
        .partition(|case| case.suite.uses_the_heap());
    // Suites together, so that expensive cases share transactions with their like.
    on_heap.sort_by_key(|case| case.suite as u8);
    others.sort_by_key(|case| case.suite as u8);

    let mut differences = Vec::new();
    let batches = others.chunks(BATCH).chain(on_heap.chunks(HEAP_BATCH));
    for batch in batches {
        let outcomes = vm.run(batch);
        for (case, found) in batch.iter().zip(outcomes.chunks_exact(OUTCOME_BYTES)) {
            let expected = case.run(&mut scratch).to_bytes();
            if found != expected {
                differences.push(format!(
                    "{case:x?}\n  native   {expected:02x?}\n  bytecode {found:02x?}"
                ));
            }
        }
    }
    let shown = differences.len().min(DIFFERENCES_SHOWN);
    assert!(
        differences.is_empty(),
        "{} cases differ:\n{}",
        differences.len(),
        differences[..shown].join("\n")
    );
    println!("{} cases agree", others.len() + on_heap.len());
}

/// The logs of a transaction in which the program panics.
fn panic_logs(data: u8) -> String {
    let mut vm = Vm::new();
    for account in [vm.cases, vm.outcomes, vm.scratch] {
        vm.set_account(account, Vec::new());
    }
    vm.send(vec![data])
        .expect_err("the program panics")
        .meta
        .logs
        .join("\n")
}

#[test]
fn a_panic_names_its_place_and_its_message() {
    let logs = panic_logs(0);
    assert!(logs.contains(PANIC_MESSAGE), "{logs}");
    let place = format!("tests/programs/conformance/src/lib.rs at {PANIC_LINE}:");
    assert!(logs.contains(&place), "{logs}");
}

#[test]
fn an_overflow_is_checked_and_says_so() {
    let logs = panic_logs(1);
    assert!(logs.contains("attempt to add with overflow"), "{logs}");
    assert!(
        logs.contains("tests/programs/conformance/src/lib.rs at "),
        "{logs}"
    );
}

#[test]
fn a_case_reads_back_as_it_was_written() {
    for case in cases(1_000) {
        let bytes: [u8; CASE_BYTES] = case.to_bytes();
        assert_eq!(Case::from_bytes(&bytes), Some(case));
    }
}
