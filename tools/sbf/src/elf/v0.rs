//! The file format of SBPF v0: an ELF shared object whose loader resolves system calls by name.

use super::image::{INSTRUCTION_BYTES, Image};
use super::relocate::SystemCall;
use object::elf;

/// Where the text begins in the file and, from the program's base, in memory: they must agree.
pub const TEXT_ADDRESS: u64 = 0x1000;

const HEADER_BYTES: u64 = 64;
const PROGRAM_HEADER_BYTES: u64 = 56;
const SECTION_HEADER_BYTES: u64 = 64;
const SYMBOL_BYTES: u64 = 24;
const RELOCATION_BYTES: u64 = 16;
const DYNAMIC_BYTES: u64 = 16;
const ALIGNMENT: u64 = 8;

const OPCODE_CALL_REGISTER: u8 = 0x8d;
const OPCODE_LOAD_64: u8 = 0x18;

/// SBPF v0 names the register of an indirect call in the immediate; LLVM, in the destination.
pub fn encode_indirect_calls(text: &mut [u8]) {
    let mut at = 0;
    while at + INSTRUCTION_BYTES <= text.len() {
        let opcode = text[at];
        if opcode == OPCODE_CALL_REGISTER {
            let register = i32::from(text[at + 1] & 0xf);
            text[at + 1] = 0;
            text[at + 4..at + 8].copy_from_slice(&register.to_le_bytes());
        }
        at += if opcode == OPCODE_LOAD_64 {
            2 * INSTRUCTION_BYTES
        } else {
            INSTRUCTION_BYTES
        };
    }
}

/// Names in a string table: each ends with a zero, the first is empty.
struct Strings(Vec<u8>);

impl Strings {
    fn new() -> Self {
        Self(vec![0])
    }

    fn add(&mut self, text: &str) -> u32 {
        let offset = self.0.len() as u32;
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
        offset
    }
}

/// The tables by which the loader resolves system calls.
struct DynamicTables {
    symbols: Vec<u8>,
    strings: Vec<u8>,
    relocations: Vec<u8>,
}

impl DynamicTables {
    fn of(calls: &[SystemCall], text_address: u64) -> Self {
        let mut names: Vec<&str> = Vec::new();
        let mut strings = Strings::new();
        let mut symbols = vec![0; SYMBOL_BYTES as usize];
        let mut relocations = Vec::new();
        for call in calls {
            let known = names.iter().position(|&name| name == call.name);
            let index = known.unwrap_or_else(|| {
                names.push(&call.name);
                symbols.extend(strings.add(&call.name).to_le_bytes());
                symbols.push(elf::STB_GLOBAL << 4);
                // Visibility, section, value and size of an undefined symbol.
                symbols.extend([0; 19]);
                names.len() - 1
            });
            let symbol = index as u64 + 1;
            relocations.extend((text_address + call.text_offset).to_le_bytes());
            relocations.extend((symbol << 32 | u64::from(elf::R_BPF_64_32)).to_le_bytes());
        }
        Self {
            symbols,
            strings: strings.0,
            relocations,
        }
    }
}

/// A section of the file: what its header says, and its contents.
struct Section<'a> {
    name: &'static str,
    kind: u32,
    flags: u32,
    /// The section that this one refers to.
    link: u32,
    info: u32,
    entry_bytes: u64,
    offset: u64,
    contents: &'a [u8],
}

impl<'a> Section<'a> {
    fn new(name: &'static str, kind: u32, flags: u32, offset: u64, contents: &'a [u8]) -> Self {
        Self {
            name,
            kind,
            flags,
            link: 0,
            info: 0,
            entry_bytes: 0,
            offset,
            contents,
        }
    }

    fn table(self, link: u32, info: u32, entry_bytes: u64) -> Self {
        Self {
            link,
            info,
            entry_bytes,
            ..self
        }
    }

    fn end(&self) -> u64 {
        self.offset + self.contents.len() as u64
    }

    fn header(&self, name: u32) -> Vec<u8> {
        let mut header = Vec::new();
        header.extend(name.to_le_bytes());
        header.extend(self.kind.to_le_bytes());
        let size = self.contents.len() as u64;
        for field in [u64::from(self.flags), self.offset, self.offset, size] {
            header.extend(field.to_le_bytes());
        }
        header.extend(self.link.to_le_bytes());
        header.extend(self.info.to_le_bytes());
        header.extend(ALIGNMENT.to_le_bytes());
        header.extend(self.entry_bytes.to_le_bytes());
        header
    }

