//! What is not admitted, each with its code.

use std::collections::BTreeMap;
use std::sync::Arc;

use expect_test::{Expect, expect};
use weir_sandbox::{Carry, Fault, IMPORTS, Instance, Limits, Manifest};

use crate::support::{admit, bare_wasm, batch, call, engine, i64s, tenant, wasm};

const MANIFEST: &str = r#"{"abi":1,"name":"f","kind":"transform","output_shape":"filter"}"#;
const CALL: &str = r#"(func (export "weir_call_f") (param i32) (result i32) i32.const 0)"#;
const MEMORY: &str = r#"(memory (export "memory") 1)"#;

fn refusal(wasm: &[u8], limits: &Limits) -> String {
    match engine().admit(&tenant(), wasm, &Limits { trap_pause_ms_max: 0, ..limits.clone() }) {
        Ok(module) => {
            format!("admitted: {} exports, {} bytes of memory", module.exports().len(), module.memory_bytes_min())
        }
        Err(refusal) => format!("{} ({}): {refusal}", refusal.code(), refusal.fault()),
    }
}

fn check_bytes(bytes: &[u8], expect: Expect) {
    expect.assert_eq(&refusal(bytes, &Limits::default()));
}

/// A module that is right but for this text.
fn check(body: &str, expect: Expect) {
    check_bytes(&bare_wasm(MANIFEST, body), expect);
}

#[test]
fn what_is_no_module() {
    check_bytes(
        b"",
        expect!["not_wasm (tenant): not a WebAssembly module: it must begin with the bytes 00 61 73 6d 01 00 00 00"],
    );
    check_bytes(
        b"hello",
        expect!["not_wasm (tenant): not a WebAssembly module: it must begin with the bytes 00 61 73 6d 01 00 00 00"],
    );
    check_bytes(
        b"(module)",
        expect!["wasm_text (tenant): WebAssembly text: upload the binary form, as `wat2wasm` makes it"],
    );
    check_bytes(
        b"\n ;; text\n(module)",
        expect!["wasm_text (tenant): WebAssembly text: upload the binary form, as `wat2wasm` makes it"],
    );
    check_bytes(
        b"\0asm\x0d\0\x01\0",
        expect![
            "component (tenant): a WebAssembly component: upload a core module, built for the target wasm32-unknown-unknown"
        ],
    );
    check_bytes(
        b"\x7fELF\x02\x01\x01\0",
        expect!["precompiled (tenant): native or precompiled code: upload the WebAssembly module it was made from"],
    );
    check_bytes(
        b"\0asm\x01\0\0\0\x01\xff",
        expect!["invalid_wasm (tenant): not valid WebAssembly: unexpected end-of-file (at byte 10)"],
    );
    check_bytes(
        b"\0asm\x01\0\0\0",
        expect!["no_memory (tenant): no export `memory`: define one memory and export it under this name"],
    );
    let right = bare_wasm(MANIFEST, &format!("{MEMORY} {CALL}"));
    let small = Limits { module_bytes_max: 64, ..Limits::default() };
    expect!["admitted: 2 exports, 65536 bytes of memory"].assert_eq(&refusal(&right, &small));
    let mut small = Limits::default();
    small.module.module_file_bytes_max = 64;
    expect!["module_too_large (tenant): file size limit reached: limit 64 B, found 65 B; strip debug information (Rust: `strip = true` in the profile; others: `wasm-strip`), or have `module_file_bytes_max` raised in the limits file"].assert_eq(&refusal(&[0; 65], &small));
}

