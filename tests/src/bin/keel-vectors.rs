//! Evaluates files of expected figures natively and in the VM.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use keel_tests::vectors;

const HELP: &str = "\
Evaluates files of expected figures, natively and on the compiled bytecode in a VM

Prints two lines for each FILE:
  FILE native: cases N, failures M, largest error E UNIT
  FILE vm: cases N, failures M, largest error E UNIT
The first ten failing cases of each are named on stderr. A case that cannot be run has failed.

Usage: keel-vectors FILE...

Arguments:
  FILE...     JSON of margin or Black-76 vectors; tests/vectors/README.md describes the format

Options:
  -h, --help  Print help

The bytecode is in target/deploy, or in KEEL_DEPLOY_DIR; `cargo xtask build --program all` makes it.
Exit status: 0 for success, 1 for a failure, 2 for bad arguments.

Example:
  cargo run -p keel-tests --bin keel-vectors -- tests/vectors/margin.json
";

fn main() -> ExitCode {
    let given: Vec<_> = std::env::args_os().skip(1).collect();
    let mut files = Vec::new();
    let mut only_files = false;
    for argument in given {
        match argument.to_str() {
            Some("--") if !only_files => only_files = true,
            Some("-h" | "--help") if !only_files => {
                print!("{HELP}");
                return ExitCode::SUCCESS;
            }
            Some(text) if !only_files && text.starts_with('-') => {
                return refuse(&format!("unexpected argument '{text}' found"));
            }
            _ => files.push(PathBuf::from(argument)),
        }
    }
    if files.is_empty() {
        return refuse("a value is required for 'FILE...'");
    }

    let mut failed = false;
    for file in &files {
        failed |= !report(file);
    }
    ExitCode::from(u8::from(failed))
}

fn refuse(message: &str) -> ExitCode {
    eprintln!("error: {message}\n\nFor more information, try '--help'.");
    ExitCode::from(2)
}

/// Evaluates one file and prints what came of it; whether all its cases passed.
fn report(file: &Path) -> bool {
    let name = file.display();
    eprintln!("keel-vectors: {name} ...");
    let tallies = match vectors::evaluate(file) {
        Ok(tallies) => tallies,
        Err(error) => {
            eprintln!("error: {name}: {error:#}");
            return false;
        }
    };
    for tally in &tallies {
        for failure in tally.named_failures() {
            eprintln!("keel-vectors: {name} {}: FAILED {failure}", tally.side);
        }
        println!("{name} {tally}");
    }
    tallies.iter().all(|tally| tally.failures == 0)
}
