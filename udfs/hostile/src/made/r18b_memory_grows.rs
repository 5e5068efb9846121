//! The same in two bytes: 41 KB were measured to compile for 1.8 s, in 465 MB.

use super::Made;
use crate::bombs::{beside, chain};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "10,001 times memory.grow",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&chain(10_001, "memory.grow ")),
};
