//! Looking into a plugin's file without running any of it: constructors run as soon as it is opened.

use object::elf::Machine;
use object::read::elf::{ElfFile64, FileHeader};
use object::{Object, ObjectSection, ObjectSymbol};
use tricorn_abi as abi;

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peek {
    /// Major and minor version and compiler, if it has a note.
    pub note: Option<Note>,
    /// It exports the entry function.
    pub has_entry: bool,
    /// It exports entry functions of other major versions.
    pub other_entries: Vec<String>,
}

/// The content of its note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The major version of the ABI it was built for.
    pub abi_major: u16,
    /// The minor version.
    pub abi_minor: u16,
    /// The compiler.
    pub toolchain: String,
}

/// The machine this server runs on, as ELF numbers it.
const MACHINE: Machine = if cfg!(target_arch = "aarch64") {
    object::elf::EM_AARCH64
} else {
    object::elf::EM_X86_64
};

const STEM: &str = "tricorn_plugin_entry_v";

/// Looks into a file.
///
/// # Errors
/// Every reason for which it cannot be a plugin of this server.
pub(super) fn peek(bytes: &[u8]) -> Result<Peek, Vec<String>> {
    if bytes.starts_with(b"\x7fELF\x01") {
        return Err(vec![
            "it is built for a machine of 32 bits, this server runs on one of 64".to_owned(),
        ]);
    }
    let file = ElfFile64::<object::Endianness>::parse(bytes).map_err(|error| {
        vec![format!(
            "it is not a shared object for this machine: {error}"
        )]
    })?;
    let mut reasons = Vec::new();
    let endian = file.endian();
    let (machine, kind) = (
        file.elf_header().e_machine(endian),
        file.elf_header().e_type(endian),
    );
    if machine != MACHINE {
        reasons.push(format!(
            "it is built for {}, this server runs on {}",
            machine_name(machine),
            machine_name(MACHINE)
        ));
    }
    if kind != object::elf::ET_DYN {
        reasons.push("it is not a shared object".to_owned());
    }
    let peek = describe(&file);
    reasons.extend(missing_entry(&peek));
    if reasons.is_empty() {
        Ok(peek)
    } else {
        Err(reasons)
    }
}

fn describe(file: &ElfFile64<'_>) -> Peek {
    let mut peek = Peek::default();
    for symbol in file.dynamic_symbols().filter(ObjectSymbol::is_definition) {
        match symbol.name() {
            Ok(abi::ENTRY_SYMBOL) => peek.has_entry = true,
            Ok(name) if name.starts_with(STEM) => peek.other_entries.push(name.to_owned()),
            _ => {}
        }
    }
    let section = file.section_by_name(abi::NOTE_SECTION);
    peek.note = section
        .and_then(|section| section.data().ok())
        .and_then(read_note);
    peek
}

fn missing_entry(peek: &Peek) -> Option<String> {
    if peek.has_entry {
        return None;
    }
    let ours = abi::ABI_MAJOR;
    Some(match peek.other_entries.first() {
        Some(name) => format!(
            "it is built for version {} of the plugin ABI, this server speaks {ours}",
            name.trim_start_matches(STEM)
        ),
        None => format!("it exports no {}: it is no plugin", abi::ENTRY_SYMBOL),
    })
}

fn read_note(bytes: &[u8]) -> Option<Note> {
    if bytes.len() < size_of::<abi::Note>() || bytes.get(..8)? != abi::MAGIC.to_ne_bytes() {
        return None;
    }
    let number = |at: usize| Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let text = bytes.get(16..16 + 48)?;
    let end = text.iter().position(|&b| b == 0).unwrap_or(text.len());
    Some(Note {
        abi_major: number(8)?,
        abi_minor: number(10)?,
        toolchain: String::from_utf8_lossy(&text[..end]).into_owned(),
    })
}

fn machine_name(machine: Machine) -> String {
    match machine {
        object::elf::EM_X86_64 => "x86-64".to_owned(),
        object::elf::EM_AARCH64 => "aarch64".to_owned(),
        object::elf::EM_386 => "x86".to_owned(),
        object::elf::EM_ARM => "arm".to_owned(),
        object::elf::EM_RISCV => "risc-v".to_owned(),
        other => format!("machine {}", other.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_shared_object_is_told() {
        let text = peek(b"#!/bin/sh\n").unwrap_err().join("; ");
        assert!(text.contains("not a shared object"), "{text}");
        let own = std::fs::read("/proc/self/exe").unwrap();
        let text = peek(&own).unwrap_err().join("; ");
        assert!(
            text.contains("exports no tricorn_plugin_entry_v1"),
            "{text}"
        );
        let truncated = peek(&own[..200]).unwrap_err();
        assert!(!truncated.is_empty());
        let mut small = own.clone();
        small[4] = 1;
        let text = peek(&small).unwrap_err().join("; ");
        assert!(text.contains("built for a machine of 32 bits"), "{text}");
        let mut foreign = own;
        foreign[18] = 40;
        let text = peek(&foreign).unwrap_err().join("; ");
        assert!(
            text.contains("built for arm, this server runs on"),
            "{text}"
        );
    }

    #[test]
    fn a_note_is_read_as_it_is_written() {
        let mut toolchain = [0; 48];
        toolchain[..3].copy_from_slice(b"xyz");
        let note = abi::Note {
            magic: abi::MAGIC,
            abi_major: 1,
            abi_minor: 7,
            reserved: 0,
            toolchain,
        };
        // SAFETY: the struct is plain data without padding.
        let bytes = unsafe {
            std::slice::from_raw_parts(std::ptr::from_ref(&note).cast::<u8>(), size_of_val(&note))
        };
        let read = read_note(bytes).unwrap();
        assert_eq!((read.abi_major, read.abi_minor), (1, 7));
        assert_eq!(read.toolchain, "xyz");
        assert_eq!(read_note(&bytes[..20]), None);
        assert_eq!(read_note(&[0; 64]), None);
    }
}
