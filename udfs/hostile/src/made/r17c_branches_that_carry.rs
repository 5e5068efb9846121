//! Branches that carry sixteen values each to one place: 49 KB of 12,000 were measured to compile for 1.3 s.

use super::Made;
use crate::bombs::{beside, carrying, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "48,000 branches that carry 16 values",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&times(12, &carrying(4_000))),
};
