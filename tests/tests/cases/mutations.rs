//! Every way to put a wrong account in a slot of an instruction, tried on the bytecode.
//!
//! Each mutation must be refused, by an error and not by a panic, and must change nothing; the few
//! that are harmless are listed with the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::thread::{available_parallelism, scope};
use std::time::Instant;

use anchor_lang::Discriminator;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::{AccountMeta, Instruction};
use anchor_spl::token_2022;
use keel_state::{Bank, Group, MarginAccount, Market, Pool, RiskBook};
use keel_tests::{Failure, World, keypair};
use serde::Deserialize;
use solana_account::Account;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{
    accounts, backstop, bankruptcy, closing, delegate, isolated, liquidity_accounts,
    money_accounts, targets, trading_accounts,
};

/// Slot, mutation's beginning, and why it may go through.
pub type Harmless = (usize, &'static str, &'static str);

/// An instruction that goes through, and its siblings, whose accounts are put in its slots.
pub struct Case {
    pub name: &'static str,
    pub base: Instruction,
    pub siblings: Vec<(&'static str, Instruction)>,
    pub signers: Vec<Keypair>,
    pub allowed: Vec<Harmless>,
}

/// What stands in a slot, as far as mutations go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    /// A wallet that signs.
    Wallet,
    /// One of the program's accounts.
    State,
    /// A blank account of the program, to be taken.
    Blank,
    /// A mint or a token account.
    Tokens,
    /// A price account.
    Price,
    Program,
    /// An address without an account: to be created, or the vaults' authority.
    Absent,
}

/// One way to damage a call.
struct Mutation {
    slot: usize,
    name: String,
    instruction: Instruction,
    /// An account overwritten before the call.
    overwritten: Option<(Pubkey, Account)>,
    /// Error numbers of which one is expected; none named: any refusal that is not a panic.
    expected: &'static [u32],
}

// Anchor's error numbers.
const CONSTRAINT_MUT: u32 = 2_000;
const CONSTRAINT_ZERO: u32 = 2_013;
const DISCRIMINATOR_NOT_FOUND: u32 = 3_001;
const DISCRIMINATOR_MISMATCH: u32 = 3_002;
const DID_NOT_DESERIALIZE: u32 = 3_003;
const NOT_MUTABLE: u32 = 3_006;
const WRONG_OWNER: u32 = 3_007;
const NOT_SIGNER: u32 = 3_010;
const NOT_INITIALIZED: u32 = 3_012;

const SYSTEM: Pubkey = Pubkey::new_from_array([0; 32]);

/// The mutation of a mint or token account that changes its token program.
pub const OTHER_PROGRAM: &str = "owned by the other token program";

fn slot_kind(world: &World, meta: &AccountMeta) -> Slot {
    let Some(account) = world.vm.account(&meta.pubkey) else {
        return if meta.is_signer {
            Slot::Wallet
        } else {
            Slot::Absent
        };
    };
    if account.executable {
        Slot::Program
    } else if meta.is_signer {
        Slot::Wallet
    } else if account.owner == keel::ID && account.data[..8] == [0; 8] {
        Slot::Blank
    } else if account.owner == keel::ID {
        Slot::State
    } else if account.owner == anchor_spl::token::ID {
        Slot::Tokens
    } else if account.owner == keel_migrations::feeds::PYTH_RECEIVER {
        Slot::Price
    } else {
        Slot::Absent
    }
}

/// Every mutation of one case.
fn mutations(world: &World, case: &Case) -> Vec<Mutation> {
    let mut out = Vec::new();
    for (slot, meta) in case.base.accounts.iter().enumerate() {
        let kind = slot_kind(world, meta);
        flags(case, slot, kind, meta, &mut out);
        contents(world, case, slot, kind, meta, &mut out);
        substitutes(world, case, slot, kind, meta, &mut out);
    }
    out
}

fn with_meta(case: &Case, slot: usize, change: impl FnOnce(&mut AccountMeta)) -> Instruction {
    let mut instruction = case.base.clone();
    change(&mut instruction.accounts[slot]);
    instruction
}

