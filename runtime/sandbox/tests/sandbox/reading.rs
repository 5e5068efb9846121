//! What guests read is what Arrow holds: any batch, any selection, any way of reading.

use std::cell::RefCell;
use std::sync::Arc;

use proptest::prelude::*;
use weir_batch::arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    StringArray, TimestampMicrosecondArray,
};
use weir_batch::arrow::buffer::BooleanBuffer;
use weir_batch::{Batch, DataType, Field, Schema};
use weir_sandbox::{Carry, Instance, Limits};

use crate::support::{call, instance_with, wasm};

const TYPES: [(&str, &str); 9] = [
    ("bool", "bool"),
    ("i8", "i8"),
    ("i16", "i16"),
    ("i32", "i32"),
    ("i64", "i64"),
    ("f64", "f64"),
    ("utf8", "utf8"),
    ("binary", "binary"),
    ("timestamp", "timestamp"),
];

/// A map that gives every field back as it is, of the declared types, in windows of seven rows: windows, validity,
/// text with too little room at first.
fn identity(types: &[(&str, &str)]) -> Vec<u8> {
    let fields = |prefix: &str| {
        let field =
            |(name, kind): &(&str, &str)| format!(r#"{{"name":"{prefix}{name}","type":"{kind}","nullable":true}}"#);
        types.iter().map(field).collect::<Vec<_>>().join(",")
    };
    let manifest = format!(
        r#"{{"abi":1,"name":"f","kind":"transform","output_shape":"map","input":[{}],"output":[{}]}}"#,
        fields(""),
        fields("out_")
    );
    let mut body = String::new();
    for (index, (_, kind)) in types.iter().enumerate() {
        let validity = format!(
            "(local.set $validity (select (i32.const 0) (i32.const 16) (call $window_validity (i32.const {index}) (local.get $row) (local.get $count) (i32.const 16))))"
        );
        body.push_str(&if matches!(*kind, "utf8" | "binary") {
            // As many as fit into 24 bytes; one that does not fit goes by itself.
            format!(
                "(local.set $row (i32.const 0))
                 (block $done (loop $next
                   (br_if $done (i32.ge_u (local.get $row) (local.get $rows)))
                   (local.set $count (i32.sub (local.get $rows) (local.get $row)))
                   (if (i32.gt_u (local.get $count) (i32.const 7)) (then (local.set $count (i32.const 7))))
                   (local.set $count (call $window_bytes (i32.const {index}) (local.get $row) (local.get $count) (i32.const 64) (i32.const 1024) (i32.const 24)))
                   (if (i32.eqz (local.get $count)) (then
                     (i32.store (i32.const 64) (i32.const 0))
                     (i32.store (i32.const 68) (call $get_bytes (i32.const {index}) (local.get $row) (i32.const 1024) (i32.const 4096)))
                     (local.set $count (i32.const 1))))
                   {validity}
                   (if (call $emit_bytes (i32.const {index}) (i32.const 64) (local.get $count) (i32.const 1024) (i32.load (i32.add (i32.const 64) (i32.shl (local.get $count) (i32.const 2)))) (local.get $validity)) (then unreachable))
                   (local.set $row (i32.add (local.get $row) (local.get $count)))
                   (br $next)))"
            )
        } else {
            format!(
                "(local.set $row (i32.const 0))
                 (block $done (loop $next
                   (br_if $done (i32.ge_u (local.get $row) (local.get $rows)))
                   (local.set $count (i32.sub (local.get $rows) (local.get $row)))
                   (if (i32.gt_u (local.get $count) (i32.const 7)) (then (local.set $count (i32.const 7))))
                   (if (i32.ne (call $window (i32.const {index}) (local.get $row) (local.get $count) (i32.const 1025)) (local.get $count)) (then unreachable))
                   {validity}
                   (if (call $emit_column (i32.const {index}) (i32.const 1025) (local.get $count) (local.get $validity)) (then unreachable))
                   (local.set $row (i32.add (local.get $row) (local.get $count)))
                   (br $next)))"
            )
        });
    }
    let body = format!(
        r#"(memory (export "memory") 1)
           (func (export "weir_call_f") (param $rows i32) (result i32) (local $row i32) (local $count i32) (local $validity i32)
             {body} (i32.const 0))"#
    );
    wasm(&manifest, &body)
}

/// The same by getters, a value at a time, for the types that fit into one register.
fn identity_by_getters() -> Vec<u8> {
    let types = [
        ("bool", "bool"),
        ("i8", "i64"),
        ("i16", "i64"),
        ("i32", "i64"),
        ("i64", "i64"),
        ("f64", "f64"),
        ("timestamp", "timestamp"),
    ];
    let field = |prefix: &str, (name, kind): &(&str, &str)| {
        format!(r#"{{"name":"{prefix}{name}","type":"{kind}","nullable":true}}"#)
    };
    let fields = |prefix: &str| types.iter().map(|field_type| field(prefix, field_type)).collect::<Vec<_>>().join(",");
    let manifest = format!(
        r#"{{"abi":1,"name":"f","kind":"transform","output_shape":"map","input":[{}],"output":[{}]}}"#,
        fields(""),
        fields("out_")
    );
    let mut body = String::new();
    for (index, (_, kind)) in types.iter().enumerate() {
        let read = match *kind {
            "bool" => format!("(i32.store (i32.const 1024) (call $get_bool (i32.const {index}) (local.get $row)))"),
            "f64" => format!("(f64.store (i32.const 1024) (call $get_f64 (i32.const {index}) (local.get $row)))"),
            _ => format!("(i64.store (i32.const 1024) (call $get_i64 (i32.const {index}) (local.get $row)))"),
        };
        body.push_str(&format!(
            "{read}
             (i32.store8 (i32.const 16) (i32.eqz (call $is_null (i32.const {index}) (local.get $row))))
             (if (i32.ne (i32.load8_u (i32.const 16)) (i32.and (i32.const 1) (i32.wrap_i64 (call $validity_word (i32.const {index}) (local.get $row))))) (then unreachable))
             (if (call $emit_column (i32.const {index}) (i32.const 1024) (i32.const 1) (i32.const 16)) (then unreachable))"
        ));
    }
    let body = format!(
        r#"(memory (export "memory") 1)
           (func (export "weir_call_f") (param $rows i32) (result i32) (local $row i32)
             (loop $next {body}
               (local.set $row (i32.add (local.get $row) (i32.const 1)))
               (br_if $next (i32.lt_u (local.get $row) (local.get $rows))))
             (i32.const 0))"#
    );
    wasm(&manifest, &body)
}

#[derive(Debug, Clone)]
struct Row(Option<bool>, Option<i64>, Option<f64>, Option<String>, Option<Vec<u8>>);

fn random_batch() -> impl Strategy<Value = Arc<Batch>> {
    let row = (
        proptest::option::weighted(0.8, any::<bool>()),
        proptest::option::weighted(0.8, any::<i64>()),
        proptest::option::weighted(0.8, any::<f64>()),
        proptest::option::weighted(0.8, "\\PC{0,12}"),
        proptest::option::weighted(0.8, proptest::collection::vec(any::<u8>(), 0..40)),
    )
        .prop_map(|(a, b, c, d, e)| Row(a, b, c, d, e));
    let rows = proptest::collection::vec((row, any::<bool>()), 1..80);
    (rows, any::<bool>()).prop_map(|(rows, select)| {
        let int = |row: &(Row, bool)| row.0.1;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|row| row.0.0).collect::<BooleanArray>()),
            Arc::new(rows.iter().map(|row| int(row).map(|value| value as i8)).collect::<Int8Array>()),
            Arc::new(rows.iter().map(|row| int(row).map(|value| value as i16)).collect::<Int16Array>()),
            Arc::new(rows.iter().map(|row| int(row).map(|value| value as i32)).collect::<Int32Array>()),
            Arc::new(rows.iter().map(int).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.0.2).collect::<Float64Array>()),
            Arc::new(rows.iter().map(|row| row.0.3.clone()).collect::<StringArray>()),
            Arc::new(rows.iter().map(|row| row.0.4.clone()).collect::<BinaryArray>()),
            Arc::new(rows.iter().map(int).collect::<TimestampMicrosecondArray>()),
        ];
        // A slice: columns whose buffers do not begin where the values do.
        let columns: Vec<ArrayRef> = columns
            .iter()
            .map(|column| column.slice(1.min(rows.len() - 1), rows.len() - 1.min(rows.len() - 1)))
            .collect();
        let skipped = 1.min(rows.len() - 1);
        let fields = TYPES.iter().zip(DataType::ALL).map(|((name, _), data_type)| Field::nullable(*name, data_type));
        let batch = Arc::new(Batch::new(Arc::new(Schema::new(fields.collect()).unwrap()), columns).unwrap());
        if !select {
            return batch;
        }
        let keep: BooleanBuffer = rows[skipped..].iter().map(|row| row.1).collect();
        batch.filter(&keep).unwrap()
    })
}

