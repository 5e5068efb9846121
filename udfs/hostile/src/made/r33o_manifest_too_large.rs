//! A manifest is read before anything else is known: it must not be what fills memory.

use super::Made;
use crate::bombs::KEEPS_ALL;
use crate::text::module;
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a manifest of over 64 KiB",
    class: Class::Upload,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| {
        module(
            &format!(
                "{}\"{}\"}}",
                r#"{"abi":1,"name":"f","kind":"transform","output_shape":"filter","doc":"#,
                "a".repeat(64 << 10)
            ),
            KEEPS_ALL,
        )
    },
};
