//! Resolving addresses. Where everything lies is known, so that only system calls are left to the
//! virtual machine's loader.

use super::image::{INSTRUCTION_BYTES, Image, SOURCE_RELATIVE, immediate};
use anyhow::{Context, Result, bail, ensure};
use object::elf::{R_BPF_64_32, R_BPF_64_64};
use object::{
    File, Object, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget, Symbol,
};

/// Where the virtual machine maps the program.
const PROGRAM_BASE: u64 = 0x1_0000_0000;
/// An absolute 64-bit address in data. `object` does not name it.
const R_BPF_64_ABS64: u32 = 2;
/// The immediate of a call that the loader has to resolve.
const UNRESOLVED: i32 = -1;

/// A call of the virtual machine: the offset of the instruction in the text, and the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemCall {
    pub text_offset: u64,
    pub name: String,
}

/// Applies all relocations and returns the calls that are left to the loader.
///
/// Errors: an undefined symbol that is no system call, and relocations LLVM does not produce for
/// such objects.
pub fn relocate(file: &File, image: &mut Image) -> Result<Vec<SystemCall>> {
    let mut calls = Vec::new();
    for section in file.sections() {
        let Some(place) = image.place(section.index()) else {
            continue;
        };
        for (offset, relocation) in section.relocations() {
            let RelocationTarget::Symbol(index) = relocation.target() else {
                bail!("a relocation in {} names no symbol", section.name()?);
            };
            let RelocationFlags::Elf { r_type } = relocation.flags() else {
                bail!("a relocation in {} is not of ELF", section.name()?);
            };
            let symbol = file.symbol_by_index(index)?;
            let at = (place.offset + offset) as usize;
            match (r_type, place.is_text) {
                (R_BPF_64_64, true) => relocate_load(image, &symbol, at)?,
                (R_BPF_64_ABS64, false) => relocate_pointer(image, &symbol, at)?,
                (R_BPF_64_32, true) => calls.extend(relocate_call(image, &symbol, at)?),
                _ => bail!(
                    "relocation {r_type} in {} is not supported",
                    section.name()?
                ),
            }
        }
    }
    Ok(calls)
}

/// The address in the virtual machine of a symbol plus an addend.
fn absolute_address(image: &Image, symbol: &Symbol, addend: u64) -> Result<u64> {
    let section = symbol
        .section_index()
        .with_context(|| format!("the address of `{}`, undefined, is taken", name(symbol)))?;
    Ok(PROGRAM_BASE
        + image
            .address(section, symbol.address())?
            .wrapping_add(addend))
}

/// `lddw`: the low half of the address in the first instruction, the high half in the second.
fn relocate_load(image: &mut Image, symbol: &Symbol, at: usize) -> Result<()> {
    let low = immediate(&image.text, at)? as u32;
    let high = immediate(&image.text, at + INSTRUCTION_BYTES)? as u32;
    let addend = u64::from(high) << 32 | u64::from(low);
    let address = absolute_address(image, symbol, addend)?.to_le_bytes();
    image.text[at + 4..at + 8].copy_from_slice(&address[..4]);
    image.text[at + 12..at + 16].copy_from_slice(&address[4..]);
    Ok(())
}

fn relocate_pointer(image: &mut Image, symbol: &Symbol, at: usize) -> Result<()> {
    let field = image.data.get(at..at + 8).context("a pointer is cut off")?;
    let addend = u64::from_le_bytes(field.try_into()?);
    let address = absolute_address(image, symbol, addend)?;
    image.data[at..at + 8].copy_from_slice(&address.to_le_bytes());
    Ok(())
}

/// A call: relative where the function is ours, named where it is the virtual machine's.
fn relocate_call(image: &mut Image, symbol: &Symbol, at: usize) -> Result<Option<SystemCall>> {
    if let Some(section) = symbol.section_index() {
        let size = INSTRUCTION_BYTES as i64;
        let offset = (i64::from(immediate(&image.text, at)?) + 1) * size;
        let target = image.address(section, symbol.address())? as i64 + offset;
        let here = image.text_address as i64 + at as i64;
        let relative = i32::try_from((target - here) / size - 1).context("a call is too far")?;
        image.text[at + 4..at + 8].copy_from_slice(&relative.to_le_bytes());
        return Ok(None);
    }
    let name = system_call_name(&name(symbol))?;
    ensure!(
        image.text.len() >= at + INSTRUCTION_BYTES,
        "a call is cut off"
    );
    image.text[at + 1] = SOURCE_RELATIVE << 4;
    image.text[at + 4..at + 8].copy_from_slice(&UNRESOLVED.to_le_bytes());
    Ok(Some(SystemCall {
        text_offset: at as u64,
        name,
    }))
}

fn name(symbol: &Symbol) -> String {
    symbol.name().unwrap_or("?").to_string()
}

/// The system call that an undefined symbol stands for.
fn system_call_name(symbol: &str) -> Result<String> {
    match symbol {
        // What LLVM calls where code must not be reached.
        "__bpf_trap" | "abort" => Ok("abort".to_string()),
        name if name.starts_with("sol_") => Ok(name.to_string()),
        name => bail!(
            "`{:#}` is called and not defined, and it is no system call",
            rustc_demangle::demangle(name)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_system_calls_may_be_undefined() {
        assert_eq!(system_call_name("sol_log_").unwrap(), "sol_log_");
        assert_eq!(system_call_name("__bpf_trap").unwrap(), "abort");
        let refusal = system_call_name("__multi3").unwrap_err().to_string();
        assert!(refusal.contains("__multi3"), "{refusal}");
    }
}
