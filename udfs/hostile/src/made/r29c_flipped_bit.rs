//! One bit of an instruction: a call becomes another one.

use super::Made;
use crate::bombs::beside;
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a module of which one bit is another",
    class: Class::Upload,
    expect: Expect::Refused(&["invalid_wasm"]),
    bytes: |_| {
        let mut module = beside("(func (result i32) i32.const 77)");
        // `i32.const 77 end`, of which the first becomes `i64.const`.
        if let Some(at) = module.windows(4).position(|bytes| bytes == [0x41, 0xcd, 0, 0x0b]) {
            module[at] ^= 3;
        }
        module
    },
};
