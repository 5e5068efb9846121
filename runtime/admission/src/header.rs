//! Checks of a module before its sections are parsed: its first bytes, and the size of its custom sections.

use wasmtime::wasmparser::Error as ParseError;

use crate::Refusal;
use crate::text::clean;

/// Distinguishes a core module from other files by its first bytes.
pub(crate) fn check_header(bytes: &[u8]) -> Result<(), Refusal> {
    let text_starts = || {
        let start = bytes.get(..bytes.len().min(4 << 10)).unwrap_or_default();
        let start = start.trim_ascii_start();
        // Checks that the whole beginning is text, of which the last character may be cut: other formats begin with these bytes
        // too.
        let is_text = std::str::from_utf8(start).err().is_none_or(|error| error.error_len().is_none());
        is_text && (start.starts_with(b"(") || start.starts_with(b";;"))
    };
    match bytes {
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Ok(()),
        // The second half of the version is the layer: 1 is a component.
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => Err(Refusal::Component),
        // ELF (including wasmtime's own artefacts), Mach-O, PE.
        [0x7f, b'E', b'L', b'F', ..] | [0xcf, 0xfa, 0xed, 0xfe, ..] | [b'M', b'Z', ..] => Err(Refusal::Precompiled),
        _ if text_starts() => Err(Refusal::Text),
        _ => Err(Refusal::NotWasm),
    }
}

pub(crate) fn invalid(error: &ParseError) -> Refusal {
    Refusal::Invalid { message: clean(error.message()), offset: error.offset() as u64 }
}

/// The size of a module's custom sections, with their heads. Invalid sections count as 0: the validator reports them.
pub(crate) fn custom_bytes(bytes: &[u8]) -> usize {
    let mut custom = 0;
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let Some((&id, after_id)) = rest.split_first() {
        let (mut size, mut shift, mut head) = (0_usize, 0_u32, 1_usize);
        for &byte in after_id.iter().take(5) {
            size |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            head += 1;
            if byte < 0x80 {
                break;
            }
        }
        let section = head.saturating_add(size);
        let Some(following) = rest.get(section..) else { break };
        if id == 0 {
            custom += section;
        }
        rest = following;
    }
    custom
}
