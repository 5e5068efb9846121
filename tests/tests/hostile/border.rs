//! The host functions.

use expect_test::expect;

use crate::support::check;

#[test]
fn invalid_utf8() {
    check(
        "invalid_utf8",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn text_under_nulls() {
    check(
        "text_under_nulls",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn pointers_beyond_memory() {
    check(
        "pointers_beyond_memory",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn load_beyond_memory() {
    check(
        "load_beyond_memory",
        expect![[r#"
        out_of_bounds, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: memory access out of bounds
          at function 24
    "#]],
    );
}

#[test]
fn load_with_a_huge_offset() {
    check(
        "load_with_a_huge_offset",
        expect![[r#"
        out_of_bounds, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: memory access out of bounds
          at function 24
    "#]],
    );
}

#[test]
fn store_before_memory() {
    check(
        "store_before_memory",
        expect![[r#"
        out_of_bounds, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: memory access out of bounds
          at function 24
    "#]],
    );
}

#[test]
fn pointers_that_wrap() {
    check(
        "pointers_that_wrap",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn zero_length() {
    check(
        "zero_length",
        expect![[r#"
        answered 1000 rows
          debug 
        answered 1000 rows
          debug 
        answered 1000 rows
          debug 
    "#]],
    );
}

#[test]
fn overlapping_windows() {
    check(
        "overlapping_windows",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn overlapping_output() {
    check(
        "overlapping_output",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn overlapping_metrics() {
    check(
        "overlapping_metrics",
        expect![[r#"
        answered 1000 rows
          metric 0 ["l"] +1e0
        answered 1000 rows
          metric 0 ["l"] +1e0
        answered 1000 rows
          metric 0 ["l"] +1e0
    "#]],
    );
}

#[test]
fn wrong_indices() {
    check(
        "wrong_indices",
        expect![[r#"
        answered 1 rows, 999 filtered
        answered 1 rows, 999 filtered
        answered 1 rows, 999 filtered
    "#]],
    );
}

#[test]
fn getter_negative_column() {
    check(
        "getter_negative_column",
        expect![[r#"
        bad_host_call, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: invalid call of get_i64: column 4294967295 of 3
          at function 24
    "#]],
    );
}

#[test]
fn getter_huge_row() {
    check(
        "getter_huge_row",
        expect![[r#"
        bad_host_call, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: invalid call of get_f64: row 1000 of 1000
          at function 24
    "#]],
    );
}

#[test]
fn getter_of_another_type() {
    check(
        "getter_of_another_type",
        expect![[r#"
        bad_host_call, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: invalid call of get_i64: column 1 is utf8
          at function 24
    "#]],
    );
}

#[test]
fn getter_in_init() {
    check(
        "getter_in_init",
        expect![[r#"
        bad_host_call, batch 1: mallory, module <digest>, function f, in init: invalid call of get_i64: it may only be called within a batch
          at function 24
    "#]],
    );
}

#[test]
fn validity_past_the_last_row() {
    check(
        "validity_past_the_last_row",
        expect![[r#"
        bad_host_call, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: invalid call of validity_word: row 1000 of 1000
          at function 24
    "#]],
    );
}

#[test]
fn parameter_out_of_range() {
    check(
        "parameter_out_of_range",
        expect![[r#"
        bad_host_call, batch 1: mallory, module <digest>, function f, in init: invalid call of param_i64: param 3 of 3
          at function 24
    "#]],
    );
}

#[test]
fn calls_in_init() {
    check(
        "calls_in_init",
        expect![[r#"
        answered 0 rows, 1000 filtered
        answered 0 rows, 1000 filtered
        answered 0 rows, 1000 filtered
    "#]],
    );
}

#[test]
fn forged_handle() {
    check(
        "forged_handle",
        expect![[r#"
        answered 1000 rows
          metric 0 ["l"] +1e0
        answered 1000 rows
          metric 0 ["l"] +1e0
        answered 1000 rows
          metric 0 ["l"] +1e0
    "#]],
    );
}

#[test]
fn stale_handle() {
    check(
        "stale_handle",
        expect![[r#"
        answered 1000 rows
          metric 0 ["first"] +1e0
        answered 1000 rows
          metric 0 ["first"] +1e0
        answered 1000 rows
          metric 0 ["first"] +1e0
    "#]],
    );
}

#[test]
fn guessed_handles() {
    check(
        "guessed_handles",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn double_filter() {
    check(
        "double_filter",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn double_row_error() {
    check(
        "double_row_error",
        expect![[r#"
        answered 0 rows, 998 filtered, 2 failed with 2 B, first guest:1: no
        answered 0 rows, 998 filtered, 2 failed with 2 B, first guest:1: no
        answered 0 rows, 998 filtered, 2 failed with 2 B, first guest:1: no
    "#]],
    );
}

#[test]
fn row_failed_and_kept() {
    check(
        "row_failed_and_kept",
        expect![[r#"
        malformed_output, batch 1: mallory, module <digest>, function f, row 3 of a batch of 1000: malformed output: row 3 failed by row_error but also has output
    "#]],
    );
}

#[test]
fn values_beyond_the_rows() {
    check(
        "values_beyond_the_rows",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn output_of_another_kind() {
    check(
        "output_of_another_kind",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn too_little_output() {
    check(
        "too_little_output",
        expect![[r#"
        malformed_output, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: malformed output: emit_filter covered 500 of 1000 rows
    "#]],
    );
}

#[test]
fn columns_of_two_lengths() {
    check(
        "columns_of_two_lengths",
        expect![[r#"
        malformed_output, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: malformed output: field `t` has 999 values for 1000 output rows
    "#]],
    );
}

#[test]
fn offsets_that_lie() {
    check(
        "offsets_that_lie",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn booleans_of_other_values() {
    check(
        "booleans_of_other_values",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn allocators_that_trap() {
    check(
        "allocators_that_trap",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn allocators_that_lie() {
    check(
        "allocators_that_lie",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn memory_that_grows() {
    check(
        "memory_that_grows",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}
