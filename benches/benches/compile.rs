//! What does it cost to admit a module, at either tier, and what does optimising it save afterwards?
//!
//! Cost model: `checks + functions x tier` once a module, against `rows x work x tier` for each batch. Optimising pays
//! from the batch on in which what it saves exceeds what it took. All of it in this process; a worker adds the start of
//! a process.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use weir_batch::arrow::array::{ArrayRef, Float64Array, Int64Array};
use weir_batch::{Batch, DataType, Field, Schema};
use weir_benches::{Guest, one_thread};
use weir_sandbox::{Engine, EngineConfig, Limits, ModuleManifest};
use weir_tests::guest_module;

const ROWS: usize = 8192;

fn engine(optimise: bool) -> Engine {
    Engine::new(&EngineConfig::default().with(|it| {
        it.optimise = optimise;
        it.instances_max = 16;
    }))
    .expect("an engine")
}

const TIERS: [(&str, bool); 2] = [("baseline", false), ("optimised", true)];

fn admit(criterion: &mut Criterion) {
    let limits = Limits::default();
    let tenant = "bench".parse().expect("a tenant");
    for guest in ["seed", "flights"] {
        let bytes = guest_module(guest).expect("a built guest");
        let mut group = criterion.benchmark_group(format!("admit {guest}, {} bytes, wall", bytes.len()));
        group.sample_size(20);
        group.bench_function("checks alone", |bencher| {
            bencher.iter(|| ModuleManifest::check(black_box(&bytes), &limits))
        });
        for (name, optimise) in TIERS {
            let engine = engine(optimise);
            group.bench_function(name, |bencher| {
                bencher.iter(|| engine.admit(&tenant, black_box(&bytes), &limits).expect("admitted"))
            });
        }
        group.finish();
    }
}

fn run(criterion: &mut Criterion) {
    let fields = vec![Field::new("id", DataType::I64), Field::new("value", DataType::F64)];
    let schema = Arc::new(Schema::new(fields).expect("a schema"));
    let mixed = (0..ROWS as u64).map(|row| row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40);
    let id: ArrayRef = Arc::new(Int64Array::from_iter_values(mixed.clone().map(|number| number as i64)));
    let value: ArrayRef = Arc::new(Float64Array::from_iter_values(mixed.map(|number| (number % 200) as f64)));
    let batch = Arc::new(Batch::new(schema, vec![id, value]).expect("a batch"));
    let runtime = one_thread();
    for function in ["two_field", "product"] {
        let mut group = criterion.benchmark_group(format!("{function} in windows, wall"));
        group.throughput(Throughput::Elements(ROWS as u64));
        for (name, optimise) in TIERS {
            let mut guest = Guest::new(&engine(optimise), "seed", function, batch.schema());
            group.bench_function(name, |bencher| bencher.iter(|| guest.call(&runtime, black_box(&batch))));
        }
        group.finish();
    }
}

criterion_group!(compile, admit, run);
criterion_main!(compile);
