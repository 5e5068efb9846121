//! Modules as bytes, for what no text can say.

/// A number as the binary format writes it.
pub(crate) fn push_number(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Adds a custom section.
pub(crate) fn push_custom(bytes: &mut Vec<u8>, name: &str, data: &[u8]) {
    let mut section = Vec::with_capacity(data.len() + name.len() + 8);
    push_number(&mut section, name.len());
    section.extend(name.bytes());
    section.extend(data);
    bytes.push(0);
    push_number(bytes, section.len());
    bytes.extend(section);
}

/// The module with the size of the section of this id corrected, after this number of bytes was inserted into it.
pub(crate) fn grow_section(mut module: Vec<u8>, id: u8, more: usize) -> Vec<u8> {
    let mut at = 8;
    while let Some(&found) = module.get(at) {
        let mut size = 0_usize;
        let mut end = at + 1;
        while let Some(&byte) = module.get(end) {
            size |= usize::from(byte & 0x7f) << (7 * (end - at - 1));
            end += 1;
            if byte < 0x80 {
                break;
            }
        }
        if found == id {
            let mut written = Vec::new();
            push_number(&mut written, size + more);
            module.splice(at + 1..end, written);
            break;
        }
        at = end + size;
    }
    module
}
