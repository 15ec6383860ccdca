//! `cargo xtask build`: the programs as SBPF bytecode.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::{
    cli::{BuildArgs, ProgramChoice},
    process::{Step, workspace_root},
};

/// The clearing house; its object is `keel.so`.
pub const KEEL: &str = "keel";

/// The program that proves the compiler; its object is `keel_conformance.so`.
pub const CONFORMANCE: &str = "keel-conformance";

/// The program that runs the engine alone; its object is `keel_probe.so`.
pub const PROBE: &str = "keel-probe";

/// A compiled program.
#[derive(Debug)]
pub struct Bytecode {
    pub path: PathBuf,
    pub bytes: u64,
}

impl Bytecode {
    /// The folder the VM loads programs from.
    pub fn deploy_dir(&self) -> PathBuf {
        self.path.parent().map_or_else(PathBuf::new, PathBuf::from)
    }
}

pub fn run(args: &BuildArgs) -> Result<()> {
    let packages: &[&str] = match args.program {
        ProgramChoice::Keel => &[KEEL],
        ProgramChoice::Conformance => &[CONFORMANCE],
        ProgramChoice::Probe => &[PROBE],
        ProgramChoice::All => &[KEEL, CONFORMANCE, PROBE],
    };

    for package in packages {
        bytecode(package)?;
    }
    Ok(())
}

/// Compiles one program of the workspace; with nothing changed it takes seconds.
pub fn bytecode(package: &str) -> Result<Bytecode> {
    let step = Step::start(format!("building {package} to SBPF"));

    let built = compile(package).with_context(|| format!("building {package} to SBPF"))?;

    let root = workspace_root();
    let place = built.path.strip_prefix(&root).unwrap_or(&built.path);
    step.done(&format!(
        "{} ({} bytes)",
        place.display(),
        grouped(built.bytes)
    ));
    Ok(built)
}

/// The only use of the bytecode builder.
fn compile(package: &str) -> Result<Bytecode> {
    let request = keel_sbf::BuildRequest::new(workspace_root(), package);
    let built = keel_sbf::build(&request)?;

    Ok(Bytecode {
        path: built.program,
        bytes: built.size_bytes,
    })
}

/// Names the compiler whose compute units are comparable with each other.
pub fn toolchain_id() -> String {
    keel_sbf::toolchain_id()
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);

    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn programs_are_loaded_from_the_folder_of_the_object() {
        let built = Bytecode {
            path: PathBuf::from("target/deploy/keel.so"),
            bytes: 1,
        };
        assert_eq!(built.deploy_dir(), PathBuf::from("target/deploy"));
    }
}
