//! Ten thousand lists within each other: a parser that calls itself for each has no stack left.

use super::Made;
use crate::bombs::KEEPS_ALL;
use crate::text::module;
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a manifest of nested lists",
    class: Class::Upload,
    expect: Expect::Refused(&["manifest"]),
    bytes: |_| {
        module(
            &format!(
                "{}{}",
                r#"{"abi":1,"name":"f","kind":"transform","output_shape":"filter","doc":"#,
                "[".repeat(10_000)
            ),
            KEEPS_ALL,
        )
    },
};
