//! The figures as JSON and as a table.

use std::fmt::Write;

use super::Figures;

/// `{"instruction": {"shape": units}}`.
pub fn json(figures: &Figures) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&figures.units)? + "\n")
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
