//! Where control flow meets, a local may have one of two values, and in a nest of such places one of two such choices, and so
//! on: 13 KB of 250 blocks over 1,000 locals were measured to compile for over a minute.

use super::Made;
use crate::bombs::{beside, joins};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "250 blocks within each other over 1,000 locals",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&joins(999, 250, 1)),
};
