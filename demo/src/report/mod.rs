//! How a run is told: tables on the terminal, an HTML page with charts, one JSON object.

mod charts;
pub mod html;
pub mod json;
mod money;
#[cfg(test)]
pub(crate) mod sample;
mod table;
pub mod terminal;

use std::io::Write;

use anyhow::Context;

use crate::cli::{JsonTarget, Options};
use crate::result::RunResult;

/// Writes everything the options ask for. With `--json -` stdout gets the object alone and the
/// tables go to stderr.
pub fn emit(options: &Options, run: &RunResult) -> anyhow::Result<()> {
    let tables = terminal::render(run);
    let json_on_stdout = options.json == Some(JsonTarget::Stdout);
    if json_on_stdout {
        std::io::stderr().write_all(tables.as_bytes())?;
    } else {
        std::io::stdout().write_all(tables.as_bytes())?;
    }

    match &options.json {
        Some(JsonTarget::Stdout) => writeln!(std::io::stdout(), "{}", json::render(run)?)?,
        Some(JsonTarget::File(file)) => {
            std::fs::write(file, json::render(run)? + "\n")
                .with_context(|| format!("writing {}", file.display()))?;
        }
        None => {}
    }

    if let Some(file) = &options.html {
        std::fs::write(file, html::render(run)?)
            .with_context(|| format!("writing {}", file.display()))?;
        eprintln!("Report: {}", file.display());
    }
    Ok(())
}
