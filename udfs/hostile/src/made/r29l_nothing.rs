//! Nothing at all.

use super::Made;

use crate::{Class, Expect};

pub(crate) const MADE: Made =
    Made { title: "no bytes", class: Class::Upload, expect: Expect::Refused(&["not_wasm"]), bytes: |_| b"\0".to_vec() };
