//! The same with a right module after it, for who searches for the magic.

use super::Made;
use crate::bombs::beside;
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a precompiled artefact that holds a module",
    class: Class::Upload,
    expect: Expect::Refused(&["precompiled"]),
    bytes: |_| {
        let mut bytes = b"\x7fELF\x02\x01\x01\0".to_vec();
        bytes.extend(beside(""));
        bytes
    },
};
