//! Guests written by hand from the contract: a real filter, maps, a flat-map, metrics.

use std::sync::Arc;

use expect_test::{Expect, expect};
use weir_batch::Batch;
use weir_batch::arrow::buffer::BooleanBuffer;
use weir_sandbox::{Carry, Instance, Isolation, Limits, ParamValue};

use crate::support::{batch, call, i64s, instance, instance_with, show, strings, wasm};

fn flights() -> Arc<Batch> {
    batch(vec![
        ("origin", strings([Some("SEA"), Some("LAX"), Some("JFK"), Some("SEA")])),
        ("delay", i64s([Some(61), Some(5), Some(90), Some(-3)])),
    ])
}

/// Keeps rows whose delay is over the parameter: getters, a bitmap of up to 8 rows at 0.
const LATE: &str = r#"
    (memory (export "memory") 1)
    (func (export "weir_call_late") (param $rows i32) (result i32) (local $row i32) (local $bits i32)
      (loop $next
        (if (i64.gt_s (call $get_i64 (i32.const 0) (local.get $row)) (call $param_i64 (i32.const 0)))
          (then (local.set $bits (i32.or (local.get $bits) (i32.shl (i32.const 1) (local.get $row))))))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $row) (local.get $rows))))
      (i32.store8 (i32.const 0) (local.get $bits))
      (call $emit_filter (i32.const 0) (local.get $rows)))"#;

const LATE_MANIFEST: &str = r#"{"abi":1,"name":"late","kind":"transform","output_shape":"filter","input":[{"name":"delay","type":"i64"}],"output":[],"params":[{"name":"over","type":"i64","default":60}]}"#;

/// Keeps rows over a threshold that a constructor sets: 100, and 10 more for each call of an initializer.
fn constructed(initializers: &str) -> Vec<u8> {
    let body = format!(
        r#"(memory (export "memory") 1)
           (global $over (mut i64) (i64.const 0))
           (func $construct (global.set $over (i64.add (i64.const 10) (global.get $over))))
           {initializers}
           (func (export "weir_call_late") (param $rows i32) (result i32)
             (i32.store8 (i32.const 0) (i64.gt_s (call $get_i64 (i32.const 0) (i32.const 0)) (global.get $over)))
             (call $emit_filter (i32.const 0) (local.get $rows)))"#
    );
    wasm(LATE_MANIFEST, &body)
}

