//! Arithmetic on constants, which an optimiser folds, and folds again.

use super::Made;
use crate::bombs::{chain, filled_with, sized};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "functions of 15,000 additions",
    class: Class::Compile,
    expect: Expect::Answered,
    bytes: |target| {
        let count = sized(target, 4, 15_000);
        filled_with(target, &chain(count, "i32.const 99 i32.add "), 100)
    },
};
