//! Blocks within blocks: what walks them by calling itself needs a stack for each.

use super::Made;
use crate::bombs::{beside, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "1,025 blocks within each other",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&format!("(func {} {})", times(1_025, "block "), times(1_025, "end "))),
};
