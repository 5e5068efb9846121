//! A function of a name of 20 KB, and mangled so that it stands for far more: backtraces are made of names.

use super::Made;
use crate::text::filter;
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a function whose name is 20 KB, in a backtrace",
    class: Class::Upload,
    expect: Expect::Ended(&["unreachable"]),
    bytes: |_| {
        // Types in the mangling of Rust, then what is none.
        let name = format!("_RINvC1a1f{}E{}", "TuuE".repeat(500), "x".repeat(18_000));
        filter(&format!(
            r#"(memory (export "memory") 1) (func ${name} unreachable)
               (func (export "weir_call_f") (param i32) (result i32) (call ${name}) (i32.const 0))"#
        ))
    },
};
