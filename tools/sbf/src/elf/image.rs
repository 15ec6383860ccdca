//! Reading the object: which sections are kept, and where they go.

use anyhow::{Context, Result, bail};
use object::{
    File, Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionIndex, SectionKind,
    SymbolKind,
};
use std::collections::{BTreeSet, HashMap};

/// Every instruction has eight bytes; `lddw` has two of them.
pub const INSTRUCTION_BYTES: usize = 8;
pub const OPCODE_CALL: u8 = 0x85;
/// The source register of a call of an address relative to the call.
pub const SOURCE_RELATIVE: u8 = 1;

const SECTION_ALIGNMENT: u64 = 8;
const DATA_ALIGNMENT: u64 = 16;

pub fn parse(object: &[u8]) -> Result<File<'_>> {
    File::parse(object).context("LLVM's object file is not readable")
}

/// The program's code and data, at the addresses they will have.
#[derive(Debug)]
pub struct Image {
    pub text: Vec<u8>,
    pub data: Vec<u8>,
    pub text_address: u64,
    pub data_address: u64,
    places: HashMap<SectionIndex, Place>,
}

/// Where a section went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub is_text: bool,
    pub offset: u64,
}

impl Image {
    /// Puts all code into one section and all data into another.
    ///
    /// Writable data joins the read-only data: the virtual machine has no writable statics, and
    /// stops a program that writes one.
    pub fn lay_out(file: &File, text_address: u64) -> Result<Self> {
        let (mut text, mut data, mut places) = (Vec::new(), Vec::new(), HashMap::new());
        for section in file.sections() {
            let is_text = section.kind() == SectionKind::Text;
            if section.size() == 0 || !(is_text || is_data(section.name()?)) {
                continue;
            }
            let target = if is_text { &mut text } else { &mut data };
            pad(target, section.align().max(SECTION_ALIGNMENT));
            let place = Place {
                is_text,
                offset: target.len() as u64,
            };
            places.insert(section.index(), place);
            if section.kind() == SectionKind::UninitializedData {
                target.resize(target.len() + section.size() as usize, 0);
            } else {
                target.extend_from_slice(section.data()?);
            }
        }
        pad(&mut data, SECTION_ALIGNMENT);
        let data_address = (text_address + text.len() as u64).next_multiple_of(DATA_ALIGNMENT);
        Ok(Self {
            text,
            data,
            text_address,
            data_address,
            places,
        })
    }

    #[cfg(test)]
    pub fn for_tests(text: Vec<u8>, data: Vec<u8>, text_address: u64) -> Self {
        let data_address = (text_address + text.len() as u64).next_multiple_of(DATA_ALIGNMENT);
        Self {
            text,
            data,
            text_address,
            data_address,
            places: HashMap::new(),
        }
    }

    pub fn place(&self, section: SectionIndex) -> Option<Place> {
        self.places.get(&section).copied()
    }

    /// The address of an offset in a section, relative to where the program is mapped.
    pub fn address(&self, section: SectionIndex, offset: u64) -> Result<u64> {
        let place = self
            .place(section)
            .context("a symbol is in a section that is not loaded")?;
        let base = if place.is_text {
            self.text_address
        } else {
            self.data_address
        };
        Ok(base + place.offset + offset)
    }

    pub fn entry_address(&self, file: &File) -> Result<u64> {
        let entry = file
            .symbols()
            .find(|symbol| symbol.name() == Ok("entrypoint"))
            .context("the object has no entrypoint")?;
        let section = entry
            .section_index()
            .context("the entrypoint is not defined")?;
        self.address(section, entry.address())
    }
}

fn is_data(name: &str) -> bool {
    [".rodata", ".lrodata", ".data", ".bss", ".security.txt"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

fn pad(bytes: &mut Vec<u8>, alignment: u64) {
    bytes.resize(bytes.len().next_multiple_of(alignment as usize), 0);
}

pub fn immediate(code: &[u8], at: usize) -> Result<i32> {
    let bytes = code
        .get(at + 4..at + 8)
        .context("an instruction is cut off")?;
    Ok(i32::from_le_bytes(bytes.try_into()?))
}

/// The names of all functions that the code calls or refers to.
///
/// Calls inside one section carry no relocation: those are read off the instructions.
pub fn called_symbols(object: &[u8]) -> Result<BTreeSet<String>> {
    let file = parse(object)?;
    let mut functions: HashMap<(SectionIndex, u64), String> = HashMap::new();
    for symbol in file.symbols() {
        if let (Some(section), SymbolKind::Text) = (symbol.section_index(), symbol.kind()) {
            functions.insert((section, symbol.address()), symbol.name()?.to_string());
        }
    }
    let mut called = BTreeSet::new();
    for section in file.sections() {
        let mut relocated = BTreeSet::new();
        for (offset, relocation) in section.relocations() {
            relocated.insert(offset as usize);
            let RelocationTarget::Symbol(index) = relocation.target() else {
                bail!("a relocation in {} names no symbol", section.name()?);
            };
            let symbol = file.symbol_by_index(index)?;
            if symbol.kind() != SymbolKind::Section {
                called.insert(symbol.name()?.to_string());
                continue;
            }
            if section.kind() == SectionKind::Text
                && let Some(target) = symbol.section_index()
            {
                let instruction = immediate(section.data()?, offset as usize)?;
                let address = (i64::from(instruction) + 1) * INSTRUCTION_BYTES as i64;
                called.extend(functions.get(&(target, address as u64)).cloned());
            }
        }
        if section.kind() == SectionKind::Text {
            let targets = relative_calls(section.data()?, &relocated)?;
            let name = |target| functions.get(&(section.index(), target)).cloned();
            called.extend(targets.into_iter().filter_map(name));
        }
    }
    Ok(called)
}

/// The offsets that calls without a relocation go to.
fn relative_calls(code: &[u8], relocated: &BTreeSet<usize>) -> Result<Vec<u64>> {
    let mut targets = Vec::new();
    for at in (0..code.len()).step_by(INSTRUCTION_BYTES) {
        let is_relative_call =
            code[at] == OPCODE_CALL && code.get(at + 1).is_some_and(|r| r >> 4 == SOURCE_RELATIVE);
        if is_relative_call && !relocated.contains(&at) {
            let next = (at / INSTRUCTION_BYTES + 1) as i64;
            let target = next + i64::from(immediate(code, at)?);
            targets.push((target * INSTRUCTION_BYTES as i64) as u64);
        }
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_call_counts_from_the_next_instruction() {
        let mut code = vec![0; 32];
        code[8] = OPCODE_CALL;
        code[9] = SOURCE_RELATIVE << 4;
        code[12..16].copy_from_slice(&1i32.to_le_bytes());
        assert_eq!(relative_calls(&code, &BTreeSet::new()).unwrap(), [24]);
        assert!(
            relative_calls(&code, &BTreeSet::from([8]))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn data_sections_are_known_by_their_names() {
        assert!(is_data(".rodata.str") && is_data(".data.rel.ro.x") && is_data(".bss"));
        assert!(is_data(".security.txt"));
        assert!(!is_data(".debug_info") && !is_data(".BTF") && !is_data(".llvm_addrsig"));
    }

    #[test]
    fn a_cut_off_instruction_is_an_error() {
        assert!(immediate(&[0; 7], 0).is_err());
    }
}
