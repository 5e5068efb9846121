//! A function of 1,000 locals is allowed; not fifty-one.

use super::Made;
use crate::bombs::{beside, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "51 functions of 1,000 locals",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&times(51, &format!("(func (local{}))", times(1_000, " i64")))),
};