#[test]
fn what_a_language_sets_up_is_set_up_once_and_first() {
    let delay = |minutes: i64| batch(vec![("delay", i64s([Some(minutes)]))]);
    let over = |initializers: &str, isolation| {
        let wasm = constructed(initializers);
        let mut guest = instance(&wasm, delay(0).schema(), &Limits::default()).with_isolation(isolation);
        // Twice, to see that the second batch finds what the first one found.
        let mut kept = |minutes| call(&mut guest, &delay(minutes)).unwrap().output.rows();
        (0..100).find(|&minutes| kept(minutes) == 1 && kept(minutes) == 1).unwrap() - 1
    };
    for isolation in [Isolation::Reuse, Isolation::FreshPerBatch] {
        let check =
            |initializers: &str, expect: i64| assert_eq!(over(initializers, isolation), expect, "{initializers}");
        check("", 0);
        check(r#"(func (export "_initialize") (call $construct))"#, 10);
        check(r#"(func (export "__wasm_call_ctors") (call $construct))"#, 10);
        // A reactor's entry calls the constructors itself.
        check(
            r#"(func $ctors (export "__wasm_call_ctors") (call $construct))
               (func (export "_initialize") (call $ctors))"#,
            10,
        );
        // Between the start function and the function's own init.
        check(
            r#"(start $construct)
               (func (export "_initialize") (global.set $over (i64.mul (i64.const 2) (global.get $over))))
               (func (export "weir_init_late") (result i32) (call $construct) (i32.const 0))"#,
            30,
        );
    }
}

#[test]
fn a_filter_keeps_rows_by_its_bitmap() {
    let check = |params: &[(&str, ParamValue)], batch: &Arc<Batch>, expect: Expect| {
        let wasm = wasm(LATE_MANIFEST, LATE);
        let mut late = instance_with(&wasm, batch.schema(), &Limits::default(), &Carry::None, params);
        expect.assert_eq(&show(call(&mut late, batch)));
    };
    check(
        &[],
        &flights(),
        expect![[r#"
            +--------+-------+
            | origin | delay |
            +--------+-------+
            | SEA    | 61    |
            | JFK    | 90    |
            +--------+-------+
            filtered 2
        "#]],
    );
    // Rows that earlier stages left out do not exist.
    let selected = flights().filter(&BooleanBuffer::from(vec![false, true, true, true])).unwrap();
    check(
        &[("over", ParamValue::I64(0))],
        &selected,
        expect![[r#"
            +--------+-------+
            | origin | delay |
            +--------+-------+
            | LAX    | 5     |
            | JFK    | 90    |
            +--------+-------+
            filtered 1
        "#]],
    );
}

#[test]
fn a_filter_that_keeps_all_shares_the_batch() {
    let batch = flights();
    let params = [("over", ParamValue::I64(-100))];
    let mut late = instance_with(&wasm(LATE_MANIFEST, LATE), batch.schema(), &Limits::default(), &Carry::None, &params);
    let outcome = call(&mut late, &batch).unwrap();
    assert!(Arc::ptr_eq(&outcome.output, &batch));
}

#[test]
fn nulls_in_a_field_that_takes_none_fail_their_rows_and_no_others() {
    let batch = batch(vec![("delay", i64s([None, Some(61), Some(5), None, Some(90)]))]);
    let mut late = instance(&wasm(LATE_MANIFEST, LATE), batch.schema(), &Limits::default());
    expect![[r#"
        +-------+
        | delay |
        +-------+
        | 61    |
        | 90    |
        +-------+
        filtered 1
        failed row 0: null_input: field `delay` is null, but the function does not accept nulls in it
        failed row 3: null_input: field `delay` is null, but the function does not accept nulls in it
    "#]]
    .assert_eq(&show(call(&mut late, &batch)));
    let nothing = batch.filter(&BooleanBuffer::from(vec![true, false, false, true, false])).unwrap();
    let outcome = call(&mut late, &nothing).unwrap();
    assert_eq!((outcome.output.rows(), outcome.failed.len(), outcome.usage.host_calls), (0, 2, 0));
}

#[test]
fn a_batch_without_rows_is_not_shown() {
    let empty = flights().filter(&BooleanBuffer::new_unset(4)).unwrap();
    let mut late = instance(&wasm(LATE_MANIFEST, LATE), empty.schema(), &Limits::default());
    let outcome = call(&mut late, &empty).unwrap();
    assert!(Arc::ptr_eq(&outcome.output, &empty));
    assert_eq!(late.instantiations(), 0);
}

/// Doubles each delay through a window; rows of delay over 80 fail.
const DOUBLE: &str = r#"
    (memory (export "memory") 1)
    (data (i32.const 60000) "too late")
    (func (export "weir_call_double") (param $rows i32) (result i32) (local $row i32) (local $at i32) (local $bits i32) (local $out i32) (local $value i64)
      (drop (call $window (i32.const 0) (i32.const 0) (local.get $rows) (i32.const 1024)))
      (loop $next
        (local.set $at (i32.add (i32.const 1024) (i32.shl (local.get $row) (i32.const 3))))
        (local.set $value (i64.load (local.get $at)))
        (if (i64.gt_s (local.get $value) (i64.const 80))
          (then (drop (call $row_error (local.get $row) (i32.const 7) (i32.const 60000) (i32.const 8))))
          (else
            (i64.store (i32.add (i32.const 32768) (i32.shl (local.get $out) (i32.const 3))) (i64.shl (local.get $value) (i64.const 1)))
            (local.set $out (i32.add (local.get $out) (i32.const 1)))
            (local.set $bits (i32.or (local.get $bits) (i32.shl (i32.const 1) (local.get $row))))))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $row) (local.get $rows))))
      (i32.store8 (i32.const 0) (local.get $bits))
      (drop (call $emit_filter (i32.const 0) (local.get $rows)))
      (call $emit_column (i32.const 0) (i32.const 32768) (local.get $out) (i32.const 0)))"#;

#[test]
fn a_fallible_map_answers_rows_or_fails_them() {
    let manifest = r#"{"abi":1,"name":"double","kind":"transform","output_shape":"map","fallible":true,"input":[{"name":"delay","type":"i64"}],"output":[{"name":"twice","type":"i64"}]}"#;
    let batch = flights();
    let carry = Carry::Fields(vec!["origin".to_owned()]);
    let mut double = instance_with(&wasm(manifest, DOUBLE), batch.schema(), &Limits::default(), &carry, &[]);
    expect![[r#"
        +--------+-------+
        | origin | twice |
        +--------+-------+
        | SEA    | 122   |
        | LAX    | 10    |
        | SEA    | -6    |
        +--------+-------+
        failed row 2: guest:7: too late
    "#]]
    .assert_eq(&show(call(&mut double, &batch)));
    // Without a failure the carried column is shared.
    let quick = flights().slice(0, 2).unwrap();
    assert_eq!(call(&mut double, &quick).unwrap().output.rows(), 2);
}

/// Each row becomes its origin's letters: text out, parents, pieces of one row.
const LETTERS: &str = r#"
    (memory (export "memory") 1)
    (func (export "weir_call_letters") (param $rows i32) (result i32) (local $row i32) (local $length i32) (local $letter i32)
      (i32.store (i32.const 4) (i32.const 1))
      (loop $next
        (local.set $length (call $get_bytes (i32.const 0) (local.get $row) (i32.const 1024) (i32.const 64)))
        (local.set $letter (i32.const 0))
        (block $done
          (loop $letters
            (br_if $done (i32.ge_u (local.get $letter) (local.get $length)))
            (i32.store (i32.const 16) (local.get $row))
            (drop (call $emit_parents (i32.const 16) (i32.const 1)))
            (drop (call $emit_bytes (i32.const 0) (i32.const 0) (i32.const 1) (i32.add (i32.const 1024) (local.get $letter)) (i32.const 1) (i32.const 0)))
            (local.set $letter (i32.add (local.get $letter) (i32.const 1)))
            (br $letters)))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $row) (local.get $rows))))
      (i32.const 0))"#;

const LETTERS_MANIFEST: &str = r#"{"abi":1,"name":"letters","kind":"transform","output_shape":"flat_map","input":[{"name":"origin","type":"utf8","nullable":true}],"output":[{"name":"letter","type":"utf8"}]}"#;

#[test]
fn a_flat_map_names_the_parent_of_each_row() {
    let batch = batch(vec![
        ("origin", strings([Some("SEA"), None, Some(""), Some("LA")])),
        ("delay", i64s([Some(61), Some(5), Some(90), Some(-3)])),
    ]);
    let wasm = wasm(LETTERS_MANIFEST, LETTERS);
    let mut letters = instance_with(&wasm, batch.schema(), &Limits::default(), &Carry::All, &[]);
    expect![[r#"
        +--------+-------+--------+
        | origin | delay | letter |
        +--------+-------+--------+
        | SEA    | 61    | S      |
        | SEA    | 61    | E      |
        | SEA    | 61    | A      |
        | LA     | -3    | L      |
        | LA     | -3    | A      |
        +--------+-------+--------+
        filtered 2
    "#]]
    .assert_eq(&show(call(&mut letters, &batch)));
}

#[test]
fn a_flat_map_beyond_its_rows_ends_even_if_it_does_not_look() {
    let batch = flights();
    let limits = Limits::default().with(|it| it.output_rows_per_input_max = 2);
    let mut letters = instance(&wasm(LETTERS_MANIFEST, LETTERS), batch.schema(), &limits);
    expect![[r#"
        output_rows_limit (tenant): acme, module <digest>, function letters, in a batch of 4 rows: output rows for these input rows limit reached: limit 8, current 8, requested 1
    "#]]
    .assert_eq(&show(call(&mut letters, &batch)));
    let limits = Limits::default().with(|it| it.output_bytes_max = 30);
    let mut letters = instance(&wasm(LETTERS_MANIFEST, LETTERS), batch.schema(), &limits);
    expect![[r#"
        output_bytes_limit (tenant): acme, module <digest>, function letters, in a batch of 4 rows: output bytes limit reached: limit 30 B, current 30 B, requested 5 B
    "#]]
    .assert_eq(&show(call(&mut letters, &batch)));
}

/// Counts flights by origin, observes delays, keeps the last one: series by origin, one by one and as columns.
const DELAYS: &str = r#"
    (memory (export "memory") 1)
    (global $none (mut i32) (i32.const -1))
    (func (export "weir_init_delays") (result i32)
      (global.set $none (call $metric_series (i32.const 1) (i32.const 0) (i32.const 0)))
      (drop (call $log (i32.const 3) (i32.const 2048) (i32.const 5)))
      (i32.const 0))
    (data (i32.const 2048) "ready")
    (func (export "weir_call_delays") (param $rows i32) (result i32) (local $row i32) (local $length i32)
      (loop $next
        (local.set $length (call $get_bytes (i32.const 0) (local.get $row) (i32.const 1028) (i32.const 64)))
        (i32.store (i32.const 1024) (local.get $length))
        (i32.store (i32.add (i32.const 4096) (i32.shl (local.get $row) (i32.const 2)))
          (call $metric_series (i32.const 0) (i32.const 1024) (i32.add (local.get $length) (i32.const 4))))
        (f64.store (i32.add (i32.const 8192) (i32.shl (local.get $row) (i32.const 3))) (f64.const 1))
        (f64.store (i32.add (i32.const 16384) (i32.shl (local.get $row) (i32.const 3)))
          (f64.convert_i64_s (call $get_i64 (i32.const 1) (local.get $row))))
        (drop (call $metric_record
          (call $metric_series (i32.const 2) (i32.const 0) (i32.const 0))
          (f64.load (i32.add (i32.const 16384) (i32.shl (local.get $row) (i32.const 3))))))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $row) (local.get $rows))))
      (drop (call $metric_record_column (global.get $none) (i32.const 16384) (local.get $rows)))
      (call $metric_record_many (i32.const 4096) (i32.const 8192) (local.get $rows)))"#;

const DELAYS_MANIFEST: &str = r#"{"abi":1,"name":"delays","kind":"metrics","input":[{"name":"origin","type":"utf8"},{"name":"delay","type":"i64"}],"output":[],"metrics":[{"name":"flights","kind":"counter","labels":["origin"]},{"name":"delay_minutes","kind":"histogram","buckets":[0,60]},{"name":"last","kind":"gauge"}]}"#;

#[test]
fn a_metrics_function_records_and_shares_the_batch() {
    let batch = flights();
    let mut delays = instance(&wasm(DELAYS_MANIFEST, DELAYS), batch.schema(), &Limits::default());
    let outcome = call(&mut delays, &batch).unwrap();
    assert!(Arc::ptr_eq(&outcome.output, &batch));
    expect![[r#"
        +--------+-------+
        | origin | delay |
        +--------+-------+
        | SEA    | 61    |
        | LAX    | 5     |
        | JFK    | 90    |
        | SEA    | -3    |
        +--------+-------+
        metric 2 [] =-3
        metric 1 [] [1, 1, 2] count 4 sum 153
        metric 0 ["SEA"] +2
        metric 0 ["LAX"] +1
        metric 0 ["JFK"] +1
        log info: ready
    "#]]
    .assert_eq(&show(Ok(outcome)));
    // The next batch begins at nothing, and knows the series still.
    let one = batch.slice(1, 1).unwrap();
    expect![[r#"
        +--------+-------+
        | origin | delay |
        +--------+-------+
        | LAX    | 5     |
        +--------+-------+
        metric 2 [] =5
        metric 1 [] [0, 1, 0] count 1 sum 5
        metric 0 ["LAX"] +1
    "#]]
    .assert_eq(&show(call(&mut delays, &one)));
    // Beyond the limit of series new label values share one.
    let limits = Limits::default().with(|it| it.series_max = 1);
    let mut delays = instance(&wasm(DELAYS_MANIFEST, DELAYS), batch.schema(), &limits);
    let metrics = show(call(&mut delays, &batch));
    let metrics: Vec<&str> = metrics.lines().filter(|line| line.starts_with("metric 0")).collect();
    expect![[r#"
        [
            "metric 0 [\"SEA\"] +2",
            "metric 0 [] (overflow) +2",
        ]"#]]
    .assert_eq(&format!("{metrics:#?}"));
}

/// Fails with the number of batches that this instance has seen.
const COUNTING: &str = r#"
    (memory (export "memory") 1)
    (global $seen (mut i32) (i32.const 0))
    (data (i32.const 0) "\ff")
    (func (export "weir_call_count") (param $rows i32) (result i32)
      (global.set $seen (i32.add (global.get $seen) (i32.const 1)))
      (i32.store8 (i32.const 16) (i32.const 120)) (i32.store8 (i32.const 17) (i32.const 120)) (i32.store8 (i32.const 18) (i32.const 120))
      (drop (call $log (i32.const 3) (i32.const 16) (global.get $seen)))
      (if (i64.eq (call $get_i64 (i32.const 0) (i32.const 0)) (i64.const 13)) (then unreachable))
      (call $emit_filter (i32.const 0) (local.get $rows)))"#;

#[test]
fn state_lives_until_a_call_ends_badly_or_the_stage_wants_none() {
    let manifest =
        r#"{"abi":1,"name":"count","kind":"transform","output_shape":"filter","input":[{"name":"n","type":"i64"}]}"#;
    let good = batch(vec![("n", i64s([Some(1)]))]);
    let bad = batch(vec![("n", i64s([Some(13)]))]);
    let seen = |instance: &mut Instance, batch: &Arc<Batch>| {
        call(instance, batch).map(|outcome| outcome.logs[0].text.len()).map_err(|error| error.code())
    };
    let mut count = instance(&wasm(manifest, COUNTING), good.schema(), &Limits::default());
    assert_eq!(seen(&mut count, &good), Ok(1));
    assert_eq!(seen(&mut count, &good), Ok(2));
    assert_eq!(count.instantiations(), 1);
    assert_eq!(seen(&mut count, &bad), Err("unreachable"));
    assert_eq!(seen(&mut count, &good), Ok(1));
    assert_eq!(count.instantiations(), 2);
    let mut fresh =
        instance(&wasm(manifest, COUNTING), good.schema(), &Limits::default()).with_isolation(Isolation::FreshPerBatch);
    assert_eq!(seen(&mut fresh, &good), Ok(1));
    assert_eq!(seen(&mut fresh, &good), Ok(1));
    assert_eq!(fresh.instantiations(), 2);
}

#[test]
fn nothing_of_a_batch_is_held_after_the_call() {
    let batch = flights();
    let mut late = instance(&wasm(LATE_MANIFEST, LATE), batch.schema(), &Limits::default());
    let column = Arc::clone(batch.column(1));
    let before = (Arc::strong_count(&batch), Arc::strong_count(&column), buffer_count(&column));
    drop(call(&mut late, &batch).unwrap());
    assert_eq!((Arc::strong_count(&batch), Arc::strong_count(&column), buffer_count(&column)), before);
    // Nor after one that ended badly: the parameter is not for this guest.
    let wasm = wasm(LATE_MANIFEST, &LATE.replace("call $param_i64 (i32.const 0)", "call $param_i64 (i32.const 1)"));
    let mut wrong = instance(&wasm, batch.schema(), &Limits::default());
    drop(call(&mut wrong, &batch).unwrap_err());
    assert_eq!((Arc::strong_count(&batch), Arc::strong_count(&column), buffer_count(&column)), before);
}

fn buffer_count(column: &weir_batch::arrow::array::ArrayRef) -> usize {
    column.to_data().buffers()[0].strong_count()
}
