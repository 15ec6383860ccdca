//! `cargo xtask vectors`: files of expected figures, evaluated natively and in the VM.
//!
//! - [`margin`]: requirements of margin-spec 5.1 to 5.5.
//! - [`black76`]: values and Greeks of 6.1 and 6.2.
//! - [`decimal`], [`input`]: figures as printed, and where a file is wrong.
//!
//! `tests/vectors/README.md` describes the format.

mod black76;
mod black76_native;
mod black76_vm;
mod decimal;
mod input;
mod margin;
mod margin_native;
mod margin_parts;
mod margin_vm;
mod tally;

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use input::Node;
pub use tally::{Side, Tally};

/// Runs every case of a file on both sides, native first.
///
/// # Errors
/// The file cannot be read or is not of the format; the message says where.
pub fn evaluate(path: &Path) -> Result<[Tally; 2]> {
    let text = std::fs::read(path).context("cannot be read")?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let value: Value = serde_json::from_slice(text).context("is not JSON")?;
    let file = Node::root(&value)?;

    let has_grid = file.get("grid").is_some() || file.get("published").is_some();
    match (file.get("cases").is_some(), has_grid) {
        (true, false) => margin::evaluate(&file),
        (false, true) => {
            let rows = black76::Rows::read(&file)?;
            let vm = black76_vm::Black76Vm::new()?;
            let run = |side, price: &mut dyn FnMut(black76::Terms) -> Result<black76::Priced>| {
                Tally::of(side, &rows.run(price), tally::Distance::OfMax(0.0))
            };
            Ok([
                run(Side::Native, &mut |terms| Ok(black76_native::price(terms))),
                run(Side::Vm, &mut |terms| vm.price(terms)),
            ])
        }
        (true, true) => bail!("has both `cases` and `grid` or `published`: which is it?"),
        (false, false) => bail!("has none of `cases`, `grid` and `published`"),
    }
}
