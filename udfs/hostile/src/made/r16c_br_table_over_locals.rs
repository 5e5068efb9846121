//! Each branch says what becomes of every local: 22 KB of 20,000 targets over 100 locals were compiled to 14 MB, 19 KB of
//! 10,000 over 900 to 72 MB.

use super::Made;
use crate::bombs::{beside, table_joins};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "2,000 branch targets over 900 locals",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&table_joins(900, 2_000)),
};
