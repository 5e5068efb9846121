//! Names are for backtraces, and nobody checks them: 50 MB that are none.

use super::Made;
use crate::bombs::beside;
use crate::bytes::push_custom;
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "50 MB of malformed names",
    class: Class::Upload,
    expect: Expect::Refused(&["module_too_large"]),
    bytes: |target| {
        let mut module = beside("");
        let size = (50_usize << 20).max(target.module_bytes_max);
        push_custom(&mut module, "name", &vec![0xff; size]);
        module
    },
};
