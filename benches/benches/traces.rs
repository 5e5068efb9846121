//! What do traces cost? The seed workload of `seed.rs` through a filter and a sink that counts, with traces off, with every
//! batch sampled, and with one in a hundred.
//!
//! Cost model: off, nothing; a batch that is not sampled, two random numbers and a branch, and where its records may bring
//! contexts, two clock readings and a look at their headers; a sampled one, a span a step, each a clock reading or two and
//! some ten attributes. `exporter` drops what it is given: what the process's exporter does with a span is done on its own
//! thread, but for the hand-over.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::measurement::Measurement;
use criterion::{BatchSize, Criterion, Throughput};
use weir_benches::{by_both_clocks, one_thread};
use weir_plan::Plan;
use weir_query::Query;
use weir_sandbox::{Engine, EngineConfig};
use weir_sources::SEED_BATCH_ROWS;
use weir_tests::guest_path;
use weir_trace::{Sampler, Span, SpanExporter, Tracing};

const BATCHES: usize = 1000;

struct Nowhere;

impl SpanExporter for Nowhere {
    fn export(&self, span: Span) {
        drop(black_box(span));
    }
}

fn traces<M: Measurement>(criterion: &mut Criterion<M>, clock: &str) {
    let runtime = one_thread();
    let engine = Engine::new(&EngineConfig::default()).expect("an engine");
    let module = guest_path("seed").expect("the seed guest");
    let text = format!(
        "name = \"seed\"\n[sources.seed]\nkind = \"generator\"\nbatches = {BATCHES}\n\
         [[stages]]\nname = \"pass\"\nmodule = {module:?}\nfunction = \"pass\"\n[sinks.count]\nkind = \"count\"\n"
    );
    let sampler = |name, argument| Sampler::named(Some(name), argument).expect("a sampler");
    let cases = [
        ("off", None),
        ("none sampled", Some(sampler("always_off", None))),
        ("1 % sampled", Some(sampler("parentbased_traceidratio", Some("0.01")))),
        ("all sampled", Some(sampler("always_on", None))),
    ];
    let mut group = criterion.benchmark_group(format!("traces, {clock}"));
    group.throughput(Throughput::Elements((BATCHES * SEED_BATCH_ROWS) as u64));
    group.sample_size(20);
    for (name, sampler) in cases {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || {
                    let plan = Plan::parse(&text, Path::new(".")).expect("a plan");
                    let query = runtime.block_on(Query::build(plan, &engine)).expect("a query");
                    match sampler {
                        None => query,
                        Some(sampler) => query.traced(Tracing::new(sampler, Arc::new(Nowhere))),
                    }
                },
                |query| {
                    let summary = runtime.block_on(query.run()).expect("a run");
                    assert_eq!(summary.copy_on_write_copied, 0);
                    assert_eq!(summary.traces.is_some(), sampler.is_some());
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

by_both_clocks!(traces);
