//! Values that are all wanted at once, far beyond the registers that there are.

use super::Made;
use crate::bombs::{filled_with, live_values, sized};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "functions of 10,000 live values",
    class: Class::Compile,
    expect: Expect::Answered,
    bytes: |target| {
        let count = sized(target, 6, 10_000);
        filled_with(target, &live_values(count), 100)
    },
};
