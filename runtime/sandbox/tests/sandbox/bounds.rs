//! What a guest can make the host do or hold by means of few instructions.

use std::sync::Arc;

use expect_test::{Expect, expect};
use weir_batch::arrow::array::{
    ArrayRef, BinaryArray, BinaryBuilder, Float64Array, Int64Array, ListBuilder, StringBuilder, StructBuilder,
};
use weir_batch::arrow::buffer::BooleanBuffer;
use weir_batch::arrow::datatypes::{DataType as ArrowType, Field as ArrowField};
use weir_batch::{Batch, SystemColumns};
use weir_sandbox::{Carry, Instance, Limits, MetricDelta};

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

/// The end of a guest that makes this call a hundred times over a thousand rows, and fails.
fn check_cost(limits: &Limits, call_text: &str, expect: &str) {
    let manifest = r#"{"abi":1,"name":"f","kind":"transform","output_shape":"flat_map","fallible":true,"input":[{"name":"n","type":"i64"},{"name":"x","type":"f64"},{"name":"y","type":"f64"}],"output":[{"name":"i","type":"i64"},{"name":"t","type":"utf8"},{"name":"b","type":"bool"}],"metrics":[{"name":"g","kind":"gauge"},{"name":"c","kind":"counter","labels":["l"]}]}"#;
    // At 40,000 the offsets 1 0, at 60,000 neither text nor a row nor a bool, at 60,008 no number; at 61,000 the
    // offsets 0 60,001; at 62,000 a label of 1,000 bytes, one of which is no text.
    let body = format!(
        r#"(memory (export "memory") 1)
        (data (i32.const 40000) "\01") (data (i32.const 60000) "\ff") (data (i32.const 60014) "\f8\7f")
        (data (i32.const 61004) "\61\ea") (data (i32.const 62000) "\e8\03") (data (i32.const 62500) "\ff")
        (func (export "weir_call_f") (param $rows i32) (result i32) (local $at i32)
          (drop (call $metric_series (i32.const 0) (i32.const 0) (i32.const 0)))
          (loop $next
            (drop {call_text})
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const 100))))
          (i32.const 42))"#
    );
    let numbers =
        |last| Arc::new(Float64Array::from_iter_values((0..1000).map(|row| if row == 999 { last } else { 1.0 })));
    let rows = batch(vec![("n", i64s(vec![Some(1); 1000])), ("x", numbers(1.0)), ("y", numbers(f64::NAN))]);
    let mut guest = instance_with(&wasm(manifest, &body), rows.schema(), limits, &Carry::None, &[]);
    assert_eq!(call(&mut guest, &rows).unwrap_err().code(), expect, "{call_text}");
}

#[test]
fn refused_calls_cost_what_was_looked_at() {
    let check_fuel = |fuel: u64, name: &str, arguments: &str, expect: &str| {
        let arguments: String = arguments.split(' ').map(|number| format!("(i32.const {number})")).collect();
        let limits = Limits::default().with(|it| it.fuel_batch_max = Some(fuel));
        check_cost(&limits, &format!("(call ${name} {arguments})"), expect);
    };
    let check = |name: &str, arguments: &str, expect: &str| check_fuel(50_000, name, arguments, expect);
    check("last_words", "0 60001", "out_of_fuel");
    check("log", "3 0 60001", "out_of_fuel");
    check("row_error", "0 1 0 60001", "out_of_fuel");
    check("emit_parents", "0 15001", "out_of_fuel");
    check("emit_column", "2 0 60001 0", "out_of_fuel");
    check("emit_bytes", "1 0 15000 0 0 0", "out_of_fuel");
    check("emit_bytes", "1 61000 1 0 60001 0", "out_of_fuel");
    check("metric_record_column", "0 0 7502", "out_of_fuel");
    check("metric_record_many", "0 0 7502", "out_of_fuel");
    check("metric_series", "1 62000 1004", "out_of_fuel");
    // Two for each of a hundred thousand values, and another where it is converted.
    check_fuel(190_000, "metric_record_input", "0 1 0 1000", "out_of_fuel");
    check_fuel(210_000, "metric_record_input", "0 1 0 1000", "failed");
    check_fuel(280_000, "metric_record_input", "0 0 0 1000", "out_of_fuel");
    // What is left out, and what is of no series, was looked at.
    check_fuel(190_000, "metric_record_input", "0 2 0 1000", "out_of_fuel");
    check_fuel(190_000, "metric_record_input", "7 1 0 1000", "out_of_fuel");
    // What was not looked at costs nothing.
    check("last_words", "0 -1", "failed");
    check("row_error", "1000 1 0 60001", "failed");
    check("emit_column", "2 0 -1 0", "failed");
    check("metric_series", "1 0 60000", "failed");
    check_fuel(50_000, "metric_record_input", "0 0 0 1001", "failed");
}

