//! A component with a module in it that would be right by itself.

use super::Made;
use crate::bombs::beside;
use crate::bytes::push_number;
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a component that holds a module",
    class: Class::Upload,
    expect: Expect::Refused(&["component"]),
    bytes: |_| {
        // Header of the layer, then a section of a core module.
        let module = beside("");
        let mut bytes = b"\0asm\x0d\0\x01\0\x01".to_vec();
        push_number(&mut bytes, module.len());
        bytes.extend(module);
        bytes
    },
};
