//! Each call moves its parameters and results between registers and the stack: 87 KB of calls made 26 MB of code.

use super::Made;
use crate::bombs::{beside, calls};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "3,200 calls of 32 parameters and results each",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&calls(3_200)),
};
