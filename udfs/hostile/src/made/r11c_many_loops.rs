//! Loops one after the other: each is looked at with every other one.

use super::Made;
use crate::bombs::{beside, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "10,001 loops",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&times(2, &format!("(func {})", times(5_001, "loop end ")))),
};
