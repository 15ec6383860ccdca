//! `cargo xtask lint`: formatting, clippy, and the rules of the house that neither knows.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

use crate::{
    cli::LintArgs,
    process::{Step, cargo, has_cargo_command, run as run_command, workspace_root},
    rules,
};

/// Folders that hold Rust of ours.
const ROOTS: [&str; 7] = [
    "crates",
    "demo",
    "migrations",
    "programs",
    "tests",
    "tools",
    "xtask",
];

pub fn run(args: &LintArgs) -> Result<()> {
    let formatting = formatting();
    let rules = house_rules();
    let clippy = if args.no_clippy { Ok(()) } else { clippy() };

    let failures: Vec<String> = [formatting, rules, clippy]
        .into_iter()
        .filter_map(|outcome| outcome.err().map(|error| format!("{error:#}")))
        .collect();
    if !failures.is_empty() {
        bail!("{}", failures.join("\n"));
    }
    Ok(())
}

/// `cargo fmt --check`; a machine without rustfmt is told so and passes.
pub fn formatting() -> Result<()> {
    if !has_cargo_command("fmt") {
        eprintln!("xtask: WARNING formatting was not checked: rustfmt is not installed");
        return Ok(());
    }

    let step = Step::start("checking the formatting");
    run_command(&mut cargo(["fmt", "--all", "--check"])).context("run `cargo fmt --all`")?;
    step.done("");
    Ok(())
}

fn clippy() -> Result<()> {
    if !has_cargo_command("clippy") {
        bail!("clippy is not installed; with rustup: rustup component add clippy");
    }

    let step = Step::start("running clippy");
    let args = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    run_command(&mut cargo(args))?;
    step.done("");
    Ok(())
}

/// All findings of the house rules, each with file and line.
pub fn house_rules() -> Result<()> {
    let step = Step::start("checking the house rules");
    let root = workspace_root();
    let mut files = Vec::new();
    for folder in ROOTS {
        collect(&root, Path::new(folder), &mut files)?;
    }
    files.sort();

    let mut findings = Vec::new();
    for file in &files {
        let text =
            fs::read_to_string(root.join(file)).with_context(|| format!("reading {file}"))?;
        findings.extend(rules::check(file, &text));
    }

    if !findings.is_empty() {
        bail!("house rules:\n  {}", findings.join("\n  "));
    }
    step.done(&format!("{} files", files.len()));
    Ok(())
}

/// Adds the paths, relative to `root` and with `/`, of all Rust files under `folder`.
fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) -> Result<()> {
    let absolute = root.join(folder);
    if !absolute.is_dir() {
        return Ok(());
    }

    for entry in fs::read_dir(&absolute).with_context(|| format!("listing {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let path = folder.join(&name);
        let is_hidden = name.to_string_lossy().starts_with('.');
        if is_hidden || name == "target" || name == "node_modules" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(root, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_package_keeps_the_rules_it_checks() {
        let root = workspace_root();
        let mut files = Vec::new();
        collect(&root, Path::new("xtask"), &mut files).expect("listed");
        assert!(files.contains(&"xtask/src/lint.rs".to_owned()));

        for file in files {
            let text = fs::read_to_string(root.join(&file)).expect("read");
            assert_eq!(rules::check(&file, &text), Vec::<String>::new());
        }
    }

    #[test]
    fn a_missing_folder_holds_no_files() {
        let mut files = Vec::new();
        collect(&workspace_root(), Path::new("no-such-folder"), &mut files).expect("empty");
        assert!(files.is_empty());
    }
}
