//! The command: parse, run, tell.

use std::process::ExitCode;

use clap::Parser;
use keel_demo::cli::Options;
use keel_demo::progress::Progress;
use keel_demo::{report, simulation};

const BAD_ARGUMENTS: u8 = 2;

fn main() -> ExitCode {
    let options = Options::parse();
    if let Err(message) = options.check_targets() {
        return refuse(&message, BAD_ARGUMENTS);
    }
    let path = match options.path() {
        Ok(path) => path,
        Err(error) => return refuse(&error.to_string(), BAD_ARGUMENTS),
    };

    let mut progress = Progress::new(path.ticks.len() - 1);
    let run = simulation::run(&options, path, &mut progress);
    progress.finish();
    let told = run.and_then(|run| {
        report::emit(&options, &run)?;
        Ok(run.exit_code())
    });
    match told {
        Ok(code) => ExitCode::from(code),
        Err(error) => refuse(&format!("{error:#}"), 1),
    }
}

fn refuse(message: &str, code: u8) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::from(code)
}
