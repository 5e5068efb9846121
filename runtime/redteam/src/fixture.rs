//! A handful of attacks with which the runner itself is tried out, one for each way to end.

use weir_hostile::{Attack, Class, Expect, Target};

use crate::guest;

/// A handful of attacks with which the runner itself is tried out, one for each way to end.
pub const FIXTURE: &[Attack] = &[
    Attack {
        row: 1,
        name: "endless_loop",
        title: "an endless loop",
        class: Class::Cpu,
        expect: Expect::Ended(&["out_of_fuel", "deadline"]),
        bytes: |_: &Target| guest::filter("", "(loop $again (br $again))"),
    },
    Attack {
        row: 6,
        name: "memory_grow_bomb",
        title: "memory.grow until it is refused, then giving up",
        class: Class::Memory,
        expect: Expect::Ended(&["memory_limit"]),
        bytes: |_: &Target| {
            let body =
                "(loop $again (br_if $again (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0)))) (unreachable)";
            guest::filter("", body)
        },
    },
    Attack {
        row: 22,
        name: "unknown_import",
        title: "an import that does not exist",
        class: Class::Upload,
        expect: Expect::Refused(&["unknown_import"]),
        bytes: |_: &Target| {
            guest::bare(guest::FILTER, r#"(import "env" "system" (func)) (memory (export "memory") 1)"#)
        },
    },
    Attack {
        row: 39,
        name: "bad_pointer",
        title: "a window to beyond the end of memory",
        class: Class::Border,
        expect: Expect::Answered,
        bytes: |_: &Target| {
            let call = "(call $window (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0x10000))";
            guest::filter("", &format!("(if (i32.ne {call} (i32.const -4)) (then (return (i32.const 1))))"))
        },
    },
    Attack {
        row: 51,
        name: "host_call_flood",
        title: "host calls without end",
        class: Class::Border,
        expect: Expect::Ended(&["out_of_fuel", "deadline"]),
        bytes: |_: &Target| {
            guest::filter("", "(loop $again (drop (call $get_i64 (i32.const 0) (i32.const 0))) (br $again))")
        },
    },
];
