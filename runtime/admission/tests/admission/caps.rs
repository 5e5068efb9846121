//! Caps on a module: what is refused, how a refusal names it, and what counts.

use expect_test::{Expect, expect};
use weir_sandbox::{IMPORTS, Limits};

use crate::admission::{CALL, MANIFEST, MEMORY, check, refusal};
use crate::support::bare_wasm;

#[test]
fn shapes_that_cost_too_much_to_compile() {
    let with = |item: &str| format!("{MEMORY} {CALL} {item}");
    let nested = |open: &str, depth: usize| with(&format!("(func {} {})", open.repeat(depth), "end ".repeat(depth)));
    check(
        &nested("loop ", 65),
        expect![[
            r#"shape_limit (tenant): function 1: loop nesting depth limit reached: limit 64, found 65; build with `opt-level = "s"`, which inlines less, or split the function, or raise `loop_depth_max` in the limits file"#
        ]],
    );
    check(
        &nested("block ", 1_025),
        expect![[
            r#"shape_limit (tenant): function 1: block nesting depth limit reached: limit 1024, found 1025; build with `opt-level = "s"`, which inlines less, or split the function, or raise `block_depth_max` in the limits file"#
        ]],
    );
    check(
        &with(&format!("(func {})", "loop end ".repeat(10_001))),
        expect![[
            r#"shape_limit (tenant): loops limit reached: limit 10000, found 10001, most of them in function 1; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or raise `loops_max` in the limits file"#
        ]],
    );
    check(
        &with(&format!("(func (local {}))", "i32 ".repeat(1_001))),
        expect![[
            r#"shape_limit (tenant): function 1: locals of a function limit reached: limit 1000, found 1001; build with `opt-level = "s"`, which inlines less, or split the function, or raise `function_locals_max` in the limits file"#
        ]],
    );
    check(
        &with(&format!("(func (param {}))", "i32 ".repeat(101))),
        expect![
            "shape_limit (tenant): type 1: parameters of a function limit reached: limit 100, found 101; pass a pointer to a struct instead, or raise `function_params_max` in the limits file"
        ],
    );
    check(
        &with(&format!("(func {})", "nop ".repeat(140_000))),
        expect![[
            r#"shape_limit (tenant): function 1: size of a function limit reached: limit 128 KiB, found 140002 B; build with `opt-level = "s"`, which inlines less, or split the function, or raise `function_bytes_max` in the limits file"#
        ]],
    );
    check(
        &with(&"(data (i32.const 0) \"x\")".repeat(1_001)),
        expect![
            "shape_limit (tenant): data segments limit reached: limit 1000, found 1001; let the linker merge segments (`wasm-opt --memory-packing`), or embed less data, or raise `data_segments_max` in the limits file"
        ],
    );
    check(
        &with(&"(table 1 funcref)".repeat(5)),
        expect![
            "shape_limit (tenant): tables limit reached: limit 4, found 5; keep to one table, or raise `tables_max` in the limits file"
        ],
    );
    check(
        &with(&"(func)".repeat(10_001)),
        expect![[
            r#"shape_limit (tenant): functions limit reached: limit 10000, found 10002; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or raise `functions_max` in the limits file"#
        ]],
    );
    let exports: String = (0..257).map(|index| format!("(export \"e{index}\" (func 0))")).collect();
    check(
        &with(&exports),
        expect![
            "shape_limit (tenant): exports limit reached: limit 256, found 259; export only `memory` and what the manifest declares, or raise `exports_max` in the limits file"
        ],
    );
    let targets = "0 ".repeat(2_000);
    check(
        &with(&format!("(func i32.const 0 br_table {targets})").repeat(33)),
        expect![[
            r#"shape_limit (tenant): `br_table` targets limit reached: limit 65536, found 65967, most of them in function 1; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or raise `br_table_targets_max` in the limits file"#
        ]],
    );
}

