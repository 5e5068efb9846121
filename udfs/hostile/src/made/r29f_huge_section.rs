//! A section that says it holds four gigabytes: what makes room for it first is out of memory.

use super::Made;

use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a section of 4 GiB that is not there",
    class: Class::Upload,
    expect: Expect::Refused(&["invalid_wasm"]),
    bytes: |_| b"\0asm\x01\0\0\0\x01\xff\xff\xff\xff\x0f\0".to_vec(),
};
