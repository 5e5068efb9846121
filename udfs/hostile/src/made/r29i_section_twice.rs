//! A section that stands twice: the one is checked, the other one used.

use super::Made;

use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "two memory sections",
    class: Class::Upload,
    expect: Expect::Refused(&["invalid_wasm"]),
    bytes: |_| b"\0asm\x01\0\0\0\x05\x03\x01\0\x01\x05\x03\x01\0\x01".to_vec(),
};
