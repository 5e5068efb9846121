//! What a guest can make the host do or hold by means of few instructions.

use std::sync::Arc;

use expect_test::{Expect, expect};
use weir_batch::arrow::array::{
    ArrayRef, BinaryArray, BinaryBuilder, Int64Array, ListBuilder, StringBuilder, StructBuilder,
};
use weir_batch::arrow::buffer::BooleanBuffer;
use weir_batch::arrow::datatypes::{DataType as ArrowType, Field as ArrowField};
use weir_batch::{Batch, SystemColumns};
use weir_sandbox::{Carry, Instance, Limits};

use crate::support::{batch, call, i64s, instance_with, show_error, strings, wasm};

/// Two rows of 10 and 20 bytes of text.
fn rows() -> Arc<Batch> {
    batch(vec![("n", i64s([Some(1), Some(2)])), ("text", strings([Some("0123456789"), Some("01234567890123456789")]))])
}

fn flat_map(batch: &Batch, limits: &Limits) -> Instance {
    let manifest =
        r#"{"abi":1,"name":"f","kind":"transform","output_shape":"flat_map","output":[{"name":"o","type":"i8"}]}"#;
    // A hundred times row 1, and a byte for each: what lies at 0 is 1 and 1 and so on.
    let body = r#"(memory (export "memory") 1)
        (func (export "weir_call_f") (param $rows i32) (result i32) (local $at i32)
          (loop $next
            (i32.store (local.get $at) (i32.const 1))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const 400))))
          (drop (call $emit_parents (i32.const 0) (i32.const 100)))
          (call $emit_column (i32.const 0) (i32.const 1024) (i32.const 100) (i32.const 0)))"#;
    instance_with(&wasm(manifest, body), batch.schema(), limits, &Carry::All, &[])
}

/// A hundred rows of row 1, under a limit that has no room for them by one byte.
fn check_repeated(batch: &Arc<Batch>, bytes: usize, expect: Expect) {
    let limits = |output_bytes_max| Limits { output_bytes_max, ..Limits::default() };
    let outcome = call(&mut flat_map(batch, &limits(bytes)), batch).unwrap();
    assert_eq!(outcome.output.rows(), 100);
    let error = call(&mut flat_map(batch, &limits(bytes - 1)), batch).unwrap_err();
    expect.assert_eq(&show_error(&error));
}

#[test]
fn what_repeated_rows_carry_counts_as_output() {
    // The byte, a number, and 20 bytes with an offset.
    check_repeated(
        &rows(),
        (1 + 8 + 24) * 100,
        expect![[r#"
            output_bytes_limit (tenant): acme, module <digest>, function f, in a batch of 2 rows: output bytes limit reached: limit 3299 B, current 100 B, requested 3200 B
        "#]],
    );
    // Row 1 of a selection is another row.
    let selected = batch(vec![("text", strings([Some("a"), Some("b"), Some("0123456789")]))]);
    let selected = selected.filter(&BooleanBuffer::from(vec![true, false, true])).unwrap();
    check_repeated(
        &selected,
        (1 + 14) * 100,
        expect![[r#"
            output_bytes_limit (tenant): acme, module <digest>, function f, in a batch of 2 rows: output bytes limit reached: limit 1499 B, current 100 B, requested 1400 B
        "#]],
    );
    // System columns go along without being asked for.
    let mut headers = ListBuilder::new(StructBuilder::from_fields(
        vec![ArrowField::new("key", ArrowType::Utf8, false), ArrowField::new("value", ArrowType::Binary, true)],
        2,
    ));
    for row in 0..2 {
        for _ in 0..row * 2 {
            let header = headers.values();
            header.field_builder::<StringBuilder>(0).unwrap().append_value("abc");
            header.field_builder::<BinaryBuilder>(1).unwrap().append_value(b"defgh");
            header.append(true);
        }
        headers.append(true);
    }
    let system = SystemColumns {
        key: Some(BinaryArray::from(vec![&b"k"[..], b"key"])),
        offset: Some(Int64Array::from(vec![1, 2])),
        headers: Some(headers.finish()),
        ..SystemColumns::default()
    };
    let one: ArrayRef = i64s([Some(1), Some(2)]);
    let with_system = Arc::new(Batch::clone(&batch(vec![("n", one)])).with_system(system).unwrap());
    // The byte, the number, the key's 3 and an offset, the record's offset; the list's offset and two headers of 16.
    check_repeated(
        &with_system,
        (1 + 8 + 7 + 8 + 4 + 32) * 100,
        expect![[r#"
            output_bytes_limit (tenant): acme, module <digest>, function f, in a batch of 2 rows: output bytes limit reached: limit 5999 B, current 100 B, requested 5900 B
        "#]],
    );
}
