//! Loops within loops. 14 KB of 2,000 were measured to compile for 18 s.

use super::Made;
use crate::bombs::{beside, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "65 loops within each other",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&format!("(func {} {})", times(65, "loop "), times(65, "end "))),
};
