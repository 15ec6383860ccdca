//! What can be typed: the commands, their options and their help.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Builds, tests and measures Keel.
///
/// Each command first builds what it needs. Progress is printed on stderr. Exit status: 0 for
/// success, 1 for a failure, 2 for bad arguments.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compile the program to SBPF bytecode (target/deploy/keel.so)
    ///
    /// Uses `cargo build-sbf` where it is installed, else the stock Rust compiler through
    /// tools/sbf. Prints the size of the object and how long it took.
    #[command(
        after_help = "Example:\n  cargo xtask build\n  cargo xtask build --program conformance"
    )]
    Build(BuildArgs),

    /// Run every check and test: formatting, house rules, all tests on bytecode, compute units
    ///
    /// Builds the bytecode, runs `cargo test --workspace` against it, compares the compute units
    /// with the committed figures, and ends with one line `N passed, N failed`. A failed step that
    /// is not itself a test counts as one failure.
    #[command(after_help = "Example:\n  cargo xtask test")]
    Test,

    /// Replay a market crash against the compiled program: cross margin beside isolated margin
    ///
    /// All arguments are passed on to the demo; `cargo demo --help` shows them.
    #[command(
        disable_help_flag = true,
        after_help = "Example:\n  cargo demo --html target/report.html"
    )]
    Demo(DemoArgs),

    /// Measure compute units in the VM and render docs/compute-units.md
    ///
    /// Writes target/compute-units.json. The committed figures are kept per toolchain, in
    /// docs/compute-units.TOOLCHAIN.json.
    #[command(
        after_help = "Examples:\n  cargo xtask bench\n  cargo xtask bench --check\n  cargo xtask bench --update"
    )]
    Bench(BenchArgs),

    /// Compare files of expected figures with what the engine and the bytecode compute
    ///
    /// Each FILE is JSON: portfolios with their margin requirements, or Black-76 values and Greeks
    /// (tests/vectors/README.md describes both). Every case runs natively and in the VM. Prints two
    /// lines for each file, `FILE native: cases N, failures M, largest error E UNIT` and the same
    /// with `vm`; failing cases are named on stderr, and one that cannot be run has failed.
    #[command(
        after_help = "Example:\n  cargo xtask vectors tests/vectors/margin.json tests/vectors/margin-scenarios.json"
    )]
    Vectors(VectorsArgs),

    /// Run random sequences of every instruction, and check every invariant after each step
    ///
    /// A market of 20 margin accounts and 8 assets: honest users, cranks, liquidators, attacks, price
    /// jumps of up to 60%. Prints how often each action was accepted and refused. A failure prints the
    /// seed, the step and the shortest sequence found that breaks the same, writes it to
    /// target/fuzz-SEED.txt, and exits with 1; `--replay` runs such a file.
    #[command(
        after_help = "Examples:\n  cargo xtask fuzz\n  cargo xtask fuzz --steps 1000000 --seed 7 --threads 2\n  cargo xtask fuzz --replay target/fuzz-7.txt"
    )]
    Fuzz(FuzzArgs),

    /// Generate the Anchor IDL (idl/keel.json)
    #[command(after_help = "Examples:\n  cargo xtask idl\n  cargo xtask idl --check")]
    Idl(IdlArgs),

    /// Match the specification's clauses with the tests that name them (docs/spec.md)
    ///
    /// Fails when a clause has no test. A test names a clause at the head of its comment, as
    /// `/// 8.5: ...`, or in brackets.
    #[command(after_help = "Examples:\n  cargo xtask spec\n  cargo xtask spec --check")]
    Spec(SpecArgs),

    /// Check formatting, clippy and the house rules
    ///
    /// House rules: files up to 600 lines (tests 1,000), functions up to 70, no `unwrap` in
    /// programs and crates outside tests, no 128-bit fields in stored structs, no multiplication
    /// or division in the program's instructions.
    #[command(after_help = "Examples:\n  cargo xtask lint\n  cargo xtask lint --no-clippy")]
    Lint(LintArgs),
}

