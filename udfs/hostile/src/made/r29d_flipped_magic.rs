//! One bit of the magic.

use super::Made;
use crate::bombs::beside;
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a module of which the first byte is another",
    class: Class::Upload,
    expect: Expect::Refused(&["not_wasm"]),
    bytes: |_| {
        let mut module = beside("");
        module[0] ^= 1;
        module
    },
};
