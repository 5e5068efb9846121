//! The cores, while a guest runs.

use expect_test::expect;

use crate::support::check;

#[test]
fn endless_loop() {
    check(
        "endless_loop",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn endless_init() {
    check(
        "endless_init",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in init: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn endless_later() {
    check(
        "endless_later",
        expect![[r#"
        out_of_fuel, batch 3: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn endless_vectors() {
    check(
        "endless_vectors",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn loop_in_start() {
    check(
        "loop_in_start",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, at instantiation: out of fuel: limit 10000000
          at start
    "#]],
    );
}

#[test]
fn host_calls_in_start() {
    check(
        "host_calls_in_start",
        expect![[r#"
            out_of_fuel, batch 1: mallory, module <digest>, function f, at instantiation: out of fuel: limit 10000000
              error \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0
              error \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0
              error \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0
              204079 lines dropped
              at start
        "#]],
    );
}

#[test]
fn fill_flood() {
    check(
        "fill_flood",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn copy_flood() {
    check(
        "copy_flood",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn table_fill_flood() {
    check(
        "table_fill_flood",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn init_flood() {
    check(
        "init_flood",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn fill_beyond() {
    check(
        "fill_beyond",
        expect![[r#"
        out_of_bounds, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: memory access out of bounds
          at function 24
    "#]],
    );
}

#[test]
fn grow_table_flood() {
    check(
        "grow_table_flood",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn getter_flood() {
    check(
        "getter_flood",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn window_flood() {
    check(
        "window_flood",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn refused_call_flood() {
    check(
        "refused_call_flood",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn empty_call_flood() {
    check(
        "empty_call_flood",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn last_words_flood() {
    check(
        "last_words_flood",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000: \u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}
          at function 24
    "#]],
    );
}

#[test]
fn validity_flood() {
    check(
        "validity_flood",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn bytes_window_flood() {
    check(
        "bytes_window_flood",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn refused_text_flood() {
    check(
        "refused_text_flood",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn series_flood() {
    check(
        "series_flood",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn parameter_flood() {
    check(
        "parameter_flood",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in init: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn longest_host_call() {
    check(
        "longest_host_call",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn fill_everything() {
    check(
        "fill_everything",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}