#[test]
fn what_may_be_imported() {
    let with = |import: &str| format!("{import} {MEMORY} {CALL}");
    check(&with(""), expect!["admitted: 2 exports, 65536 bytes of memory"]);
    check(
        &with(r#"(import "weir_v1" "get_clock" (func (result i64)))"#),
        expect![
            "unknown_import (tenant): imports `weir_v1.get_clock`, which does not exist: only functions of `weir_v1` can be imported"
        ],
    );
    check(
        &with(r#"(import "env" "get_i64" (func (param i32 i32) (result i64)))"#),
        expect![
            "unknown_import (tenant): imports `env.get_i64`, which does not exist: only functions of `weir_v1` can be imported"
        ],
    );
    check(
        &with(r#"(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#),
        expect![
            "wasi_import (tenant): imports `wasi_snapshot_preview1.fd_write`: there is no WASI here; build for wasm32-unknown-unknown, without I/O"
        ],
    );
    for (module, name) in [
        ("env", "abort"),
        ("env", "console.log"),
        ("__wbindgen_placeholder__", "__wbindgen_describe"),
        ("wbg", "__wbg_log_1"),
        ("./guest_bg.js", "__wbindgen_throw"),
        ("gojs", "runtime.wasmExit"),
        ("env", "emscripten_resize_heap"),
        ("GOT.func", "malloc"),
    ] {
        let told =
            refusal(&bare_wasm(MANIFEST, &with(&format!("(import {module:?} {name:?} (func))"))), &Limits::default());
        assert!(told.starts_with(&format!("toolchain_import (tenant): imports `{module}.{name}`, for ")), "{told}");
    }
    check(
        &with(r#"(import "env" "abort" (func (param i32 i32 i32 i32)))"#),
        expect![
            "toolchain_import (tenant): imports `env.abort`, for AssemblyScript's runtime: compile with `asc --use abort=` (likewise `--use trace=`, `--use seed=` and the like), or with `--use abort=` and the name of a function of your own that ends in `unreachable()`"
        ],
    );
    check(
        &with(r#"(import "__wbindgen_placeholder__" "__wbindgen_throw" (func (param i32 i32)))"#),
        expect![
            "toolchain_import (tenant): imports `__wbindgen_placeholder__.__wbindgen_throw`, for wasm-bindgen, which is for JavaScript hosts: find the dependency by `cargo tree -i wasm-bindgen` and switch its feature off (`js`, `wasm_js`, `wasmbind`, `wasm-bindgen`), and leave `wasm-pack` out: build by `cargo build --target wasm32-unknown-unknown`"
        ],
    );
    check(
        &with(r#"(import "weir_v1" "get_i64" (func (param i32 i32) (result i32)))"#),
        expect!["import_type (tenant): imports `weir_v1.get_i64` as (i32, i32) -> i32: its type is (i32, i32) -> i64"],
    );
    check(
        &with(r#"(import "weir_v1" "x\1b[31m\n" (func))"#),
        expect![[
            r#"unknown_import (tenant): imports `weir_v1.x\u{1b}[31m\n`, which does not exist: only functions of `weir_v1` can be imported"#
        ]],
    );
    check(
        &with(r#"(import "weir_v1" "global" (global i32))"#),
        expect!["import_kind (tenant): imports the global `weir_v1.global`: only functions can be imported"],
    );
    check(
        &with(r#"(import "weir_v1" "table" (table 1 funcref))"#),
        expect!["import_kind (tenant): imports the table `weir_v1.table`: only functions can be imported"],
    );
    check(
        &format!(r#"(import "weir_v1" "memory" (memory 1)) {CALL}"#),
        expect!["import_kind (tenant): imports the memory `weir_v1.memory`: only functions can be imported"],
    );
}

#[test]
fn what_must_be_exported() {
    check(CALL, expect!["no_memory (tenant): no export `memory`: define one memory and export it under this name"]);
    check(
        &format!("(memory 1) {CALL}"),
        expect!["no_memory (tenant): no export `memory`: define one memory and export it under this name"],
    );
    check(
        &format!(r#"(memory 1) (global (export "memory") i32 (i32.const 0)) {CALL}"#),
        expect!["export_type (tenant): exports `memory` as a global: its type is a memory"],
    );
    check(MEMORY, expect!["missing_export (tenant): function `f` is declared, and `weir_call_f` is not exported"]);
    check(
        &format!(r#"{MEMORY} (func (export "weir_call_f") (param i64) (result i32) i32.const 0)"#),
        expect!["export_type (tenant): exports `weir_call_f` as (i64) -> i32: its type is (i32) -> i32"],
    );
    check(
        &format!(r#"{MEMORY} (global (export "weir_call_f") i32 (i32.const 0))"#),
        expect!["export_type (tenant): exports `weir_call_f` as a global: its type is (i32) -> i32"],
    );
    check(
        &format!(r#"{MEMORY} {CALL} (func (export "weir_init_f") (param i32) (result i32) i32.const 0)"#),
        expect!["export_type (tenant): exports `weir_init_f` as (i32) -> i32: its type is () -> i32"],
    );
    check(
        &format!(r#"{MEMORY} {CALL} (func (export "_start"))"#),
        expect![
            "command (tenant): exports `_start`: a command runs once and ends, and functions are called batch after batch; build a reactor (Rust: crate-type `cdylib`; C and C++: `-mexec-model=reactor` or `-Wl,--no-entry`; Go: `-buildmode=c-shared`)"
        ],
    );
    // Most commands import WASI as well.
    let wasi = r#"(import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))"#;
    check(
        &format!(r#"{wasi} {MEMORY} {CALL} (func (export "_start"))"#),
        expect![
            "command (tenant): exports `_start`: a command runs once and ends, and functions are called batch after batch; build a reactor (Rust: crate-type `cdylib`; C and C++: `-mexec-model=reactor` or `-Wl,--no-entry`; Go: `-buildmode=c-shared`)"
        ],
    );
    check(
        &format!(r#"{MEMORY} {CALL} (func (export "_initialize") (param i32))"#),
        expect!["export_type (tenant): exports `_initialize` as (i32): its type is ()"],
    );
    check(
        &format!(r#"{MEMORY} {CALL} (func (export "__wasm_call_ctors") (result i32) i32.const 0)"#),
        expect!["export_type (tenant): exports `__wasm_call_ctors` as () -> i32: its type is ()"],
    );
    check(
        &format!(r#"{MEMORY} {CALL} (func (export "_initialize"))"#),
        expect!["admitted: 3 exports, 65536 bytes of memory"],
    );
    check(
        &format!(r#"(memory (export "memory") 1025) {CALL}"#),
        expect![
            "initial_memory (tenant): the module's initial memory: memory limit reached: limit 64 MiB, current 0 B, requested 65600 KiB; link with a smaller stack and less static data, or have `memory_bytes_max` raised in the limits file"
        ],
    );
    check(
        &format!("{MEMORY} {CALL} (table 10001 funcref)"),
        expect![
            "initial_table (tenant): the module's tables: table limit reached: limit 10000, current 0, requested 10001; keep to fewer functions that are called indirectly, or have `table_elements_max` raised in the limits file"
        ],
    );
}

#[test]
fn proposals_that_are_switched_off() {
    let with = |item: &str| format!("{MEMORY} {CALL} {item}");
    check(&with("(memory 1)"), expect!["invalid_wasm (tenant): not valid WebAssembly: multiple memories (at byte 22)"]);
    check(
        &format!(r#"(memory (export "memory") i64 1) {CALL}"#),
        expect![
            "invalid_wasm (tenant): not valid WebAssembly: memory64 must be enabled for 64-bit memories (at byte 23)"
        ],
    );
    check(
        &format!(r#"(memory (export "memory") 1 1 shared) {CALL}"#),
        expect![
            "invalid_wasm (tenant): not valid WebAssembly: threads must be enabled for shared memories (at byte 23)"
        ],
    );
    check(
        &with("(func return_call 0)"),
        expect!["invalid_wasm (tenant): not valid WebAssembly: tail calls support is not enabled (at byte 65)"],
    );
    check(
        &with("(tag)"),
        expect!["invalid_wasm (tenant): not valid WebAssembly: exceptions proposal not enabled (at byte 30)"],
    );
    check(
        &with("(type (struct))"),
        expect![
            "invalid_wasm (tenant): not valid WebAssembly: struct indexed types not supported without the gc feature (at byte 11)"
        ],
    );
    check(
        &with("(func (param externref))"),
        expect![
            "invalid_wasm (tenant): not valid WebAssembly: gc types are disallowed but found type which requires gc (at byte 16)"
        ],
    );
    check(
        &with("(func (param (ref null 0)))"),
        expect![
            "invalid_wasm (tenant): not valid WebAssembly: function references required for index reference types (at byte 16)"
        ],
    );
    check(
        &with("(func i64.const 0 i64.const 0 i64.const 0 i64.const 0 i64.add128 drop drop)"),
        expect!["invalid_wasm (tenant): not valid WebAssembly: wide arithmetic support is not enabled (at byte 73)"],
    );
    check(&with("(func (result v128) v128.const i64x2 0 0)"), expect!["admitted: 2 exports, 65536 bytes of memory"]);
}

#[test]
fn shapes_that_cost_too_much_to_compile() {
    let with = |item: &str| format!("{MEMORY} {CALL} {item}");
    let nested = |open: &str, depth: usize| with(&format!("(func {} {})", open.repeat(depth), "end ".repeat(depth)));
    check(
        &nested("loop ", 65),
        expect![[
            r#"shape_limit (tenant): function 1: loops within loops limit reached: limit 64, found 65; build with `opt-level = "s"`, which inlines less, or split the function, or have `loop_depth_max` raised in the limits file"#
        ]],
    );
    check(
        &nested("block ", 1_025),
        expect![[
            r#"shape_limit (tenant): function 1: blocks within blocks limit reached: limit 1024, found 1025; build with `opt-level = "s"`, which inlines less, or split the function, or have `block_depth_max` raised in the limits file"#
        ]],
    );
    check(
        &with(&format!("(func {})", "loop end ".repeat(10_001))),
        expect![[
            r#"shape_limit (tenant): loops limit reached: limit 10000, found 10001, most of them in function 1; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or have `loops_max` raised in the limits file"#
        ]],
    );
    check(
        &with(&format!("(func (local {}))", "i32 ".repeat(1_001))),
        expect![[
            r#"shape_limit (tenant): function 1: locals of a function limit reached: limit 1000, found 1001; build with `opt-level = "s"`, which inlines less, or split the function, or have `function_locals_max` raised in the limits file"#
        ]],
    );
    check(
        &with(&format!("(func (param {}))", "i32 ".repeat(101))),
        expect![
            "shape_limit (tenant): type 1: parameters of a function limit reached: limit 100, found 101; pass a pointer to a struct instead, or have `function_params_max` raised in the limits file"
        ],
    );
    check(
        &with(&format!("(func {})", "nop ".repeat(140_000))),
        expect![[
            r#"shape_limit (tenant): function 1: size of a function limit reached: limit 128 KiB, found 140002 B; build with `opt-level = "s"`, which inlines less, or split the function, or have `function_bytes_max` raised in the limits file"#
        ]],
    );
    check(
        &with(&"(data (i32.const 0) \"x\")".repeat(1_001)),
        expect![
            "shape_limit (tenant): data segments limit reached: limit 1000, found 1001; let the linker merge segments (`wasm-opt --memory-packing`), or embed less data, or have `data_segments_max` raised in the limits file"
        ],
    );
    check(
        &with(&"(table 1 funcref)".repeat(5)),
        expect![
            "shape_limit (tenant): tables limit reached: limit 4, found 5; keep to one table, or have `tables_max` raised in the limits file"
        ],
    );
    check(
        &with(&"(func)".repeat(10_001)),
        expect![[
            r#"shape_limit (tenant): functions limit reached: limit 10000, found 10002; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or have `functions_max` raised in the limits file"#
        ]],
    );
    let exports: String = (0..257).map(|index| format!("(export \"e{index}\" (func 0))")).collect();
    check(
        &with(&exports),
        expect![
            "shape_limit (tenant): exports limit reached: limit 256, found 259; export only `memory` and what the manifest declares, or have `exports_max` raised in the limits file"
        ],
    );
    let targets = "0 ".repeat(4_000);
    check(
        &with(&format!("(func i32.const 0 br_table {targets})").repeat(17)),
        expect![[
            r#"shape_limit (tenant): br_table targets limit reached: limit 65536, found 67983, most of them in function 1; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or have `br_table_targets_max` raised in the limits file"#
        ]],
    );
}

/// A function beyond a cap, with so much before it, and what is said of it.
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
            r#"shape_limit (tenant): function 1 `deep`: loops within loops limit reached: limit 64, found 65; build with `opt-level = "s"`, which inlines less, or split the function, or have `loop_depth_max` raised in the limits file"#
        ]],
    );
    check_named(
        "",
        "$_ZN5regex4exec17h0123456789abcdefE",
        expect![[
            r#"shape_limit (tenant): function 1 `regex::exec`: loops within loops limit reached: limit 64, found 65; build with `opt-level = "s"`, which inlines less, or split the function, or have `loop_depth_max` raised in the limits file"#
        ]],
    );
    check_named(
        "",
        "(export \"deep_one\")",
        expect![[
            r#"shape_limit (tenant): function 1 `deep_one`: loops within loops limit reached: limit 64, found 65; build with `opt-level = "s"`, which inlines less, or split the function, or have `loop_depth_max` raised in the limits file"#
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
            r#"shape_limit (tenant): function 2: loops within loops limit reached: limit 64, found 65; build with `opt-level = "s"`, which inlines less, or split the function, or have `loop_depth_max` raised in the limits file"#
        ]],
    );
    // Escaped and cut.
    check_named(
        "",
        "(export \"\\1b[31mred\\0a\")",
        expect![[
            r#"shape_limit (tenant): function 1 `\u{1b}[31mred\n`: loops within loops limit reached: limit 64, found 65; build with `opt-level = "s"`, which inlines less, or split the function, or have `loop_depth_max` raised in the limits file"#
        ]],
    );
    check_named(
        "",
        &format!("(export {:?})", "x".repeat(5_000)),
        expect![[
            r#"shape_limit (tenant): function 1 `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx`: loops within loops limit reached: limit 64, found 65; build with `opt-level = "s"`, which inlines less, or split the function, or have `loop_depth_max` raised in the limits file"#
        ]],
    );
    // A name section that makes no sense names nothing.
    let mut damaged =
        bare_wasm(MANIFEST, &format!("{MEMORY} {CALL} (func {}{})", "loop ".repeat(65), "end ".repeat(65)));
    push_custom(&mut damaged, "name", &[1, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    expect![[r#"shape_limit (tenant): function 1: loops within loops limit reached: limit 64, found 65; build with `opt-level = "s"`, which inlines less, or split the function, or have `loop_depth_max` raised in the limits file"#]].assert_eq(&refusal(&damaged, &Limits::default()));
    // Where it is too much in all, the function with the most of it.
    let blocks = |count: usize| "loop end ".repeat(count);
    check(
        &format!("{MEMORY} {CALL} (func $few {})(func $many {})(func $last {})", blocks(1), blocks(9_998), blocks(2)),
        expect![[
            r#"shape_limit (tenant): loops limit reached: limit 10000, found 10001, most of them in function 2 `many`; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or have `loops_max` raised in the limits file"#
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
    let tight = Limits { module_bytes_max: code, ..Limits::default() };
    assert!(refusal(&module, &tight).starts_with("admitted"));
    // It makes no room for more of what is capped in proportion to the module.
    let mut segments = bare_wasm(MANIFEST, &format!("{MEMORY} {CALL} {}", "(data (i32.const 0) \"x\")".repeat(1_001)));
    push_custom(&mut segments, ".debug_info", &vec![0; 5 << 20]);
    assert!(refusal(&segments, &Limits::default()).contains("data segments limit reached: limit 1000, found 1001"));
    let mut tight = Limits::default();
    tight.module.module_file_bytes_max = 1 << 20;
    expect!["module_too_large (tenant): file size limit reached: limit 1 MiB, found 5243035 B; strip debug information (Rust: `strip = true` in the profile; others: `wasm-strip`), or have `module_file_bytes_max` raised in the limits file"].assert_eq(&refusal(&module, &tight));
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
    ] {
        let only =
            [("data_segments_per_kib_max", 0), ("br_table_targets_per_kib_max", 0), ("branch_values_per_kib_max", 0)];
        let with_key = |value: usize| set(&[&only[..], &[(key, value)]].concat());
        let told = refusal(&module, &with_key(enough));
        assert!(told.starts_with("admitted"), "{key} = {enough}: {told}");
        let told = refusal(&module, &with_key(short));
        // A manifest that is larger than the least that can be allowed is made elsewhere.
        if key != "manifest_bytes_max" {
            assert!(told.starts_with("shape_limit") && told.contains(&format!("`{key}` raised")), "{key}: {told}");
        }
    }
    // In proportion to the module, where that is more.
    let segments = with(&"(data (i32.const 0) \"x\")".repeat(1_100));
    assert!(segments.len() >> 10 >= 6, "{}", segments.len());
    assert!(refusal(&segments, &set(&[("data_segments_per_kib_max", 200)])).starts_with("admitted"));
    let targets = with(&format!("(func i32.const 0 br_table {})", "0 ".repeat(2_050)));
    let few = |per_kib| set(&[("br_table_targets_max", 1), ("br_table_targets_per_kib_max", per_kib)]);
    assert!(refusal(&targets, &few(1_024)).starts_with("admitted"));
    assert!(refusal(&targets, &few(512)).contains("`br_table_targets_max` raised"));
}

#[test]
fn manifests_that_do_not_hold_together() {
    let check = |manifest: &str, expect: Expect| {
        let read = Manifest::read(&bare_wasm(manifest, ""));
        expect.assert_eq(&match read {
            Ok(manifest) => format!("{} functions", manifest.functions.len()),
            Err(refusal) => format!("{}: {refusal}", refusal.code()),
        });
    };
    let function = |rest: &str| format!(r#"{{"abi":1,"name":"f",{rest}}}"#);
    check(&format!("{MANIFEST}\n\n  \n{}\n", MANIFEST.replace("\"f\"", "\"g\"")), expect!["2 functions"]);
    check("", expect!["manifest: manifest, line 1: no function is declared"]);
    check(&format!("\n{MANIFEST}\n{MANIFEST}"), expect!["manifest: manifest, line 3: function `f` is declared twice"]);
    check("nonsense", expect!["manifest: manifest, line 1: expected ident at line 1 column 2"]);
    check(
        r#"{"abi":2,"name":"f","kind":"metrics"}"#,
        expect!["manifest: manifest, line 1: abi 2 is not known here: this host speaks version 1"],
    );
    check(
        r#"{"abi":1,"name":"F","kind":"metrics"}"#,
        expect!["manifest: manifest, line 1: function `F`: a name is [a-z][a-z0-9_]*, at most 64 bytes"],
    );
    check(
        &function(r#""kind":"sink""#),
        expect!["manifest: manifest, line 1: kind `sink` is not known: use transform or metrics"],
    );
    check(
        &function(r#""kind":"transform""#),
        expect!["manifest: manifest, line 1: a transform needs an `output_shape`: filter, map, filter_map or flat_map"],
    );
    check(
        &function(r#""kind":"transform","output_shape":"fold""#),
        expect![
            "manifest: manifest, line 1: output_shape `fold` is not known: use filter, map, filter_map or flat_map"
        ],
    );
    check(
        &function(r#""kind":"transform","output_shape":"filter","state":"some""#),
        expect!["manifest: manifest, line 1: state `some` is not known: use kept or none"],
    );
    check(&function(r#""kind":"transform","output_shape":"filter","state":"kept""#), expect!["1 functions"]);
    check(
        &function(r#""kind":"metrics","output_shape":"map""#),
        expect!["manifest: manifest, line 1: a metrics function has no `output_shape`: leave it out"],
    );
    check(
        &function(r#""kind":"metrics""#),
        expect!["manifest: manifest, line 1: a metrics function records at least one metric: list them in `metrics`"],
    );
    check(
        &function(r#""kind":"transform","output_shape":"map""#),
        expect!["manifest: manifest, line 1: a map writes at least one field: list them in `output`"],
    );
    check(
        &function(r#""kind":"transform","output_shape":"filter","output":[{"name":"x","type":"i64"}]"#),
        expect!["manifest: manifest, line 1: a filter writes no fields: leave `output` empty"],
    );
    check(
        &function(r#""kind":"transform","output_shape":"filter","inputs":[]"#),
        expect![
            "manifest: manifest, line 1: unknown field `inputs`, expected one of `abi`, `name`, `kind`, `output_shape`, `fallible`, `state`, `doc`, `input`, `output`, `params`, `metrics` at line 1 colu"
        ],
    );
    check(
        &function(r#""kind":"transform","output_shape":"filter","input":[{"name":"x","type":"u64"}]"#),
        expect![
            "manifest: manifest, line 1: field `x`: `u64` is not a type: use one of bool, i8, i16, i32, i64, f64, utf8, binary, timestamp"
        ],
    );
    check(
        &function(r#""kind":"transform","output_shape":"filter","input":[{"name":"_ofset","type":"i64"}]"#),
        expect![
            "manifest: manifest, line 1: input field `_ofset`: the system columns are _key, _timestamp, _partition, _offset"
        ],
    );
    check(
        &function(r#""kind":"transform","output_shape":"filter","input":[{"name":"_key","type":"utf8"}]"#),
        expect!["manifest: manifest, line 1: input field `_key` is declared utf8: it is binary"],
    );
    check(
        &function(r#""kind":"transform","output_shape":"map","output":[{"name":"_key","type":"binary"}]"#),
        expect!["manifest: manifest, line 1: output field `_key`: names that begin with `_` are the system's"],
    );
    check(
        &function(
            r#""kind":"transform","output_shape":"map","output":[{"name":"x","type":"i64"},{"name":"x","type":"i64"}]"#,
        ),
        expect!["manifest: manifest, line 1: output field `x` is declared twice"],
    );
    check(
        &function(r#""kind":"transform","output_shape":"filter","params":[{"name":"p","type":"i64","default":1.5}]"#),
        expect!["manifest: manifest, line 1: param `p`: its default is not i64"],
    );
    check(
        &function(r#""kind":"metrics","metrics":[{"name":"m","kind":"timer"}]"#),
        expect!["manifest: manifest, line 1: metric `m`: kind `timer` is not known: use counter, gauge or histogram"],
    );
    check(
        &function(r#""kind":"metrics","metrics":[{"name":"m","kind":"histogram","buckets":[2,1]}]"#),
        expect!["manifest: manifest, line 1: metric `m`: buckets must be ascending, finite upper bounds"],
    );
    check(
        &function(r#""kind":"metrics","metrics":[{"name":"m","kind":"counter","labels":["A"]}]"#),
        expect!["manifest: manifest, line 1: label `A`: a name is [a-z][a-z0-9_]*, at most 64 bytes"],
    );
    let metrics: Vec<String> = (0..33).map(|index| format!(r#"{{"name":"m{index}","kind":"gauge"}}"#)).collect();
    check(
        &function(&format!(r#""kind":"metrics","metrics":[{}]"#, metrics.join(","))),
        expect!["manifest: manifest, line 1: 33 metrics: a function declares at most 32"],
    );
    check(
        &" ".repeat(70_000),
        expect![
            "shape_limit: manifest size limit reached: limit 64 KiB, found 70000 B; declare fewer functions in one module, or shorten their texts, or have `manifest_bytes_max` raised in the limits file"
        ],
    );
    expect!["no custom section `weir.manifest`: build the module with the SDK, or see the contract for the section"]
        .assert_eq(&Manifest::read(&wat::parse_str("(module)").unwrap()).unwrap_err().to_string());
}

#[test]
fn a_bit_flipped_anywhere_is_refused_or_harmless() {
    let good = wasm(MANIFEST, &format!("{MEMORY} {CALL}"));
    let batch = batch(vec![("n", i64s([Some(1), Some(2)]))]);
    let mut cut_admitted = 0;
    for index in 0..good.len() {
        cut_admitted += usize::from(admit(&good[..index]).is_ok());
        let mut bytes = good.clone();
        bytes[index] ^= 1 << (index % 8);
        // Admitted where the bit is one of a name, or makes another function of the same type.
        let Ok(module) = admit(&bytes) else { continue };
        let function = &module.manifest().functions[0];
        let Ok(bound) = function.bind(batch.schema(), &Carry::None, &BTreeMap::new()) else { continue };
        if let Err(error) = call(&mut Instance::new(&module, &Arc::new(bound), &Limits::default()), &batch) {
            assert_eq!(error.fault(), Fault::Tenant, "byte {index}: {error}");
        }
    }
    // Cut before the names at its end, it is whole.
    assert_eq!(cut_admitted, 1);
}
