//! Data segments: 90,000 of them in 808 KB were measured to compile for 47 s, in 2.5 GB.

use super::Made;
use crate::bombs::{beside, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "1,001 data segments",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&times(1_001, "(data (i32.const 0) \"\")")),
};
