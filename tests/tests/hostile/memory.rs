//! Memory, tables and stacks.

use expect_test::expect;

use crate::support::check;

#[test]
fn endless_recursion() {
    check(
        "endless_recursion",
        expect![[r#"
        stack_overflow, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: stack overflow: calls are nested too deeply
          at deep (20 times)
    "#]],
    );
}

#[test]
fn recursion_in_start() {
    check(
        "recursion_in_start",
        expect![[r#"
        stack_overflow, batch 1: mallory, module <digest>, function f, at instantiation: stack overflow: calls are nested too deeply
          at deep (20 times)
    "#]],
    );
}

#[test]
fn mutual_recursion() {
    check(
        "mutual_recursion",
        expect![[r#"
        stack_overflow, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: stack overflow: calls are nested too deeply
          at even
          at odd
          at even
          at odd
          at even
          at odd
          at even
          at odd
          at even
          at odd
          at even
          at odd
          at even
          at odd
          at even
          at odd
          at even
          at odd
          at even
          at odd
    "#]],
    );
}

#[test]
fn indirect_recursion() {
    check(
        "indirect_recursion",
        expect![[r#"
        stack_overflow, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: stack overflow: calls are nested too deeply
          at deep (20 times)
    "#]],
    );
}

#[test]
fn exported_recursion() {
    check(
        "exported_recursion",
        expect![[r#"
        stack_overflow, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: stack overflow: calls are nested too deeply
          at keep_all
          at call (19 times)
    "#]],
    );
}

#[test]
fn deep_stack_host_call() {
    check(
        "deep_stack_host_call",
        expect![[r#"
        stack_overflow, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: stack overflow: calls are nested too deeply
          debug \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0
          debug \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0
          debug \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0
          6543 lines dropped
          at deep (20 times)
    "#]],
    );
}

#[test]
fn deep_stack_bad_call() {
    check(
        "deep_stack_bad_call",
        expect![[r#"
        bad_host_call, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: invalid call of get_i64: column 99 of 3
          at deep (20 times)
    "#]],
    );
}

#[test]
fn grow_by_pages() {
    check(
        "grow_by_pages",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn grow_at_once() {
    check(
        "grow_at_once",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn grow_and_touch() {
    check(
        "grow_and_touch",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn grow_flood() {
    check(
        "grow_flood",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn grow_then_give_up() {
    check(
        "grow_then_give_up",
        expect![[r#"
        memory_limit, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: memory limit reached: limit 4 MiB, current 4 MiB, requested 64 KiB
          at function 24
    "#]],
    );
}

#[test]
fn initial_memory() {
    check(
        "initial_memory",
        expect![[r#"
            initial_memory: the module's initial memory: memory limit reached: limit 4 MiB, current 0 B, requested 4160 KiB; link with a smaller stack and less static data, or raise `memory_bytes_max` in the limits file
        "#]],
    );
}

#[test]
fn declared_memory() {
    check(
        "declared_memory",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn data_beyond_memory() {
    check(
        "data_beyond_memory",
        expect![[r#"
        out_of_bounds, batch 1: mallory, module <digest>, function f, at instantiation: memory access out of bounds
    "#]],
    );
}

#[test]
fn data_across_the_end() {
    check(
        "data_across_the_end",
        expect![[r#"
        out_of_bounds, batch 1: mallory, module <digest>, function f, at instantiation: memory access out of bounds
    "#]],
    );
}

#[test]
fn table_grow() {
    check(
        "table_grow",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn initial_table() {
    check(
        "initial_table",
        expect![[r#"
            initial_table: the module's tables: table limit reached: limit 1000, current 0, requested 1001; reduce the number of functions that are called indirectly, or raise `table_elements_max` in the limits file
        "#]],
    );
}

#[test]
fn ten_million_elements() {
    check(
        "ten_million_elements",
        expect![[r#"
            initial_table: the module's tables: table limit reached: limit 1000, current 0, requested 10000000; reduce the number of functions that are called indirectly, or raise `table_elements_max` in the limits file
        "#]],
    );
}

#[test]
fn two_tables() {
    check(
        "two_tables",
        expect![[r#"
            initial_table: the module's tables: table limit reached: limit 1000, current 501, requested 501; reduce the number of functions that are called indirectly, or raise `table_elements_max` in the limits file
        "#]],
    );
}

#[test]
fn many_tables() {
    check(
        "many_tables",
        expect![[r#"
            shape_limit: tables limit reached: limit 4, found 5; keep to one table, or raise `tables_max` in the limits file
        "#]],
    );
}

#[test]
fn tables_in_turn() {
    check(
        "tables_in_turn",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn elements_beyond_table() {
    check(
        "elements_beyond_table",
        expect![[r#"
        trap, batch 1: mallory, module <digest>, function f, at instantiation: trap: wasm trap: undefined element: out of bounds table access
    "#]],
    );
}

#[test]
fn table_grow_huge() {
    check(
        "table_grow_huge",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}
