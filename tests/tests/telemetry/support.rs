//! What these tests share.

use std::path::Path;
use std::time::Duration;

use weir_tests::{Receiver, Weir, WeirProcess};

/// Longer than any of these queries takes.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Writes a file of a test.
pub(crate) fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) {
    std::fs::write(folder.join(name), text).expect("a file");
}

/// The command, told to export to this receiver.
pub(crate) fn weir(folder: &Path, receiver: &Receiver) -> Weir {
    Weir::in_folder(folder).env("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.address)
}

/// Runs it to its good end.
#[track_caller]
pub(crate) fn run(weir: Weir, args: &[&str]) -> WeirProcess {
    let mut weir = weir.run(args);
    assert!(weir.wait(SOON).success(), "{}", weir.stderr());
    weir
}

/// A filter that keeps everything and does this first, over records of one `n`. The text has memory from 0 to 2 MiB for
/// itself, and `$log` to call.
pub(crate) fn talker(memory: &str, says: &str) -> Vec<u8> {
    let manifest = concat!(
        r#"{"abi":1,"name":"f","kind":"transform","output_shape":"filter","fallible":false,"#,
        r#""input":[{"name":"n","type":"i64"}],"output":[],"params":[],"metrics":[]}"#
    );
    let text = format!(
        r#"(module
            (import "weir_v1" "log" (func $log (param i32 i32 i32) (result i32)))
            (import "weir_v1" "emit_filter" (func $emit_filter (param i32 i32) (result i32)))
            (memory (export "memory") 40)
            {memory}
            (func (export "weir_call_f") (param $rows i32) (result i32)
              (local $left i32)
              {says}
              (memory.fill (i32.const 2097152) (i32.const 255) (i32.const 1024))
              (call $emit_filter (i32.const 2097152) (local.get $rows)))
            (@custom "weir.manifest" "{}"))"#,
        manifest.replace('"', "\\\"")
    );
    wat::parse_str(text).expect("a module")
}