    fn program_header(&self, kind: u32, flags: u32) -> Vec<u8> {
        let mut header = Vec::new();
        header.extend(kind.to_le_bytes());
        header.extend(flags.to_le_bytes());
        let size = self.contents.len() as u64;
        for field in [self.offset, self.offset, self.offset, size, size, ALIGNMENT] {
            header.extend(field.to_le_bytes());
        }
        header
    }
}

// Places in the section table that other sections refer to.
const DYNSYM_INDEX: u32 = 4;
const DYNSTR_INDEX: u32 = 5;
const SHSTRTAB_INDEX: u16 = 7;

/// Writes the file. `entry` is the address of the entry point relative to the program's base.
pub fn write(image: &Image, entry: u64, calls: &[SystemCall]) -> Vec<u8> {
    let tables = DynamicTables::of(calls, image.text_address);
    let dynamic_offset = (image.data_address + image.data.len() as u64).next_multiple_of(ALIGNMENT);
    let dynamic = dynamic_table(dynamic_offset, &tables);

    let code = elf::SHF_ALLOC | elf::SHF_EXECINSTR;
    let alloc = elf::SHF_ALLOC;
    let text = Section::new(
        ".text",
        elf::SHT_PROGBITS,
        code,
        image.text_address,
        &image.text,
    );
    let rodata = Section::new(
        ".rodata",
        elf::SHT_PROGBITS,
        alloc,
        image.data_address,
        &image.data,
    );
    let dynamic = Section::new(
        ".dynamic",
        elf::SHT_DYNAMIC,
        alloc | elf::SHF_WRITE,
        dynamic_offset,
        &dynamic,
    )
    .table(DYNSTR_INDEX, 0, DYNAMIC_BYTES);
    let dynsym = Section::new(
        ".dynsym",
        elf::SHT_DYNSYM,
        alloc,
        dynamic.end(),
        &tables.symbols,
    )
    .table(DYNSTR_INDEX, 1, SYMBOL_BYTES);
    let dynstr = Section::new(
        ".dynstr",
        elf::SHT_STRTAB,
        alloc,
        dynsym.end(),
        &tables.strings,
    );
    let reldyn_offset = dynstr.end().next_multiple_of(ALIGNMENT);
    let reldyn = Section::new(
        ".rel.dyn",
        elf::SHT_REL,
        alloc,
        reldyn_offset,
        &tables.relocations,
    )
    .table(DYNSYM_INDEX, 0, RELOCATION_BYTES);
    let end = reldyn.end();
    assemble(entry, [text, rodata, dynamic, dynsym, dynstr, reldyn], end)
}

/// The `.dynamic` section: where the other tables are. They follow it in [`write`]'s order.
fn dynamic_table(offset: u64, tables: &DynamicTables) -> Vec<u8> {
    let symbols = offset + 7 * DYNAMIC_BYTES;
    let strings = symbols + tables.symbols.len() as u64;
    let relocations = (strings + tables.strings.len() as u64).next_multiple_of(ALIGNMENT);
    let entries = [
        (elf::DT_REL, relocations),
        (elf::DT_RELSZ, tables.relocations.len() as u64),
        (elf::DT_RELENT, RELOCATION_BYTES),
        (elf::DT_SYMTAB, symbols),
        (elf::DT_SYMENT, SYMBOL_BYTES),
        (elf::DT_STRTAB, strings),
        (elf::DT_NULL, 0),
    ];
    entries
        .into_iter()
        .flat_map(|(tag, value)| [tag.to_le_bytes(), value.to_le_bytes()].concat())
        .collect()
}

