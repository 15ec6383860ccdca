//! The sources of the standard library, fetched, verified, patched and cached.

mod apt;
mod cache;
mod debian;

use crate::command::say;
use crate::std_patch;
use crate::toolchain::Rustc;
use anyhow::{Context, Result, ensure};
use cache::Staging;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The compiler whose standard library the patch fits.
const SUPPORTED_VERSION: &str = "1.95.0";
const PATCH: &str = include_str!("../../assets/std-1.95.0.patch");

/// Tells patched libraries apart: the first half of the patch's SHA-256.
pub static PATCH_HASH: LazyLock<String> = LazyLock::new(|| {
    Sha256::digest(PATCH.as_bytes())[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
});

/// The folder of the patched standard library (it holds `std`, `core`, `alloc` and the others).
///
/// The first call fetches and patches it, unless the compiler's own sources are installed; later
/// ones find it in the user's cache folder. A folder that exists is complete: it is moved there in
/// one step, and of two builds at once the first to finish wins.
pub fn patched_library(rustc: &Rustc) -> Result<PathBuf> {
    ensure!(
        rustc.version == SUPPORTED_VERSION,
        "rustc {} cannot build programs: the patch of the standard library is for {}. \
         Remedy: `rustup toolchain install {}` and the same command with `cargo +{}`, or install \
         `cargo build-sbf`",
        rustc.version,
        SUPPORTED_VERSION,
        SUPPORTED_VERSION,
        SUPPORTED_VERSION
    );
    let cache = cache::folder()?;
    let finished = cache.join(format!("{}-{}", rustc.version, PATCH_HASH.as_str()));
    let library = finished.join("library");
    if library.is_dir() {
        return Ok(library);
    }
    let staging = Staging::new(&cache)?;
    let patched = staging.path().join("patched");
    fs::create_dir(&patched)?;
    obtain(rustc, staging.path(), &patched.join("library"))?;
    check_shape(&patched.join("library"))?;
    say("patching the standard library");
    std_patch::apply(PATCH, &patched.join("library"))
        .context("the patch does not fit these sources of the standard library")?;
    staging.publish(&patched, &finished)?;
    Ok(library)
}

/// Puts an unpatched copy of the standard library at `destination`.
fn obtain(rustc: &Rustc, scratch: &Path, destination: &Path) -> Result<()> {
    let component = rustc.sysroot.join("lib/rustlib/src/rust/library");
    if component.join("std").is_dir() {
        say("copying the rust-src component");
        return copy_folder(&component, destination);
    }
    say(format!(
        "fetching the sources of the standard library {} (45 MB)",
        rustc.version
    ));
    let fetched = debian::fetch(rustc, scratch).with_context(|| {
        format!(
            "the sources of the standard library {} are missing. \
             Remedy: `rustup component add rust-src`",
            rustc.version
        )
    })?;
    fs::rename(&fetched, destination).with_context(|| format!("cannot move {}", fetched.display()))
}

/// Refuses a folder that is not a standard library. Its version is vouched for by where it comes
/// from: the compiler's own sysroot, or a package that states it; and the patch must fit exactly.
fn check_shape(library: &Path) -> Result<()> {
    for part in [
        "std/src/lib.rs",
        "core/src/lib.rs",
        "alloc/src/lib.rs",
        "Cargo.lock",
    ] {
        ensure!(
            library.join(part).is_file(),
            "the sources lack library/{part}"
        );
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)
                .with_context(|| format!("cannot copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}
