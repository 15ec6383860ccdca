//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::path::candles::CandleError;
use crate::path::{PricePath, candles, crash};

const EXAMPLES: &str = "\
Examples:
  keel-demo                                 the crash of 10 October 2025, tables on the terminal
  keel-demo --html report.html              the same, and a report with charts
  keel-demo --seed 7 --steps 900            another path to the same lows, in finer steps
  keel-demo --candles data/2022-11          replays SOL.csv, BTC.csv and ETH.csv of that folder
  keel-demo --json - | jq .saved            one JSON object on stdout, all else on stderr

Exit status: 0 all invariants held, 1 one failed or the run broke off, 2 bad arguments or files.";

/// Runs five traders, their isolated twins and a liquidator through a crash, on the compiled
/// program in a Solana virtual machine, and reports what cross margin saved.
#[derive(Clone, Debug, Parser)]
#[command(name = "keel-demo", version, after_help = EXAMPLES)]
pub struct Options {
    /// Write a self-contained HTML report with charts
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Replay OHLC files (SOL.csv, BTC.csv, ETH.csv: unix_time,open,high,low,close) from DIR
    #[arg(long, value_name = "DIR")]
    pub candles: Option<PathBuf>,

    /// Seed of the price path's noise (keys are always the same)
    #[arg(long, value_name = "N", default_value_t = 20_251_010)]
    pub seed: u64,

    /// Steps of the path (60 to 7200; with --candles about this many, or more: none exceeds 5 minutes)
    #[arg(long, value_name = "N", default_value_t = crash::DEFAULT_STEPS, value_parser = steps)]
    pub steps: usize,

    /// Write the result as one JSON object to FILE, or to stdout with `-`
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<JsonTarget>,
}

/// Where the JSON goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonTarget {
    Stdout,
    File(PathBuf),
}

impl From<std::ffi::OsString> for JsonTarget {
    fn from(text: std::ffi::OsString) -> Self {
        if text == "-" {
            JsonTarget::Stdout
        } else {
            JsonTarget::File(text.into())
        }
    }
}

fn steps(text: &str) -> Result<usize, String> {
    let steps = text.parse().map_err(|_| "not a whole number".to_owned())?;
    if crash::STEPS.contains(&steps) {
        Ok(steps)
    } else {
        Err(format!(
            "not in {} to {}",
            crash::STEPS.start(),
            crash::STEPS.end()
        ))
    }
}

impl Options {
    /// The price path asked for. An error is the user's: exit with 2.
    pub fn path(&self) -> Result<PricePath, CandleError> {
        match &self.candles {
            Some(folder) => candles::path(folder, self.steps),
            None => Ok(crash::path(self.seed, self.steps)),
        }
    }

    /// Refuses a file that could not be written after a minute of work. An error is the user's:
    /// exit with 2.
    pub fn check_targets(&self) -> Result<(), String> {
        let json = match &self.json {
            Some(JsonTarget::File(file)) => Some(("--json", file)),
            _ => None,
        };
        for (option, file) in self
            .html
            .as_ref()
            .map(|f| ("--html", f))
            .into_iter()
            .chain(json)
        {
            let folder = file.parent().filter(|p| !p.as_os_str().is_empty());
            if file.is_dir() {
                return Err(format!("{option}: {} is a folder", file.display()));
            }
            if let Some(folder) = folder.filter(|f| !f.is_dir()) {
                return Err(format!("{option}: no such folder: {}", folder.display()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(args: &[&str]) -> Result<Options, clap::Error> {
        Options::try_parse_from([&["keel-demo"], args].concat())
    }

    #[test]
    fn the_definition_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn bad_arguments_exit_with_2() {
        for args in [
            &["--steps", "5"][..],
            &["--steps", "x"],
            &["--seed", "-1"],
            &["--nonsense"],
            &["extra"],
        ] {
            assert_eq!(parse(args).unwrap_err().exit_code(), 2, "{args:?}");
        }
    }

    #[test]
    fn a_dash_is_stdout() {
        assert_eq!(
            parse(&["--json", "-"]).unwrap().json,
            Some(JsonTarget::Stdout)
        );
        assert_eq!(
            parse(&["--json", "a.json"]).unwrap().json,
            Some(JsonTarget::File("a.json".into()))
        );
    }

    #[test]
    fn help_gives_examples() {
        let help = parse(&["--help"]).unwrap_err();
        assert_eq!(help.exit_code(), 0);
        assert!(help.to_string().contains("--json - | jq .saved"));
    }

    #[test]
    fn a_target_in_no_folder_is_refused_before_the_run() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("none").join("r.html");
        let options = parse(&["--html", file.to_str().unwrap()]).unwrap();
        let folder = parse(&["--json", dir.path().to_str().unwrap()]).unwrap();

        assert!(
            options
                .check_targets()
                .unwrap_err()
                .starts_with("--html: no such folder")
        );
        assert!(folder.check_targets().unwrap_err().ends_with("is a folder"));
        assert!(
            parse(&["--html", "r.html"])
                .unwrap()
                .check_targets()
                .is_ok()
        );
    }
}
