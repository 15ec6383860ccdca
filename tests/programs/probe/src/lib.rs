//! A program that runs the risk engine alone on a risk book's and a margin account's bytes, and
//! returns what it found: the rows `engine` of the table of compute units are what one more run adds.
//!
//! Instruction: accounts risk book, margin account; data: the operation, how often it is run, then
//! `now` (i64, little endian). Return data: the operation's figures (i64 each, little endian).

// `entrypoint!` asks for the operating system `solana`, which the host compiler does not know.
#![allow(unexpected_cfgs)]

use core::hint::black_box;

use bytemuck::{cast_slice, from_bytes};
use keel_risk::{
    InitialTerms, Kept, Legs, Lots, PositionLeg, Scratch, Stance, both, initial, maintenance,
};
use keel_state::{
    BookView, DISCRIMINATOR_BYTES, MarginAccount, MarginView, Position, RiskBook, Workspace,
};
use solana_account_info::AccountInfo;
use solana_program_error::{ProgramError, ProgramResult};
use solana_pubkey::Pubkey;

#[cfg(not(feature = "no-entrypoint"))]
solana_program_entrypoint::entrypoint!(process);

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Operation {
    Maintenance = 0,
    Initial = 1,
    Both = 2,
    /// Keeps the sums with the first and the last position open, each run then tries other sizes.
    Replace = 3,
}

impl Operation {
    const ALL: [Self; 4] = [Self::Maintenance, Self::Initial, Self::Both, Self::Replace];
}

pub fn process(_: &Pubkey, accounts: &[AccountInfo], data: &[u8]) -> ProgramResult {
    let [book, margin] = accounts else {
        return Err(ProgramError::NotEnoughAccountKeys);
    };
    let wrong = ProgramError::InvalidInstructionData;
    let (&[operation, times], rest) = data.split_first_chunk().ok_or(wrong.clone())?;
    let operation = *Operation::ALL
        .get(usize::from(operation))
        .ok_or(wrong.clone())?;
    let now = rest.first_chunk::<8>().ok_or(wrong)?;
    let now = i64::from_le_bytes(*now);

    let book = book.try_borrow_data()?;
    let book: &RiskBook = from_bytes(&book[DISCRIMINATOR_BYTES..]);
    let margin = margin.try_borrow_data()?;
    let (header, rest) = margin[DISCRIMINATOR_BYTES..].split_at(size_of::<MarginAccount>());
    let header: &MarginAccount = from_bytes(header);
    let positions = usize::from(header.capacity) * size_of::<Position>();
    let legs = MarginView::new(header, cast_slice(&rest[..positions]), book);
    let view = BookView::new(book, now);
    let mut workspace = Workspace::for_account(&legs);
    let mut scratch = workspace.scratch();

    let mut found = [0; 4];
    if operation == Operation::Replace {
        let last = legs.position_slots().saturating_sub(1);
        let held = legs
            .position(last)
            .ok_or(ProgramError::InvalidAccountData)?;
        let slots = [(last, held)];
        let mut kept = Kept::new(&view, &legs, Stance::Plain, (&slots, &[]), &mut scratch);
        for _ in 0..times {
            found = replace(&mut kept, (last, held), &mut scratch);
        }
    }
    if operation != Operation::Replace {
        for _ in 0..times {
            found = run(operation, &view, &legs, &mut scratch);
        }
    }

    let bytes: Vec<u8> = found
        .iter()
        .flat_map(|figure| figure.to_le_bytes())
        .collect();
    solana_cpi::set_return_data(&bytes);
    Ok(())
}

/// One try: half of the leg.
#[inline(never)]
fn replace(
    kept: &mut Kept<'_, BookView<'_>, MarginView<'_>>,
    (slot, held): (usize, PositionLeg),
    scratch: &mut Scratch<'_>,
) -> [i64; 4] {
    let tried = black_box(PositionLeg {
        size: Lots(held.size.0 / 2),
        ..held
    });
    let found = black_box(kept).try_legs((&[(slot, tried)], &[]), scratch);
    [found.equity.0, found.requirement.0, 0, 0]
}

#[inline(never)]
fn run(
    operation: Operation,
    book: &BookView<'_>,
    legs: &MarginView<'_>,
    scratch: &mut Scratch<'_>,
) -> [i64; 4] {
    let (book, legs) = (black_box(book), black_box(legs));
    match operation {
        Operation::Replace => [0; 4],
        Operation::Maintenance => {
            let found = maintenance(book, legs, scratch);
            [found.equity.0, found.requirement.0, 0, 0]
        }
        Operation::Initial => {
            let found = initial(book, legs, InitialTerms::COUNTED, scratch);
            [0, 0, found.equity.0, found.requirement.0]
        }
        Operation::Both => {
            let found = both(book, legs, InitialTerms::COUNTED, scratch);
            [
                found.maintenance.equity.0,
                found.maintenance.requirement.0,
                found.initial.equity.0,
                found.initial.requirement.0,
            ]
        }
    }
}
