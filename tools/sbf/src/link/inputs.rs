//! The bitcode in rustc's object files and libraries.

use anyhow::{Context, Result, bail};
use object::read::archive::ArchiveFile;
use std::fs;
use std::path::{Path, PathBuf};

/// One LLVM module: where it comes from, and its bitcode.
#[derive(Debug)]
pub struct Bitcode {
    pub name: String,
    pub bytes: Vec<u8>,
}

pub fn read(paths: &[PathBuf]) -> Result<Vec<Bitcode>> {
    let mut modules = Vec::new();
    for path in paths {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        add_file(path, bytes, &mut modules)?;
    }
    Ok(modules)
}

fn add_file(path: &Path, bytes: Vec<u8>, modules: &mut Vec<Bitcode>) -> Result<()> {
    let name = path.display().to_string();
    if bytes.starts_with(b"!<arch>\n") {
        return add_archive(&name, &bytes, modules);
    }
    if is_bitcode(&bytes) {
        modules.push(Bitcode { name, bytes });
        return Ok(());
    }
    // rustc's list of exported symbols: the only export is `entrypoint`.
    if path.file_name().is_some_and(|file| file == "symbols.o") {
        return Ok(());
    }
    bail!("{name} holds no bitcode; code compiled by another compiler cannot be linked")
}

fn add_archive(name: &str, bytes: &[u8], modules: &mut Vec<Bitcode>) -> Result<()> {
    let archive = ArchiveFile::parse(bytes).with_context(|| format!("cannot read {name}"))?;
    for member in archive.members() {
        let member = member.with_context(|| format!("cannot read {name}"))?;
        let member_name = String::from_utf8_lossy(member.name()).into_owned();
        if member_name.ends_with(".rmeta") {
            continue;
        }
        let data = member
            .data(bytes)
            .with_context(|| format!("{name}({member_name})"))?;
        if !is_bitcode(data) {
            bail!("{name}({member_name}) is not bitcode; native code cannot be linked");
        }
        modules.push(Bitcode {
            name: format!("{name}({member_name})"),
            bytes: data.to_vec(),
        });
    }
    Ok(())
}

/// Raw bitcode, or bitcode in LLVM's wrapper.
fn is_bitcode(bytes: &[u8]) -> bool {
    bytes.starts_with(b"BC\xC0\xDE") || bytes.starts_with(&[0xDE, 0xC0, 0x17, 0x0B])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(name: &str, bytes: &[u8]) -> Result<Vec<Bitcode>> {
        let mut modules = Vec::new();
        add_file(Path::new(name), bytes.to_vec(), &mut modules)?;
        Ok(modules)
    }

    #[test]
    fn bitcode_is_taken_and_the_symbol_list_is_skipped() {
        assert_eq!(add("a.o", b"BC\xC0\xDE....").unwrap().len(), 1);
        assert_eq!(add("dir/symbols.o", b"\x7fELF").unwrap().len(), 0);
    }

    #[test]
    fn native_code_is_refused() {
        let refusal = add("native.o", b"\x7fELF").unwrap_err().to_string();
        assert!(refusal.contains("native.o"), "{refusal}");
    }
}
