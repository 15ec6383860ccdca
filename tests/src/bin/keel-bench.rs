//! Measures Keel's compute units in the VM.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use keel_tests::bench;

const HELP: &str = "\
Measures the compute units of every instruction on the compiled bytecode, in a VM

Writes {\"instruction\": {\"shape\": units}} to FILE and prints a table. Keys, seeds and the VM's
features are fixed: the same bytecode gives the same figures, to the unit.

Usage: keel-bench [OPTIONS]

Options:
  -o, --output FILE  Write the figures as JSON
  -h, --help         Print help

Shapes (an instruction has those that make sense for it):
  typical         4 balances, 4 positions, pool of 8 perpetuals; for what creates: the median
  linear          16 balances and 16 positions on 8 assets, pool of 32 perpetuals on the 8
  wide_pool       linear, with the pool's perpetuals on 16 assets
  wide_ranges     linear, with margin ranges so wide that all 16 scenarios are scanned
  further_leg     what a second leg adds to an order of one
  eight_legs      an order of eight legs
  referred        open_position that pays a referrer
  below_initial   a closing order of an account below Initial, judged before and after
  by_delegate     an order that a delegate signs
  referred        an isolated account that somebody referred
  eight_tries     a liquidation that has to search for its size
  per_source      an eighth of a relay of 8 prices
  per_sample      the same when each is a sample of its asset's variance
  longest_search  the greatest of all that were created: addresses differ in how long they take
  error           a representative refusal
  worst           of a function of keel-risk (risk::...): the worst of a fixed set of arguments
  mixed           half of the trader's positions and of the pool's 32 legs are options
  full_pool       the pool has 32 perpetuals and 96 options
No instruction makes options in this release: these two shapes write them into the risk book.

The bytecode is target/deploy/keel.so and keel_conformance.so, or in KEEL_DEPLOY_DIR; `cargo xtask build` makes it.
Exit status: 0 for success, 1 for a failure, 2 for bad arguments.

Example:
  cargo run -p keel-tests --bin keel-bench -- --output target/compute-units.json
";

/// What was asked for.
enum Request {
    Help,
    Measure { output: Option<PathBuf> },
}

fn main() -> ExitCode {
    let request = match parse(std::env::args_os().skip(1)) {
        Ok(request) => request,
        Err(message) => {
            eprintln!("error: {message}\n\nFor more information, try '--help'.");
            return ExitCode::from(2);
        }
    };
    let output = match request {
        Request::Help => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Request::Measure { output } => output,
    };
    match run(output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keel-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(output: Option<PathBuf>) -> anyhow::Result<()> {
    let figures = bench::measure()?;
    if let Some(path) = output {
        std::fs::write(&path, bench::json(&figures)?)
            .map_err(|error| anyhow::anyhow!("cannot write {}: {error}", path.display()))?;
    }
    print!("{}", bench::table(&figures));
    Ok(())
}

fn parse(mut given: impl Iterator<Item = std::ffi::OsString>) -> Result<Request, String> {
    let mut output = None;
    while let Some(argument) = given.next() {
        match argument.to_str() {
            Some("-h" | "--help") => return Ok(Request::Help),
            Some("-o" | "--output") => match given.next() {
                Some(path) => output = Some(PathBuf::from(path)),
                None => return Err("a value is required for '--output FILE'".to_owned()),
            },
            Some(text) if text.starts_with("--output=") => {
                output = text.strip_prefix("--output=").map(PathBuf::from);
            }
            _ => {
                let shown = argument.to_string_lossy();
                return Err(format!("unexpected argument '{shown}' found"));
            }
        }
    }
    Ok(Request::Measure { output })
}
