//! Sections that stand in another order: what was checked by the first pass is not what the second one sees.

use super::Made;

use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "sections out of order",
    class: Class::Upload,
    expect: Expect::Refused(&["invalid_wasm"]),
    bytes: |_| b"\0asm\x01\0\0\0\x03\x01\0\x01\x01\0".to_vec(),
};
