//! How large the transactions are: bytes and accounts, with and without a lookup table.

use std::collections::{BTreeMap, BTreeSet};

use anchor_lang::prelude::Pubkey;
use keel_sdk::Instruction;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_message::{AddressLookupTableAccount, Hash, Message, v0};

use crate::vm::MAX_UNITS;

/// One transaction with a compute-budget instruction, as a client would send it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    /// All its bytes, signatures included; 1,232 at most may be sent.
    pub bytes: u64,
    /// The same with a lookup table for every account that neither signs nor is called.
    pub bytes_with_table: u64,
    /// Accounts that it names, programs and payer included.
    pub accounts: u64,
    /// Of them, those that it writes, the payer included.
    pub writable: u64,
    pub signatures: u64,
}

/// The sizes that were seen, by instruction: the largest of each.
pub type Sizes = BTreeMap<&'static str, Size>;

const SIGNATURE: usize = 64;

/// The size of an instruction's transaction. `None` where it cannot be compiled at all.
pub fn measure(instruction: &Instruction, payer: &Pubkey) -> Option<Size> {
    let budget = ComputeBudgetInstruction::set_compute_unit_limit(MAX_UNITS);
    let all = [budget, instruction.clone()];
    let plain = Message::new(&all, Some(payer));
    let table = AddressLookupTableAccount {
        key: Pubkey::new_from_array([7; 32]),
        addresses: plain.account_keys.clone(),
    };
    let short = v0::Message::try_compile(payer, &all, &[table], Hash::default()).ok()?;
    let reserved: Option<&BTreeSet<Pubkey>> = None;
    let writable = (0..plain.account_keys.len())
        .filter(|at| plain.is_maybe_writable_with_reserved_addresses(*at, reserved))
        .count() as u64;
    let signatures = usize::from(plain.header.num_required_signatures);
    // One byte counts the signatures, and one names the message's version.
    let head = 1 + signatures * SIGNATURE;
    Some(Size {
        bytes: (head + plain.serialize().len()) as u64,
        bytes_with_table: (head + short.serialize().len()) as u64,
        accounts: plain.account_keys.len() as u64,
        writable,
        signatures: signatures as u64,
    })
}
