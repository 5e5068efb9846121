//! Something after the end, for who comes after.

use super::Made;
use crate::bombs::beside;
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a module with bytes after its end",
    class: Class::Upload,
    expect: Expect::Refused(&["invalid_wasm"]),
    bytes: |_| {
        let mut module = beside("");
        module.extend(b"\xff\xff\xff\xff");
        module
    },
};
