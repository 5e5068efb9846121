//! The same with tables: 1.3 s for 31 KB.

use super::Made;
use crate::bombs::{beside, chain};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "10,001 times table.get",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&format!("(table 10 funcref) {}", chain(10_001, "table.get 0 ref.is_null "))),
};
