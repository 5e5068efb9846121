//! Functions of nothing: each has an entry, a frame and a place in every list.

use super::Made;
use crate::bombs::{beside, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "10,001 functions",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&times(10_001, "(func)")),
};
