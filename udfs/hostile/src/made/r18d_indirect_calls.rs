//! Each indirect call looks into its table, at the type, and at whether the function is there yet.

use super::Made;
use crate::bombs::{CALL_INDIRECT, INDIRECT, beside, chain, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "20,001 indirect calls",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&format!("{INDIRECT}{}", times(3, &chain(6_667, CALL_INDIRECT)))),
};
