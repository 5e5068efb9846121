//! Loops of nothing, as many and as deep as they may be.

use super::Made;
use crate::bombs::{filled_with, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "9,984 loops, 64 deep",
    class: Class::Compile,
    expect: Expect::Answered,
    bytes: |target| {
        filled_with(target, &format!("(func {})", format!("{}{}", times(64, "loop "), times(64, "end ")).repeat(39)), 4)
    },
};