/// Signer and writable flags taken away.
fn flags(case: &Case, slot: usize, kind: Slot, meta: &AccountMeta, out: &mut Vec<Mutation>) {
    if meta.is_signer {
        out.push(Mutation {
            slot,
            name: "unsigned".to_owned(),
            instruction: with_meta(case, slot, |meta| meta.is_signer = false),
            overwritten: None,
            expected: &[NOT_SIGNER],
        });
    }
    if meta.is_writable {
        let expected: &'static [u32] = match kind {
            Slot::State => &[CONSTRAINT_MUT, NOT_MUTABLE],
            Slot::Tokens => &[CONSTRAINT_MUT],
            _ => &[],
        };
        out.push(Mutation {
            slot,
            name: "read-only".to_owned(),
            instruction: with_meta(case, slot, |meta| meta.is_writable = false),
            overwritten: None,
            expected,
        });
    }
}

/// The slot's own account with other bytes or another owner.
fn contents(
    world: &World,
    case: &Case,
    slot: usize,
    kind: Slot,
    meta: &AccountMeta,
    out: &mut Vec<Mutation>,
) {
    let account = world.vm.account(&meta.pubkey).unwrap_or_default();
    let overwritten = match kind {
        Slot::Wallet | Slot::Program => Vec::new(),
        // Occupied by somebody else's account of the same address.
        Slot::Absent if meta.is_writable => occupied(),
        Slot::Absent => Vec::new(),
        Slot::State | Slot::Blank | Slot::Tokens | Slot::Price => [
            strange_owners(kind, &account),
            emptied(kind, &account),
            retyped(kind, &account),
            truncated(kind, &account),
        ]
        .concat(),
    };
    out.extend(overwritten.into_iter().map(|change| Mutation {
        slot,
        name: change.name,
        instruction: case.base.clone(),
        overwritten: Some((meta.pubkey, change.account)),
        expected: change.expected,
    }));
}

/// What overwrites a slot's account, and the errors of which one is expected.
#[derive(Clone)]
struct Overwrite {
    name: String,
    account: Account,
    expected: &'static [u32],
}

impl Overwrite {
    fn new(name: impl Into<String>, account: Account, expected: &'static [u32]) -> Self {
        Self {
            name: name.into(),
            account,
            expected,
        }
    }
}

fn holding(account: &Account, data: Vec<u8>) -> Account {
    Account {
        data,
        ..account.clone()
    }
}

fn owned_by(account: &Account, owner: Pubkey) -> Account {
    Account {
        owner,
        ..account.clone()
    }
}

/// Accounts where none should be.
fn occupied() -> Vec<Overwrite> {
    let ours = keel_tests::account(keel::ID, vec![1; 600]);
    let systems = keel_tests::account(SYSTEM, vec![0; 600]);
    vec![
        Overwrite::new("occupied", ours, &[]),
        Overwrite::new("occupied by data of the system", systems, &[]),
    ]
}

fn strange_owners(kind: Slot, account: &Account) -> Vec<Overwrite> {
    let expected: &'static [u32] = match kind {
        Slot::State | Slot::Blank => &[WRONG_OWNER],
        _ => &[],
    };
    let stranger = Pubkey::new_from_array([3; 32]);
    let mut out = vec![
        Overwrite::new("owned by the system", owned_by(account, SYSTEM), expected),
        Overwrite::new(
            "owned by a stranger's program",
            owned_by(account, stranger),
            expected,
        ),
    ];
    if kind == Slot::Tokens {
        let moved = owned_by(account, token_2022::ID);
        out.push(Overwrite::new(OTHER_PROGRAM, moved, &[]));
    }
    out
}

/// Without data, without anything, and with zeros for data.
fn emptied(kind: Slot, account: &Account) -> Vec<Overwrite> {
    let empty = owned_by(&holding(account, Vec::new()), SYSTEM);
    let (none, zeros): (&'static [u32], &'static [u32]) = match kind {
        Slot::State => (&[WRONG_OWNER, NOT_INITIALIZED], &[DISCRIMINATOR_MISMATCH]),
        Slot::Blank => (&[DID_NOT_DESERIALIZE], &[]),
        _ => (&[], &[]),
    };
    let mut out = vec![
        Overwrite::new("uninitialised", empty, none),
        Overwrite::new("closed", Account::default(), none),
    ];
    if kind != Slot::Blank {
        let zeroed = holding(account, vec![0; account.data.len()]);
        out.push(Overwrite::new(
            "closed and revived with zeros",
            zeroed,
            zeros,
        ));
    }
    out
}

