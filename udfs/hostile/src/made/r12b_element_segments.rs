//! The same with elements.

use super::Made;
use crate::bombs::{beside, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "1,001 element segments",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&format!("(table 1 funcref) {}", times(1_001, "(elem (i32.const 0) func)"))),
};
