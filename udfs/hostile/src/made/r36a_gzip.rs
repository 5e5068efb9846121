//! A compressed upload: a thousand times larger when somebody unpacks it. Nobody does.

use super::Made;

use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a compressed stream",
    class: Class::Upload,
    expect: Expect::Refused(&["not_wasm"]),
    bytes: |_| b"\x1f\x8b\x08\0\0\0\0\0\x02\xff\xed\xc1\x01\x0d\0\0\0\xc2\xa0\xf7\x4f\x6d\x0e\x37\xa0".to_vec(),
};
