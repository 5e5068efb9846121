//! Metrics: what is exported is what the endpoint shows and what the summary says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Metric, NumberDataPoint};
use serde_json::Value as Json;
use weir_tests::Exposition;
use weir_tests::{Receiver, Weir, echo_stage, query_of_texts, said, wait_for};

use crate::support::{SOON, run, weir, write};

/// Samples by name and labels, as Prometheus would have them.
type Samples = BTreeMap<(String, BTreeMap<String, String>), f64>;

/// Writes a query of texts, with labels and a histogram, that has room for so few series.
fn query(folder: &Path, path: &str) {
    let stages =
        format!("{}[stages.limits]\nseries_max = 2\n{}", echo_stage("seen", "seen"), echo_stage("even", "even"));
    let text = query_of_texts("texts", "acme", path, &stages, "");
    write(folder, "q.toml", text);
}

/// Lines of that many texts, hostile ones among them.
fn lines(count: usize) -> String {
    let texts = ["\"} 9", "\n# a", "\\\\\n\"", "{,=}"];
    let mut lines = String::new();
    for number in 0..count {
        let record = serde_json::json!({ "s": texts[number % 4], "i32": number, "i8": number % 100 });
        writeln!(lines, "{record}").expect("a text");
    }
    lines
}

/// Names and values by the translation that Prometheus has for OTLP, written from its description: dots to underscores,
/// the unit where it is one of measure, `_total` behind what only rises; histograms accumulated.
fn translated(metrics: &[Metric]) -> Samples {
    let mut samples = Samples::new();
    for metric in metrics {
        let mut name = metric.name.replace('.', "_");
        let monotonic = matches!(&metric.data, Some(Data::Sum(sum)) if sum.is_monotonic);
        let base = if monotonic { name.strip_suffix("_total").unwrap_or(&name).to_owned() } else { name.clone() };
        let unit = match metric.unit.as_str() {
            "s" => "_seconds",
            "By" => "_bytes",
            annotation => {
                assert!(annotation.is_empty() || annotation.starts_with('{'), "{metric:?}");
                ""
            }
        };
        name = if base.ends_with(unit) { base } else { base + unit };
        if monotonic {
            name.push_str("_total");
        }
        let mut add = |name: String, labels: BTreeMap<String, String>, value: f64| {
            let before = samples.insert((name, labels), value);
            assert!(before.is_none(), "twice: {metric:?}");
        };
        match metric.data.as_ref().expect("data") {
            Data::Sum(sum) => {
                assert_eq!(sum.aggregation_temporality, AggregationTemporality::Cumulative as i32);
                for point in &sum.data_points {
                    assert!(0 < point.start_time_unix_nano && point.start_time_unix_nano < point.time_unix_nano);
                    add(name.clone(), labels(&point.attributes), value(point));
                }
            }
            Data::Gauge(gauge) => {
                gauge.data_points.iter().for_each(|point| add(name.clone(), labels(&point.attributes), value(point)));
            }
            Data::Histogram(histogram) => {
                assert_eq!(histogram.aggregation_temporality, AggregationTemporality::Cumulative as i32);
                for point in &histogram.data_points {
                    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
                    assert_eq!(point.count, point.bucket_counts.iter().sum::<u64>());
                    let labels = labels(&point.attributes);
                    let mut below = 0;
                    for (index, count) in point.bucket_counts.iter().enumerate() {
                        below += count;
                        let mut labels = labels.clone();
                        let bound = point.explicit_bounds.get(index).copied().unwrap_or(f64::INFINITY);
                        labels.insert("le".to_owned(), bound.to_string());
                        add(format!("{name}_bucket"), labels, below as f64);
                    }
                    add(format!("{name}_sum"), labels.clone(), point.sum.expect("a sum"));
                    add(format!("{name}_count"), labels, point.count as f64);
                }
            }
            other => panic!("{other:?}"),
        }
    }
    samples
}

fn labels(attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue]) -> BTreeMap<String, String> {
    attributes.iter().map(|label| (label.key.replace('.', "_"), said(label.value.as_ref()).to_owned())).collect()
}

fn value(point: &NumberDataPoint) -> f64 {
    match point.value.as_ref().expect("a value") {
        Value::AsDouble(real) => *real,
        Value::AsInt(whole) => *whole as f64,
    }
}

