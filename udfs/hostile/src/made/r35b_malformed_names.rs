//! The same within what may be handed in. Names that are none must cost the module its names only.

use super::Made;
use crate::bombs::beside;
use crate::bytes::push_custom;
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "malformed names",
    class: Class::Upload,
    expect: Expect::Answered,
    bytes: |_| {
        let mut module = beside("");
        push_custom(&mut module, "name", &[0xff; 1 << 10]);
        // A subsection of functions that says it holds four thousand million.
        push_custom(&mut module, "name", b"\x01\x06\xff\xff\xff\xff\x0f\0");
        module
    },
};
