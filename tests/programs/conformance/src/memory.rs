//! Copying, moving, filling and comparing memory, of every small size and of large ones.

use crate::{Outcome, digest};
use core::hint::black_box;

/// The largest size tested, and room for misalignment.
pub const AREA_BYTES: usize = LARGEST + 64;
pub const OPERATIONS: u8 = 6;
const LARGEST: usize = 8 * 1024;
/// Sizes up to this one are tested one by one.
pub const SMALL_SIZES: usize = 301;

/// `a` selects the size in its low half; its high half and `b` are what the memory is filled with.
pub fn run(operation: u8, a: u128, b: u128, scratch: &mut [u8]) -> Outcome {
    let size = match a as u64 {
        small if small < SMALL_SIZES as u64 => small as usize,
        large => 1024 + (large as usize % (LARGEST - 1023)),
    };
    let seed = (a >> 64) as u64 ^ b as u64;
    if operation == 5 {
        return fixed_sizes(seed, b);
    }
    // Fills what the operation can touch and a little more, to see what it should not touch.
    let used = size + 64;
    let (source, rest) = scratch.split_at_mut(AREA_BYTES);
    let (source, target) = (&mut source[..used], &mut rest[..used]);
    fill(source, seed);
    fill(target, !seed);
    let (from, to) = (b as usize % 16, (b >> 8) as usize % 16);
    let (size, from, to) = (black_box(size), black_box(from), black_box(to));
    match operation {
        0 => target[to..to + size].copy_from_slice(&source[from..from + size]),
        1 => target.copy_within(from..from + size, to),
        2 => target[to..to + size].fill(seed as u8),
        3 => return compare(source, target, size, b),
        _ => {
            let (left, right) = target.split_at_mut(used / 2);
            let half = size / 2;
            left[..half].swap_with_slice(&mut right[..half]);
            target.reverse();
        }
    }
    Outcome::new(digest(target), u128::from(target[size]))
}

fn fill(bytes: &mut [u8], seed: u64) {
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = (seed >> (index % 8 * 8)) as u8 ^ index as u8;
    }
}

/// Compares equal memory, and memory that differs in one byte.
fn compare(source: &mut [u8], target: &mut [u8], size: usize, b: u128) -> Outcome {
    target.copy_from_slice(source);
    let is_equal = source[..size] == target[..size];
    if size > 0 {
        let place = (b >> 16) as usize % size;
        target[place] = target[place].wrapping_add((b >> 80) as u8);
    }
    let (left, right) = (black_box(&source[..size]), black_box(&target[..size]));
    let order = left.cmp(right) as i8 as u8;
    let flags =
        u128::from(is_equal) | u128::from(left == right) << 1 | u128::from(left < right) << 2;
    Outcome::new(u128::from(order), flags)
}

/// Copies and comparisons whose size the compiler knows, which it writes out.
fn fixed_sizes(seed: u64, b: u128) -> Outcome {
    match b % 16 {
        0 => fixed::<1>(seed),
        1 => fixed::<2>(seed),
        2 => fixed::<3>(seed),
        3 => fixed::<5>(seed),
        4 => fixed::<7>(seed),
        5 => fixed::<8>(seed),
        6 => fixed::<11>(seed),
        7 => fixed::<16>(seed),
        8 => fixed::<23>(seed),
        9 => fixed::<31>(seed),
        10 => fixed::<32>(seed),
        11 => fixed::<33>(seed),
        12 => fixed::<64>(seed),
        13 => fixed::<127>(seed),
        14 => fixed::<128>(seed),
        _ => fixed::<300>(seed),
    }
}

#[inline(never)]
fn fixed<const SIZE: usize>(seed: u64) -> Outcome {
    let mut source = [0; SIZE];
    fill(&mut source, seed);
    let copy = black_box(source);
    let mut other = black_box([seed as u8; SIZE]);
    other[SIZE / 2..].copy_from_slice(&copy[SIZE / 2..]);
    let flags = u128::from(copy == source) | u128::from(copy < other) << 1;
    Outcome::new(digest(&other) ^ digest(&copy) << 64, flags)
}
