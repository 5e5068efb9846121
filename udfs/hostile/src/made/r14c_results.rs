//! Results likewise.

use super::Made;
use crate::bombs::{beside, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a function of 17 results",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&format!("(func (result{}) unreachable)", times(17, " i32"))),
};
