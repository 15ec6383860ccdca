//! Conversions between every pair of integer widths: by `as`, and checked.

use crate::Outcome;
use core::hint::black_box;

/// `from` and `to` are numbered as in [`crate::integers`].
pub fn run(from: u8, to: u8, a: u128) -> Outcome {
    match from {
        0 => from_u8(to, black_box(a as u8)),
        1 => from_i8(to, black_box(a as i8)),
        2 => from_u16(to, black_box(a as u16)),
        3 => from_i16(to, black_box(a as i16)),
        4 => from_u32(to, black_box(a as u32)),
        5 => from_i32(to, black_box(a as i32)),
        6 => from_u64(to, black_box(a as u64)),
        7 => from_i64(to, black_box(a as i64)),
        8 => from_u128(to, black_box(a)),
        _ => from_i128(to, black_box(a as i128)),
    }
}

macro_rules! conversions_from {
    ($name:ident, $from:ident) => {
        #[inline(never)]
        fn $name(to: u8, a: $from) -> Outcome {
            match to {
                0 => Outcome::new(a as u8 as u128, u8::try_from(a).is_ok() as u128),
                1 => Outcome::new(a as i8 as u128, i8::try_from(a).is_ok() as u128),
                2 => Outcome::new(a as u16 as u128, u16::try_from(a).is_ok() as u128),
                3 => Outcome::new(a as i16 as u128, i16::try_from(a).is_ok() as u128),
                4 => Outcome::new(a as u32 as u128, u32::try_from(a).is_ok() as u128),
                5 => Outcome::new(a as i32 as u128, i32::try_from(a).is_ok() as u128),
                6 => Outcome::new(a as u64 as u128, u64::try_from(a).is_ok() as u128),
                7 => Outcome::new(a as i64 as u128, i64::try_from(a).is_ok() as u128),
                8 => Outcome::new(a as u128, u128::try_from(a).is_ok() as u128),
                _ => Outcome::new(a as i128 as u128, i128::try_from(a).is_ok() as u128),
            }
        }
    };
}

conversions_from!(from_u8, u8);
conversions_from!(from_i8, i8);
conversions_from!(from_u16, u16);
conversions_from!(from_i16, i16);
conversions_from!(from_u32, u32);
conversions_from!(from_i32, i32);
conversions_from!(from_u64, u64);
conversions_from!(from_i64, i64);
conversions_from!(from_u128, u128);
conversions_from!(from_i128, i128);
