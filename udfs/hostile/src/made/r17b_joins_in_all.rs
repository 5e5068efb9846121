//! The same in small nests, and many.

use super::Made;
use crate::bombs::{beside, joins, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "14 nests of 48 blocks over 400 locals",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&times(7, &joins(399, 48, 2))),
};
