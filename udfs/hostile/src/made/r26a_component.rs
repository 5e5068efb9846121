//! A component: the same magic, another layer.

use super::Made;
use crate::text::binary;
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a component",
    class: Class::Upload,
    expect: Expect::Refused(&["component"]),
    bytes: |_| binary("(component)"),
};
