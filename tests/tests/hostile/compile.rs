//! The compiler.

use expect_test::expect;

use crate::support::{check, check_small};

#[test]
fn loop_nest() {
    check(
        "loop_nest",
        expect![[r#"
        shape_limit: loops within loops limit reached: limit 64, current 0, requested 65
    "#]],
    );
}

#[test]
fn block_nest() {
    check(
        "block_nest",
        expect![[r#"
        shape_limit: blocks within blocks limit reached: limit 1024, current 0, requested 1025
    "#]],
    );
}

#[test]
fn many_loops() {
    check(
        "many_loops",
        expect![[r#"
        shape_limit: loops limit reached: limit 10000, current 0, requested 10001
    "#]],
    );
}

#[test]
fn under_loops() {
    check_small(
        "under_loops",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn under_empty_loops() {
    check_small(
        "under_empty_loops",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn data_segments() {
    check(
        "data_segments",
        expect![[r#"
        shape_limit: data segments limit reached: limit 1000, current 0, requested 1001
    "#]],
    );
}

#[test]
fn element_segments() {
    check(
        "element_segments",
        expect![[r#"
        shape_limit: element segments limit reached: limit 1000, current 0, requested 1001
    "#]],
    );
}

#[test]
fn under_segments() {
    check_small(
        "under_segments",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn locals_of_a_function() {
    check(
        "locals_of_a_function",
        expect![[r#"
        shape_limit: locals of a function limit reached: limit 1000, current 0, requested 1001
    "#]],
    );
}

#[test]
fn locals_in_all() {
    check(
        "locals_in_all",
        expect![[r#"
        shape_limit: locals limit reached: limit 50000, current 0, requested 51000
    "#]],
    );
}

#[test]
fn locals_beyond_count() {
    check(
        "locals_beyond_count",
        expect![[r#"
        shape_limit: locals of a function limit reached: limit 1000, current 0, requested 4294967295
    "#]],
    );
}

#[test]
fn types() {
    check(
        "types",
        expect![[r#"
        shape_limit: types limit reached: limit 1000, current 0, requested 1011
    "#]],
    );
}

#[test]
fn parameters() {
    check(
        "parameters",
        expect![[r#"
        shape_limit: parameters of a function limit reached: limit 100, current 0, requested 101
    "#]],
    );
}

#[test]
fn results() {
    check(
        "results",
        expect![[r#"
        shape_limit: results of a function limit reached: limit 16, current 0, requested 17
    "#]],
    );
}

#[test]
fn bridges() {
    check(
        "bridges",
        expect![[r#"
        shape_limit: parameters and results of all functions limit reached: limit 100000, current 0, requested 116005
    "#]],
    );
}

#[test]
fn under_bridges() {
    check_small(
        "under_bridges",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn huge_function() {
    check(
        "huge_function",
        expect![[r#"
        shape_limit: size of a function limit reached: limit 128 KiB, current 0 B, requested 131075 B
    "#]],
    );
}

#[test]
fn under_live_values() {
    check_small(
        "under_live_values",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn br_table_targets() {
    check(
        "br_table_targets",
        expect![[r#"
        shape_limit: br_table targets limit reached: limit 65536, current 0, requested 68000
    "#]],
    );
}

#[test]
fn br_table_of_a_function() {
    check(
        "br_table_of_a_function",
        expect![[r#"
        shape_limit: br_table targets of a function limit reached: limit 4096, current 0, requested 4097
    "#]],
    );
}

#[test]
fn br_table_over_locals() {
    check(
        "br_table_over_locals",
        expect![[r#"
        shape_limit: values at branches limit reached: limit 500000, current 0, requested 3610706
    "#]],
    );
}

#[test]
fn under_br_table() {
    check_small(
        "under_br_table",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn joins_in_a_nest() {
    check(
        "joins_in_a_nest",
        expect![[r#"
        shape_limit: locals in blocks within blocks limit reached: limit 40000, current 0, requested 40040
    "#]],
    );
}

#[test]
fn joins_in_all() {
    check(
        "joins_in_all",
        expect![[r#"
            shape_limit: values at branches limit reached: limit 500000, current 0, requested 500047
        "#]],
    );
}

#[test]
fn branches_that_carry() {
    check(
        "branches_that_carry",
        expect![[r#"
        shape_limit: values at branches limit reached: limit 500000, current 0, requested 500004
    "#]],
    );
}

#[test]
fn under_joins() {
    check_small(
        "under_joins",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn under_ifs() {
    check_small(
        "under_ifs",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn under_branches_that_carry() {
    check_small(
        "under_branches_that_carry",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn bulk_operations() {
    check(
        "bulk_operations",
        expect![[r#"
        shape_limit: bulk operations limit reached: limit 10000, current 0, requested 10001
    "#]],
    );
}

#[test]
fn memory_grows() {
    check(
        "memory_grows",
        expect![[r#"
        shape_limit: bulk operations limit reached: limit 10000, current 0, requested 10001
    "#]],
    );
}

#[test]
fn table_gets() {
    check(
        "table_gets",
        expect![[r#"
        shape_limit: bulk operations limit reached: limit 10000, current 0, requested 10001
    "#]],
    );
}

#[test]
fn indirect_calls() {
    check(
        "indirect_calls",
        expect![[r#"
        shape_limit: indirect calls limit reached: limit 20000, current 0, requested 20001
    "#]],
    );
}

#[test]
fn under_additions() {
    check_small(
        "under_additions",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn under_indirect_calls() {
    check_small(
        "under_indirect_calls",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn under_table_gets() {
    check_small(
        "under_table_gets",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn under_multiplications() {
    check_small(
        "under_multiplications",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn tiny_functions() {
    check(
        "tiny_functions",
        expect![[r#"
        shape_limit: functions limit reached: limit 10000, current 0, requested 10003
    "#]],
    );
}

#[test]
fn exports() {
    check(
        "exports",
        expect![[r#"
        shape_limit: exports limit reached: limit 256, current 0, requested 259
    "#]],
    );
}

#[test]
fn globals() {
    check(
        "globals",
        expect![[r#"
        shape_limit: globals limit reached: limit 1000, current 0, requested 1001
    "#]],
    );
}

#[test]
fn imports() {
    check(
        "imports",
        expect![[r#"
        shape_limit: imports limit reached: limit 64, current 0, requested 89
    "#]],
    );
}

#[test]
fn under_functions() {
    check_small(
        "under_functions",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn ifs_in_a_function() {
    check(
        "ifs_in_a_function",
        expect![[r#"
        shape_limit: blocks of a function limit reached: limit 4096, current 0, requested 4097
    "#]],
    );
}
