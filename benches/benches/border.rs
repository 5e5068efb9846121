//! What does it cost to hand a record's fields to a guest and to take its answer back?
//!
//! Cost model: `call + rows x (fields x read + work + answer)`. The call (entering the guest, fuel, epochs, a fresh
//! outcome) is about a microsecond; what is measured is the rest, for 8,192 rows. `native` does the same work over the
//! same Arrow columns in the same run; `windows` reads 1,024 values at a time; `getters` calls the host for each field.

use std::hint::black_box;
use std::sync::Arc;

use criterion::measurement::Measurement;
use criterion::{Criterion, Throughput};
use weir_batch::arrow::array::{Array, ArrayRef, Float64Array, Int64Array};
use weir_batch::arrow::buffer::BooleanBuffer;
use weir_batch::{Batch, DataType, Field, Schema};
use weir_benches::{Guest, by_both_clocks, one_thread};
use weir_sandbox::{Engine, EngineConfig};

const ROWS: usize = 8192;

/// An id and a value, neither sorted, so that no branch can be predicted.
fn batch() -> Arc<Batch> {
    let fields = vec![Field::new("id", DataType::I64), Field::new("value", DataType::F64)];
    let schema = Arc::new(Schema::new(fields).expect("a schema"));
    let mixed = (0..ROWS as u64).map(|row| row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40);
    let id: ArrayRef = Arc::new(Int64Array::from_iter_values(mixed.clone().map(|number| number as i64)));
    let value: ArrayRef = Arc::new(Float64Array::from_iter_values(mixed.map(|number| (number % 200) as f64)));
    Arc::new(Batch::new(schema, vec![id, value]).expect("a batch"))
}

fn columns(batch: &Batch) -> (&[i64], &[f64]) {
    let id = batch.column(0).as_any().downcast_ref::<Int64Array>().expect("i64");
    let value = batch.column(1).as_any().downcast_ref::<Float64Array>().expect("f64");
    (id.values(), value.values())
}

/// The guest's `two_field`, as a native engine would run it: a bitmap, and a selection from it.
fn native_filter(batch: &Arc<Batch>) -> Arc<Batch> {
    let (id, value) = columns(batch);
    let keep = BooleanBuffer::collect_bool(id.len(), |row| (id[row] & 1 == 0) & (value[row] > 100.0));
    batch.filter(&keep).expect("a selection")
}

/// The guest's `product`, into a new column.
fn native_product(batch: &Batch, schema: &Arc<Schema>) -> Batch {
    let (id, value) = columns(batch);
    let product = Float64Array::from_iter_values(id.iter().zip(value).map(|(&id, &value)| id as f64 * value));
    batch.derive(Arc::clone(schema), &[], vec![Arc::new(product)], ROWS, None).expect("a batch")
}

fn filter<M: Measurement>(criterion: &mut Criterion<M>, clock: &str) {
    let batch = batch();
    let runtime = one_thread();
    let mut group = criterion.benchmark_group(format!("two-field filter, {clock}"));
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("native", |bencher| bencher.iter(|| native_filter(black_box(&batch))));
    for (fuel, name) in [(true, ""), (false, ", no fuel")] {
        let engine = Engine::new(&EngineConfig::default().with(|it| it.fuel = fuel)).expect("an engine");
        let mut windows = Guest::new(&engine, "seed", "two_field", batch.schema());
        let mut getters = Guest::new(&engine, "seed", "two_field_getters", batch.schema());
        let same = native_filter(&batch);
        for guest in [&mut windows, &mut getters] {
            let output = guest.call(&runtime, &batch).output;
            assert_eq!(output.selection(), same.selection());
        }
        group.bench_function(format!("windows{name}"), |bencher| {
            bencher.iter(|| windows.call(&runtime, black_box(&batch)))
        });
        group.bench_function(format!("getters{name}"), |bencher| {
            bencher.iter(|| getters.call(&runtime, black_box(&batch)))
        });
    }
    group.finish();
}

fn product<M: Measurement>(criterion: &mut Criterion<M>, clock: &str) {
    let batch = batch();
    let runtime = one_thread();
    let engine = Engine::new(&EngineConfig::default()).expect("an engine");
    let mut guest = Guest::new(&engine, "seed", "product", batch.schema());
    let output = guest.call(&runtime, &batch).output;
    let schema = Arc::clone(output.schema());
    assert_eq!(output.column(0), native_product(&batch, &schema).column(0));
    let mut group = criterion.benchmark_group(format!("product map, {clock}"));
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("native", |bencher| bencher.iter(|| native_product(black_box(&batch), &schema)));
    group.bench_function("windows", |bencher| bencher.iter(|| guest.call(&runtime, black_box(&batch))));
    group.finish();
}

fn call<M: Measurement>(criterion: &mut Criterion<M>, clock: &str) {
    let batch = batch().slice(0, 1).expect("one row");
    let runtime = one_thread();
    let engine = Engine::new(&EngineConfig::default()).expect("an engine");
    let mut guest = Guest::new(&engine, "seed", "two_field", batch.schema());
    let mut group = criterion.benchmark_group(format!("one record, {clock}"));
    group.bench_function("call", |bencher| bencher.iter(|| guest.call(&runtime, black_box(&batch))));
    group.finish();
}

by_both_clocks!(filter, product, call);
