//! What is not admitted, each with its code.

use std::collections::BTreeMap;
use std::sync::Arc;

use expect_test::{Expect, expect};
use weir_sandbox::{Carry, Fault, Instance, Limits, ModuleManifest};

use crate::support::{admit, bare_wasm, call, engine, numbers, tenant, wasm};

pub(crate) const MANIFEST: &str = r#"{"abi":1,"name":"f","kind":"transform","output_shape":"filter"}"#;
pub(crate) const CALL: &str = r#"(func (export "weir_call_f") (param i32) (result i32) i32.const 0)"#;
pub(crate) const MEMORY: &str = r#"(memory (export "memory") 1)"#;

pub(crate) fn refusal(wasm: &[u8], limits: &Limits) -> String {
    match engine().admit(&tenant(), wasm, &limits.clone().with(|it| it.trap_pause_ms_max = 0)) {
        Ok(module) => {
            format!("admitted: {} exports, {} bytes of memory", module.exports().len(), module.memory_bytes_min())
        }
        Err(refusal) => format!("{} ({}): {refusal}", refusal.code(), refusal.fault()),
    }
}

pub(crate) fn check_bytes(bytes: &[u8], expect: Expect) {
    expect.assert_eq(&refusal(bytes, &Limits::default()));
}

/// A module that is right but for this text.
pub(crate) fn check(body: &str, expect: Expect) {
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
        expect![
            "precompiled (tenant): native or precompiled code: upload the WebAssembly module from which it was made"
        ],
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
    let small = Limits::default().with(|it| it.module_bytes_max = 64);
    expect!["admitted: 2 exports, 65536 bytes of memory"].assert_eq(&refusal(&right, &small));
    let mut small = Limits::default();
    small.module.module_file_bytes_max = 64;
    expect!["module_too_large (tenant): file size limit reached: limit 64 B, found 65 B; strip debug information (Rust: `strip = true` in the profile; others: `wasm-strip`), or raise `module_file_bytes_max` in the limits file"].assert_eq(&refusal(&[0; 65], &small));
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
            "wasi_import (tenant): imports `wasi_snapshot_preview1.fd_write`: WASI is not supported; build for wasm32-unknown-unknown without I/O"
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
            "toolchain_import (tenant): imports `__wbindgen_placeholder__.__wbindgen_throw`, for wasm-bindgen, which is for JavaScript hosts: find the dependency with `cargo tree -i wasm-bindgen`, turn off its feature (`js`, `wasm_js`, `wasmbind`, `wasm-bindgen`), and build without `wasm-pack`: `cargo build --target wasm32-unknown-unknown`"
        ],
    );
    check(
        &with(r#"(import "weir_v1" "get_i64" (func (param i32 i32) (result i32)))"#),
        expect![
            "import_type (tenant): imports `weir_v1.get_i64` with the type (i32, i32) -> i32, expected (i32, i32) -> i64"
        ],
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
        expect!["export_type (tenant): exports `memory` with the type a global, expected a memory"],
    );
    check(
        MEMORY,
        expect!["missing_export (tenant): the manifest declares function `f`, but `weir_call_f` is not exported"],
    );
    check(
        &format!(r#"{MEMORY} (func (export "weir_call_f") (param i64) (result i32) i32.const 0)"#),
        expect!["export_type (tenant): exports `weir_call_f` with the type (i64) -> i32, expected (i32) -> i32"],
    );
    check(
        &format!(r#"{MEMORY} (global (export "weir_call_f") i32 (i32.const 0))"#),
        expect!["export_type (tenant): exports `weir_call_f` with the type a global, expected (i32) -> i32"],
    );
    check(
        &format!(r#"{MEMORY} {CALL} (func (export "weir_init_f") (param i32) (result i32) i32.const 0)"#),
        expect!["export_type (tenant): exports `weir_init_f` with the type (i32) -> i32, expected () -> i32"],
    );
    check(
        &format!(r#"{MEMORY} {CALL} (func (export "_start"))"#),
        expect![
            "command (tenant): exports `_start`: a command runs only once, but Weir calls functions for every batch; build a reactor (Rust: crate-type `cdylib`; C and C++: `-mexec-model=reactor` or `-Wl,--no-entry`; Go: `-buildmode=c-shared`)"
        ],
    );
    // Most commands import WASI as well.
    let wasi = r#"(import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))"#;
    check(
        &format!(r#"{wasi} {MEMORY} {CALL} (func (export "_start"))"#),
        expect![
            "command (tenant): exports `_start`: a command runs only once, but Weir calls functions for every batch; build a reactor (Rust: crate-type `cdylib`; C and C++: `-mexec-model=reactor` or `-Wl,--no-entry`; Go: `-buildmode=c-shared`)"
        ],
    );
    check(
        &format!(r#"{MEMORY} {CALL} (func (export "_initialize") (param i32))"#),
        expect!["export_type (tenant): exports `_initialize` with the type (i32), expected ()"],
    );
    check(
        &format!(r#"{MEMORY} {CALL} (func (export "__wasm_call_ctors") (result i32) i32.const 0)"#),
        expect!["export_type (tenant): exports `__wasm_call_ctors` with the type () -> i32, expected ()"],
    );
    check(
        &format!(r#"{MEMORY} {CALL} (func (export "_initialize"))"#),
        expect!["admitted: 3 exports, 65536 bytes of memory"],
    );
    check(
        &format!(r#"(memory (export "memory") 1025) {CALL}"#),
        expect![
            "initial_memory (tenant): the module's initial memory: memory limit reached: limit 64 MiB, current 0 B, requested 65600 KiB; link with a smaller stack and less static data, or raise `memory_bytes_max` in the limits file"
        ],
    );
    check(
        &format!("{MEMORY} {CALL} (table 10001 funcref)"),
        expect![
            "initial_table (tenant): the module's tables: table limit reached: limit 10000, current 0, requested 10001; reduce the number of functions that are called indirectly, or raise `table_elements_max` in the limits file"
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
fn manifests_that_do_not_hold_together() {
    let check = |manifest: &str, expect: Expect| {
        let read = ModuleManifest::read(&bare_wasm(manifest, ""));
        expect.assert_eq(&match read {
            Ok(manifest) => format!("{} functions", manifest.functions.len()),
            Err(refusal) => format!("{}: {refusal}", refusal.code()),
        });
    };
    let function = |rest: &str| format!(r#"{{"abi":1,"name":"f",{rest}}}"#);
    check(&format!("{MANIFEST}\n\n  \n{}\n", MANIFEST.replace("\"f\"", "\"g\"")), expect!["2 functions"]);
    check("", expect!["manifest: manifest, line 1: the manifest declares no function"]);
    check(&format!("\n{MANIFEST}\n{MANIFEST}"), expect!["manifest: manifest, line 3: function `f` is declared twice"]);
    check("nonsense", expect!["manifest: manifest, line 1: expected ident at line 1 column 2"]);
    check(
        r#"{"abi":2,"name":"f","kind":"metrics"}"#,
        expect!["manifest: manifest, line 1: unsupported abi 2: this host supports version 1"],
    );
    check(
        r#"{"abi":1,"name":"F","kind":"metrics"}"#,
        expect!["manifest: manifest, line 1: function `F`: a name is [a-z][a-z0-9_]*, at most 64 bytes"],
    );
    check(
        &function(r#""kind":"sink""#),
        expect!["manifest: manifest, line 1: unknown kind `sink`: use transform or metrics"],
    );
    check(
        &function(r#""kind":"transform""#),
        expect!["manifest: manifest, line 1: a transform needs an `output_shape`: filter, map, filter_map or flat_map"],
    );
    check(
        &function(r#""kind":"transform","output_shape":"fold""#),
        expect!["manifest: manifest, line 1: unknown output_shape `fold`: use filter, map, filter_map or flat_map"],
    );
    check(
        &function(r#""kind":"transform","output_shape":"filter","state":"some""#),
        expect!["manifest: manifest, line 1: unknown state `some`: use kept or none"],
    );
    check(&function(r#""kind":"transform","output_shape":"filter","state":"kept""#), expect!["1 functions"]);
    check(
        &function(r#""kind":"metrics","output_shape":"map""#),
        expect!["manifest: manifest, line 1: a metrics function has no `output_shape`: remove it"],
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
            "manifest: manifest, line 1: field `x`: unknown type `u64`: use one of bool, i8, i16, i32, i64, f64, utf8, binary, timestamp"
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
        expect!["manifest: manifest, line 1: output field `_key`: names that begin with `_` are reserved"],
    );
    check(
        &function(
            r#""kind":"transform","output_shape":"map","output":[{"name":"x","type":"i64"},{"name":"x","type":"i64"}]"#,
        ),
        expect!["manifest: manifest, line 1: output field `x` is declared twice"],
    );
    check(
        &function(r#""kind":"transform","output_shape":"filter","params":[{"name":"p","type":"i64","default":1.5}]"#),
        expect!["manifest: manifest, line 1: parameter `p`: its default is not i64"],
    );
    check(
        &function(r#""kind":"metrics","metrics":[{"name":"m","kind":"timer"}]"#),
        expect!["manifest: manifest, line 1: metric `m`: unknown kind `timer`: use counter, gauge or histogram"],
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
        expect!["manifest: manifest, line 1: 33 metrics: a function may declare at most 32"],
    );
    check(
        &" ".repeat(70_000),
        expect![
            "shape_limit: manifest size limit reached: limit 64 KiB, found 70000 B; declare fewer functions in one module, or shorten their texts, or raise `manifest_bytes_max` in the limits file"
        ],
    );
    expect![
        "no custom section `weir.manifest`: build the module with the SDK, or add the section as described in ABI.md"
    ]
    .assert_eq(&ModuleManifest::read(&wat::parse_str("(module)").unwrap()).unwrap_err().to_string());
}

#[test]
fn a_bit_flipped_anywhere_is_refused_or_harmless() {
    let good = wasm(MANIFEST, &format!("{MEMORY} {CALL}"));
    let batch = numbers([1, 2]);
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
