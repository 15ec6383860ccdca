//! Building with `cargo build-sbf`.

use crate::build::{BuildRequest, Workspace};
use crate::{command, environment};
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;

pub const REMEDY: &str = "`cargo build-sbf` is not installed: install the Solana (Agave) command \
                          line tools, or build with `--toolchain stock`";

/// The version of platform-tools, such as `v1.52`, if `cargo build-sbf` is installed.
pub fn version() -> Option<String> {
    let mut command = environment::clean_command("cargo");
    let printed = command::output(command.args(["build-sbf", "--version"])).ok()?;
    parse_version(&printed)
}

fn parse_version(printed: &str) -> Option<String> {
    let line = printed
        .lines()
        .find_map(|line| line.strip_prefix("platform-tools "))?;
    Some(line.trim().to_string())
}

/// Builds a program and returns the path of the shared object.
pub fn build(request: &BuildRequest, workspace: &Workspace) -> Result<PathBuf> {
    version().context(REMEDY)?;
    let program = workspace.program(&request.package)?;
    let output = workspace.target_directory.join("sbf-platform-tools");
    let mut command = environment::clean_command("cargo");
    command
        .current_dir(&request.workspace_root)
        .env("CARGO_TARGET_DIR", workspace.target_directory.join("sbf"))
        .args(["build-sbf", "--manifest-path"])
        .arg(&program.manifest)
        .arg("--sbf-out-dir")
        .arg(&output);
    if !request.features.is_empty() {
        command.arg("--features").arg(request.features.join(","));
    }
    command::run(&mut command)?;
    let built = output.join(format!("{}.so", program.library));
    ensure!(
        built.is_file(),
        "`cargo build-sbf` wrote no {}",
        built.display()
    );
    Ok(built)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_platform_tools() {
        let printed = "solana-cargo-build-sbf 4.2.2\nplatform-tools v1.52\nrustc 1.89.0\n";
        assert_eq!(parse_version(printed).as_deref(), Some("v1.52"));
        assert_eq!(parse_version("error: no such command"), None);
    }
}
