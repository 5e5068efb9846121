//! A module that ends in its first section's size.

use super::Made;

use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "nine bytes of a module",
    class: Class::Upload,
    expect: Expect::Refused(&["invalid_wasm"]),
    bytes: |_| b"\0asm\x01\0\0\0\x01".to_vec(),
};
