//! The compiler.

use expect_test::expect;

use crate::support::{check, check_small};

#[test]
fn loop_nest() {
    check(
        "loop_nest",
        expect![[r#"
            shape_limit: function 25: loop nesting depth limit reached: limit 64, found 65; build with `opt-level = "s"`, which inlines less, or split the function, or raise `loop_depth_max` in the limits file
        "#]],
    );
}

#[test]
fn block_nest() {
    check(
        "block_nest",
        expect![[r#"
            shape_limit: function 25: block nesting depth limit reached: limit 1024, found 1025; build with `opt-level = "s"`, which inlines less, or split the function, or raise `block_depth_max` in the limits file
        "#]],
    );
}

#[test]
fn many_loops() {
    check(
        "many_loops",
        expect![[r#"
            shape_limit: loops limit reached: limit 10000, found 10001, most of them in function 25; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or raise `loops_max` in the limits file
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
            shape_limit: data segments limit reached: limit 1000, found 1001; let the linker merge segments (`wasm-opt --memory-packing`), or embed less data, or raise `data_segments_max` in the limits file
        "#]],
    );
}

#[test]
fn element_segments() {
    check(
        "element_segments",
        expect![[r#"
            shape_limit: element segments limit reached: limit 1000, found 1001; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or raise `element_segments_max` in the limits file
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
            shape_limit: function 25: locals of a function limit reached: limit 1000, found 1001; build with `opt-level = "s"`, which inlines less, or split the function, or raise `function_locals_max` in the limits file
        "#]],
    );
}

#[test]
fn locals_in_all() {
    check(
        "locals_in_all",
        expect![[r#"
            shape_limit: locals limit reached: limit 50000, found 51000, most of them in function 25; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or raise `locals_max` in the limits file
        "#]],
    );
}

#[test]
fn locals_beyond_count() {
    check(
        "locals_beyond_count",
        expect![[r#"
            shape_limit: function 25: locals of a function limit reached: limit 1000, found 4294967295; build with `opt-level = "s"`, which inlines less, or split the function, or raise `function_locals_max` in the limits file
        "#]],
    );
}

#[test]
fn types() {
    check(
        "types",
        expect![[r#"
            shape_limit: types limit reached: limit 1000, found 1011; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or raise `types_max` in the limits file
        "#]],
    );
}

#[test]
fn parameters() {
    check(
        "parameters",
        expect![[r#"
            shape_limit: type 10: parameters of a function limit reached: limit 100, found 101; pass a pointer to a struct instead, or raise `function_params_max` in the limits file
        "#]],
    );
}

#[test]
fn results() {
    check(
        "results",
        expect![[r#"
            shape_limit: type 10: results of a function limit reached: limit 16, found 17; pass a pointer to a struct instead, or raise `function_results_max` in the limits file
        "#]],
    );
}

#[test]
fn bridges() {
    check(
        "bridges",
        expect![[r#"
            shape_limit: parameters and results of all functions limit reached: limit 100000, found 116005; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or raise `signature_values_max` in the limits file
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
            shape_limit: function 25: size of a function limit reached: limit 128 KiB, found 131075 B; build with `opt-level = "s"`, which inlines less, or split the function, or raise `function_bytes_max` in the limits file
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
            shape_limit: `br_table` targets limit reached: limit 65536, found 66000, most of them in function 25; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or raise `br_table_targets_max` in the limits file
        "#]],
    );
}

#[test]
fn br_table_of_a_function() {
    check(
        "br_table_of_a_function",
        expect![[r#"
            shape_limit: function 25: `br_table` targets of a function limit reached: limit 2048, found 2049; split the function's largest `match` or `switch`, or build with `opt-level = "s"`, or raise `function_br_table_targets_max` in the limits file
        "#]],
    );
}

#[test]
fn br_table_over_locals() {
    check(
        "br_table_over_locals",
        expect![[r#"
            shape_limit: function 25: values at branches of a function limit reached: limit 500000, found 1806706; build with `opt-level = "s"`, which inlines less, or split the function, or raise `function_branch_values_max` in the limits file
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
            shape_limit: function 25: locals in nested blocks limit reached: limit 40000, found 40040; build with `opt-level = "s"`, which inlines less, or split the function, or raise `function_nest_values_max` in the limits file
        "#]],
    );
}

#[test]
fn joins_in_all() {
    check(
        "joins_in_all",
        expect![[r#"
            shape_limit: function 25: joins of a function limit reached: limit 20000, found 20016; build with `opt-level = "s"`, which inlines less, or split the function, or raise `function_joins_max` in the limits file
        "#]],
    );
}

#[test]
fn branches_that_carry() {
    check(
        "branches_that_carry",
        expect![[r#"
            shape_limit: values carried by branches limit reached: limit 100000, found 100016, most of them in function 25; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or raise `carried_values_max` in the limits file
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
            shape_limit: bulk operations limit reached: limit 10000, found 10001, most of them in function 25; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or raise `bulk_operations_max` in the limits file
        "#]],
    );
}

#[test]
fn memory_grows() {
    check(
        "memory_grows",
        expect![[r#"
            shape_limit: bulk operations limit reached: limit 10000, found 10001, most of them in function 25; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or raise `bulk_operations_max` in the limits file
        "#]],
    );
}

#[test]
fn table_gets() {
    check(
        "table_gets",
        expect![[r#"
            shape_limit: bulk operations limit reached: limit 10000, found 10001, most of them in function 25; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or raise `bulk_operations_max` in the limits file
        "#]],
    );
}

#[test]
fn indirect_calls() {
    check(
        "indirect_calls",
        expect![[r#"
            shape_limit: indirect calls limit reached: limit 20000, found 20001, most of them in function 25; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or raise `indirect_calls_max` in the limits file
        "#]],
    );
}

#[test]
fn call_values() {
    check(
        "call_values",
        expect![[r#"
        shape_limit: parameters and results at calls limit reached: limit 100000, found 100003, most of them in function 25 `c`; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or raise `call_values_max` in the limits file
    "#]],
    );
}

#[test]
fn under_calls() {
    check_small(
        "under_calls",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
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
            shape_limit: functions limit reached: limit 10000, found 10003; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or raise `functions_max` in the limits file
        "#]],
    );
}

#[test]
fn exports() {
    check(
        "exports",
        expect![[r#"
            shape_limit: exports limit reached: limit 256, found 259; export only `memory` and what the manifest declares, or raise `exports_max` in the limits file
        "#]],
    );
}

#[test]
fn globals() {
    check(
        "globals",
        expect![[r#"
            shape_limit: globals limit reached: limit 1000, found 1001; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or raise `globals_max` in the limits file
        "#]],
    );
}

#[test]
fn imports() {
    check(
        "imports",
        expect![[r#"
            shape_limit: imports limit reached: limit 64, found 89; import each host function once, or raise `imports_max` in the limits file
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
            shape_limit: function 25: blocks of a function limit reached: limit 4096, found 4097; build with `opt-level = "s"`, which inlines less, or split the function, or raise `function_blocks_max` in the limits file
        "#]],
    );
}
