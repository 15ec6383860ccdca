//! Builds program crates of a workspace to SBPF. See `docs/toolchain.md`.

use anyhow::Result;
use clap::{Parser, ValueEnum};
use keel_sbf::{BuildRequest, Toolchain};
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  keel-sbf keel                       build target/deploy/keel.so
  keel-sbf keel keel-conformance      build two programs
  keel-sbf keel --toolchain stock     build with the installed rustc

Exit code: 0 built, 1 the build failed, 2 wrong arguments.";

/// Builds program crates of the workspace to SBPF: `<target folder>/deploy/<library>.so`.
#[derive(Debug, Parser)]
#[command(name = "keel-sbf", version, after_help = EXAMPLES)]
struct Arguments {
    /// The packages to build.
    #[arg(required = true)]
    packages: Vec<String>,
    /// The folder of the workspace's Cargo.toml.
    #[arg(long, default_value = ".")]
    workspace: PathBuf,
    /// Features besides the default ones, separated by commas.
    #[arg(long, value_delimiter = ',')]
    features: Vec<String>,
    /// What builds: `cargo build-sbf` where it is installed, unless this says otherwise.
    #[arg(long)]
    toolchain: Option<Choice>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Choice {
    /// `cargo build-sbf`.
    PlatformTools,
    /// The installed rustc.
    Stock,
}

fn main() -> ExitCode {
    // clap itself exits with 2 when the arguments are wrong.
    let arguments = Arguments::parse();
    match build_all(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keel-sbf: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn build_all(arguments: &Arguments) -> Result<()> {
    for package in &arguments.packages {
        let request = BuildRequest {
            workspace_root: arguments.workspace.clone(),
            package: package.clone(),
            features: arguments.features.clone(),
            toolchain: arguments.toolchain.map(|choice| match choice {
                Choice::PlatformTools => Toolchain::PlatformTools,
                Choice::Stock => Toolchain::Stock,
            }),
        };
        let built = keel_sbf::build(&request)?;
        let state = if built.has_changed {
            "built"
        } else {
            "unchanged"
        };
        println!(
            "{} {} ({} bytes, {})",
            built.program.display(),
            state,
            built.size_bytes,
            built.toolchain
        );
    }
    Ok(())
}
