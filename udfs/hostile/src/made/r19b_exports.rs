//! Exports, each with a bridge of its own.

use super::Made;
use crate::bombs::{beside, each};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "257 exports",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&each(257, |index| format!("(func (export \"e{index}\"))"))),
};
