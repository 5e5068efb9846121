//! Blocks of nothing, one after the other.

use super::Made;
use crate::bombs::{chain, filled_with, sized};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "functions of 4,000 ifs",
    class: Class::Compile,
    expect: Expect::Answered,
    bytes: |target| {
        let count = sized(target, 8, 4_000);
        filled_with(target, &chain(count, "if (result i32) local.get 0 else i32.const 1 end "), 100)
    },
};
