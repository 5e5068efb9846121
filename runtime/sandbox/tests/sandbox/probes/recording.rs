//! Recording a column that the guest never reads.

use std::sync::Arc;

use expect_test::expect;
use weir_batch::Batch;
use weir_batch::arrow::array::{ArrayRef, Float64Array, Int8Array};
use weir_batch::arrow::buffer::BooleanBuffer;
use weir_sandbox::{Carry, Limits, MetricDelta};

use super::{answers, check};
use crate::support::{batch, call, i64s, instance_with, wasm};

#[test]
fn of_an_input_column() {
    check(
        "metrics",
        "metric_record_input 0 0 0 5
         metric_series 0 80 5; metric_record_input 0 0 0 5
         metric_series 1 0 0; metric_record_input 0 0 0 5
         metric_series 1 0 0; metric_record_input 0 3 0 5
         metric_series 1 0 0; metric_record_input 0 3 1 2
         metric_series 1 0 0; metric_record_input 1 0 0 5
         metric_series 1 0 0; metric_record_input -1 0 0 5
         metric_series 1 0 0; metric_record_input 0 1 0 5
         metric_series 1 0 0; metric_record_input 0 2 0 5
         metric_series 1 0 0; metric_record_input 0 4 0 5
         metric_series 1 0 0; metric_record_input 0 -1 0 5
         metric_series 1 0 0; metric_record_input 0 0 5 0
         metric_series 1 0 0; metric_record_input 0 0 5 1
         metric_series 1 0 0; metric_record_input 0 0 6 0
         metric_series 1 0 0; metric_record_input 0 0 0 6
         metric_series 1 0 0; metric_record_input 0 0 0 -1
         metric_series 1 0 0; metric_record_input 0 0 -1 0
         metric_series 1 0 0; metric_record_input 0 0 -1 2
         metric_series 1 0 0; metric_record_input 0 0 -2147483648 -2147483648
         metric_record_input 0 0 0 0",
        expect![[r#"
            metric_record_input 0 0 0 5 -> -6
            metric_series 0 80 5; metric_record_input 0 0 0 5 -> 2
            metric_series 1 0 0; metric_record_input 0 0 0 5 -> 0
            metric_series 1 0 0; metric_record_input 0 3 0 5 -> 1
            metric_series 1 0 0; metric_record_input 0 3 1 2 -> 0
            metric_series 1 0 0; metric_record_input 1 0 0 5 -> -6
            metric_series 1 0 0; metric_record_input -1 0 0 5 -> -6
            metric_series 1 0 0; metric_record_input 0 1 0 5 -> -3
            metric_series 1 0 0; metric_record_input 0 2 0 5 -> -3
            metric_series 1 0 0; metric_record_input 0 4 0 5 -> -1
            metric_series 1 0 0; metric_record_input 0 -1 0 5 -> -1
            metric_series 1 0 0; metric_record_input 0 0 5 0 -> 0
            metric_series 1 0 0; metric_record_input 0 0 5 1 -> -2
            metric_series 1 0 0; metric_record_input 0 0 6 0 -> -2
            metric_series 1 0 0; metric_record_input 0 0 0 6 -> -2
            metric_series 1 0 0; metric_record_input 0 0 0 -1 -> -2
            metric_series 1 0 0; metric_record_input 0 0 -1 0 -> -2
            metric_series 1 0 0; metric_record_input 0 0 -1 2 -> -2
            metric_series 1 0 0; metric_record_input 0 0 -2147483648 -2147483648 -> -2
            metric_record_input 0 0 0 0 -> -6
        "#]],
    );
    // Not before there is a batch.
    let early = answers("metrics", "init", "metric_series 1 0 0; metric_record_input 0 0 0 0");
    expect![[r#"
        metric_series 1 0 0; metric_record_input 0 0 0 0 -> -10
    "#]]
    .assert_eq(&early);
}

const MANIFEST: &str = r#"{"abi":1,"name":"f","kind":"metrics","input":[{"name":"f","type":"f64"},{"name":"n","type":"f64","nullable":true},{"name":"i","type":"i64"},{"name":"w","type":"i64","nullable":true}],"metrics":[{"name":"c","kind":"counter"},{"name":"g","kind":"gauge"},{"name":"h","kind":"histogram","buckets":[-1,0,1.5]},{"name":"many","kind":"histogram","buckets":[BOUNDS]}]}"#;

/// Every column, but for its first row, into every metric. Fails with how many values were left out if that is not as many.
fn record_all(rows: &Arc<Batch>, left_out: u32) -> Vec<MetricDelta> {
    let bounds: Vec<String> = (-10..10).map(|bound| bound.to_string()).collect();
    let manifest = MANIFEST.replace("BOUNDS", &bounds.join(","));
    let body = format!(
        r#"(memory (export "memory") 1)
        (func (export "weir_call_f") (param $rows i32) (result i32)
          (local $metric i32) (local $column i32) (local $series i32) (local $left_out i32)
          (loop $metrics
            (local.set $series (call $metric_series (local.get $metric) (i32.const 0) (i32.const 0)))
            (local.set $column (i32.const 0))
            (loop $columns
              (local.set $left_out (i32.add (local.get $left_out) (call $metric_record_input (local.get $series)
                (local.get $column) (i32.const 1) (i32.sub (local.get $rows) (i32.const 1)))))
              (local.set $column (i32.add (local.get $column) (i32.const 1)))
              (br_if $columns (i32.lt_u (local.get $column) (i32.const 4))))
            (local.set $metric (i32.add (local.get $metric) (i32.const 1)))
            (br_if $metrics (i32.lt_u (local.get $metric) (i32.const 4))))
          (if (result i32) (i32.eq (local.get $left_out) (i32.const {left_out}))
            (then (i32.const 0)) (else (i32.add (i32.const 1000) (local.get $left_out)))))"#
    );
    let mut guest = instance_with(&wasm(&manifest, &body), rows.schema(), &Limits::default(), &Carry::None, &[]);
    let outcome = call(&mut guest, rows).unwrap();
    outcome.metrics.series.into_iter().map(|delta| delta.value).collect()
}

/// What `record_all` is to find, from the values that a guest would read: `None` for a null.
fn expected(columns: &[Vec<Option<f64>>]) -> (Vec<MetricDelta>, u32) {
    let values: Vec<f64> = columns.iter().flat_map(|column| column[1..].iter().flatten().copied()).collect();
    let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let steps: Vec<f64> = finite.iter().copied().filter(|value| *value >= 0.0).collect();
    let histogram = |bounds: Vec<f64>| {
        let mut buckets = vec![0; bounds.len() + 1];
        for value in &finite {
            buckets[bounds.iter().position(|bound| value <= bound).unwrap_or(bounds.len())] += 1;
        }
        MetricDelta::Histogram { buckets, count: finite.len() as u64, sum: finite.iter().sum() }
    };
    let deltas = vec![
        MetricDelta::Counter { sum: steps.iter().sum() },
        MetricDelta::Gauge { last: *finite.last().unwrap() },
        histogram(vec![-1.0, 0.0, 1.5]),
        histogram((-10..10).map(f64::from).collect()),
    ];
    let left_out = 4 * values.len() - steps.len() - 3 * finite.len();
    (deltas, left_out as u32)
}

#[test]
fn a_column_is_recorded_as_a_guest_would_read_it() {
    // Rows enough for blocks, lanes and what is left of them; all sums are exact.
    for rows in [2, 9, 67, 2_500_usize] {
        let number = |row: usize| (row % 40) as f64 / 4.0 - 5.0;
        let nullable = |row: usize| match row % 7 {
            0 => None,
            1 if row > 64 => Some(f64::NAN),
            2 if row > 64 => Some(f64::NEG_INFINITY),
            _ => Some(number(row)),
        };
        let small = |row: usize| (row % 5 != 4).then_some((row % 256) as i8);
        let all = |keep: &dyn Fn(usize) -> bool| {
            let kept = || (0..rows).filter(|row| keep(*row));
            expected(&[
                kept().map(|row| Some(number(row))).collect(),
                kept().map(nullable).collect(),
                kept().map(|row| Some(row as f64)).collect(),
                kept().map(|row| small(row).map(f64::from)).collect(),
            ])
        };
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("f", Arc::new(Float64Array::from_iter_values((0..rows).map(number)))),
            ("n", Arc::new(Float64Array::from_iter((0..rows).map(nullable)))),
            ("i", i64s((0..rows as i64).map(Some).collect::<Vec<_>>())),
            ("w", Arc::new(Int8Array::from_iter((0..rows).map(small)))),
        ];
        let whole = batch(columns);
        let (deltas, left_out) = all(&|_| true);
        assert_eq!(record_all(&whole, left_out), deltas, "{rows} rows");
        if rows > 2 {
            let keep = |row: usize| row % 3 != 1;
            let selected = Arc::new(whole.filter(&BooleanBuffer::collect_bool(rows, keep)).unwrap());
            let (deltas, left_out) = all(&keep);
            assert_eq!(record_all(&selected, left_out), deltas, "of {rows} rows");
        }
    }
}

#[test]
fn sums_beyond_all_doubles_end_at_the_last() {
    // In lanes of their own, the two ends would meet as no number.
    let mut values = vec![f64::MAX; 24];
    values.extend(vec![f64::MIN; 8]);
    for (row, value) in values.iter_mut().enumerate() {
        *value = if row % 8 == 1 { f64::MIN } else { f64::MAX };
    }
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("f", Arc::new(Float64Array::from(values.clone()))),
        ("n", Arc::new(Float64Array::from(vec![0.0; 32]))),
        ("i", i64s(vec![Some(0); 32])),
        ("w", i64s(vec![Some(0); 32])),
    ];
    let deltas = record_all(&batch(columns), 4);
    let clamped = values[1..].iter().fold(0.0, |sum: f64, value| (sum + value).clamp(f64::MIN, f64::MAX));
    assert_eq!(deltas[0], MetricDelta::Counter { sum: f64::MAX });
    assert!(matches!(deltas[2], MetricDelta::Histogram { sum, count: 124, .. } if sum == clamped), "{deltas:?}");
}
