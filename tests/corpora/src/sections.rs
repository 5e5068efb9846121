//! Modules taken apart into sections and put together again.

use wasm_encoder::{CustomSection, Encode, Module, RawSection, Section, SectionId};
use wasmparser::{BinaryReader, CustomSectionReader, Parser};
use weir_abi::MANIFEST_SECTION;

/// The module with a custom section behind it. Bytes that are no module get one all the same.
pub fn append_custom(module: &[u8], name: &str, data: &[u8]) -> Vec<u8> {
    let section = CustomSection { name: name.into(), data: data.into() };
    let mut whole = module.to_vec();
    whole.push(section.id());
    section.encode(&mut whole);
    whole
}

/// Ids and contents of a module's sections, in order; `None` where its bytes cannot be taken apart.
pub fn sections(module: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Some((id, range)) = payload.ok()?.as_section() {
            found.push((id, module.get(range)?));
        }
    }
    Some(found)
}

/// The module without its manifest, and the manifest. `None` where the bytes are no module, or have none.
pub fn split_manifest(module: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut rest, mut manifest) = (Module::new(), Vec::new());
    for (id, data) in sections(module)? {
        if id == SectionId::Custom as u8 {
            let custom = CustomSectionReader::new(BinaryReader::new(data, 0)).ok()?;
            if custom.name() == MANIFEST_SECTION {
                manifest.extend_from_slice(custom.data());
                continue;
            }
        }
        rest.section(&RawSection { id, data });
    }
    (!manifest.is_empty()).then(|| (rest.finish(), manifest))
}

/// Items for the end of a section that is a list.
pub(crate) struct Added {
    pub(crate) section: SectionId,
    pub(crate) count: u32,
    pub(crate) items: Vec<u8>,
}

/// A module of these sections, each with what is added to it; what is added to none makes one, where it belongs.
/// `None` where a section is no list.
pub(crate) fn merge(sections: &[(u8, &[u8])], mut added: Vec<Added>) -> Option<Vec<u8>> {
    let mut module = Module::new();
    added.sort_by_key(|added| place(added.section as u8));
    let mut added = added.into_iter().peekable();
    for &(id, data) in sections {
        if id == SectionId::Custom as u8 {
            module.section(&RawSection { id, data });
            continue;
        }
        while let Some(new) = added.next_if(|new| place(new.section as u8) < place(id)) {
            module.section(&RawSection { id: new.section as u8, data: &list(new.count, &[], &new.items) });
        }
        match added.next_if(|new| new.section as u8 == id) {
            None => module.section(&RawSection { id, data }),
            Some(new) => {
                let mut reader = BinaryReader::new(data, 0);
                let count = reader.read_var_u32().ok()?.checked_add(new.count)?;
                let items = reader.read_bytes(reader.bytes_remaining()).ok()?;
                module.section(&RawSection { id, data: &list(count, items, &new.items) })
            }
        };
    }
    for new in added {
        module.section(&RawSection { id: new.section as u8, data: &list(new.count, &[], &new.items) });
    }
    Some(module.finish())
}

fn list(count: u32, items: &[u8], more: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    count.encode(&mut bytes);
    bytes.extend_from_slice(items);
    bytes.extend_from_slice(more);
    bytes
}

/// Where a section stands among the others.
fn place(id: u8) -> usize {
    use SectionId as Id;
    let order = [
        Id::Type,
        Id::Import,
        Id::Function,
        Id::Table,
        Id::Memory,
        Id::Tag,
        Id::Global,
        Id::Export,
        Id::Start,
        Id::Element,
        Id::DataCount,
        Id::Code,
        Id::Data,
    ];
    order.iter().position(|section| *section as u8 == id).unwrap_or(order.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0";

    #[test]
    fn a_manifest_comes_off_as_it_went_on() {
        let with = append_custom(&append_custom(MODULE, "other", b"1"), MANIFEST_SECTION, b"{}");
        let (rest, manifest) = split_manifest(&with).unwrap();
        assert_eq!((rest, manifest), (append_custom(MODULE, "other", b"1"), b"{}".to_vec()));
        assert_eq!(split_manifest(MODULE), None);
        assert_eq!(split_manifest(b"\0asm"), None);
    }

    #[test]
    fn items_go_to_the_end_of_their_section_or_make_it() {
        let added = |section, items: &[u8]| Added { section, count: 1, items: items.to_vec() };
        let more = vec![added(SectionId::Function, &[1]), added(SectionId::Type, &[0x60, 0, 0])];
        let merged = merge(&sections(MODULE).unwrap(), more).unwrap();
        assert_eq!(merged, b"\0asm\x01\0\0\0\x01\x07\x02\x60\0\0\x60\0\0\x03\x02\x01\x01");
    }
}
