//! Debian's package `rust-src`, for machines whose toolchain came without its sources.

use super::apt::{self, Archive};
use crate::command;
use crate::toolchain::Rustc;
use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A version of the package that is known to hold the sources of a version of the compiler.
#[derive(Debug)]
struct Package {
    rustc: &'static str,
    version: &'static str,
    suite: &'static str,
    sha256: &'static str,
}

const NAME: &str = "rust-src";
const KNOWN: [Package; 1] = [Package {
    rustc: "1.95.0",
    version: "1.95.0+dfsg1-2~bpo13+1",
    suite: "trixie-backports",
    sha256: "7b76db5b880a77f9e52975d2baa6209d2f76d2c9c2789515c3088cb960e2c83b",
}];

/// Downloads, verifies and unpacks the package into `scratch`; returns the `library` folder.
///
/// Two things vouch for it: the archive's signature, which apt checks, and the hash above.
pub fn fetch(rustc: &Rustc, scratch: &Path) -> Result<PathBuf> {
    let package = KNOWN
        .iter()
        .find(|package| package.rustc == rustc.version)
        .with_context(|| format!("no Debian package of rustc {} is known", rustc.version))?;
    let archive = Archive::of_this_machine()?;
    let file = apt::download(&archive, package.suite, NAME, package.version, scratch)?;
    verify(&file, package.sha256)?;

    command::say("unpacking the sources");
    let unpacked = scratch.join("unpacked");
    command::output(Command::new("dpkg-deb").arg("-x").arg(&file).arg(&unpacked))
        .context("`dpkg-deb` is needed: `apt-get install dpkg`")?;
    let root = unpacked
        .join("usr/src")
        .join(format!("rustc-{}", rustc.version));
    let stated = fs::read_to_string(root.join("src/version"))
        .context("the package does not say which version it holds")?;
    ensure!(
        stated.trim() == rustc.version,
        "the package holds the sources of {}, not of {}",
        stated.trim(),
        rustc.version
    );
    Ok(root.join("library"))
}

fn verify(file: &Path, expected: &str) -> Result<()> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let found: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if found != expected {
        bail!("the downloaded package has the SHA-256 {found}, expected {expected}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_with_another_hash_is_refused() {
        let path = std::env::temp_dir().join(format!("keel-sbf-deb-{}", std::process::id()));
        fs::write(&path, "abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(verify(&path, abc).is_ok());
        assert!(verify(&path, KNOWN[0].sha256).is_err());
        fs::remove_file(&path).unwrap();
    }
}
