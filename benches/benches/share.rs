//! What does it cost to hand one batch to several sinks, and to write to a batch in place?
//!
//! Cost model: a reference count for each sink, whatever the batch's size; `make_mut` is an assignment where nobody else
//! holds the batch, and a copy of its frame (a few hundred bytes, columns shared) where somebody does. `deep copy` is what
//! all of this avoids.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use weir_batch::arrow::array::{ArrayRef, UInt32Array};
use weir_batch::arrow::compute::take;
use weir_batch::{Batch, CopyOnWrite, TraceContext};
use weir_benches::one_thread;
use weir_plan::Plan;
use weir_query::Query;
use weir_sandbox::{Engine, EngineConfig};
use weir_sources::{SEED_BATCH_ROWS, seed_batch};

const BATCHES: usize = 1000;

fn fan_out(criterion: &mut Criterion) {
    let runtime = one_thread();
    let engine = Engine::new(&EngineConfig::default()).expect("an engine");
    let mut group = criterion.benchmark_group("fan-out to sinks that count");
    group.throughput(Throughput::Elements((BATCHES * SEED_BATCH_ROWS) as u64));
    group.sample_size(20);
    for sinks in [1, 3, 10] {
        let mut text = format!("name = \"fan\"\n[sources.seed]\nkind = \"generator\"\nbatches = {BATCHES}\n");
        for sink in 0..sinks {
            text += &format!("[sinks.count-{sink}]\nkind = \"count\"\n");
        }
        group.bench_function(format!("{sinks} sinks"), |bencher| {
            bencher.iter_batched(
                || {
                    let plan = Plan::parse(&text, Path::new(".")).expect("a plan");
                    runtime.block_on(Query::build(plan, &engine)).expect("a query")
                },
                |query| {
                    let summary = runtime.block_on(query.run()).expect("a run");
                    assert_eq!(summary.progress.sinks.len(), sinks);
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// Every column's values in new memory.
fn deep_copy(batch: &Batch) -> Vec<ArrayRef> {
    let rows = UInt32Array::from_iter_values(0..SEED_BATCH_ROWS as u32);
    batch.columns().iter().map(|column| take(column, &rows, None).expect("a copy")).collect()
}

fn mutate(criterion: &mut Criterion) {
    let template = seed_batch().expect("the template");
    let trace = TraceContext::new([1; 16], [2; 8], true);
    let counts = CopyOnWrite::default();
    let mut group = criterion.benchmark_group("set the trace context of a batch of 1,000");
    group.bench_function("unshared", |bencher| {
        let mut batch = Arc::new(template.clone());
        bencher.iter(|| counts.make_mut(black_box(&mut batch)).set_trace(trace));
    });
    group.bench_function("shared", |bencher| {
        let batch = Arc::new(template.clone());
        bencher.iter_batched_ref(
            || Arc::clone(&batch),
            |batch| counts.make_mut(batch).set_trace(trace),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("deep copy", |bencher| bencher.iter(|| deep_copy(black_box(&template))));
    group.finish();
}

criterion_group!(share, fan_out, mutate);
criterion_main!(share);
