//! Every operation on every integer width, signed and unsigned.

use crate::Outcome;
use core::hint::black_box;

/// The ten types, narrow to wide, unsigned before signed.
pub const KINDS: u8 = 10;
pub const OPERATIONS: u8 = 5 * GROUP;
/// Operations are numbered in groups of this size.
const GROUP: u8 = 20;

pub fn run(kind: u8, operation: u8, a: u128, b: u128) -> Outcome {
    match kind {
        0 => u8_operations::run(operation, a, b),
        1 => i8_operations::run(operation, a, b),
        2 => u16_operations::run(operation, a, b),
        3 => i16_operations::run(operation, a, b),
        4 => u32_operations::run(operation, a, b),
        5 => i32_operations::run(operation, a, b),
        6 => u64_operations::run(operation, a, b),
        7 => i64_operations::run(operation, a, b),
        8 => u128_operations::run(operation, a, b),
        _ => i128_operations::run(operation, a, b),
    }
}

macro_rules! integer_operations {
    ($module:ident, $integer:ident, $unsigned:ident) => {
        mod $module {
            use super::{GROUP, Outcome, black_box};

            type Int = $integer;
            const BITS: u32 = Int::BITS;

            fn bits(value: Int) -> u128 {
                u128::from(value as $unsigned)
            }

            fn value(value: Int) -> Outcome {
                Outcome::new(bits(value), 0)
            }

            fn flagged((value, flag): (Int, bool)) -> Outcome {
                Outcome::new(bits(value), u128::from(flag))
            }

            fn option(result: Option<Int>) -> Outcome {
                result.map_or(Outcome::new(0, 2), value)
            }

            pub fn run(operation: u8, a: u128, b: u128) -> Outcome {
                let (a, b) = (black_box(a as Int), black_box(b as Int));
                let within = operation % GROUP;
                match operation / GROUP {
                    0 => sums(within, a, b),
                    1 => products(within, a, b),
                    2 => quotients(within, a, b),
                    3 => shifts(within, a, b),
                    _ => bitwise(within, a, b),
                }
            }

            #[inline(never)]
            fn sums(operation: u8, a: Int, b: Int) -> Outcome {
                match operation {
                    0 => value(a.wrapping_add(b)),
                    1 => value(a.wrapping_sub(b)),
                    2 => value(a.wrapping_neg()),
                    3 => flagged(a.overflowing_add(b)),
                    4 => flagged(a.overflowing_sub(b)),
                    5 => flagged(a.overflowing_neg()),
                    6 => option(a.checked_add(b)),
                    7 => option(a.checked_sub(b)),
                    8 => option(a.checked_neg()),
                    9 => value(a.saturating_add(b)),
                    10 => value(a.saturating_sub(b)),
                    11 => Outcome::new(u128::from(a.abs_diff(b)), 0),
                    12 => flagged((a.min(b), a < b)),
                    13 => flagged((a.max(b), a <= b)),
                    14 => flagged((a, a == b)),
                    15 => Outcome::new(a.cmp(&b) as i8 as u8 as u128, 0),
                    16 => value(a.clamp(b.min(7), b.max(7))),
                    17 => flagged((if a > b { a } else { b ^ 1 }, a >= b)),
                    18 => flagged((a.wrapping_add(b).wrapping_sub(a), a != b)),
                    _ => option(a.checked_add(b).and_then(|sum| sum.checked_sub(a / 2))),
                }
            }

            #[inline(never)]
            fn products(operation: u8, a: Int, b: Int) -> Outcome {
                let exponent = (b as u32) % 9;
                match operation {
                    0 => value(a.wrapping_mul(b)),
                    1 => flagged(a.overflowing_mul(b)),
                    2 => option(a.checked_mul(b)),
                    3 => value(a.saturating_mul(b)),
                    4 => value(a.wrapping_pow(exponent)),
                    5 => flagged(a.overflowing_pow(exponent)),
                    6 => option(a.checked_pow(exponent)),
                    7 => value(a.saturating_pow(exponent)),
                    8 => option(a.checked_mul(b).and_then(|product| product.checked_add(a))),
                    9 => option(a.checked_mul(100)),
                    10 => value(a.wrapping_mul(a).wrapping_mul(b)),
                    11 => value(a.wrapping_mul(10).wrapping_add(b)),
                    12 => flagged((a >> (BITS / 2)).overflowing_mul(b >> (BITS / 2))),
                    13 => option((a >> (BITS / 2)).checked_mul(b >> (BITS / 2 - 1))),
                    14 => option(a.checked_mul(a)),
                    _ => value(a.wrapping_mul(b).wrapping_sub(b.wrapping_mul(a ^ b))),
                }
            }

            #[inline(never)]
            fn quotients(operation: u8, a: Int, b: Int) -> Outcome {
                let divisor = if b == 0 { 3 } else { b };
                match operation {
                    0 => option(a.checked_div(b)),
                    1 => option(a.checked_rem(b)),
                    2 => option(a.checked_div_euclid(b)),
                    3 => option(a.checked_rem_euclid(b)),
                    4 => value(a.wrapping_div(divisor)),
                    5 => value(a.wrapping_rem(divisor)),
                    6 => flagged(a.overflowing_div(divisor)),
                    7 => flagged(a.overflowing_rem(divisor)),
                    8 => value(a / 3),
                    9 => value(a % 3),
                    10 => value(a / 10),
                    11 => value(a % 10),
                    12 => value(a / 64),
                    13 => value(a % 64),
                    14 => value(a / 100),
                    15 => value(a.rem_euclid(7)),
                    16 => value(a.saturating_div(divisor)),
                    17 => option(a.checked_ilog2().map(|log| log as Int)),
                    18 => option(a.checked_ilog10().map(|log| log as Int)),
                    _ => value((a >> 1).max(0).isqrt()),
                }
            }

            #[inline(never)]
            fn shifts(operation: u8, a: Int, b: Int) -> Outcome {
                let amount = b as u32;
                let small = amount % BITS;
                match operation {
                    0 => value(a << small),
                    1 => value(a >> small),
                    2 => value(a.wrapping_shl(amount)),
                    3 => value(a.wrapping_shr(amount)),
                    4 => option(a.checked_shl(amount % 256)),
                    5 => option(a.checked_shr(amount % 256)),
                    6 => flagged(a.overflowing_shl(amount % 256)),
                    7 => flagged(a.overflowing_shr(amount % 256)),
                    8 => value(a.rotate_left(small)),
                    9 => value(a.rotate_right(small)),
                    10 => Outcome::new(bits(a << 1), bits(a >> 1)),
                    11 => Outcome::new(bits(a << 3), bits(a >> 5)),
                    12 => Outcome::new(bits(a << (BITS / 2)), bits(a >> (BITS / 2))),
                    13 => Outcome::new(bits(a << (BITS / 2 - 1)), bits(a >> (BITS / 2 - 1))),
                    14 => Outcome::new(bits(a << (BITS / 2 + 1)), bits(a >> (BITS / 2 + 1))),
                    15 => Outcome::new(bits(a << (BITS - 1)), bits(a >> (BITS - 1))),
                    16 => Outcome::new(bits(a.rotate_left(7)), bits(a.rotate_right(3))),
                    17 => Outcome::new(bits(1 << small), bits((a << small) >> small)),
                    18 => value((a << small) | (b >> (BITS - 1 - small))),
                    _ => value((a >> 7) ^ (a << small) ^ b.rotate_left(BITS / 2)),
                }
            }

            #[inline(never)]
            fn bitwise(operation: u8, a: Int, b: Int) -> Outcome {
                let count = |count: u32| Outcome::new(u128::from(count), 0);
                match operation {
                    0 => count(a.leading_zeros()),
                    1 => count(a.trailing_zeros()),
                    2 => count(a.leading_ones()),
                    3 => count(a.trailing_ones()),
                    4 => count(a.count_ones()),
                    5 => count(a.count_zeros()),
                    6 => value(a.swap_bytes()),
                    7 => value(a.reverse_bits()),
                    8 => value(a.to_be()),
                    9 => value(a & b),
                    10 => value(a | b),
                    11 => value(a ^ b),
                    12 => value(!a),
                    13 => value((a & !b) ^ (a | b)),
                    14 => value(Int::from_be_bytes(a.to_le_bytes())),
                    15 => value(a & b.wrapping_neg()),
                    16 => count((a & b).leading_zeros().wrapping_sub(b.trailing_zeros())),
                    17 => flagged((a, a & 1 == b & 1)),
                    18 => value(if a & (1 << (b as u32 % BITS)) != 0 {
                        a
                    } else {
                        b
                    }),
                    _ => Outcome::new(crate::digest(&a.to_ne_bytes()), bits(b)),
                }
            }
        }
    };
}

integer_operations!(u8_operations, u8, u8);
integer_operations!(i8_operations, i8, u8);
integer_operations!(u16_operations, u16, u16);
integer_operations!(i16_operations, i16, u16);
integer_operations!(u32_operations, u32, u32);
integer_operations!(i32_operations, i32, u32);
integer_operations!(u64_operations, u64, u64);
integer_operations!(i64_operations, i64, u64);
integer_operations!(u128_operations, u128, u128);
integer_operations!(i128_operations, i128, u128);
