//! How many records a second pass through a whole query on one thread: the seed workload, 1,000 batches of 1,000
//! records, a filter that passes everything, metrics, one sink that counts and drops?
//!
//! Cost model: `batches x (2 guest calls + sink queue) + rows x (filter + observe)`. `native` is the same loop over the
//! same shared batches with the two functions written in Rust, without a query around it; `no stages` is the query
//! without guests, so that the difference to the whole is the guests'.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::measurement::Measurement;
use criterion::{BatchSize, Criterion, Throughput};
use tokio::runtime::Runtime;
use weir_batch::Batch;
use weir_batch::arrow::array::{Array, Float64Array};
use weir_batch::arrow::buffer::BooleanBuffer;
use weir_benches::{by_both_clocks, one_thread};
use weir_plan::Plan;
use weir_query::Query;
use weir_sandbox::{Engine, EngineConfig};
use weir_sources::{SEED_BATCH_ROWS, seed_batch};
use weir_tests::guest_path;

const BATCHES: usize = 1000;

fn plan(stages: &[&str]) -> Plan {
    let module = guest_path("seed").expect("the seed guest");
    let mut text = format!("name = \"seed\"\n[sources.seed]\nkind = \"generator\"\nbatches = {BATCHES}\n");
    for stage in stages {
        text += &format!("[[stages]]\nname = \"{stage}\"\nmodule = {module:?}\nfunction = \"{stage}\"\n");
    }
    text += "[sinks.count]\nkind = \"count\"\n";
    Plan::parse(&text, Path::new(".")).expect("a plan")
}

fn build(runtime: &Runtime, engine: &Engine, stages: &[&str]) -> Query {
    runtime.block_on(Query::build(plan(stages), engine)).expect("a query")
}

fn run(runtime: &Runtime, query: Query) {
    let summary = runtime.block_on(query.run()).expect("a run");
    assert_eq!(summary.records_read(), (BATCHES * SEED_BATCH_ROWS) as u64);
    assert!(summary.adds_up());
    assert_eq!(summary.copy_on_write_copied, 0);
}

/// `pass` and `totals` of the seed guest over shared batches, and a sink that counts.
fn native(template: &Arc<Batch>) -> (usize, f64, [u64; 7]) {
    const BOUNDS: [f64; 6] = [0.0, 250.0, 500.0, 750.0, 1000.0, 1250.0];
    let (mut records, mut sum, mut buckets) = (0, 0.0, [0; 7]);
    for _ in 0..BATCHES {
        let batch = Arc::clone(black_box(template));
        let value = batch.column(2).as_any().downcast_ref::<Float64Array>().expect("f64").values();
        let keep = BooleanBuffer::collect_bool(value.len(), |row| value[row] >= -1.0);
        let kept = batch.filter(&keep).expect("a selection");
        for &value in value.iter() {
            sum += value;
            buckets[BOUNDS.partition_point(|&bound| bound < value)] += 1;
        }
        records += kept.rows();
    }
    (records, sum, buckets)
}

fn seed<M: Measurement>(criterion: &mut Criterion<M>, clock: &str) {
    let runtime = one_thread();
    let engine = Engine::new(&EngineConfig::default()).expect("an engine");
    let template = Arc::new(seed_batch().expect("the template"));
    let mut group = criterion.benchmark_group(format!("seed workload, {clock}"));
    group.throughput(Throughput::Elements((BATCHES * SEED_BATCH_ROWS) as u64));
    group.sample_size(20);
    group.bench_function("native", |bencher| bencher.iter(|| native(&template)));
    let cases: [(&str, &[&str]); 3] =
        [("no stages", &[]), ("filter", &["pass"]), ("filter and metrics", &["pass", "totals"])];
    for (name, stages) in cases {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || build(&runtime, &engine, stages),
                |query| run(&runtime, query),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

by_both_clocks!(seed);
