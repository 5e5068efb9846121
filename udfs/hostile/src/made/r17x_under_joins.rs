//! The dearest shape that was found: nests of joins, each as large as it may be.

use super::Made;
use crate::bombs::{filled_with, joins};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "nests of joins over locals",
    class: Class::Compile,
    expect: Expect::Answered,
    bytes: |target| filled_with(target, &joins(399, 48, 1), 5),
};
