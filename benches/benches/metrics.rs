//! What does a metric cost a record? The seed workload of `seed.rs`, 1,000 batches of 1,000 records, through a filter and a
//! function that looks at one field and records nothing, a counter, a histogram, both, or a counter with a label.
//!
//! Cost model: `batches x (guest call + flush) + rows x (copy of the window + the guest's loop)` are paid by the function that
//! records nothing as well. A counter adds `rows x addition in the guest`; a label `rows x hash of it`; a histogram `rows x
//! (check and push in the guest + check, bucket and sum in the host)`, or the host's part of that alone where it is told of the
//! whole column. `off` is the query without such a function: beside it, a function that records nothing shows what looking at
//! the field costs.

use std::path::Path;

use criterion::measurement::Measurement;
use criterion::{BatchSize, Criterion, Throughput};
use weir_benches::{by_both_clocks, one_thread};
use weir_plan::Plan;
use weir_query::{Query, Reading};
use weir_sandbox::{Engine, EngineConfig};
use weir_sources::SEED_BATCH_ROWS;
use weir_tests::guest_path;

const BATCHES: usize = 1000;

/// Names, the functions beside the filter, and how many records each metric is to have counted.
const CASES: [(&str, &[&str], usize); 7] = [
    ("off", &[], 0),
    ("nothing", &["idle"], 0),
    ("counter", &["records"], 1),
    ("histogram", &["values"], 1),
    ("counter and histogram", &["totals"], 2),
    ("both, of whole columns", &["columns"], 2),
    ("counter with a label", &["sides"], 2),
];

fn plan(functions: &[&str]) -> Plan {
    let module = guest_path("seed").expect("the seed guest");
    let mut text = format!("name = \"seed\"\n[sources.seed]\nkind = \"generator\"\nbatches = {BATCHES}\n");
    for function in ["pass"].iter().chain(functions) {
        text += &format!("[[stages]]\nname = \"{function}\"\nmodule = {module:?}\nfunction = \"{function}\"\n");
    }
    text += "[sinks.count]\nkind = \"count\"\n";
    Plan::parse(&text, Path::new(".")).expect("a plan")
}

fn metrics<M: Measurement>(criterion: &mut Criterion<M>, clock: &str) {
    let runtime = one_thread();
    let engine = Engine::new(&EngineConfig::default()).expect("an engine");
    let records = BATCHES * SEED_BATCH_ROWS;
    let mut group = criterion.benchmark_group(format!("metrics, {clock}"));
    group.throughput(Throughput::Elements(records as u64));
    group.sample_size(30);
    for (name, functions, series) in CASES {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || runtime.block_on(Query::build(plan(functions), &engine)).expect("a query"),
                |query| {
                    let summary = runtime.block_on(query.run()).expect("a run");
                    assert_eq!((summary.copy_on_write_copied, summary.metrics.len()), (0, series));
                    let counted = summary.metrics.iter().map(|series| match &series.reading {
                        Reading::Counter { total } if series.labels.is_empty() => *total as usize,
                        Reading::Counter { total } => 2 * *total as usize,
                        Reading::Gauge { .. } => 0,
                        Reading::Histogram { count, .. } => *count as usize,
                    });
                    assert!(counted.into_iter().all(|counted| counted == records), "{:?}", summary.metrics);
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

by_both_clocks!(metrics);