/// With the discriminator of every other type.
fn retyped(kind: Slot, account: &Account) -> Vec<Overwrite> {
    let expected: &'static [u32] = match kind {
        Slot::State => &[DISCRIMINATOR_MISMATCH],
        Slot::Blank => &[CONSTRAINT_ZERO],
        Slot::Price => &[],
        _ => return Vec::new(),
    };
    discriminators()
        .into_iter()
        .filter(|(_, discriminator)| account.data[..8] != *discriminator)
        .map(|(name, discriminator)| {
            let mut data = account.data.clone();
            data[..8].copy_from_slice(&discriminator);
            let name = format!("discriminator of {name}");
            Overwrite::new(name, holding(account, data), expected)
        })
        .collect()
}

fn truncated(kind: Slot, account: &Account) -> Vec<Overwrite> {
    lengths(account.data.len())
        .into_iter()
        .map(|length| {
            let expected: &'static [u32] = match (kind, length) {
                (Slot::State | Slot::Blank, 0..8) => {
                    &[DISCRIMINATOR_NOT_FOUND, DID_NOT_DESERIALIZE]
                }
                _ => &[],
            };
            let data = account.data[..length].to_vec();
            let name = format!("truncated to {length}");
            Overwrite::new(name, holding(account, data), expected)
        })
        .collect()
}

/// Lengths that an account is cut to.
fn lengths(whole: usize) -> Vec<usize> {
    let mut out = vec![0, 7, 8, 9, whole / 2, whole - 1];
    out.retain(|length| *length < whole);
    out.dedup();
    out
}

fn discriminators() -> Vec<(&'static str, [u8; 8])> {
    let of = |bytes: &[u8]| <[u8; 8]>::try_from(bytes).expect("eight bytes");
    vec![
        ("a group", of(Group::DISCRIMINATOR)),
        ("a risk book", of(RiskBook::DISCRIMINATOR)),
        ("a margin account", of(MarginAccount::DISCRIMINATOR)),
        ("a bank", of(Bank::DISCRIMINATOR)),
        ("a market", of(Market::DISCRIMINATOR)),
        ("a pool", of(Pool::DISCRIMINATOR)),
        ("nothing known", [0xff; 8]),
    ]
}

/// Other accounts in the slot: of the siblings, of the other slots, and copies at a wrong address.
fn substitutes(
    world: &World,
    case: &Case,
    slot: usize,
    kind: Slot,
    meta: &AccountMeta,
    out: &mut Vec<Mutation>,
) {
    let mut seen = vec![meta.pubkey];
    let mut push = |name: String, address: Pubkey, overwritten: Option<(Pubkey, Account)>| {
        if seen.contains(&address) {
            return;
        }
        seen.push(address);
        out.push(Mutation {
            slot,
            name,
            instruction: with_meta(case, slot, |meta| {
                meta.pubkey = address;
                // The VM checks no signatures: only who holds a key may sign with it.
                meta.is_signer &= case.signers.iter().any(|key| key.pubkey() == address);
            }),
            overwritten,
            expected: &[],
        });
    };
    for (name, sibling) in &case.siblings {
        // A sibling may have fewer accounts.
        if let Some(meta) = sibling.accounts.get(slot) {
            push(format!("of {name}"), meta.pubkey, None);
        }
    }
    for (other, meta) in case.base.accounts.iter().enumerate() {
        if !matches!(slot_kind(world, meta), Slot::Program) || kind == Slot::Program {
            push(format!("duplicate of slot {other}"), meta.pubkey, None);
        }
    }
    match kind {
        Slot::Wallet => push("another signer".to_owned(), keypair(900).pubkey(), None),
        Slot::Program => {
            for program in [
                token_2022::ID,
                keel::ID,
                Pubkey::default(),
                anchor_spl::token::ID,
            ] {
                push(format!("program {program}"), program, None);
            }
        }
        Slot::Tokens | Slot::Blank | Slot::Price => {
            let copy = world.vm.account(&meta.pubkey).unwrap_or_default();
            let address = keypair(901).pubkey();
            push(
                "a copy elsewhere".to_owned(),
                address,
                Some((address, copy)),
            );
        }
        // The program's own accounts cannot be copied: only it writes them.
        Slot::State => {}
        Slot::Absent => push("another address".to_owned(), keypair(902).pubkey(), None),
    }
}

/// The accounts that a call may touch, as they are.
pub fn snapshot(world: &World, addresses: &[Pubkey]) -> Vec<(Pubkey, Account)> {
    addresses
        .iter()
        .map(|address| (*address, world.vm.account(address).unwrap_or_default()))
        .collect()
}

