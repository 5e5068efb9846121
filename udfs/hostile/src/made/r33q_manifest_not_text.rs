//! A manifest that is no text.

use super::Made;
use crate::bombs::beside;
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a manifest of bytes",
    class: Class::Upload,
    expect: Expect::Refused(&["manifest"]),
    bytes: |_| {
        let mut module = beside("");
        let name = b"weir.manifest";
        if let Some(at) = module.windows(name.len()).position(|bytes| bytes == name) {
            module[at + name.len()] = 0xff;
        }
        module
    },
};
