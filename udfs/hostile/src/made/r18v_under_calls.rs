//! Calls with many parameters and results, up to their cap.

use super::Made;
use crate::bombs::{beside, calls, sized};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "3,000 calls of 32 parameters and results each",
    class: Class::Compile,
    expect: Expect::Answered,
    bytes: |target| beside(&calls(sized(target, 3, 3_000))),
};
