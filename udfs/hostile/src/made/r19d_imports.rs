//! The same host function, many times.

use super::Made;
use crate::bombs::{KEEPS_ALL, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "65 imports",
    class: Class::Compile,
    expect: Expect::Refused(&["shape_limit", "module_too_large"]),
    bytes: |_| {
        crate::text::filter(&format!(
            "{}{KEEPS_ALL}",
            times(65, "(import \"weir_v1\" \"log\" (func (param i32 i32 i32) (result i32)))")
        ))
    },
};
