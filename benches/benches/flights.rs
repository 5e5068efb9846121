//! Real records: late flights with their route, and delays by origin, from Parquet to sinks that count.
//!
//! Cost model: `decode + rows x (filter + hash of an origin + observe) + late rows x (two strings, one made)`. `native` does
//! the same work in Rust over the same decoder's batches. The file is `WEIR_FLIGHTS` where that is set (the 3 M flights),
//! else the sample of 20,000 in the repository.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use criterion::measurement::Measurement;
use criterion::{BatchSize, Criterion, Throughput};
use weir_batch::arrow::array::{Array, Int64Array, StringArray, StringBuilder};
use weir_benches::{by_both_clocks, one_thread};
use weir_formats::{Format, open_decoder};
use weir_plan::Plan;
use weir_query::Query;
use weir_sandbox::{Engine, EngineConfig};
use weir_tests::guest_path;

fn input() -> PathBuf {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/flights-sample.parquet");
    std::env::var_os("WEIR_FLIGHTS").map_or(sample, PathBuf::from)
}

fn plan(input: &Path, stages: &[&str]) -> Plan {
    let module = guest_path("flights").expect("the flights guest");
    let mut text = format!("name = \"flights\"\n[sources.flights]\nkind = \"file\"\npath = {input:?}\n");
    for stage in stages {
        text += &format!("[[stages]]\nname = \"{stage}\"\nmodule = {module:?}\nfunction = \"{stage}\"\n");
    }
    text += "[sinks.one]\nkind = \"count\"\n[sinks.two]\nkind = \"count\"\n";
    Plan::parse(&text, Path::new(".")).expect("a plan")
}

/// The guests' `delays` and `late`, in Rust.
fn native(input: &Path) -> (u64, usize) {
    const BOUNDS: [f64; 5] = [0.0, 15.0, 30.0, 60.0, 240.0];
    let file = File::open(input).expect("the flights");
    let mut decoder = open_decoder(Format::Parquet, file, None, 8192).expect("Parquet");
    let position = |name| decoder.schema().index_of(name).expect("a column");
    let (delay_at, origin_at, destination_at) = (position("delay"), position("origin"), position("destination"));
    let (mut late, mut by_origin) = (0, HashMap::<String, (u64, f64, [u64; 6])>::new());
    while let Some(decoded) = decoder.next().expect("a batch") {
        let batch = decoded.batch;
        let delay = batch.column(delay_at).as_any().downcast_ref::<Int64Array>().expect("i64").values();
        let text = |at: usize| batch.column(at).as_any().downcast_ref::<StringArray>().expect("utf8");
        let (origin, destination) = (text(origin_at), text(destination_at));
        let mut routes = StringBuilder::new();
        let mut minutes = Vec::new();
        for (row, &delayed) in delay.iter().enumerate() {
            let name = origin.value(row);
            let entry = match by_origin.get_mut(name) {
                Some(entry) => entry,
                None => by_origin.entry(name.to_owned()).or_default(),
            };
            entry.0 += 1;
            entry.1 += delayed as f64;
            entry.2[BOUNDS.partition_point(|&bound| bound < delayed as f64)] += 1;
            if delayed > 60 {
                routes.append_value(format!("{}-{}", name, destination.value(row)));
                minutes.push(delayed);
            }
        }
        late += Int64Array::from(minutes).len() as u64;
        std::hint::black_box(routes.finish());
    }
    (late, by_origin.len())
}

fn flights<M: Measurement>(criterion: &mut Criterion<M>, clock: &str) {
    let input = input();
    let runtime = one_thread();
    let engine = Engine::new(&EngineConfig::default()).expect("an engine");
    let decoder = open_decoder(Format::Parquet, File::open(&input).expect("the flights"), None, 1 << 20);
    let mut decoder = decoder.expect("Parquet");
    let mut rows = 0;
    while let Some(decoded) = decoder.next().expect("a batch") {
        rows += decoded.batch.rows() as u64;
    }
    let (late, _) = native(&input);
    let mut group = criterion.benchmark_group(format!("flights, {clock}"));
    group.throughput(Throughput::Elements(rows));
    group.sample_size(10);
    group.bench_function("native", |bencher| bencher.iter(|| native(&input)));
    let cases: [(&str, &[&str]); 3] = [("decode", &[]), ("late", &["late"]), ("delays and late", &["delays", "late"])];
    for (name, stages) in cases {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || runtime.block_on(Query::build(plan(&input, stages), &engine)).expect("a query"),
                |query| {
                    let summary = runtime.block_on(query.run()).expect("a run");
                    let expected = if stages.is_empty() { rows } else { late };
                    assert_eq!(summary.progress.sinks[1].records, expected);
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

by_both_clocks!(flights);
