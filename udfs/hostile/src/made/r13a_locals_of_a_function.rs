//! Locals are declared by number and type: a few bytes make as many as there are numbers.

use super::Made;
use crate::bombs::{beside, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a function of 1,001 locals",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&format!("(func (local{}))", times(1_001, " i64"))),
};