fn restore(world: &mut World, accounts: &[(Pubkey, Account)]) {
    for (address, account) in accounts {
        if !account.executable {
            world.vm.set_account(*address, account.clone());
        }
    }
}

pub fn addresses(instruction: &Instruction) -> Vec<Pubkey> {
    instruction
        .accounts
        .iter()
        .map(|meta| meta.pubkey)
        .collect()
}

/// What the mutations of some cases came to.
#[derive(Default)]
pub struct Tally {
    tried: usize,
    allowed: usize,
    wrong: Vec<String>,
    codes: BTreeMap<String, usize>,
    /// Discriminators of the instructions mutated.
    instructions: BTreeSet<Vec<u8>>,
}

impl Tally {
    /// Both together.
    pub fn and(mut self, other: Self) -> Self {
        self.add(&other);
        self
    }

    fn add(&mut self, other: &Self) {
        self.tried += other.tried;
        self.allowed += other.allowed;
        self.wrong.extend_from_slice(&other.wrong);
        self.instructions.extend(other.instructions.iter().cloned());
        for (code, count) in &other.codes {
            *self.codes.entry(code.clone()).or_default() += count;
        }
    }
}

/// Cases that share a world. They are judged once in a process, by whichever test asks first: their own,
/// or the one that counts them all.
pub struct Area {
    name: &'static str,
    tally: LazyLock<Tally>,
}

impl Area {
    pub const fn of(name: &'static str, judge: fn() -> Tally) -> Self {
        Self {
            name,
            tally: LazyLock::new(judge),
        }
    }

    /// Fails with everything that went wrong.
    pub fn judged(&self) -> &Tally {
        let tally = &*self.tally;
        assert!(
            tally.wrong.is_empty(),
            "{} of {}'s {} mutations went wrong:\n{}",
            tally.wrong.len(),
            self.name,
            tally.tried,
            tally.wrong.join("\n")
        );
        tally
    }
}

/// Every area of the matrix.
static AREAS: &[&Area] = &[
    &accounts::CREATING_A_GROUP,
    &accounts::LISTING,
    &accounts::CREATING_A_POOL,
    &accounts::CREATING_AN_ACCOUNT,
    &accounts::CASH,
    &accounts::UPDATING_PRICES,
    &accounts::VIEWS,
    &accounts::TRADING,
    &accounts::LIQUIDATION,
    &backstop::BACKSTOP,
    &bankruptcy::BANKRUPTCY,
    &closing::NAMES_AND_CLOSING,
    &delegate::DELEGATES,
    &isolated::REFERRED_ACCOUNTS,
    &liquidity_accounts::REQUESTS,
    &liquidity_accounts::EXECUTIONS,
    &liquidity_accounts::CANCELLING,
    &money_accounts::TRANSFERS_AND_TICKETS,
    &money_accounts::BORROWS_AND_INSURANCE,
    &money_accounts::ACCRUING,
    &targets::TARGETS,
    &trading_accounts::TRADES,
    &trading_accounts::EXITS,
];

/// At least so many mutations are tried: an area or a mutation that is lost is noticed.
const LEAST_MUTATIONS: usize = 5_680;

/// I11: the matrix whole. Every instruction of the IDL is in it, every mutation is refused or listed as
/// harmless, and the total is printed.
#[test]
fn the_total_of_all_mutations_covers_every_instruction() {
    let started = Instant::now();
    let (next, total) = (AtomicUsize::new(0), Mutex::new(Tally::default()));
    let work = || {
        while let Some(area) = AREAS.get(next.fetch_add(1, Ordering::Relaxed)) {
            let tally = area.judged();
            println!("{}: {} mutations", area.name, tally.tried);
            total.lock().expect("a tally").add(tally);
        }
    };
    let workers = available_parallelism().map_or(1, NonZero::get);
    scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    let total = total.into_inner().expect("a tally");
    let missing: Vec<String> = instructions()
        .into_iter()
        .filter(|(_, discriminator)| !total.instructions.contains(discriminator))
        .map(|(name, _)| name)
        .collect();
    println!(
        "TOTAL: {} mutations of {} instructions in {} areas, {} harmless, {} wrong; {:.1} s",
        total.tried,
        total.instructions.len(),
        AREAS.len(),
        total.allowed,
        total.wrong.len(),
        started.elapsed().as_secs_f64()
    );
    assert!(missing.is_empty(), "not in the matrix: {missing:?}");
    assert!(
        total.tried >= LEAST_MUTATIONS,
        "{} of {LEAST_MUTATIONS} mutations: an area was lost",
        total.tried
    );
}

