//! Text behind a byte order mark, which some parsers skip.

use super::Made;

use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "text after a byte order mark",
    class: Class::Upload,
    expect: Expect::Refused(&["not_wasm", "wasm_text"]),
    bytes: |_| b"\xef\xbb\xbf(module)".to_vec(),
};
