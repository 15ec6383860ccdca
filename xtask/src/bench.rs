//! `cargo xtask bench`: compute units in the VM, their table, and the guard against regressions.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    build::{self, CONFORMANCE, KEEL, PROBE},
    cli::BenchArgs,
    figures::{self, Figures},
    process::{Step, cargo, require_native_tools, run as run_command, target_dir, workspace_root},
};

pub fn run(args: &BenchArgs) -> Result<()> {
    let toolchain = build::toolchain_id();
    let baseline_path = baseline_path(&toolchain)?;

    require_native_tools()?;
    build::bytecode(CONFORMANCE)?;
    build::bytecode(PROBE)?;
    let built = build::bytecode(KEEL)?;
    run_command(&mut cargo([
        "build",
        "-p",
        "keel-tests",
        "--bin",
        "keel-bench",
    ]))?;
    let measured = measure(&built.deploy_dir())?;

    if args.check {
        return check(&measured, &baseline_path, &toolchain);
    }
    if args.update {
        write(&baseline_path, &figures::to_json(&measured)?)?;
        eprintln!("xtask: wrote docs/{}", file_name(&baseline_path));
    }
    let table = figures::render(&measured, &toolchain);
    write(&table_path(), &table)?;
    eprintln!("xtask: wrote docs/compute-units.md");
    if !args.update {
        report_difference(&measured, &baseline_path)?;
    }
    Ok(())
}

/// The check of `--check`, with the measuring program and the bytecode as the tests have just built
/// them: building them again for one package would compile half of the graph anew, because cargo
/// chooses other features then.
pub fn check_built(deploy_dir: &Path) -> Result<()> {
    let toolchain = build::toolchain_id();
    let measured = measure(deploy_dir)?;
    check(&measured, &baseline_path(&toolchain)?, &toolchain)
}

/// Runs the built measuring program on the bytecode and reads what it wrote.
fn measure(deploy_dir: &Path) -> Result<Figures> {
    let output = target_dir().join("compute-units.json");

    let step = Step::start("measuring compute units");
    let program = target_dir().join("debug").join("keel-bench");
    let mut command = Command::new(&program);
    command
        .arg("--output")
        .arg(&output)
        .env("KEEL_DEPLOY_DIR", deploy_dir)
        .env("SBF_OUT_DIR", deploy_dir);
    run_command(&mut command)?;

    let measured = read(&output)?;
    write(&output, &figures::to_json(&measured)?)?;
    step.done(&format!("instructions: {}", measured.len()));
    Ok(measured)
}

/// Fails when a figure is worse than the committed one, or the committed table is not of them.
fn check(measured: &Figures, baseline_path: &Path, toolchain: &str) -> Result<()> {
    check_table(&table_path())?;

    if !baseline_path.is_file() {
        eprintln!(
            "xtask: WARNING no compute units are committed for toolchain {toolchain}, so nothing was compared; `cargo xtask bench --update` writes {}",
            file_name(baseline_path)
        );
        return Ok(());
    }

    let regressions = figures::compare(&read(baseline_path)?, measured);
    if !regressions.is_empty() {
        bail!(
            "compute units against {}:\n  {}\nIf this is meant, accept it with `cargo xtask bench --update`",
            file_name(baseline_path),
            regressions.join("\n  ")
        );
    }
    eprintln!(
        "xtask: compute units are within 2% of {}",
        file_name(baseline_path)
    );
    Ok(())
}

/// The committed table must be the rendering of the committed figures of the toolchain it names.
fn check_table(table_path: &Path) -> Result<()> {
    if !table_path.is_file() {
        eprintln!("xtask: WARNING docs/compute-units.md does not exist yet");
        return Ok(());
    }

    let table = fs::read_to_string(table_path)?;
    let toolchain = figures::toolchain_of(&table)
        .context("docs/compute-units.md names no toolchain; run `cargo xtask bench --update`")?;
    let baseline = baseline_path(toolchain)?;
    if !baseline.is_file() {
        bail!(
            "docs/compute-units.md is of toolchain {toolchain}, but {} is not committed",
            file_name(&baseline)
        );
    }
    if figures::render(&read(&baseline)?, toolchain) != table {
        bail!(
            "docs/compute-units.md is not the table of {}; run `cargo xtask bench --update`",
            file_name(&baseline)
        );
    }
    Ok(())
}

fn report_difference(measured: &Figures, baseline_path: &Path) -> Result<()> {
    if !baseline_path.is_file() {
        eprintln!("xtask: no figures of this toolchain are committed; --update writes them");
        return Ok(());
    }
    for line in figures::compare(&read(baseline_path)?, measured) {
        eprintln!("xtask: worse than committed: {line}");
    }
    Ok(())
}

fn table_path() -> PathBuf {
    workspace_root().join("docs").join("compute-units.md")
}

/// # Errors
/// A toolchain's name must be usable inside a file's name.
fn baseline_path(toolchain: &str) -> Result<PathBuf> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
    if toolchain.is_empty() || !toolchain.chars().all(plain) {
        bail!("toolchain id {toolchain:?} cannot be part of a file name");
    }
    let name = format!("compute-units.{toolchain}.json");
    Ok(workspace_root().join("docs").join(name))
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn read(path: &Path) -> Result<Figures> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    figures::from_json(&text).with_context(|| format!("in {}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_is_named_after_its_toolchain() {
        let path = baseline_path("rustc-1.95.0").expect("plain");
        assert!(path.ends_with("docs/compute-units.rustc-1.95.0.json"));
        assert!(baseline_path("../x").is_err());
        assert!(baseline_path("").is_err());
    }
}
