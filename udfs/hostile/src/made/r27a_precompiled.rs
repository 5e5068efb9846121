//! What the engine itself makes of modules is an ELF file. To load one is to run whatever it holds.

use super::Made;

use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a precompiled artefact",
    class: Class::Upload,
    expect: Expect::Refused(&["precompiled"]),
    bytes: |_| b"\x7fELF\x02\x01\x01\xc8\0\0\0\0\0\0\0\0\x01\0\x3e\0\x01\0\0\0.wasmtime.engine".to_vec(),
};