/// A function beyond a cap, after `before`, and the refusal.
fn check_named(before: &str, function: &str, expect: Expect) {
    let text = format!("{before} {MEMORY} {CALL} (func {function} {})", "loop ".repeat(65) + &"end ".repeat(65));
    expect.assert_eq(&refusal(&bare_wasm(MANIFEST, &text), &Limits::default()));
}

#[test]
fn a_refusal_names_the_function_as_its_author_knows_it() {
    // By the name section, mangled or not; else by an export; else by its index alone, imports counted.
    check_named(
        "",
        "$deep",
        expect![[
            r#"shape_limit (tenant): function 1 `deep`: loop nesting depth limit reached: limit 64, found 65; build with `opt-level = "s"`, which inlines less, or split the function, or raise `loop_depth_max` in the limits file"#
        ]],
    );
    check_named(
        "",
        "$_ZN5regex4exec17h0123456789abcdefE",
        expect![[
            r#"shape_limit (tenant): function 1 `regex::exec`: loop nesting depth limit reached: limit 64, found 65; build with `opt-level = "s"`, which inlines less, or split the function, or raise `loop_depth_max` in the limits file"#
        ]],
    );
    check_named(
        "",
        "(export \"deep_one\")",
        expect![[
            r#"shape_limit (tenant): function 1 `deep_one`: loop nesting depth limit reached: limit 64, found 65; build with `opt-level = "s"`, which inlines less, or split the function, or raise `loop_depth_max` in the limits file"#
        ]],
    );
    let import = IMPORTS[0];
    let signature = import.to_string().replace([',', '(', ')'], "");
    let (params, result) = signature.split_once("-> ").unwrap();
    let import = format!("(import \"weir_v1\" \"{}\" (func (param {params}) (result {result})))", import.name);
    check_named(
        &import,
        "",
        expect![[
            r#"shape_limit (tenant): function 2: loop nesting depth limit reached: limit 64, found 65; build with `opt-level = "s"`, which inlines less, or split the function, or raise `loop_depth_max` in the limits file"#
        ]],
    );
    // Escaped and cut.
    check_named(
        "",
        "(export \"\\1b[31mred\\0a\")",
        expect![[
            r#"shape_limit (tenant): function 1 `\u{1b}[31mred\n`: loop nesting depth limit reached: limit 64, found 65; build with `opt-level = "s"`, which inlines less, or split the function, or raise `loop_depth_max` in the limits file"#
        ]],
    );
    check_named(
        "",
        &format!("(export {:?})", "x".repeat(5_000)),
        expect![[
            r#"shape_limit (tenant): function 1 `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx`: loop nesting depth limit reached: limit 64, found 65; build with `opt-level = "s"`, which inlines less, or split the function, or raise `loop_depth_max` in the limits file"#
        ]],
    );
    // A name section that makes no sense names nothing.
    let mut damaged =
        bare_wasm(MANIFEST, &format!("{MEMORY} {CALL} (func {}{})", "loop ".repeat(65), "end ".repeat(65)));
    push_custom(&mut damaged, "name", &[1, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    expect![[r#"shape_limit (tenant): function 1: loop nesting depth limit reached: limit 64, found 65; build with `opt-level = "s"`, which inlines less, or split the function, or raise `loop_depth_max` in the limits file"#]].assert_eq(&refusal(&damaged, &Limits::default()));
    // Where it is too much in all, the function with the most of it.
    let blocks = |count: usize| "loop end ".repeat(count);
    check(
        &format!("{MEMORY} {CALL} (func $few {})(func $many {})(func $last {})", blocks(1), blocks(9_998), blocks(2)),
        expect![[
            r#"shape_limit (tenant): loops limit reached: limit 10000, found 10001, most of them in function 2 `many`; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or raise `loops_max` in the limits file"#
        ]],
    );
}

fn push_custom(module: &mut Vec<u8>, name: &str, data: &[u8]) {
    let number = |mut value: usize, to: &mut Vec<u8>| {
        while value >= 0x80 {
            to.push(value as u8 | 0x80);
            value >>= 7;
        }
        to.push(value as u8);
    };
    let mut section = Vec::new();
    number(name.len(), &mut section);
    section.extend_from_slice(name.as_bytes());
    section.extend_from_slice(data);
    module.push(0);
    number(section.len(), module);
    module.extend(section);
}

#[test]
fn custom_sections_count_as_file_and_not_as_module() {
    let mut module = bare_wasm(MANIFEST, &format!("{MEMORY} {CALL}"));
    let code = module.len();
    // Debug information, before and behind.
    push_custom(&mut module, ".debug_info", &vec![0; 5 << 20]);
    expect!["admitted: 2 exports, 65536 bytes of memory"].assert_eq(&refusal(&module, &Limits::default()));
    let tight = Limits::default().with(|it| it.module_bytes_max = code);
    assert!(refusal(&module, &tight).starts_with("admitted"));
    // It makes no room for more of what is capped in proportion to the module.
    let mut segments = bare_wasm(MANIFEST, &format!("{MEMORY} {CALL} {}", "(data (i32.const 0) \"x\")".repeat(1_001)));
    push_custom(&mut segments, ".debug_info", &vec![0; 5 << 20]);
    assert!(refusal(&segments, &Limits::default()).contains("data segments limit reached: limit 1000, found 1001"));
    let mut tight = Limits::default();
    tight.module.module_file_bytes_max = 1 << 20;
    expect!["module_too_large (tenant): file size limit reached: limit 1 MiB, found 5243035 B; strip debug information (Rust: `strip = true` in the profile; others: `wasm-strip`), or raise `module_file_bytes_max` in the limits file"].assert_eq(&refusal(&module, &tight));
}

#[test]
fn each_cap_on_a_module_can_be_raised_and_lowered() {
    let with = |item: &str| bare_wasm(MANIFEST, &format!("{MEMORY} {CALL} {item}"));
    let set = |keys: &[(&str, usize)]| {
        let mut limits = Limits::default();
        keys.iter().for_each(|&(key, value)| assert!(limits.module.set(key, value), "{key}"));
        limits
    };
    let nested = |open: &str, depth: usize| format!("(func {} {})", open.repeat(depth), "end ".repeat(depth));
    let branches = format!("(func (local{}) {})", " i32".repeat(100), "block br 0 end ".repeat(50));
    // Two locals are set within five blocks, three times.
    let nest = format!("{} i32.const 0 local.tee 0 local.set 1 {}", "block ".repeat(5), "end ".repeat(5));
    let joins = format!("(func (local i32 i32) {})", nest.repeat(3));
    // A module that has more of each than the second number allows, and not more than the first.
    for (key, module, enough, short) in [
        ("manifest_bytes_max", with(""), 10_000, 1_024),
        ("functions_max", with(&"(func)".repeat(20)), 21, 20),
        ("types_max", with("(type (func (param f64)))(type (func (param f32)))"), 3, 2),
        ("globals_max", with(&"(global i32 (i32.const 0))".repeat(5)), 5, 4),
        ("tables_max", with(&"(table 1 funcref)".repeat(6)), 6, 5),
        ("exports_max", with("(export \"e\" (func 0))"), 3, 2),
        ("data_segments_max", with(&"(data (i32.const 0) \"x\")".repeat(3)), 3, 2),
        ("element_segments_max", with(&"(elem declare func 0)".repeat(3)), 3, 2),
        ("function_params_max", with(&format!("(func (param{}))", " i32".repeat(200))), 200, 199),
        ("function_results_max", with(&format!("(type (func (result{})))", " i32".repeat(20))), 20, 19),
        ("signature_values_max", with("(func (param i32 i32))"), 4, 3),
        ("function_bytes_max", with(&format!("(func {})", "nop ".repeat(2_000))), 2_002, 2_001),
        ("function_locals_max", with(&format!("(func (local{}))", " i32".repeat(50))), 50, 49),
        ("locals_max", with(&format!("(func (local{}))", " i32".repeat(50))), 50, 49),
        ("loops_max", with(&nested("loop ", 5)), 5, 4),
        ("loop_depth_max", with(&nested("loop ", 70)), 70, 69),
        ("block_depth_max", with(&nested("block ", 1_100)), 1_100, 1_099),
        ("function_blocks_max", with(&nested("block ", 50)), 50, 49),
        ("br_table_targets_max", with("(func i32.const 0 br_table 0 0 0 0)"), 3, 2),
        ("function_br_table_targets_max", with("(func i32.const 0 br_table 0 0 0 0)"), 3, 2),
        ("bulk_operations_max", with("(func memory.size drop i32.const 1 memory.grow drop)"), 1, 0),
        (
            "indirect_calls_max",
            with("(table 1 funcref)(type $t (func))(func i32.const 0 call_indirect (type $t))"),
            1,
            0,
        ),
        ("branch_values_max", with(&branches), 100_000, 9_999),
        ("function_branch_values_max", with(&branches), 10_000, 9_999),
        ("function_nest_values_max", with(&branches), 100, 99),
        ("carried_values_max", with(&format!("(func {})", "i32.const 0 block (param i32) br 0 end ".repeat(5))), 10, 9),
        ("joins_max", with(&joins), 30, 29),
        ("function_joins_max", with(&joins), 30, 29),
        (
            "call_values_max",
            with(
                "(func $c (param i32 i32 i32) i32.const 0 call 0 drop) (func (call $c (i32.const 0) (i32.const 0) (i32.const 0)))",
            ),
            5,
            4,
        ),
    ] {
        let only = [
            ("data_segments_per_kib_max", 0),
            ("br_table_targets_per_kib_max", 0),
            ("branch_values_per_kib_max", 0),
            ("joins_per_kib_max", 0),
            ("call_values_per_kib_max", 0),
        ];
        let with_key = |value: usize| set(&[&only[..], &[(key, value)]].concat());
        let told = refusal(&module, &with_key(enough));
        assert!(told.starts_with("admitted"), "{key} = {enough}: {told}");
        let told = refusal(&module, &with_key(short));
        // A manifest that is larger than the least that can be allowed is made elsewhere.
        if key != "manifest_bytes_max" {
            assert!(told.starts_with("shape_limit") && told.contains(&format!("raise `{key}`")), "{key}: {told}");
        }
    }
    // In proportion to the module, where that is more.
    let segments = with(&"(data (i32.const 0) \"x\")".repeat(1_100));
    assert!(segments.len() >> 10 >= 6, "{}", segments.len());
    assert!(refusal(&segments, &set(&[("data_segments_per_kib_max", 200)])).starts_with("admitted"));
    let nests = with(&joins.repeat(100));
    let few = |per_kib| set(&[("joins_max", 1), ("joins_per_kib_max", per_kib)]);
    assert!(refusal(&nests, &few(1_024)).starts_with("admitted"));
    assert!(refusal(&nests, &few(64)).contains("raise `joins_max`"));
    let calls = with(&format!("(func {})", "i32.const 0 call 0 drop ".repeat(1_000)));
    let few = |per_kib| set(&[("call_values_max", 1), ("call_values_per_kib_max", per_kib)]);
    assert!(refusal(&calls, &few(1_024)).starts_with("admitted"));
    assert!(refusal(&calls, &few(64)).contains("raise `call_values_max`"));
    let targets = with(&format!("(func i32.const 0 br_table {})", "0 ".repeat(2_040)));
    let few = |per_kib| set(&[("br_table_targets_max", 1), ("br_table_targets_per_kib_max", per_kib)]);
    assert!(refusal(&targets, &few(1_024)).starts_with("admitted"));
    assert!(refusal(&targets, &few(512)).contains("raise `br_table_targets_max`"));
}