fn guest(wasm: &[u8], batch: &Batch) -> Instance {
    instance_with(wasm, batch.schema(), &Limits::default(), &Carry::All, &[])
}

/// Rows come back as they were: what was read beside what was carried.
fn same(batch: &Arc<Batch>, output: &Batch, widened: bool) {
    let expected = batch.to_arrow().unwrap();
    let found = output.to_arrow().unwrap();
    for field in expected.schema().fields() {
        let name = field.name();
        let expected = expected.column_by_name(name).unwrap();
        assert_eq!(found.column_by_name(name).unwrap(), expected, "carried {name}");
        let Some(read) = found.column_by_name(&format!("out_{name}")) else { continue };
        let expected = match widened && matches!(name.as_str(), "i8" | "i16" | "i32") {
            true => weir_batch::arrow::compute::cast(expected, &DataType::I64.to_arrow()).unwrap(),
            false => Arc::clone(expected),
        };
        assert_eq!(read, &expected, "read {name}");
    }
}

#[test]
fn windows_and_getters_read_what_arrow_holds() {
    let by_window = identity(&TYPES);
    let widened = TYPES.map(|(name, kind)| (name, if matches!(kind, "i8" | "i16" | "i32") { "i64" } else { kind }));
    let widened = identity(&widened);
    let by_getter = identity_by_getters();
    let guests: RefCell<Option<[(Instance, bool); 3]>> = RefCell::new(None);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(200));
    runner
        .run(&random_batch(), |batch| {
            let mut guests = guests.borrow_mut();
            let guests = guests.get_or_insert_with(|| {
                [(guest(&by_window, &batch), false), (guest(&widened, &batch), true), (guest(&by_getter, &batch), true)]
            });
            for (guest, widened) in guests {
                let outcome = call(guest, &batch).map_err(|error| TestCaseError::fail(error.to_string()))?;
                prop_assert_eq!(outcome.output.rows(), batch.rows());
                same(&batch, &outcome.output, *widened);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn system_columns_are_read_and_null_where_there_are_none() {
    let types = [("_key", "binary"), ("_timestamp", "timestamp"), ("_partition", "i32"), ("_offset", "i64")];
    let wasm = identity(&types);
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::I64)]).unwrap());
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let bare = Arc::new(Batch::new(schema, vec![column]).unwrap());
    let mut guest = guest(&wasm, &bare);
    let output = call(&mut guest, &bare).unwrap().output;
    assert!(output.columns()[1..].iter().all(|column| column.null_count() == 3), "{output}");
    let system = weir_batch::SystemColumns::default().with(|it| {
        it.key = Some(BinaryArray::from(vec![Some(&b"a"[..]), None, Some(b"c")]));
        it.offset = Some(Int64Array::from(vec![7, 8, 9]));
    });
    let filled = Arc::new(Batch::clone(&bare).with_system(system).unwrap());
    let filled = filled.filter(&BooleanBuffer::from(vec![true, false, true])).unwrap();
    expect_test::expect![[r#"
        +---+----------+----------------+----------------+-------------+
        | n | out__key | out__timestamp | out__partition | out__offset |
        +---+----------+----------------+----------------+-------------+
        | 1 | 61       |                |                | 7           |
        | 3 | 63       |                |                | 9           |
        +---+----------+----------------+----------------+-------------+"#]]
    .assert_eq(&call(&mut guest, &filled).unwrap().output.to_string());
}