#[test]
fn what_cannot_be_paid_is_not_done() {
    // A line of 60,000 bytes for 7,500 units, and a first one that is affordable.
    let line = |bytes: u32| format!("(drop (call $log (i32.const 3) (i32.const 0) (i32.const {bytes})))");
    let manifest = r#"{"abi":1,"name":"f","kind":"metrics","metrics":[{"name":"m","kind":"counter"}]}"#;
    let body = format!(
        r#"(memory (export "memory") 1) (func (export "weir_call_f") (param i32) (result i32) {} {} (i32.const 0))"#,
        line(10),
        line(60_000),
    );
    let limits = Limits::default().with(|it| it.fuel_batch_max = Some(7_000));
    let mut guest = instance_with(&wasm(manifest, &body), rows().schema(), &limits, &Carry::None, &[]);
    let error = call(&mut guest, &rows()).unwrap_err();
    assert_eq!((error.code(), error.context.logs.len()), ("out_of_fuel", 1));
    assert_eq!(error.context.usage.fuel, 7_000);
}

#[test]
fn a_refused_limit_is_the_end_whatever_the_function_returns() {
    let limits = Limits::default().with(|it| it.output_rows_max = 10);
    // Nor does the host read the offsets of more values than there may be.
    let emit =
        "(call $emit_bytes (i32.const 1) (i32.const 0) (i32.const 15000) (i32.const 0) (i32.const 0) (i32.const 0))";
    check_cost(&limits, emit, "output_rows_limit");
    check_cost(&limits, "(call $emit_parents (i32.const 0) (i32.const 11))", "output_rows_limit");
    check_cost(&limits, "(call $emit_parents (i32.const 0) (i32.const -1))", "failed");
}

#[test]
fn rows_of_a_selection_cost_their_looking_up() {
    let values = |rows: i64| i64s((0..rows).map(|row| (row % 3 > 0).then_some(row)).collect::<Vec<_>>());
    let plain = batch(vec![("n", values(1_000))]);
    let selected = batch(vec![("n", values(2_000))]);
    let selected = selected.filter(&BooleanBuffer::collect_bool(2_000, |row| row % 2 == 0)).unwrap();
    let manifest = r#"{"abi":1,"name":"f","kind":"transform","output_shape":"filter","input":[{"name":"n","type":"i64","nullable":true}]}"#;
    let check = |read: &str, expect: u64| {
        let body = format!(
            r#"(memory (export "memory") 1)
               (func (export "weir_call_f") (param $rows i32) (result i32)
                 (drop {read}) (call $emit_filter (i32.const 0) (local.get $rows)))"#
        );
        let wasm = wasm(manifest, &body);
        let mut guest = instance_with(&wasm, plain.schema(), &Limits::default(), &Carry::None, &[]);
        call(&mut guest, &plain).unwrap();
        let [plain, selected] = [&plain, &selected].map(|batch| call(&mut guest, batch).unwrap().usage.fuel);
        assert_eq!(selected - plain, expect, "{read}");
    };
    check("(call $window (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 1024))", 1_000);
    check("(call $window_validity (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 1024))", 1_000);
    check("(i32.wrap_i64 (call $validity_word (i32.const 0) (i32.const 0)))", 64);
    check("(i32.wrap_i64 (call $validity_word (i32.const 0) (i32.const 990)))", 10);
}

