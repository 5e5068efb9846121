//! Segments of both kinds, up to their caps.

use super::Made;
use crate::bombs::{beside, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "1,000 data and 1,000 element segments",
    class: Class::Compile,
    expect: Expect::Answered,
    bytes: |_| {
        beside(&format!(
            "(table 1 funcref) {} {}",
            times(1_000, "(data (i32.const 0) \"\\00\")"),
            times(1_000, "(elem (i32.const 0) func 0)")
        ))
    },
};
