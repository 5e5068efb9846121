//! What decides whether a module is admitted.

use expect_test::expect;

use crate::support::check;

#[test]
fn unknown_import() {
    check(
        "unknown_import",
        expect![[r#"
        unknown_import: imports `weir_v1.read_file`, which does not exist: only functions of `weir_v1` can be imported
    "#]],
    );
}

#[test]
fn import_of_another_module() {
    check(
        "import_of_another_module",
        expect![[r#"
        unknown_import: imports `env.log`, which does not exist: only functions of `weir_v1` can be imported
    "#]],
    );
}

#[test]
fn import_of_a_later_version() {
    check(
        "import_of_a_later_version",
        expect![[r#"
        unknown_import: imports `weir_v2.log`, which does not exist: only functions of `weir_v1` can be imported
    "#]],
    );
}

#[test]
fn import_of_another_type() {
    check(
        "import_of_another_type",
        expect![[r#"
            import_type: imports `weir_v1.get_i64` with the type (i64, i64) -> i64, expected (i32, i32) -> i64
        "#]],
    );
}

#[test]
fn import_without_result() {
    check(
        "import_without_result",
        expect![[r#"
            import_type: imports `weir_v1.log` with the type (i32, i32, i32), expected (i32, i32, i32) -> i32
        "#]],
    );
}

#[test]
fn import_of_a_memory() {
    check(
        "import_of_a_memory",
        expect![[r#"
        import_kind: imports the memory `weir_v1.memory`: only functions can be imported
    "#]],
    );
}

#[test]
fn import_of_a_table() {
    check(
        "import_of_a_table",
        expect![[r#"
        import_kind: imports the table `weir_v1.table`: only functions can be imported
    "#]],
    );
}

#[test]
fn import_of_a_global() {
    check(
        "import_of_a_global",
        expect![[r#"
        import_kind: imports the global `weir_v1.state`: only functions can be imported
    "#]],
    );
}

#[test]
fn wasi_write() {
    check(
        "wasi_write",
        expect![[r#"
        wasi_import: imports `wasi_snapshot_preview1.fd_write`: WASI is not supported; build for wasm32-unknown-unknown without I/O
    "#]],
    );
}

#[test]
fn wasi_open() {
    check(
        "wasi_open",
        expect![[r#"
        wasi_import: imports `wasi_unstable.path_open`: WASI is not supported; build for wasm32-unknown-unknown without I/O
    "#]],
    );
}

#[test]
fn duplicate_exports() {
    check(
        "duplicate_exports",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: duplicate export name `weir_call_f` already defined (at byte 641)
    "#]],
    );
}

#[test]
fn missing_call() {
    check(
        "missing_call",
        expect![[r#"
        missing_export: the manifest declares function `f`, but `weir_call_f` is not exported
    "#]],
    );
}

#[test]
fn mistyped_call() {
    check(
        "mistyped_call",
        expect![[r#"
            export_type: exports `weir_call_f` with the type (i64, i64) -> i64, expected (i32) -> i32
        "#]],
    );
}

#[test]
fn call_that_is_a_global() {
    check(
        "call_that_is_a_global",
        expect![[r#"
            export_type: exports `weir_call_f` with the type a global, expected (i32) -> i32
        "#]],
    );
}

#[test]
fn mistyped_init() {
    check(
        "mistyped_init",
        expect![[r#"
            export_type: exports `weir_init_f` with the type (i32) -> i32, expected () -> i32
        "#]],
    );
}

#[test]
fn no_memory() {
    check(
        "no_memory",
        expect![[r#"
        no_memory: no export `memory`: define one memory and export it under this name
    "#]],
    );
}

#[test]
fn memory_that_is_a_function() {
    check(
        "memory_that_is_a_function",
        expect![[r#"
        export_type: exports `memory` with the type a function, expected a memory
    "#]],
    );
}

#[test]
fn hidden_memory() {
    check(
        "hidden_memory",
        expect![[r#"
        no_memory: no export `memory`: define one memory and export it under this name
    "#]],
    );
}

#[test]
fn call_that_is_an_import() {
    check(
        "call_that_is_an_import",
        expect![[r#"
            export_type: exports `weir_call_f` with the type (i32, i32) -> i32, expected (i32) -> i32
        "#]],
    );
}

#[test]
fn no_manifest() {
    check(
        "no_manifest",
        expect![[r#"
        no_manifest: no custom section `weir.manifest`: build the module with the SDK, or add the section as described in ABI.md
    "#]],
    );
}

#[test]
fn two_manifests() {
    check(
        "two_manifests",
        expect![[r#"
        manifest: manifest, line 2: function `f` is declared twice
    "#]],
    );
}

#[test]
fn manifest_of_another_abi() {
    check(
        "manifest_of_another_abi",
        expect![[r#"
        manifest: manifest, line 1: unsupported abi 2: this host supports version 1
    "#]],
    );
}

#[test]
fn manifest_key_smuggled() {
    check(
        "manifest_key_smuggled",
        expect![[r#"
            manifest: manifest, line 1: unknown field `limits`, expected one of `abi`, `name`, `kind`, `output_shape`, `fallible`, `state`, `doc`, `input`, `output`, `params`, `metrics` at line 1 colu
        "#]],
    );
}

#[test]
fn manifest_key_twice() {
    check(
        "manifest_key_twice",
        expect![[r#"
        manifest: manifest, line 1: duplicate field `output_shape` at line 1 column 77
    "#]],
    );
}

#[test]
fn function_name_of_paths() {
    check(
        "function_name_of_paths",
        expect![[r#"
        manifest: manifest, line 1: function `../../etc/passwd`: a name is [a-z][a-z0-9_]*, at most 64 bytes
    "#]],
    );
}

#[test]
fn manifest_too_large() {
    check(
        "manifest_too_large",
        expect![[r#"
            shape_limit: manifest size limit reached: limit 64 KiB, found 65608 B; declare fewer functions in one module, or shorten their texts, or raise `manifest_bytes_max` in the limits file
        "#]],
    );
}

#[test]
fn manifest_nested() {
    check(
        "manifest_nested",
        expect![[r#"
        manifest: manifest, line 1: invalid type: sequence, expected a string at line 1 column 69
    "#]],
    );
}

#[test]
fn manifest_not_text() {
    check(
        "manifest_not_text",
        expect![[r#"
        manifest: manifest, line 1: the section is not UTF-8
    "#]],
    );
}

#[test]
fn many_functions() {
    check(
        "many_functions",
        expect![[r#"
            manifest: manifest, line 257: too many functions: the maximum is 256
        "#]],
    );
}

#[test]
fn many_fields() {
    check(
        "many_fields",
        expect![[r#"
        manifest: manifest, line 1: 300 input fields: a function may declare at most 256
    "#]],
    );
}

#[test]
fn memory_exported_twice() {
    check(
        "memory_exported_twice",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn names_that_deceive() {
    check(
        "names_that_deceive",
        expect![[r#"
        unreachable, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: unreachable code was reached
          at \u{1b}[31mred\n2026-01-01 ERROR forged line
          at \u{202e}evil\u{2066}\0\u{7}
          at core::fmt::Formatter::pad
          at function 27
    "#]],
    );
}

#[test]
fn import_that_deceives() {
    check(
        "import_that_deceives",
        expect![[r#"
        unknown_import: imports `weir_v1\u{1b}[2J.get\n2026-01-01 ERROR all is lost \u{202e}`, which does not exist: only functions of `weir_v1` can be imported
    "#]],
    );
}

#[test]
fn column_that_deceives() {
    check(
        "column_that_deceives",
        expect![[r#"
        manifest: manifest, line 1: output field `a\u{1b}[31m\nb`: a name is 1 to 64 bytes without control characters
    "#]],
    );
}

#[test]
fn huge_name() {
    check(
        "huge_name",
        expect![[r#"
        unreachable, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: unreachable code was reached
          at _RINvC1a1fTuuETuuETuuETuuETuuETuuETuuETuuETuuETuuETuuETuuETu… (200 B)
          at function 25
    "#]],
    );
}

#[test]
fn clock_import() {
    check(
        "clock_import",
        expect![[r#"
        unknown_import: imports `weir_v1.now`, which does not exist: only functions of `weir_v1` can be imported
    "#]],
    );
}

#[test]
fn random_import() {
    check(
        "random_import",
        expect![[r#"
        unknown_import: imports `env.__getrandom_custom`, which does not exist: only functions of `weir_v1` can be imported
    "#]],
    );
}

#[test]
fn system_clock_import() {
    check(
        "system_clock_import",
        expect![[r#"
        wasi_import: imports `wasi_snapshot_preview1.clock_time_get`: WASI is not supported; build for wasm32-unknown-unknown without I/O
    "#]],
    );
}

#[test]
fn manifest_value_nested() {
    check(
        "manifest_value_nested",
        expect![[r#"
        manifest: manifest, line 1: recursion limit exceeded at line 1 column 220
    "#]],
    );
}
