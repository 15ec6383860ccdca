//! Formatting and parsing.

use crate::{Outcome, digest};
use core::hint::black_box;
use std::fmt::Write;

pub const OPERATIONS: u8 = 10;

#[derive(Debug)]
struct Record {
    _name: &'static str,
    _price: Option<i64>,
    _sizes: [u16; 3],
}

pub fn run(operation: u8, a: u128, b: u128) -> Outcome {
    let (a, b) = (black_box(a), black_box(b));
    let text = match operation {
        0 => format!("{}|{}|{}", a as u8, b as i16, a as u32),
        1 => format!("{}|{}|{:?}", a as u64, b as i64, a as i32),
        2 => format!("{a}|{}", b as i128),
        3 => format!("{:#x}|{:X}|{:b}|{:o}", a as u64, b as u32, a as u8, b),
        4 => format!(
            "{:>20}|{:<+12}|{:^9}|{:08}",
            a as u32, b as i32, b as u8, a as i16
        ),
        5 => format!("{:?}|{:?}|{:?}", a > b, char::from(a as u8), "a\"\n\u{e9}"),
        6 => {
            let price = (a & 1 == 0).then_some(b as i64);
            let sizes = [a as u16, b as u16, 3];
            format!(
                "{:?}",
                Record {
                    _name: "keel",
                    _price: price,
                    _sizes: sizes
                }
            )
        }
        7 => format!(
            "{:.3}|{}",
            a as i64 as f64 / 1e6,
            f64::from(b as i32) / 64.0
        ),
        8 => return parsed(a, b),
        _ => edited(a, b),
    };
    Outcome::new(digest(text.as_bytes()), text.len() as u128)
}

fn parsed(a: u128, b: u128) -> Outcome {
    let wide = (b as i128).to_string().parse::<i128>().unwrap_or(-1);
    let narrow = (a as u64)
        .to_string()
        .parse::<u32>()
        .map_or(u64::MAX, u64::from);
    let hexadecimal = u64::from_str_radix(&format!("{:x}", a as u64), 16).unwrap_or(0);
    let wrong = "12x".parse::<u8>().is_err();
    Outcome::new(
        wide as u128,
        u128::from(narrow ^ hexadecimal) << 1 | u128::from(wrong),
    )
}

fn edited(a: u128, b: u128) -> String {
    let mut text = String::new();
    for index in 0..(b as usize % 6) {
        // Writing to a string does not fail.
        let _ = write!(text, "{index}:{},", (a >> (8 * index)) as u8);
    }
    let upper = text.replace(',', " - ").to_uppercase();
    let words: Vec<&str> = upper.split(" - ").filter(|word| !word.is_empty()).collect();
    let mut joined = words.join("/");
    joined.extend(text.chars().rev().take(5));
    joined.insert_str(0, text.trim_end_matches(','));
    joined
}