/// Names and discriminators of the program's instructions, as its IDL has them.
fn instructions() -> Vec<(String, Vec<u8>)> {
    #[derive(Deserialize)]
    struct Idl {
        instructions: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        name: String,
        discriminator: Vec<u8>,
    }
    let idl: Idl = serde_json::from_str(include_str!("../../../idl/keel.json")).expect("the IDL");
    let all = idl.instructions.into_iter();
    all.map(|entry| (entry.name, entry.discriminator)).collect()
}

fn run(world: &mut World, case: &Case, tally: &mut Tally) {
    let signers: Vec<&Keypair> = case.signers.iter().collect();
    let base = snapshot(world, &addresses(&case.base));
    let sent = world.vm.send(std::slice::from_ref(&case.base), &signers);
    assert!(
        sent.is_ok(),
        "{} should go through: {}",
        case.name,
        sent.expect_err("a failure")
    );
    restore(world, &base);

    let all = mutations(world, case);
    for mutation in all {
        attempt(world, case, &mutation, &signers, tally);
        restore(world, &base);
    }
    let again = world.vm.send(std::slice::from_ref(&case.base), &signers);
    assert!(again.is_ok(), "{} was not restored", case.name);
    restore(world, &base);
}

fn attempt(
    world: &mut World,
    case: &Case,
    mutation: &Mutation,
    signers: &[&Keypair],
    tally: &mut Tally,
) {
    let stray = mutation.overwritten.as_ref().map(|(address, _)| *address);
    let mut touched = addresses(&mutation.instruction);
    touched.extend(stray);
    let original = snapshot(world, &touched);
    if let Some((address, account)) = &mutation.overwritten {
        world.vm.set_account(*address, account.clone());
    }
    let before = snapshot(world, &touched);
    let result = world
        .vm
        .send(std::slice::from_ref(&mutation.instruction), signers);
    let after = snapshot(world, &touched);
    restore(world, &original);

    tally.tried += 1;
    let what = format!("{}, slot {}: {}", case.name, mutation.slot, mutation.name);
    let excuse = case
        .allowed
        .iter()
        .any(|(slot, name, _)| *slot == mutation.slot && mutation.name.starts_with(name));
    match result {
        Ok(_) if excuse => tally.allowed += 1,
        Ok(_) => tally.wrong.push(format!("{what}: WENT THROUGH")),
        Err(failure) => {
            if excuse {
                tally.wrong.push(format!(
                    "{what}: is listed as harmless but was refused: {}",
                    failure.error
                ));
            }
            if before != after {
                tally
                    .wrong
                    .push(format!("{what}: refused but changed something"));
            }
            if let Some(complaint) = judge(mutation, &failure) {
                tally.wrong.push(format!("{what}: {complaint}"));
            }
            let label = failure
                .code
                .map_or(failure.error.clone(), |code| format!("{code}"));
            *tally.codes.entry(label).or_default() += 1;
        }
    }
}

/// What is wrong with how a mutation was refused.
fn judge(mutation: &Mutation, failure: &Failure) -> Option<String> {
    let error = failure.error.to_lowercase();
    let text = failure.logs.join("\n").to_lowercase();
    let panicked = [
        "failed to complete",
        "access violation",
        "panicked",
        "out of bounds",
    ]
    .iter()
    .any(|sign| error.contains(sign) || text.contains(sign));
    if panicked {
        return Some(format!("panicked: {failure}"));
    }
    let expected = mutation.expected;
    if expected.is_empty() || failure.code.is_some_and(|code| expected.contains(&code)) {
        return None;
    }
    Some(format!(
        "one of {expected:?} was expected: {:?} {}",
        failure.code, failure.error
    ))
}

/// Runs the cases and prints their counts.
pub fn judge_all(world: &mut World, cases: Vec<Case>) -> Tally {
    let mut tally = Tally::default();
    for case in &cases {
        let before = tally.tried;
        run(world, case, &mut tally);
        let discriminator = case.base.data[..8].to_vec();
        tally.instructions.insert(discriminator);
        println!("  {}: {} mutations", case.name, tally.tried - before);
    }
    println!(
        "  {} mutations, {} harmless; refused by {:?}",
        tally.tried, tally.allowed, tally.codes
    );
    tally
}
