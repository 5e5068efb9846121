//! The work grows with the square of the branches to one place: 40,000 were measured to compile for 25 s.

use super::Made;
use crate::bombs::{beside, table_joins};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "2,049 branch targets in a function",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&table_joins(10, 2_050)),
};
