//! The same of another kind.

use super::Made;

use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a stream compressed another way",
    class: Class::Upload,
    expect: Expect::Refused(&["not_wasm"]),
    bytes: |_| b"\x28\xb5\x2f\xfd\xa4\0\0\0\x40\x54\0\0\x10\0\0\x01\0\xfb\xff\x39\xc0\x02".to_vec(),
};
