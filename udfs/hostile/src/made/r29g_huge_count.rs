//! A section of three bytes that says it holds four thousand million types.

use super::Made;

use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "4 G types that are not there",
    class: Class::Upload,
    expect: Expect::Refused(&["invalid_wasm", "shape_limit"]),
    bytes: |_| b"\0asm\x01\0\0\0\x01\x05\xff\xff\xff\xff\x0f".to_vec(),
};