#[derive(Debug, Args)]
pub struct BuildArgs {
    /// Which program to compile
    #[arg(long, value_enum, default_value_t = ProgramChoice::Keel)]
    pub program: ProgramChoice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgramChoice {
    /// The clearing house
    Keel,
    /// The program that compares the compiled arithmetic with the native one
    Conformance,
    /// The program that runs the risk engine alone and measures it
    Probe,
    /// All of them
    All,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Arguments of the demo
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    pub rest: Vec<OsString>,
}

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Fail when a figure is over 2% worse than the committed one; writes nothing to docs
    #[arg(long, conflicts_with = "update")]
    pub check: bool,

    /// Accept the measured figures: write them as the baseline of this toolchain
    #[arg(long)]
    pub update: bool,
}

#[derive(Debug, Args)]
pub struct VectorsArgs {
    /// Files of vectors
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct FuzzArgs {
    /// Steps in all
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub steps: u64,

    /// Seed of the first sequence
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,

    /// Sequences at a time, of seeds S, S + 1, ..., of 20,000 steps at most
    #[arg(long, value_name = "T", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub threads: u64,

    /// Seconds spent on shortening what failed
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub shorten: u64,

    /// Run the actions of a file instead, one a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["steps", "seed", "threads"])]
    pub replay: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct IdlArgs {
    /// Fail when the committed IDL is not what the program gives now; writes nothing
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Args)]
pub struct SpecArgs {
    /// Fail when docs/spec.md is not what clauses and tests give now; writes nothing
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Args)]
pub struct LintArgs {
    /// Leave out clippy, which compiles the whole dependency graph once more
    #[arg(long)]
    pub no_clippy: bool,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, error::ErrorKind};

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn bad_arguments_exit_with_2() {
        for line in [
            &["cargo xtask", "biuld"][..],
            &["cargo xtask", "bench", "--check", "--update"],
            &["cargo xtask", "idl", "extra"],
            &["cargo xtask", "vectors"],
            &["cargo xtask", "fuzz", "--steps", "many"],
            &["cargo xtask", "fuzz", "--threads", "0"],
            &["cargo xtask", "fuzz", "--replay", "f.txt", "--seed", "7"],
            &["cargo xtask", "vectors", "--quick", "margin.json"],
        ] {
            let error = Cli::try_parse_from(line).expect_err("refused");
            assert_eq!(error.exit_code(), 2, "{line:?}");
        }
    }

    #[test]
    fn every_argument_of_the_demo_is_passed_on_help_included() {
        let line = [
            "cargo xtask",
            "demo",
            "--help",
            "--json",
            "-",
            "--seed=7",
            "-h",
        ];

        let Command::Demo(args) = Cli::parse_from(line).command else {
            panic!("not the demo");
        };

        assert_eq!(args.rest, ["--help", "--json", "-", "--seed=7", "-h"]);
    }

    #[test]
    fn vectors_takes_any_number_of_files() {
        let line = ["cargo xtask", "vectors", "a.json", "b/c.json", "a.json"];

        let Command::Vectors(args) = Cli::parse_from(line).command else {
            panic!("not the vectors");
        };

        assert_eq!(
            args.files,
            ["a.json", "b/c.json", "a.json"].map(PathBuf::from)
        );
    }

    #[test]
    fn help_of_each_command_shows_an_example() {
        for command in Cli::command().get_subcommands_mut() {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{}", command.get_name());
        }
    }

    #[test]
    fn asking_for_help_is_not_an_error() {
        let shown = Cli::try_parse_from(["cargo xtask", "test", "--help"]).expect_err("help");
        assert_eq!(shown.kind(), ErrorKind::DisplayHelp);
        assert_eq!(shown.exit_code(), 0);
    }
}
