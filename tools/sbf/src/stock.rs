//! Building with the installed rustc: `cargo build -Zbuild-std` for a target of our own.

use crate::build::{BuildRequest, Workspace, is_cdylib};
use crate::toolchain::Rustc;
use crate::{command, environment, rust_src};
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// rustc takes the target's name from the file's.
const TARGET: &str = "sbf-solana-solana";
const TARGET_SPECIFICATION: &str = include_str!("../assets/sbf-solana-solana.json");
const LINKER: &str = "keel-sbf-ld";

/// Builds a program and returns the path of the shared object.
///
/// Builds of one workspace take turns: the folder they share is cleaned when the standard library
/// or the linker has changed, which cargo does not notice.
pub fn build(request: &BuildRequest, workspace: &Workspace) -> Result<PathBuf> {
    let rustc = Rustc::installed()?;
    let library = rust_src::patched_library(&rustc)?;
    let linker = locate_linker(request, workspace)?;

    let folder = workspace.target_directory.join("sbf");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let lock = File::create(folder.join(".keel-sbf-lock"))?;
    lock.lock().context("cannot lock the build folder")?;
    let linker = prepare_folder(&folder, &rustc, &linker)?;
    let nested = NestedBuild {
        request,
        rustc: &rustc,
        library,
        linker,
        folder,
    };
    nested.run()
}

/// The linker's path: built by cargo where this crate is part of the workspace, so that it is
/// never older than its source, else installed beside the running program.
fn locate_linker(request: &BuildRequest, workspace: &Workspace) -> Result<PathBuf> {
    if workspace.has_package(env!("CARGO_PKG_NAME")) {
        let mut cargo = environment::clean_command("cargo");
        cargo
            .current_dir(&request.workspace_root)
            .env("CARGO_TARGET_DIR", &workspace.target_directory)
            .args([
                "build",
                "--quiet",
                "--package",
                env!("CARGO_PKG_NAME"),
                "--bin",
                LINKER,
            ]);
        command::run(&mut cargo).context("the linker could not be built")?;
        return Ok(workspace.target_directory.join("debug").join(LINKER));
    }
    let beside = std::env::current_exe()?.with_file_name(LINKER);
    if !beside.is_file() {
        bail!("the linker is missing: install it with `cargo install --path tools/sbf`");
    }
    Ok(beside)
}

/// Puts the linker and the target's description into the build folder, whose paths stay the same
/// from build to build, and removes what was built with others. Returns the linker's path.
fn prepare_folder(folder: &Path, rustc: &Rustc, linker: &Path) -> Result<PathBuf> {
    let specification = folder.join(format!("{TARGET}.json"));
    let base = format!(
        "{} {} {}",
        rustc.version,
        rust_src::PATCH_HASH.as_str(),
        hash(TARGET_SPECIFICATION.as_bytes())
    );
    if replace_stamp(&folder.join(".standard-library"), &base)? {
        for built in [TARGET, "release"] {
            remove_folder(&folder.join(built))?;
        }
        fs::write(&specification, TARGET_SPECIFICATION)?;
    }
    let placed = folder.join(LINKER);
    let bytes = fs::read(linker).with_context(|| format!("cannot read {}", linker.display()))?;
    if replace_stamp(&folder.join(".linker"), &hash(&bytes))? || !placed.is_file() {
        remove_linked(&folder.join(TARGET).join("release"))?;
        let staged = folder.join(format!("{LINKER}.new"));
        fs::copy(linker, &staged).and_then(|_| fs::rename(&staged, &placed))?;
    }
    Ok(placed)
}

/// Writes a stamp; says whether it differs from the one before.
fn replace_stamp(path: &Path, stamp: &str) -> Result<bool> {
    if fs::read_to_string(path).is_ok_and(|present| present == stamp) {
        return Ok(false);
    }
    fs::write(path, stamp).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(true)
}

fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Removes linked programs, so that cargo links them again.
fn remove_linked(release: &Path) -> Result<()> {
    let Ok(files) = fs::read_dir(release.join("deps")) else {
        return Ok(());
    };
    for file in files {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "so") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

struct NestedBuild<'a> {
    request: &'a BuildRequest,
    rustc: &'a Rustc,
    library: PathBuf,
    linker: PathBuf,
    folder: PathBuf,
}

