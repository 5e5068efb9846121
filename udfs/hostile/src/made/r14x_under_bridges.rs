//! Bridges, up to the cap on what they move.

use super::Made;
use crate::bombs::{beside, bridges};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "850 functions of 100 parameters and 16 results",
    class: Class::Compile,
    expect: Expect::Answered,
    bytes: |_| beside(&bridges(850)),
};
