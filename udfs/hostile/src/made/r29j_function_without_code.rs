//! Functions are declared here and defined there: the numbers must be the same.

use super::Made;

use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a function without code",
    class: Class::Upload,
    expect: Expect::Refused(&["invalid_wasm"]),
    bytes: |_| b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0".to_vec(),
};