impl NestedBuild<'_> {
    fn run(&self) -> Result<PathBuf> {
        let mut cargo = environment::clean_command("cargo");
        cargo
            .current_dir(&self.request.workspace_root)
            .args([
                "build",
                "--release",
                "--lib",
                "--package",
                &self.request.package,
            ])
            .arg("--target")
            .arg(self.folder.join(format!("{TARGET}.json")))
            .args([
                "-Zjson-target-spec",
                "-Zbuild-std=std,panic_abort",
                "-Zbuild-std-features=",
            ])
            .arg("--message-format=json-render-diagnostics")
            .env("CARGO_TARGET_DIR", &self.folder)
            .env(
                "CARGO_ENCODED_RUSTFLAGS",
                environment::encode_flags(&self.flags()?),
            )
            // Where cargo looks for the standard library, instead of the sysroot.
            .env("__CARGO_TESTS_ONLY_SRC_ROOT", &self.library)
            // Lets a stable compiler build the standard library, and for this target.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTC_BOOTSTRAP_SYNTHETIC_TARGET", "1")
            // The linker optimises the whole program; rustc would drop `compiler_builtins`.
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true")
            .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
            // Where the linker finds the compiler's LLVM.
            .env("LD_LIBRARY_PATH", self.rustc.sysroot.join("lib"));
        if !self.request.features.is_empty() {
            cargo.arg("--features").arg(self.request.features.join(","));
        }
        let output = cargo
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run `cargo build`")?;
        if !output.status.success() {
            bail!("the package `{}` was not built", self.request.package);
        }
        shared_object(
            &String::from_utf8_lossy(&output.stdout),
            &self.request.package,
        )
    }

    /// The linker, and names instead of paths, so that a program does not depend on the machine it
    /// is built on.
    fn flags(&self) -> Result<Vec<OsString>> {
        let mut linker = OsString::from("-Clinker=");
        linker.push(&self.linker);
        let library_name = format!("/rustc/{}/library", self.rustc.version);
        // In the program only: messages of the compiler keep the paths as they are.
        let scope = OsString::from("--remap-path-scope=object");
        let mut flags = vec![linker, scope, remap(&self.library, &library_name)];
        if let Some(home) = cargo_home() {
            flags.push(remap(&home, "/cargo"));
        }
        flags.push(remap(&self.request.workspace_root.canonicalize()?, "."));
        Ok(flags)
    }
}

fn remap(path: &Path, name: &str) -> OsString {
    let mut flag = OsString::from("--remap-path-prefix=");
    flag.push(path);
    flag.push(format!("={name}"));
    flag
}

fn cargo_home() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(home)
}

/// The file that cargo says it built for the package: the only `cdylib` named after it.
fn shared_object(messages: &str, package: &str) -> Result<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter(|message| is_of_package(message, package) && is_cdylib(&message["target"]))
        .flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default())
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .find(|file| file.extension().is_some_and(|extension| extension == "so"))
        .with_context(|| format!("cargo built no shared object for `{package}`"))
}

/// A package's identifier ends in `/name#version` or in `#name@version`.
fn is_of_package(message: &serde_json::Value, package: &str) -> bool {
    let id = message["package_id"].as_str().unwrap_or_default();
    id.contains(&format!("#{package}@")) || id.contains(&format!("/{package}#"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(id: &str, file: &str) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","package_id":"{id}",
                "target":{{"crate_types":["cdylib","lib"]}},"filenames":["/t/x.rlib","{file}"]}}"#
        )
        .replace('\n', "")
    }

    #[test]
    fn the_shared_object_is_the_packages_own() {
        let messages = [
            artifact("registry+x#zk-sdk@3.0.0", "/t/zk.so"),
            artifact("path+file:///w/programs/keel#0.1.0", "/t/keel.so"),
            artifact("path+file:///w/tests#keel-conformance@0.1.0", "/t/c.so"),
        ]
        .join("\n");
        assert_eq!(
            shared_object(&messages, "keel").unwrap(),
            PathBuf::from("/t/keel.so")
        );
        let conformance = shared_object(&messages, "keel-conformance").unwrap();
        assert_eq!(conformance, PathBuf::from("/t/c.so"));
        assert!(shared_object(&messages, "sdk").is_err());
    }

    #[test]
    fn a_changed_linker_removes_what_it_linked_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("keel-sbf-stock-{}", std::process::id()));
        let deps = folder.join(TARGET).join("release/deps");
        fs::create_dir_all(&deps).unwrap();
        let linker = folder.join("built-linker");
        fs::write(&linker, "one").unwrap();
        let rustc = Rustc {
            version: "1.0.0".into(),
            llvm_major: "1".into(),
            sysroot: "/".into(),
        };
        prepare_folder(&folder, &rustc, &linker).unwrap();
        assert!(!deps.exists(), "what another compiler built is removed");

        fs::create_dir_all(&deps).unwrap();
        fs::write(deps.join("a.so"), "").unwrap();
        fs::write(deps.join("a.rlib"), "").unwrap();
        prepare_folder(&folder, &rustc, &linker).unwrap();
        assert!(deps.join("a.so").exists(), "nothing changed");

        fs::write(&linker, "two").unwrap();
        prepare_folder(&folder, &rustc, &linker).unwrap();
        assert!(!deps.join("a.so").exists() && deps.join("a.rlib").exists());
        fs::remove_dir_all(&folder).unwrap();
    }
}
