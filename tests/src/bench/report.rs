//! The figures as JSON and as a table.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Figures;

/// `{"instruction": {"shape": units}}`, and the transactions' sizes as `size::` rows.
pub fn json(figures: &Figures) -> anyhow::Result<String> {
    let mut all: BTreeMap<String, BTreeMap<&str, u64>> = BTreeMap::new();
    for (instruction, shapes) in &figures.units {
        all.insert((*instruction).to_owned(), shapes.clone());
    }
    for (instruction, size) in &figures.sizes {
        let shapes = [
            ("accounts", size.accounts),
            ("writable", size.writable),
            ("signatures", size.signatures),
            ("bytes", size.bytes),
            ("bytes_with_table", size.bytes_with_table),
        ];
        all.insert(format!("size::{instruction}"), shapes.into());
    }
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}

/// One line per figure.
pub fn table(figures: &Figures) -> String {
    let mut out = format!("{:<24}{:<16}{:>10}\n", "instruction", "shape", "units");
    for (instruction, shapes) in &figures.units {
        let mut name = *instruction;
        for (shape, units) in shapes {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{name:<24}{shape:<16}{units:>10}");
            name = "";
        }
    }
    out
}
