//! The same in the one place of a manifest where any value may stand, until it is looked at.

use super::Made;
use crate::bombs::KEEPS_ALL;
use crate::text::module;
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a manifest of a default of nested lists",
    class: Class::Upload,
    expect: Expect::Refused(&["manifest"]),
    bytes: |_| {
        let line = r#"{"abi":1,"name":"f","kind":"transform","output_shape":"filter","params":[{"name":"p","default":"#;
        module(&format!("{line}{}", "[".repeat(10_000)), KEEPS_ALL)
    },
};
