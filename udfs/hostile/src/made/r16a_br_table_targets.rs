//! Branch tables: a byte a target, and an edge of the graph.

use super::Made;
use crate::bombs::{beside, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "70,000 branch targets in all",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&times(35, &format!("(func (param i32) local.get 0 br_table {} 0)", times(2_000, "0 ")))),
};
