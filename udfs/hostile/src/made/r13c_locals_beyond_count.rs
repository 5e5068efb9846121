//! Four thousand million locals in six bytes, which no text can say: what makes room for them first is out of memory.

use super::Made;
use crate::bombs::beside;
use crate::bytes::grow_section;
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a function of 4 G locals",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "invalid_wasm", "module_too_large"]),
    bytes: |_| {
        // A body of one group of locals, which a small number stands for.
        let mut module = beside("(func (local i64 i64 i64))");
        let body = [4, 1, 3, 0x7e, 0x0b];
        let at = module.windows(5).position(|bytes| bytes == body).unwrap_or_default();
        module.splice(at..at + 5, [8, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7e, 0x0b]);
        grow_section(module, 10, 4)
    },
};
