//! Globals are initialised one by one, each time the module is instantiated.

use super::Made;
use crate::bombs::{beside, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "1,001 globals",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&times(1_001, "(global i32 (i32.const 0))")),
};
