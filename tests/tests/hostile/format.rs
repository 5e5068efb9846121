//! What is no module, a broken one, or one of proposals that are off.

use expect_test::expect;

use crate::support::check;

#[test]
fn component() {
    check(
        "component",
        expect![[r#"
        component: a WebAssembly component: upload a core module, built for the target wasm32-unknown-unknown
    "#]],
    );
}

#[test]
fn component_with_module() {
    check(
        "component_with_module",
        expect![[r#"
        component: a WebAssembly component: upload a core module, built for the target wasm32-unknown-unknown
    "#]],
    );
}

#[test]
fn precompiled() {
    check(
        "precompiled",
        expect![[r#"
        precompiled: native or precompiled code: upload the WebAssembly module from which it was made
    "#]],
    );
}

#[test]
fn precompiled_with_a_module() {
    check(
        "precompiled_with_a_module",
        expect![[r#"
        precompiled: native or precompiled code: upload the WebAssembly module from which it was made
    "#]],
    );
}

#[test]
fn text() {
    check(
        "text",
        expect![[r#"
        wasm_text: WebAssembly text: upload the binary form, as `wat2wasm` makes it
    "#]],
    );
}

#[test]
fn text_after_a_mark() {
    check(
        "text_after_a_mark",
        expect![[r#"
        not_wasm: not a WebAssembly module: it must begin with the bytes 00 61 73 6d 01 00 00 00
    "#]],
    );
}

#[test]
fn truncated() {
    check(
        "truncated",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: unexpected end-of-file (at byte 681)
    "#]],
    );
}

#[test]
fn truncated_header() {
    check(
        "truncated_header",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: unexpected end-of-file (at byte 9)
    "#]],
    );
}

#[test]
fn flipped_bit() {
    check(
        "flipped_bit",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: type mismatch: expected i32, found i64 (at byte 663)
    "#]],
    );
}

#[test]
fn flipped_magic() {
    check(
        "flipped_magic",
        expect![[r#"
        not_wasm: not a WebAssembly module: it must begin with the bytes 00 61 73 6d 01 00 00 00
    "#]],
    );
}

#[test]
fn overlong_number() {
    check(
        "overlong_number",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: invalid var_u32: integer representation too long (at byte 13)
    "#]],
    );
}

#[test]
fn huge_section() {
    check(
        "huge_section",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: unexpected end-of-file (at byte 14)
    "#]],
    );
}

#[test]
fn huge_count() {
    check(
        "huge_count",
        expect![[r#"
            shape_limit: types limit reached: limit 1000, found 4294967295; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or raise `types_max` in the limits file
        "#]],
    );
}

#[test]
fn sections_out_of_order() {
    check(
        "sections_out_of_order",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: section out of order (at byte 13)
    "#]],
    );
}

#[test]
fn section_twice() {
    check(
        "section_twice",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: section out of order (at byte 15)
    "#]],
    );
}

#[test]
fn function_without_code() {
    check(
        "function_without_code",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: function section has non-zero count but code section is absent (at byte 18)
    "#]],
    );
}

#[test]
fn trailing_bytes() {
    check(
        "trailing_bytes",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: malformed section id (at byte 1506)
    "#]],
    );
}

#[test]
fn nothing() {
    check(
        "nothing",
        expect![[r#"
        not_wasm: not a WebAssembly module: it must begin with the bytes 00 61 73 6d 01 00 00 00
    "#]],
    );
}

#[test]
fn unknown_opcode() {
    check(
        "unknown_opcode",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: illegal opcode: 0xff (at byte 660)
    "#]],
    );
}

#[test]
fn memory64() {
    check(
        "memory64",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: memory64 must be enabled for 64-bit memories (at byte 612)
    "#]],
    );
}

#[test]
fn multi_memory() {
    check(
        "multi_memory",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: multiple memories (at byte 611)
    "#]],
    );
}

#[test]
fn tail_call() {
    check(
        "tail_call",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: tail calls support is not enabled (at byte 647)
    "#]],
    );
}

#[test]
fn exceptions() {
    check(
        "exceptions",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: exceptions proposal not enabled (at byte 619)
    "#]],
    );
}

#[test]
fn gc_struct() {
    check(
        "gc_struct",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: struct indexed types not supported without the gc feature (at byte 11)
    "#]],
    );
}

#[test]
fn function_references() {
    check(
        "function_references",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: function references support is not enabled (at byte 664)
    "#]],
    );
}

#[test]
fn extended_const() {
    check(
        "extended_const",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: constant expression required: non-constant operator: i32.add (at byte 623)
    "#]],
    );
}

#[test]
fn wide_arithmetic() {
    check(
        "wide_arithmetic",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: wide arithmetic support is not enabled (at byte 649)
    "#]],
    );
}

#[test]
fn custom_page_size() {
    check(
        "custom_page_size",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: the custom page sizes proposal must be enabled to customize a memory's page size (at byte 612)
    "#]],
    );
}

#[test]
fn external_references() {
    check(
        "external_references",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: gc types are disallowed but found type which requires gc (at byte 612)
    "#]],
    );
}

#[test]
fn stack_switching() {
    check(
        "stack_switching",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: cannot define continuation types when stack switching is disabled (at byte 14)
    "#]],
    );
}

#[test]
fn recursive_types() {
    check(
        "recursive_types",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: rec group usage requires `gc` proposal to be enabled (at byte 11)
    "#]],
    );
}

#[test]
fn shared_memory() {
    check(
        "shared_memory",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: threads must be enabled for shared memories (at byte 612)
    "#]],
    );
}

#[test]
fn atomics() {
    check(
        "atomics",
        expect![[r#"
        invalid_wasm: not valid WebAssembly: threads support is not enabled (at byte 651)
    "#]],
    );
}

#[test]
fn huge_name_section() {
    check(
        "huge_name_section",
        expect![[r#"
            module_too_large: file size limit reached: limit 32 MiB, found 52430316 B; strip debug information (Rust: `strip = true` in the profile; others: `wasm-strip`), or raise `module_file_bytes_max` in the limits file
        "#]],
    );
}

#[test]
fn malformed_names() {
    check(
        "malformed_names",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn gzip() {
    check(
        "gzip",
        expect![[r#"
        not_wasm: not a WebAssembly module: it must begin with the bytes 00 61 73 6d 01 00 00 00
    "#]],
    );
}

#[test]
fn zstd() {
    check(
        "zstd",
        expect![[r#"
        not_wasm: not a WebAssembly module: it must begin with the bytes 00 61 73 6d 01 00 00 00
    "#]],
    );
}
