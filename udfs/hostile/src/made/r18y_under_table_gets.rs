//! Operations on tables, up to their cap.

use super::Made;
use crate::bombs::{beside, chain, sized};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "9,900 times table.get",
    class: Class::Compile,
    expect: Expect::Answered,
    bytes: |target| {
        let count = sized(target, 3, 9_900);
        beside(&format!("(table 10 funcref) {}", chain(count, "table.get 0 ref.is_null ")))
    },
};
