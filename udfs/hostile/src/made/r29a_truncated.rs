//! A module that ends in the middle of its code.

use super::Made;
use crate::bombs::beside;
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a module cut in two",
    class: Class::Upload,
    expect: Expect::Refused(&["invalid_wasm"]),
    bytes: |_| {
        let mut module = beside("");
        module.truncate(module.len() / 2);
        module
    },
};
