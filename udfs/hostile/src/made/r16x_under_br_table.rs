//! Branch tables over locals, up to every cap.

use super::Made;
use crate::bombs::{filled_with, table_joins};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "branch tables of 2,000 targets over 10 locals",
    class: Class::Compile,
    expect: Expect::Answered,
    bytes: |target| filled_with(target, &table_joins(10, 2_000), 20),
};
