//! Two bytes are a call of the runtime, with all that goes around it.

use super::Made;
use crate::bombs::{beside, chain, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "10,001 bulk operations",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&times(3, &chain(3_334, "local.get 0 local.get 0 local.get 0 memory.fill "))),
};
