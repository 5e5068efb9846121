//! Indirect calls, up to their cap.

use super::Made;
use crate::bombs::{CALL_INDIRECT, INDIRECT, chain, filled_beside, sized};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "19,800 indirect calls",
    class: Class::Compile,
    expect: Expect::Answered,
    bytes: |target| {
        let count = sized(target, 5, 9_900);
        filled_beside(target, INDIRECT, &chain(count, CALL_INDIRECT), 19_800 / count)
    },
};
