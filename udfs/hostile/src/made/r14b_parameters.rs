//! Parameters beyond the registers that there are.

use super::Made;
use crate::bombs::{beside, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a function of 101 parameters",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&format!("(func (param{}))", times(101, " i32"))),
};