/// Puts headers and sections together: file header, program headers, sections, section headers.
fn assemble(entry: u64, sections: [Section; 6], end: u64) -> Vec<u8> {
    let mut names = Strings::new();
    let name_offsets = sections.each_ref().map(|section| names.add(section.name));
    let own_name = names.add(".shstrtab");
    let shstrtab = Section::new(".shstrtab", elf::SHT_STRTAB, 0, end, &names.0);
    let section_headers = shstrtab.end().next_multiple_of(ALIGNMENT);

    let [text, rodata, dynamic, ..] = &sections;
    let mut file = file_header(entry, section_headers);
    file.extend(text.program_header(elf::PT_LOAD, elf::PF_R | elf::PF_X));
    file.extend(rodata.program_header(elf::PT_LOAD, elf::PF_R));
    file.extend(dynamic.program_header(elf::PT_DYNAMIC, elf::PF_R | elf::PF_W));
    for section in sections.iter().chain([&shstrtab]) {
        file.resize(section.offset as usize, 0);
        file.extend_from_slice(section.contents);
    }
    file.resize(section_headers as usize + SECTION_HEADER_BYTES as usize, 0);
    for (section, name) in sections
        .iter()
        .zip(name_offsets)
        .chain([(&shstrtab, own_name)])
    {
        file.extend(section.header(name));
    }
    file
}

fn file_header(entry: u64, section_headers: u64) -> Vec<u8> {
    let mut header = elf::ELFMAG.to_vec();
    header.extend([
        elf::ELFCLASS64,
        elf::ELFDATA2LSB,
        elf::EV_CURRENT,
        elf::ELFOSABI_NONE,
    ]);
    header.resize(16, 0);
    header.extend(elf::ET_DYN.to_le_bytes());
    header.extend(elf::EM_BPF.to_le_bytes());
    header.extend(u32::from(elf::EV_CURRENT).to_le_bytes());
    for field in [entry, HEADER_BYTES, section_headers] {
        header.extend(field.to_le_bytes());
    }
    // The flags: zero is SBPF v0.
    header.extend(0u32.to_le_bytes());
    let (program_headers, sections) = (3u16, SHSTRTAB_INDEX + 1);
    for field in [
        HEADER_BYTES as u16,
        PROGRAM_HEADER_BYTES as u16,
        program_headers,
    ] {
        header.extend(field.to_le_bytes());
    }
    for field in [SECTION_HEADER_BYTES as u16, sections, SHSTRTAB_INDEX] {
        header.extend(field.to_le_bytes());
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::{Object, ObjectSection, ObjectSymbol};
    use std::collections::HashMap;

    fn image() -> Image {
        Image::for_tests(vec![0x95; 16], vec![7; 24], TEXT_ADDRESS)
    }

    #[test]
    fn a_written_file_reads_back() {
        let call = |text_offset, name: &str| SystemCall {
            text_offset,
            name: name.to_string(),
        };
        let calls = [call(0, "sol_log_"), call(8, "abort"), call(8, "sol_log_")];
        let bytes = write(&image(), TEXT_ADDRESS + 8, &calls);
        let file = object::File::parse(&*bytes).unwrap();
        assert_eq!(file.entry(), TEXT_ADDRESS + 8);

        let sections: HashMap<_, _> = file
            .sections()
            .map(|s| (s.name().unwrap().to_string(), s.data().unwrap()))
            .collect();
        assert_eq!(sections[".text"], [0x95; 16]);
        assert_eq!(sections[".rodata"], [7; 24]);
        assert_eq!(sections[".rel.dyn"].len(), 3 * 16);
        let names: Vec<_> = file.dynamic_symbols().map(|s| s.name().unwrap()).collect();
        assert_eq!(names, ["sol_log_", "abort"]);
    }

    #[test]
    fn addresses_are_file_offsets() {
        let bytes = write(&image(), TEXT_ADDRESS, &[]);
        let file = object::File::parse(&*bytes).unwrap();
        for section in file.sections().filter(|section| section.address() != 0) {
            assert_eq!(section.file_range().unwrap().0, section.address());
        }
    }

    #[test]
    fn the_register_of_an_indirect_call_moves_and_wide_constants_are_skipped() {
        let mut text = vec![0; 24];
        text[0] = OPCODE_CALL_REGISTER;
        text[1] = 3;
        text[8] = OPCODE_LOAD_64;
        // The second half of a wide constant that looks like an indirect call.
        text[16] = OPCODE_CALL_REGISTER;
        text[17] = 5;
        encode_indirect_calls(&mut text);
        assert_eq!(text[..8], [OPCODE_CALL_REGISTER, 0, 0, 0, 3, 0, 0, 0]);
        assert_eq!(text[16..24], [OPCODE_CALL_REGISTER, 5, 0, 0, 0, 0, 0, 0]);
    }
}
