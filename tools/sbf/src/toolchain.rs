//! Which compiler builds the programs.

use crate::{command, environment, platform_tools};
use anyhow::{Context, Result};
use std::path::PathBuf;

/// The two ways to build a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toolchain {
    /// `cargo build-sbf` with Solana's platform-tools.
    PlatformTools,
    /// The installed rustc, and the linker of this crate.
    Stock,
}

impl Toolchain {
    /// `cargo build-sbf` where it is installed, else the stock compiler.
    pub fn detect() -> Self {
        if platform_tools::version().is_some() {
            Self::PlatformTools
        } else {
            Self::Stock
        }
    }

    /// A name for the compiler behind this toolchain, for figures that depend on it.
    pub fn id(self) -> Result<String> {
        match self {
            Self::PlatformTools => {
                let version = platform_tools::version().context(platform_tools::REMEDY)?;
                Ok(format!("platform-tools-{version}"))
            }
            Self::Stock => Ok(Rustc::installed()?.id()),
        }
    }
}

/// Names the compiler that [`crate::build`] chooses by default, such as `rustc-1.95.0-llvm22` or
/// `platform-tools-v1.52`. Compute units are comparable only under the same name.
///
/// `unknown` when there is no compiler at all.
pub fn toolchain_id() -> String {
    Toolchain::detect()
        .id()
        .unwrap_or_else(|_| "unknown".to_string())
}

/// The installed Rust compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rustc {
    pub version: String,
    pub llvm_major: String,
    pub sysroot: PathBuf,
}

impl Rustc {
    pub fn installed() -> Result<Self> {
        let verbose = command::output(environment::clean_command("rustc").arg("-vV"))
            .context("the Rust compiler is missing: install it with rustup")?;
        let sysroot =
            command::output(environment::clean_command("rustc").args(["--print", "sysroot"]))?;
        Self::parse(&verbose, sysroot.trim())
    }

    fn parse(verbose: &str, sysroot: &str) -> Result<Self> {
        let field = |name: &str| {
            verbose
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                .with_context(|| format!("`rustc -vV` does not print `{name}`"))
        };
        let llvm = field("LLVM version")?;
        Ok(Self {
            version: field("release")?.to_string(),
            llvm_major: llvm.split('.').next().unwrap_or(llvm).to_string(),
            sysroot: PathBuf::from(sysroot),
        })
    }

    fn id(&self) -> String {
        format!("rustc-{}-llvm{}", self.version, self.llvm_major)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_describes_itself() {
        let verbose = "rustc 1.95.0 (5980761 2026-04-14)\nbinary: rustc\n\
                       host: x86_64-unknown-linux-gnu\nrelease: 1.95.0\nLLVM version: 22.1.2\n";
        let rustc = Rustc::parse(verbose, "/sysroot").unwrap();
        assert_eq!(rustc.id(), "rustc-1.95.0-llvm22");
    }

    #[test]
    fn a_missing_field_is_named() {
        let error = Rustc::parse("release: 1.95.0", "/")
            .unwrap_err()
            .to_string();
        assert!(error.contains("LLVM version"), "{error}");
    }
}
