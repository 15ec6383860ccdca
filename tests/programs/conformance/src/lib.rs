//! A program that does everything a compiler for this machine can get wrong.
//!
//! `tests/conformance.rs` runs the same code natively and in the virtual machine, on the same
//! operands, and compares. Each module is one suite; a case names the suite, a kind and an
//! operation within it, and two operands. What a number out of range selects does not matter, as
//! long as it selects the same on both sides.
//!
//! Operands pass through `black_box`, so that neither side computes a case at compile time.

// `entrypoint!` asks for the operating system `solana`, which the host compiler does not know.
#![allow(unexpected_cfgs)]

pub mod calls;
pub mod collections;
pub mod conversions;
pub mod floats;
pub mod integers;
pub mod memory;
pub mod risk;
pub mod text;

use solana_account_info::AccountInfo;
use solana_cpi::set_return_data;
use solana_program_error::{ProgramError, ProgramResult};
use solana_pubkey::Pubkey;

#[cfg(not(feature = "no-entrypoint"))]
solana_program_entrypoint::entrypoint!(process);

/// Encoded size of a [`Case`].
pub const CASE_BYTES: usize = 48;
/// Encoded size of an [`Outcome`].
pub const OUTCOME_BYTES: usize = 32;
/// Memory that the suite `memory` works in.
pub const SCRATCH_BYTES: usize = 3 * memory::AREA_BYTES;
/// A part of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Suite {
    Integers = 0,
    Conversions = 1,
    Floats = 2,
    Memory = 3,
    Calls = 4,
    Text = 5,
    Collections = 6,
    Risk = 7,
}

impl Suite {
    pub const ALL: [Self; 8] = [
        Self::Integers,
        Self::Conversions,
        Self::Floats,
        Self::Memory,
        Self::Calls,
        Self::Text,
        Self::Collections,
        Self::Risk,
    ];

    /// How many kinds and how many operations of each kind the suite has.
    pub fn size(self) -> (u8, u8) {
        match self {
            Self::Integers => (integers::KINDS, integers::OPERATIONS),
            Self::Conversions => (integers::KINDS, integers::KINDS),
            Self::Floats => (floats::KINDS, floats::OPERATIONS),
            Self::Memory => (1, memory::OPERATIONS),
            Self::Calls => (1, calls::OPERATIONS),
            Self::Text => (1, text::OPERATIONS),
            Self::Collections => (1, collections::OPERATIONS),
            Self::Risk => (1, risk::OPERATIONS),
        }
    }

    /// Whether its cases take memory from the heap, which the program never gives back.
    pub fn uses_the_heap(self) -> bool {
        matches!(self, Self::Calls | Self::Text | Self::Collections)
    }
}

/// One computation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    pub suite: Suite,
    pub kind: u8,
    pub operation: u8,
    pub a: u128,
    pub b: u128,
}

impl Case {
    pub fn to_bytes(self) -> [u8; CASE_BYTES] {
        let mut bytes = [0; CASE_BYTES];
        bytes[0] = self.suite as u8;
        bytes[1] = self.kind;
        bytes[2] = self.operation;
        bytes[16..32].copy_from_slice(&self.a.to_le_bytes());
        bytes[32..48].copy_from_slice(&self.b.to_le_bytes());
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            suite: *Suite::ALL.get(usize::from(*bytes.first()?))?,
            kind: *bytes.get(1)?,
            operation: *bytes.get(2)?,
            a: u128::from_le_bytes(bytes.get(16..32)?.try_into().ok()?),
            b: u128::from_le_bytes(bytes.get(32..48)?.try_into().ok()?),
        })
    }

    /// Computes the case. `scratch` has [`SCRATCH_BYTES`].
    pub fn run(&self, scratch: &mut [u8]) -> Outcome {
        let Self {
            suite,
            kind,
            operation,
            a,
            b,
        } = *self;
        match suite {
            Suite::Integers => integers::run(kind, operation, a, b),
            Suite::Conversions => conversions::run(kind, operation, a),
            Suite::Floats => floats::run(kind, operation, a, b),
            Suite::Memory => memory::run(operation, a, b, scratch),
            Suite::Calls => calls::run(operation, a, b),
            Suite::Text => text::run(operation, a, b),
            Suite::Collections => collections::run(operation, a, b),
            Suite::Risk => risk::run(operation, a, b),
        }
    }
}

/// What a case gives: a value, and what else there is to say of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub value: u128,
    pub extra: u128,
}

impl Outcome {
    pub fn new(value: u128, extra: u128) -> Self {
        Self { value, extra }
    }

    pub fn to_bytes(self) -> [u8; OUTCOME_BYTES] {
        let mut bytes = [0; OUTCOME_BYTES];
        bytes[..16].copy_from_slice(&self.value.to_le_bytes());
        bytes[16..].copy_from_slice(&self.extra.to_le_bytes());
        bytes
    }
}

/// A fingerprint of bytes.
pub fn digest(bytes: &[u8]) -> u128 {
    let fold = |state: u64, &byte: &u8| {
        (state ^ u64::from(byte))
            .wrapping_mul(0x0000_0100_0000_01b3)
            .rotate_left(5)
    };
    u128::from(bytes.iter().fold(0xcbf2_9ce4_8422_2325, fold))
}

/// What the program panics with when it is told to.
pub const PANIC_MESSAGE: &str = "conformance was asked to panic";
/// Where that is: the line below this one and two more.
pub const PANIC_LINE: u32 = line!() + 3;

fn panic_as_asked() -> ! {
    panic!("conformance was asked to panic");
}

/// Panics as overflow checks do, when the operand is not zero.
#[inline(never)]
fn overflow(operand: u64) -> u64 {
    u64::MAX + operand
}

/// Instruction without data: computes the cases in the first account into the second one, with the
/// third as scratch memory. With one byte: panics, or overflows where it is not zero. With more:
/// answers a [`risk::Request`] in the return data.
pub fn process(_: &Pubkey, accounts: &[AccountInfo], data: &[u8]) -> ProgramResult {
    if let [operand] = *data {
        core::hint::black_box(overflow(operand.into()));
        panic_as_asked();
    }
    if !data.is_empty() {
        let (request, times) =
            risk::Request::from_bytes(data).ok_or(ProgramError::InvalidInstructionData)?;
        set_return_data(request.answer(times).as_bytes());
        return Ok(());
    }
    let [cases, outcomes, scratch] = accounts else {
        return Err(ProgramError::NotEnoughAccountKeys);
    };
    let cases = cases.try_borrow_data()?;
    let mut outcomes = outcomes.try_borrow_mut_data()?;
    let mut scratch = scratch.try_borrow_mut_data()?;
    let places = outcomes.chunks_exact_mut(OUTCOME_BYTES);
    for (bytes, place) in cases.chunks_exact(CASE_BYTES).zip(places) {
        let case = Case::from_bytes(bytes).ok_or(ProgramError::InvalidAccountData)?;
        place.copy_from_slice(&case.run(&mut scratch).to_bytes());
    }
    Ok(())
}
