//! Guests out of text, for what this crate runs besides the attacks.

use std::fmt::Write as _;

use weir_sandbox::IMPORTS;

/// A filter over the field `n`, whose function is `f`.
pub(crate) const FILTER: &str =
    r#"{"abi":1,"name":"f","kind":"transform","output_shape":"filter","input":[{"name":"n","type":"i64"}]}"#;

/// A module of these manifest lines and this text, with every import of the contract under its name.
///
/// # Panics
///
/// Where the text is wrong: it is this crate's own.
pub(crate) fn wasm(manifest: &str, body: &str) -> Vec<u8> {
    let mut imports = String::new();
    for import in IMPORTS {
        let signature = import.to_string().replace([',', '(', ')'], "");
        let (params, result) = signature.split_once("-> ").unwrap_or((&signature, ""));
        let written =
            write!(imports, "(import \"weir_v1\" \"{0}\" (func ${0} (param {params}) (result {result})))", import.name);
        written.expect("text can be added to");
    }
    bare(manifest, &format!("{imports} {body}"))
}

/// A module of these manifest lines and nothing but this text.
///
/// # Panics
///
/// As [`wasm`].
pub(crate) fn bare(manifest: &str, body: &str) -> Vec<u8> {
    let mut escaped = String::new();
    for byte in manifest.bytes() {
        write!(escaped, "\\{byte:02x}").expect("text can be added to");
    }
    let text = format!("(module {body} (@custom \"weir.manifest\" \"{escaped}\"))");
    wat::parse_str(text).expect("the text of a guest of this crate")
}

/// A filter whose function runs this text and keeps every row, with a page of memory.
pub(crate) fn filter(items: &str, body: &str) -> Vec<u8> {
    let body = format!(
        r#"(memory (export "memory") 1) {items}
           (func (export "weir_call_f") (param $rows i32) (result i32)
             {body}
             (memory.fill (i32.const 0) (i32.const 255) (i32.const 1024))
             (call $emit_filter (i32.const 0) (local.get $rows)))"#
    );
    wasm(FILTER, &body)
}
