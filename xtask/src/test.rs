//! `cargo xtask test`: every check, then one line that sums them up.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

use crate::{
    bench,
    build::{self, CONFORMANCE, KEEL, PROBE},
    cli::{IdlArgs, SpecArgs},
    idl, lint,
    process::{Step, cargo, require_native_tools, shown},
    spec,
};

/// Tests counted over all `test result:` lines; a failed step that is no test adds one to failed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
    failed_steps: Vec<String>,
}

impl Tally {
    /// Adds the figures of a `test result:` line; any other line changes nothing.
    fn read(&mut self, line: &str) {
        let Some(result) = line.trim_start().strip_prefix("test result:") else {
            return;
        };

        let words: Vec<&str> = result.split_whitespace().collect();
        for pair in words.windows(2) {
            let Ok(count) = pair[0].parse::<u64>() else {
                continue;
            };
            match pair[1] {
                "passed;" => self.passed += count,
                "failed;" => self.failed += count,
                "ignored;" => self.skipped += count,
                _ => {}
            }
        }
    }

    fn record(&mut self, step: &str, outcome: Result<()>) {
        if let Err(error) = outcome {
            let failure = format!("{step}: {error:#}");
            eprintln!("xtask: FAILED {failure}");
            self.failed_steps.push(failure);
            self.failed += 1;
        }
    }

    fn closing_line(&self) -> String {
        let skipped = match self.skipped {
            0 => String::new(),
            count => format!(", {count} skipped"),
        };
        format!("{} passed, {} failed{skipped}", self.passed, self.failed)
    }
}

/// Runs all steps, also after a failed one; returns 1 when anything failed.
pub fn run() -> Result<u8> {
    require_native_tools()?;
    let mut tally = Tally::default();

    tally.record("formatting", lint::formatting());
    tally.record("house rules", lint::house_rules());
    match build_programs() {
        Ok(deploy_dir) => run_on_bytecode(&deploy_dir, &mut tally),
        // Without bytecode nothing that follows can say anything.
        Err(error) => tally.record("build", Err(error)),
    }

    for failure in &tally.failed_steps {
        eprintln!("xtask: FAILED {failure}");
    }
    println!("{}", tally.closing_line());
    Ok(u8::from(tally.failed > 0))
}

/// Compiles the programs the tests load; returns their folder.
fn build_programs() -> Result<PathBuf> {
    build::bytecode(CONFORMANCE)?;
    build::bytecode(PROBE)?;
    Ok(build::bytecode(KEEL)?.deploy_dir())
}

fn run_on_bytecode(deploy_dir: &Path, tally: &mut Tally) {
    let tests = run_cargo_tests(deploy_dir, tally);
    tally.record("cargo test", tests);

    tally.record("compute units", bench::check_built(deploy_dir));
    tally.record("specification", spec::run(&SpecArgs { check: true }));
    tally.record("IDL", idl::run(&IdlArgs { check: true }));
}

/// `cargo test --workspace` with the bytecode's folder in its environment.
fn run_cargo_tests(deploy_dir: &Path, tally: &mut Tally) -> Result<()> {
    let step = Step::start("running the tests of the workspace");
    let mut command = cargo(["test", "--workspace", "--no-fail-fast"]);
    command
        .env("SBF_OUT_DIR", deploy_dir)
        .env("KEEL_DEPLOY_DIR", deploy_dir);

    let failed_before = tally.failed;
    let succeeded = stream(&mut command, &mut std::io::stdout(), tally)?;

    step.done(&tally.closing_line());
    // A package that does not compile, or a test process that died, has no `test result:` line.
    if !succeeded && tally.failed == failed_before {
        anyhow::bail!("`{}` failed without naming a test", shown(&command));
    }
    Ok(())
}

/// Passes the command's stdout on line by line while counting; true when it exited with 0.
fn stream(command: &mut Command, sink: &mut impl Write, tally: &mut Tally) -> Result<bool> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not start `{}`", shown(command)))?;
    let output = child.stdout.take().context("the tests have no stdout")?;

    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        sink.write_all(&line)?;
        tally.read(&String::from_utf8_lossy(&line));
        line.clear();
    }

    Ok(child.wait()?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_packages_are_summed() {
        let mut tally = Tally::default();

        tally.read("running 3 tests");
        tally.read("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.01s\n");
        tally.read("test result: FAILED. 4 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.50s");
        tally.read("test passes_7_passed; ... ok");

        assert_eq!(tally.closing_line(), "7 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn nothing_skipped_is_not_mentioned() {
        let tally = Tally {
            passed: 12,
            ..Tally::default()
        };
        assert_eq!(tally.closing_line(), "12 passed, 0 failed");
    }

    #[test]
    fn a_failed_step_that_is_no_test_counts_as_one_failure() {
        let mut tally = Tally::default();

        tally.record("house rules", Ok(()));
        tally.record("compute units", Err(anyhow::anyhow!("deposit: 3% worse")));

        assert_eq!(tally.closing_line(), "0 passed, 1 failed");
        assert_eq!(tally.failed_steps, ["compute units: deposit: 3% worse"]);
    }

    #[test]
    fn output_is_counted_while_it_is_passed_on() {
        let mut tally = Tally::default();
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "echo 'test result: ok. 5 passed; 0 failed; 0 ignored;'; exit 3",
        ]);

        let mut passed_on = Vec::new();
        let succeeded = stream(&mut command, &mut passed_on, &mut tally).expect("runs");

        assert!(!succeeded);
        assert_eq!(tally.passed, 5);
        assert!(passed_on.ends_with(b"ignored;\n"));
    }
}
