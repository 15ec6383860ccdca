//! `cargo xtask vectors`: files of expected figures against the engine and the bytecode.

use std::process::Command;

use anyhow::Result;

use crate::{
    build::{self, CONFORMANCE, KEEL},
    cli::VectorsArgs,
    process::{cargo, exit_code, require_native_tools, run as run_command, status, target_dir},
};

/// Builds what the files may need, runs them, and passes on the exit status: 1 when a case failed or
/// a file cannot be read.
pub fn run(args: &VectorsArgs) -> Result<u8> {
    require_native_tools()?;
    build::bytecode(CONFORMANCE)?;
    let deploy_dir = build::bytecode(KEEL)?.deploy_dir();
    run_command(&mut cargo([
        "build",
        "-p",
        "keel-tests",
        "--bin",
        "keel-vectors",
    ]))?;

    let mut command = Command::new(target_dir().join("debug").join("keel-vectors"));
    command
        .arg("--")
        .args(&args.files)
        .env("KEEL_DEPLOY_DIR", &deploy_dir);
    Ok(exit_code(status(&mut command)?))
}
