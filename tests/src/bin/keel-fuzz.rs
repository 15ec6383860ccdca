//! Runs random sequences of everything that anyone can do, or replays one.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use keel_tests::fuzz::Action;
use keel_tests::fuzz::run::{self, Broken};

const HELP: &str = "\
Runs random sequences of every instruction on the compiled bytecode, in a VM

A market of 20 margin accounts and 8 assets: honest users, cranks, liquidators, attacks, crashes.
After every step the invariants of margin-spec 9 are checked against books kept from raw bytes.
Progress goes to stderr; stdout gets how often each action was accepted, refused and why. A failure
prints the seed, the step, what broke, and the shortest sequence found that breaks the same.

Usage: keel-fuzz [OPTIONS]

Options:
  --steps N      Steps in all [default: 20000]
  --seed S       Seed of the first sequence [default: 1]
  --threads T    Sequences at a time, of seeds S, S + 1, ..., of 20000 steps at most [default: 1]
  --shorten SEC  Seconds spent on shortening what failed [default: 120]
  --output FILE  Where the replay of a failure is written [default: fuzz-SEED.txt]
  --replay FILE  Run the actions of FILE instead, one a line
  -h, --help     Print help

The bytecode is in target/deploy, or in KEEL_DEPLOY_DIR; `cargo xtask build` makes it.
Exit status: 0 for success, 1 for a failure, 2 for bad arguments.

Example:
  cargo run -p keel-tests --bin keel-fuzz -- --steps 1000000 --seed 7 --threads 2
";

/// Longest replay that is printed besides being written.
const SHOWN: usize = 100;

/// What was asked for.
#[derive(Debug)]
struct Request {
    steps: u64,
    seed: u64,
    threads: u64,
    shorten: Duration,
    output: Option<PathBuf>,
    replay: Option<PathBuf>,
}

fn main() -> ExitCode {
    let request = match parse(std::env::args().skip(1)) {
        Ok(Some(request)) => request,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("error: {message}\n\nFor more information, try '--help'.");
            return ExitCode::from(2);
        }
    };
    let outcome = match &request.replay {
        Some(file) => replay(file),
        None => fuzz(&request),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// `None` where help was asked for.
fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Request>, String> {
    let mut request = Request {
        steps: 20_000,
        seed: 1,
        threads: 1,
        shorten: Duration::from_secs(120),
        output: None,
        replay: None,
    };
    while let Some(word) = words.next() {
        if word == "-h" || word == "--help" {
            return Ok(None);
        }
        let mut value = || {
            let value = words.next();
            value.ok_or(format!("a value is required for '{word}'"))
        };
        let number = |text: String| {
            let digits = text.replace('_', "");
            let refused = |_| format!("invalid value '{text}' for '{word}': not a whole number");
            digits.parse::<u64>().map_err(refused)
        };
        match word.as_str() {
            "--steps" => request.steps = number(value()?)?,
            "--seed" => request.seed = number(value()?)?,
            "--threads" => request.threads = number(value()?)?.clamp(1, 64),
            "--shorten" => request.shorten = Duration::from_secs(number(value()?)?),
            "--output" => request.output = Some(PathBuf::from(value()?)),
            "--replay" => request.replay = Some(PathBuf::from(value()?)),
            other => return Err(format!("unexpected argument '{other}' found")),
        }
    }
    Ok(Some(request))
}

/// Runs the sequences; whether all invariants held.
fn fuzz(request: &Request) -> Result<bool> {
    let started = Instant::now();
    let (steps, threads) = (request.steps, request.threads);
    eprintln!(
        "keel-fuzz: {steps} steps, seeds from {} on ...",
        request.seed
    );
    let shown = std::cell::Cell::new(started);
    let (tallies, broken) = run::sequences(request.seed, steps, threads, |done| {
        if shown.get().elapsed() >= Duration::from_secs(5) {
            shown.set(Instant::now());
            let speed = done as f64 / started.elapsed().as_secs_f64();
            eprintln!("keel-fuzz: {done} of {steps} steps, {speed:.0} steps/s");
        }
    })?;
    print!("{tallies}");

    let seconds = started.elapsed().as_secs_f64();
    let Some((seed, broken)) = broken else {
        let speed = steps as f64 / seconds;
        eprintln!("keel-fuzz: every invariant held, {seconds:.1} s, {speed:.0} steps/s");
        return Ok(true);
    };
    let step = broken.actions.len();
    eprintln!(
        "keel-fuzz: FAILED seed {seed}, step {step}: {}",
        broken.what
    );
    eprintln!("keel-fuzz: shortening ...");
    let short = run::shorten(&broken, request.shorten)?;
    let default = || PathBuf::from(format!("fuzz-{seed}.txt"));
    let output = request.output.clone().unwrap_or_else(default);
    let text = format!(
        "# Seed {seed}, step {step}, shortened.\n{}",
        text_of(&short)
    );
    std::fs::write(&output, &text).with_context(|| format!("cannot write {}", output.display()))?;
    if short.actions.len() <= SHOWN {
        print!("{text}");
    } else {
        println!("{}", short.what);
    }
    eprintln!(
        "keel-fuzz: {} steps break the same; cargo xtask fuzz --replay {}",
        short.actions.len(),
        output.display()
    );
    Ok(false)
}

fn text_of(broken: &Broken) -> String {
    let lines: Vec<String> = broken.actions.iter().map(Action::to_line).collect();
    let what = broken.what.replace('\n', "\n# ");
    format!("# {what}\n{}\n", lines.join("\n"))
}

/// Runs the actions of a file; whether all invariants held.
fn replay(file: &Path) -> Result<bool> {
    let name = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
    let actions = Action::read_lines(&text).with_context(|| format!("{name}"))?;
    ensure!(!actions.is_empty(), "{name} holds no action");
    let outcome = run::replay(&actions, |number, action, outcome| {
        let said = outcome.as_deref().unwrap_or("accepted");
        eprintln!("keel-fuzz: {:>6} {}: {said}", number + 1, action.to_line());
    })?;
    match outcome {
        None => {
            println!("{} steps, every invariant held", actions.len());
            Ok(true)
        }
        Some(broken) => {
            println!("FAILED step {}: {}", broken.actions.len(), broken.what);
            Ok(false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Option<Request>, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_read() {
        let line = "--steps 1_000 --seed 7 --threads 2 --shorten 5";
        let request = parsed(line).expect("well formed").expect("no help");
        assert_eq!(
            (request.steps, request.seed, request.threads),
            (1_000, 7, 2)
        );
        assert!(parsed("--help").expect("well formed").is_none());
    }

    #[test]
    fn nonsense_is_refused() {
        for line in ["--steps", "--steps many", "--quick", "file.txt"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
