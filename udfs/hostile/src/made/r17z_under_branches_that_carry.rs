//! Branches that carry values, up to the cap.

use super::Made;
use crate::bombs::{carrying, filled_with, sized};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "6,000 branches that carry 16 values",
    class: Class::Compile,
    expect: Expect::Answered,
    bytes: |target| {
        let count = sized(target, 4, 6_000);
        filled_with(target, &carrying(count), 6_000 / count)
    },
};
