//! As dear as loops get within every cap: nests over locals that each loop carries.

use super::Made;
use crate::bombs::{filled_with, loops};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "as many loops over locals as get in",
    class: Class::Compile,
    expect: Expect::Answered,
    bytes: |target| filled_with(target, &loops(300, 63, 1), 5),
};