/// What an endpoint shows.
fn scraped(address: &str) -> Samples {
    let mut stream = TcpStream::connect(address).expect("a connection");
    write!(stream, "GET /metrics HTTP/1.1\r\nhost: {address}\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let read = Exposition::parse(answer.split_once("\r\n\r\n").expect("a body").1).expect("a text of the format");
    let samples = read.samples.into_iter().map(|sample| {
        let mut labels = sample.labels;
        if let Some(bound) = labels.get_mut("le") {
            *bound = bound.replace("+Inf", "inf").parse::<f64>().expect("a bound").to_string();
        }
        ((sample.name, labels), sample.value)
    });
    samples.collect()
}

/// Without what goes on while nothing happens.
fn steady(samples: &Samples) -> Samples {
    samples
        .iter()
        .filter(|((name, _), _)| !name.starts_with("process_"))
        .map(|(key, value)| (key.clone(), *value))
        .collect()
}

#[test]
fn an_idle_query_exports_what_its_endpoint_shows() {
    let (folder, receiver) = (tempfile::tempdir().expect("a folder"), Receiver::start());
    query(folder.path(), "pipe");
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let weir = weir(folder.path(), &receiver).env("OTEL_METRIC_EXPORT_INTERVAL", "50");
    let mut weir = weir.run(&["run", "--metrics-listen", "127.0.0.1:0", "q.toml"]);
    let mut input = File::options().read(true).write(true).open(&pipe).expect("the pipe");
    input.write_all(lines(40).as_bytes()).expect("records");
    let address = wait_for("an endpoint", SOON, || {
        let told = weir.stderr();
        let url = told.lines().find_map(|line| line.strip_prefix("metrics at http://").map(str::to_owned));
        url.map(|url| url.trim_end_matches("/metrics").to_owned())
    });
    let committed = (
        "weir_query_committed_records_total".to_owned(),
        BTreeMap::from(
            [("tenant", "acme"), ("query", "texts")].map(|(name, value)| (name.to_owned(), value.to_owned())),
        ),
    );
    let shown = wait_for("everything to be committed", SOON, || {
        let shown = scraped(&address);
        (shown.get(&committed) == Some(&40.0)).then_some(shown)
    });
    let seen = receiver.metrics().len();
    // One that began after the scrape.
    let exports = wait_for("two exports more", SOON, || {
        let exports = receiver.metrics();
        (exports.len() > seen + 1).then_some(exports)
    });
    let exported = translated(exports.last().expect("an export"));
    assert_eq!(steady(&exported), steady(&scraped(&address)));
    assert_eq!(steady(&exported), steady(&shown));
    for name in ["process_memory_usage_bytes", "process_cpu_time_seconds_total"] {
        assert!(exported[&(name.to_owned(), BTreeMap::new())] > 0.0 && shown.keys().any(|(known, _)| known == name));
    }
    weir.term();
    drop(input);
    assert!(weir.wait(SOON).success(), "{}", weir.stderr());
}

#[test]
fn the_last_export_is_the_summary_with_the_series_that_guests_overflow() {
    let (folder, receiver) = (tempfile::tempdir().expect("a folder"), Receiver::start());
    query(folder.path(), "in.jsonl");
    write(folder.path(), "in.jsonl", lines(1000));
    let weir = weir(folder.path(), &receiver)
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-all=1")
        .env("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "x-secret=a%20b")
        .env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        .env("OTEL_SERVICE_NAME", "late");
    let weir = run(weir, &["--json", "run", "q.toml"]);
    let told = weir.stderr();
    let summary = told.lines().rev().find(|line| line.contains("\"summary\"")).expect("a summary");
    let summary: Json = serde_json::from_str(summary).expect("JSON");
    let summary = &summary["summary"];
    // A run that is over before the first interval is exported once.
    let exports = receiver.metrics();
    assert_eq!(exports.len(), 1);
    let exported = translated(&exports[0]);
    let value = |name: &str, labels: &[(&str, &str)]| {
        let mut all = BTreeMap::from([("tenant", "acme"), ("query", "texts")]);
        all.extend(labels.iter().copied());
        let all = all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        *exported.get(&(name.to_owned(), all)).unwrap_or_else(|| panic!("no {name}{labels:?} in {exported:#?}"))
    };
    let is = |found: f64, said: &Json| assert_eq!(Some(found), said.as_f64());
    for key in ["commits", "committed_records", "restarts"] {
        is(value(&format!("weir_query_{key}_total"), &[]), &summary[key]);
    }
    for key in ["records", "bytes", "batches"] {
        is(value(&format!("weir_source_{key}_total"), &[("source", "in")]), &summary["sources"][0][key]);
        is(value(&format!("weir_sink_{key}_total"), &[("sink", "out")]), &summary["sinks"][0][key]);
    }
    for (index, stage) in ["seen", "even"].into_iter().enumerate() {
        let (of, said) = ([("stage", stage)], &summary["stages"][index]);
        for (name, key) in [
            ("records_in_total", "records_in"),
            ("records_out_total", "records_out"),
            ("input_bytes_total", "bytes_in"),
            ("output_bytes_total", "bytes_out"),
            ("filtered_records_total", "filtered"),
            ("failed_records_total", "failed"),
            ("dead_records_total", "dead"),
            ("calls_total", "calls"),
            ("traps_total", "traps"),
            ("fuel_total", "fuel"),
            ("host_calls_total", "host_calls"),
            ("log_lines_dropped_total", "logs_dropped"),
            ("memory_peak_bytes", "memory_bytes_peak"),
        ] {
            is(value(&format!("weir_stage_{name}"), &of), &said[key]);
        }
        let nanos = said["guest_nanos"].as_f64().expect("a number");
        assert!((value("weir_stage_guest_seconds_total", &of) - nanos / 1e9).abs() < 1e-9);
        is(value("weir_stage_call_duration_seconds_count", &of), &said["calls"]);
        let host = said["host_nanos"].as_f64().expect("a number");
        assert!(host > 0.0 && host <= nanos, "{said}");
        assert!((value("weir_stage_host_seconds_total", &of) - host / 1e9).abs() < 1e-9);
        assert!((value("weir_stage_host_duration_seconds_sum", &of) - host / 1e9).abs() < 1e-9);
        is(value("weir_stage_host_duration_seconds_count", &of), &said["calls"]);
    }
    assert_eq!(summary["stages"][1]["filtered"], 500);
    // Guests': each series of the summary, and the one with what was beyond the limit.
    let mut guests = 0;
    for series in summary["metrics"].as_array().expect("metrics") {
        let name = format!("weir_guest_{}", series["metric"].as_str().expect("a name"));
        let of: Vec<(&str, &str)> = series["labels"]
            .as_array()
            .expect("labels")
            .iter()
            .map(|label| (label[0].as_str().expect("a name"), label[1].as_str().expect("a value")))
            .collect();
        let mut all = vec![("stage", "seen")];
        all.extend(&of);
        match series["kind"].as_str() {
            Some("counter") => is(value(&format!("{name}_total"), &all), &series["total"]),
            Some("gauge") => is(value(&format!("{name}_value"), &all), &series["value"]),
            _ => {
                is(value(&format!("{name}_sum"), &all), &series["sum"]);
                is(value(&format!("{name}_count"), &all), &series["count"]);
            }
        }
        guests += 1;
    }
    assert!(guests >= 6, "{summary}");
    assert!(value("weir_guest_by_text_total", &[("stage", "seen"), ("overflow", "true")]) > 0.0);
    let by_text = [("stage", "seen"), ("metric", "by_text")];
    assert!(value("weir_stage_metric_overflow_values_total", &by_text) > 0.0);

    let all = receiver.requests();
    let sent = all.iter().find(|request| request.head.starts_with("POST /v1/metrics ")).expect("an export");
    let head = sent.head.to_ascii_lowercase();
    assert!(head.contains("x-secret: a b") && !head.contains("x-all"), "{head}");
    let resource = &sent.resource().expect("a resource").attributes;
    assert_eq!(weir_tests::text_of(resource, "service.name"), Some("late"));
    assert_eq!(weir_tests::text_of(resource, "deployment.environment.name"), Some("test"));
    let described = exports[0].iter().find(|metric| metric.name == "weir.query.commits").expect("commits");
    assert_eq!((described.description.as_str(), described.unit.as_str()), ("Commits.", "{commit}"));
}

#[test]
fn nothing_is_exported_unasked() {
    let (folder, receiver) = (tempfile::tempdir().expect("a folder"), Receiver::start());
    query(folder.path(), "in.jsonl");
    write(folder.path(), "in.jsonl", lines(4));
    run(Weir::in_folder(folder.path()), &["run", "q.toml"]);
    run(weir(folder.path(), &receiver).env("OTEL_SDK_DISABLED", "true"), &["run", "q.toml"]);
    assert!(receiver.requests().is_empty());
    run(weir(folder.path(), &receiver).env("OTEL_METRICS_EXPORTER", "none"), &["run", "q.toml"]);
    assert!(receiver.metrics().is_empty() && !receiver.spans().is_empty());
}