#[test]
fn what_a_guest_says_keeps_its_limits_when_it_is_escaped() {
    let manifest = r#"{"abi":1,"name":"f","kind":"transform","output_shape":"filter","fallible":true}"#;
    // All of the memory is NUL: as text two bytes when it is escaped, as a bitmap no row that is kept.
    let guest = |end: &str, limits: &Limits| {
        let body = format!(
            r#"(memory (export "memory") 1)
               (func (export "weir_call_f") (param $rows i32) (result i32)
                 (drop (call $last_words (i32.const 0) (i32.const 60000)))
                 (drop (call $log (i32.const 1) (i32.const 0) (i32.const 60000)))
                 (drop (call $row_error (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 60000)))
                 (drop (call $row_error (i32.const 1) (i32.const 1) (i32.const 0) (i32.const 60000)))
                 (drop (call $emit_filter (i32.const 0) (local.get $rows)))
                 {end})"#
        );
        instance_with(&wasm(manifest, &body), rows().schema(), limits, &Carry::None, &[])
    };
    let limits = Limits::default().with(|it| {
        it.log_line_bytes_max = 101;
        it.row_error_bytes_max = 50;
        it.row_errors_bytes_max = 60;
    });
    let outcome = call(&mut guest("(i32.const 0)", &limits), &rows()).unwrap();
    assert_eq!(outcome.logs[0].text, "\\0".repeat(50));
    assert_eq!(outcome.failed.iter().map(|failure| failure.message.len()).collect::<Vec<_>>(), [50, 10]);
    let error = call(&mut guest("(i32.const 1)", &limits), &rows()).unwrap_err();
    assert_eq!(error.context.last_words, Some("\\0".repeat(512)));
}

#[test]
fn series_hold_a_bounded_number_of_bytes() {
    let buckets = (0..64).map(|bound| bound.to_string()).collect::<Vec<_>>().join(",");
    let manifest = format!(
        r#"{{"abi":1,"name":"f","kind":"metrics","metrics":[{{"name":"h","kind":"histogram","buckets":[{buckets}],"labels":["l"]}}]}}"#
    );
    // So many series, each with a label of 60,000 bytes that begins with its number.
    let body = r#"(memory (export "memory") 1)
        (func (export "weir_call_f") (param $rows i32) (result i32) (local $series i32)
          (i32.store (i32.const 0) (i32.const 60000))
          (loop $next
            (i32.store (i32.const 4) (local.get $series))
            (drop (call $metric_record (call $metric_series (i32.const 0) (i32.const 0) (i32.const 60004)) (f64.const 1)))
            (local.set $series (i32.add (local.get $series) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $series) (i32.const 100))))
          (i32.const 0))"#;
    let limits = Limits::default().with(|it| it.series_label_bytes_max = 64 << 10);
    let rows = rows();
    let mut guest = instance_with(&wasm(&manifest, body), rows.schema(), &limits, &Carry::None, &[]);
    for _ in 0..2 {
        let series = call(&mut guest, &rows).unwrap().metrics.series;
        let (overflow, own): (Vec<_>, Vec<_>) = series.iter().partition(|delta| delta.series.overflow);
        // 8 MiB by twice 60,000 bytes and some.
        assert_eq!((own.len(), overflow.len()), (69, 1));
        let MetricDelta::Histogram { count, .. } = overflow[0].value else { panic!("{overflow:?}") };
        assert_eq!(count, 31);
    }
}

/// A hundred rows of row 1, under a limit that has no room for them by one byte.
fn check_repeated(batch: &Arc<Batch>, bytes: usize, expect: Expect) {
    let limits = |output_bytes_max| Limits::default().with(|it| it.output_bytes_max = output_bytes_max);
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
    let system = SystemColumns::default().with(|it| {
        it.key = Some(BinaryArray::from(vec![&b"k"[..], b"key"]));
        it.offset = Some(Int64Array::from(vec![1, 2]));
        it.headers = Some(headers.finish());
    });
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
