//! An instruction that is none.

use super::Made;
use crate::bombs::beside;
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "an instruction that does not exist",
    class: Class::Upload,
    expect: Expect::Refused(&["invalid_wasm"]),
    bytes: |_| {
        let mut module = beside("(func (result i32) i32.const 77)");
        if let Some(at) = module.windows(4).position(|bytes| bytes == [0x41, 0xcd, 0, 0x0b]) {
            module[at] = 0xff;
        }
        module
    },
};
