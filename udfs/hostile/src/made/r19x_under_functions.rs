//! Functions of nothing, and names for none of them.

use super::Made;
use crate::bombs::{beside, sized, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "9,900 functions",
    class: Class::Compile,
    expect: Expect::Answered,
    bytes: |target| {
        let count = sized(target, 5, 9_900);
        beside(&times(count, "(func)"))
    },
};
