//! Functions that a table may hold are called by the host through a bridge each, which moves every parameter by
//! itself: 10,000 of a hundred parameters, in 70 KB, were measured to compile for 5 s, to 42 MB.

use super::Made;
use crate::bombs::{beside, bridges};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "1,000 functions of 100 parameters and 16 results",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&bridges(1_000)),
};
