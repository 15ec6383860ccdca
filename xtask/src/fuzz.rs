//! `cargo xtask fuzz`: random sequences of every instruction on the bytecode.

use std::process::Command;

use anyhow::Result;

use crate::{
    build::{self, KEEL},
    cli::FuzzArgs,
    process::{cargo, exit_code, require_native_tools, run as run_command, status, target_dir},
};

/// Builds the bytecode and the runner, runs it, and passes on its exit status: 1 when an invariant
/// broke.
pub fn run(args: &FuzzArgs) -> Result<u8> {
    require_native_tools()?;
    let deploy_dir = build::bytecode(KEEL)?.deploy_dir();
    run_command(&mut cargo([
        "build",
        "-p",
        "keel-tests",
        "--bin",
        "keel-fuzz",
    ]))?;

    let mut command = Command::new(target_dir().join("debug").join("keel-fuzz"));
    command.env("KEEL_DEPLOY_DIR", &deploy_dir);
    match &args.replay {
        Some(file) => command.arg("--replay").arg(file),
        None => command
            .args(["--steps", &args.steps.to_string()])
            .args(["--seed", &args.seed.to_string()])
            .args(["--threads", &args.threads.to_string()])
            .args(["--shorten", &args.shorten.to_string()])
            .arg("--output")
            .arg(target_dir().join(format!("fuzz-{}.txt", args.seed))),
    };
    Ok(exit_code(status(&mut command)?))
}
