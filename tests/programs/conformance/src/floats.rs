//! Floating point: arithmetic, comparisons, and conversions from and to integers.

use crate::Outcome;
use core::hint::black_box;

/// How the operands are made: from raw bits, or from integers, so that results are ordinary.
pub const KINDS: u8 = 2;
pub const OPERATIONS: u8 = 40;

pub fn run(kind: u8, operation: u8, a: u128, b: u128) -> Outcome {
    let number = |operand: u128| match kind {
        0 => f64::from_bits(operand as u64),
        _ => operand as i64 as f64 / 1024.0,
    };
    let (x, y) = (black_box(number(a)), black_box(number(b)));
    match operation {
        0..10 => doubles(operation, x, y),
        10..18 => singles(operation - 10, x as f32, y as f32),
        18..29 => to_integers(operation - 18, x),
        _ => from_integers(operation - 29, black_box(a)),
    }
}

/// All NaNs are one: their bits are not specified.
fn double(value: f64) -> Outcome {
    Outcome::new(
        if value.is_nan() {
            1
        } else {
            u128::from(value.to_bits())
        },
        0,
    )
}

fn single(value: f32) -> Outcome {
    Outcome::new(
        if value.is_nan() {
            1
        } else {
            u128::from(value.to_bits())
        },
        0,
    )
}

#[inline(never)]
fn doubles(operation: u8, x: f64, y: f64) -> Outcome {
    match operation {
        0 => double(x + y),
        1 => double(x - y),
        2 => double(x * y),
        3 => double(x / y),
        4 => double(-x),
        5 => double(x.abs()),
        6 => Outcome::new(
            u128::from(x < y) | u128::from(x <= y) << 1 | u128::from(x == y) << 2,
            u128::from(x > y) | u128::from(x >= y) << 1 | u128::from(x != y) << 2,
        ),
        7 => Outcome::new(x.partial_cmp(&y).map_or(9, |order| order as i8 as u128), 0),
        8 => Outcome::new(x.total_cmp(&y) as i8 as u128, u128::from(x.is_finite())),
        _ => double(x * 1.5 + y * 0.25 - 3.0),
    }
}

#[inline(never)]
fn singles(operation: u8, x: f32, y: f32) -> Outcome {
    match operation {
        0 => single(x + y),
        1 => single(x - y),
        2 => single(x * y),
        3 => single(x / y),
        4 => double(f64::from(x)),
        5 => single(x),
        6 => Outcome::new(x as i64 as u128, x as u32 as u128),
        _ => Outcome::new(
            u128::from(x < y) | u128::from(x >= y) << 1,
            u128::from(x == y),
        ),
    }
}

#[inline(never)]
fn to_integers(operation: u8, x: f64) -> Outcome {
    match operation {
        0 => Outcome::new(x as u8 as u128, 0),
        1 => Outcome::new(x as i8 as u128, 0),
        2 => Outcome::new(x as u16 as u128, 0),
        3 => Outcome::new(x as i16 as u128, 0),
        4 => Outcome::new(x as u32 as u128, 0),
        5 => Outcome::new(x as i32 as u128, 0),
        6 => Outcome::new(x as u64 as u128, 0),
        7 => Outcome::new(x as i64 as u128, 0),
        8 => Outcome::new(x as u128, 0),
        9 => Outcome::new(x as i128 as u128, 0),
        _ => Outcome::new((x as f32) as i128 as u128, (x as f32) as u128),
    }
}

#[inline(never)]
fn from_integers(operation: u8, a: u128) -> Outcome {
    match operation {
        0 => double(a as u8 as f64),
        1 => double(a as i8 as f64),
        2 => double(a as u32 as f64),
        3 => double(a as i32 as f64),
        4 => double(a as u64 as f64),
        5 => double(a as i64 as f64),
        6 => double(a as f64),
        7 => double(a as i128 as f64),
        8 => single(a as u64 as f32),
        9 => single(a as i64 as f32),
        _ => Outcome::new(
            u128::from((a as f32).to_bits()),
            u128::from((a as i128 as f32).to_bits()),
        ),
    }
}
