//! A number of more bytes than it may have, with a value that wraps.

use super::Made;

use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a section size of six bytes",
    class: Class::Upload,
    expect: Expect::Refused(&["invalid_wasm"]),
    bytes: |_| b"\0asm\x01\0\0\0\x01\x80\x80\x80\x80\x80\x01\0".to_vec(),
};
