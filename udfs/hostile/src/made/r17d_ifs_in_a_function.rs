//! Blocks that follow one another: what is known of each value at each of them grows with the square. 8,000 in 64 KiB were
//! measured to take 424 MB.

use super::Made;
use crate::bombs::{beside, chain};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "4,097 ifs in a function",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| beside(&chain(4_097, "if (result i32) local.get 0 else i32.const 1 end ")),
};
