//! Guests that record what no endpoint should tell as it stands, run by the command and scraped.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use weir_tests::{echo_stage, guest_path, query_of_texts, wait_for};

use crate::common::{ONE_PROCESS, run};
use crate::control::LONG;
use crate::served::Served;
use weir_tests::Exposition;

/// A module with one metrics function `f`, put together step by step.
struct Guest {
    metrics: Vec<Value>,
    memory: Vec<u8>,
    steps: String,
}

impl Guest {
    fn new(metrics: Vec<Value>) -> Guest {
        Guest { metrics, memory: Vec::new(), steps: String::new() }
    }

    /// A call that asks for the series of these label values.
    fn series(&mut self, metric: usize, labels: &[&[u8]]) -> String {
        let start = self.memory.len();
        for label in labels {
            let length = u32::try_from(label.len()).expect("a length");
            self.memory.extend_from_slice(&length.to_le_bytes());
            self.memory.extend_from_slice(label);
        }
        let length = self.memory.len() - start;
        format!("(call $metric_series (i32.const {metric}) (i32.const {start}) (i32.const {length}))")
    }

    /// In each batch, records the value, whatever the host answers.
    fn record(&mut self, metric: usize, labels: &[&[u8]], value: &str) {
        let series = self.series(metric, labels);
        writeln!(self.steps, "(drop (call $metric_record {series} {value}))").expect("text");
    }

    /// Records what the host answers to a call in metric 0, a gauge with one label.
    fn answer(&mut self, what: &str, call: &str) {
        self.record(0, &[what.as_bytes()], &format!("(f64.convert_i32_s {call})"));
    }

    fn write(&self, path: &Path) {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
        let manifest =
            json!({ "abi": 1, "name": "f", "kind": "metrics", "input": [], "metrics": self.metrics }).to_string();
        let text = format!(
            r#"(module
            (import "weir_v1" "metric_series" (func $metric_series (param i32 i32 i32) (result i32)))
            (import "weir_v1" "metric_record" (func $metric_record (param i32 f64) (result i32)))
            (import "weir_v1" "metric_record_column" (func $metric_record_column (param i32 i32 i32) (result i32)))
            (memory (export "memory") 64)
            (data (i32.const 0) "{}")
            (func (export "weir_call_f") (param $rows i32) (result i32)
              {}
              (i32.const 0))
            (@custom "weir.manifest" "{}"))"#,
            hex(&self.memory),
            self.steps,
            hex(manifest.as_bytes()),
        );
        fs::write(path, wat::parse_str(text).expect("a module")).expect("the module's file");
    }
}

fn metric(name: &str, kind: &str, labels: &[&str]) -> Value {
    json!({ "name": name, "kind": kind, "labels": labels })
}

/// Writes `<name>.toml`: JSON lines of numbers through `f` of `<name>.wasm`, or through another stage.
fn query(folder: &Path, name: &str, tenant: &str, path: &str, stage: &str, delivery: &str) {
    let own = || format!("[[stages]]\nname = \"late\"\nmodule = \"{name}.wasm\"\nfunction = \"f\"\n");
    let stage = if stage.is_empty() { own() } else { stage.to_owned() };
    let text = query_of_texts(name, tenant, path, &stage, delivery);
    fs::write(folder.join(format!("{name}.toml")), text).expect("the query file");
}

fn committed(read: &Exposition, query: &str, records: f64) -> bool {
    read.value("weir_query_committed_records_total", &[("query", query)]) == Some(records)
}

#[test]
fn a_hostile_guest_speaks_for_itself_alone_and_breaks_no_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut evil = Guest::new(vec![
        metric("answer", "gauge", &["what"]),
        // The family of the victim's counter `rows`, by its own name and with labels that claim to be the victim's.
        metric("rows_total", "counter", &["tenant", "query", "stage"]),
        metric("weir_query_commits_total", "counter", &["le"]),
        json!({ "name": "text", "kind": "counter", "labels": ["value"], "unit": "\u{0}\n", "help": "\u{0}\r\n# EOF\n" }),
        metric("huge", "counter", &[]),
        json!({ "name": "wide", "kind": "histogram", "buckets": [-1e308, 0, 1e308] }),
    ]);
    evil.record(1, &[b"victim", b"victim", b"late"], "(f64.const 1000)");
    evil.record(2, &[b"+Inf"], "(f64.const 1000)");
    let hostile: [&str; 5] = ["\"} 9", "a\nweir_query_commits_total 9", "nul \0 nul", "\r\n", "\\\"\\"];
    for text in hostile {
        evil.record(3, &[text.as_bytes()], "(f64.const 1)");
    }
    let huge = evil.series(4, &[]);
    let wide = evil.series(5, &[]);
    for (name, value) in [("nan", "nan"), ("inf", "inf"), ("neg_inf", "-inf")] {
        let value = format!("(f64.const {value})");
        let gauge = evil.series(0, &[b"nan"]);
        evil.answer(&format!("counter_{name}"), &format!("(call $metric_record {huge} {value})"));
        evil.answer(&format!("gauge_{name}"), &format!("(call $metric_record {gauge} {value})"));
        evil.answer(&format!("histogram_{name}"), &format!("(call $metric_record {wide} {value})"));
    }
    evil.answer("counter_falls", &format!("(call $metric_record {huge} (f64.const -1))"));
    let not_utf8 = evil.series(3, &[b"\xff\xfe"]);
    evil.answer("not_utf8", &not_utf8);
    // A label that says it is a megabyte long, of the memory behind it.
    let start = evil.memory.len();
    evil.memory.extend_from_slice(&(1_u32 << 20).to_le_bytes());
    evil.answer(
        "megabyte",
        &format!("(call $metric_series (i32.const 3) (i32.const {start}) (i32.const {}))", (1 << 20) + 4),
    );
    // A column with one value that is none is refused as a whole.
    let column = evil.memory.len();
    evil.memory.extend([1.0, f64::NAN].iter().flat_map(|value: &f64| value.to_le_bytes()));
    evil.answer("column_nan", &format!("(call $metric_record_column {huge} (i32.const {column}) (i32.const 2))"));
    // In every batch as much as there is.
    evil.record(4, &[], "(f64.const 0x1.fffffffffffffp+1023)");
    evil.record(5, &[], "(f64.const 0x1.fffffffffffffp+1023)");
    evil.write(&folder.path().join("evil.wasm"));
    query(folder.path(), "evil", "evil", "/dev/stdin", "", "");
    fs::write(folder.path().join("rows.jsonl"), "{\"i8\":1}\n".repeat(7)).expect("the input");
    query(folder.path(), "victim", "victim", "rows.jsonl", &echo_stage("late", "seen"), "");

    let mut served = Served::start(folder.path(), &[ONE_PROCESS, "evil.toml", "victim.toml"]);
    let mut read = Exposition::default();
    for batch in 1..=3 {
        served.feed("{\"i8\":1}\n");
        read = wait_for("a commit of each", LONG, || {
            let read = served.scrape();
            (committed(&read, "evil", f64::from(batch)) && committed(&read, "victim", 7.0)).then_some(read)
        });
    }
    let victim = [("tenant", "victim"), ("query", "victim"), ("stage", "late")];
    let evil = [("tenant", "evil"), ("query", "evil"), ("stage", "late")];
    let of_evil = |more: &[(&'static str, &'static str)]| [evil.as_slice(), more].concat();
    assert_eq!(read.value("weir_guest_rows_total", &victim), Some(7.0));
    let claims = [("guest_tenant", "victim"), ("guest_query", "victim"), ("guest_stage", "late")];
    assert_eq!(read.value("weir_guest_rows_total", &of_evil(&claims)), Some(3000.0));
    let infinite = of_evil(&[("guest_le", "+Inf")]);
    assert_eq!(read.value("weir_guest_weir_query_commits_total", &infinite), Some(3000.0));
    assert!(read.value("weir_query_commits_total", &evil[..2]) < Some(1000.0));
    for text in hostile {
        assert_eq!(read.value("weir_guest_text_total", &of_evil(&[("value", text)])), Some(3.0), "{text:?}");
    }
    assert_eq!(read.value("weir_guest_huge_total", &evil), Some(f64::MAX));
    assert_eq!(read.value("weir_guest_wide_sum", &evil), Some(f64::MAX));
    assert_eq!(read.value("weir_guest_wide_count", &evil), Some(3.0));
    let answers = read.samples.iter().filter(|sample| sample.name == "weir_guest_answer_value");
    let answers: Vec<_> = answers.map(|sample| format!("{} {}", sample.labels["what"], sample.value)).collect();
    expect![[r#"
        column_nan -8
        counter_falls -8
        counter_inf -8
        counter_nan -8
        counter_neg_inf -8
        gauge_inf -8
        gauge_nan -8
        gauge_neg_inf -8
        histogram_inf -8
        histogram_nan -8
        histogram_neg_inf -8
        megabyte -9
        not_utf8 -7"#]]
    .assert_eq(&answers.join("\n"));
}

#[test]
fn label_values_without_end_make_one_series_more_than_the_limit_and_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    const ROWS: usize = 6000;
    let rows: String = (0..ROWS).map(|row| format!("{{\"s\":\"{row:04}\",\"i8\":1}}\n")).collect();
    fs::write(folder.path().join("rows.jsonl"), rows).expect("the input");
    let stage = format!("{}[stages.limits]\nseries_max = 500", echo_stage("late", "seen"));
    query(folder.path(), "flood", "evil", "rows.jsonl", &stage, "");
    query(folder.path(), "calm", "acme", "/dev/stdin", &echo_stage("late", "seen"), "");
    let served = Served::start(folder.path(), &[ONE_PROCESS, "flood.toml", "calm.toml"]);
    let read = wait_for("the commit", LONG, || {
        let read = served.scrape();
        committed(&read, "flood", ROWS as f64).then_some(read)
    });
    let of = |name: &str, query: &str| -> Vec<_> {
        let of_query = |sample: &&weir_tests::Sample| sample.name == name && sample.labels["query"] == query;
        read.samples.iter().filter(of_query).collect()
    };
    let series = of("weir_guest_by_text_total", "flood");
    let over: Vec<_> = series.iter().filter(|sample| sample.labels.contains_key("overflow")).collect();
    assert_eq!((series.len(), over.len()), (501, 1));
    assert_eq!(over[0].value, (ROWS - 500) as f64);
    assert_eq!(series.iter().map(|sample| sample.value).sum::<f64>(), ROWS as f64);
    let swallowed = [("query", "flood"), ("metric", "by_text")];
    assert_eq!(read.value("weir_stage_metric_overflow_values_total", &swallowed), Some((ROWS - 500) as f64));
    // What has no labels is never crowded out, and the neighbour has room as before.
    assert_eq!(read.value("weir_guest_rows_total", &[("query", "flood")]), Some(ROWS as f64));
    let swallowed = [("query", "calm"), ("metric", "by_text")];
    assert_eq!(read.value("weir_stage_metric_overflow_values_total", &swallowed), Some(0.0));
}

#[test]
fn sums_beyond_all_numbers_are_kept_by_a_state_that_can_be_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut guest = Guest::new(vec![metric("huge", "counter", &[]), metric("rows", "counter", &[])]);
    guest.record(0, &[], "(f64.const 0x1.fffffffffffffp+1023)");
    guest.record(1, &[], "(f64.const 1)");
    guest.write(&folder.path().join("huge.wasm"));
    let total = |told: &crate::common::Said| {
        let summary = crate::common::summary(told);
        let of = |name| {
            let metrics = summary["metrics"].as_array().expect("metrics");
            metrics.iter().find(|metric| metric["metric"] == name).expect("the metric")["total"].clone()
        };
        (of("huge"), of("rows"))
    };
    // A batch a row, so that it is batches that are put together.
    fs::write(folder.path().join("rows.jsonl"), "{\"i8\":1}\n".repeat(3)).expect("the input");
    query(folder.path(), "huge", "evil", "rows.jsonl", "", "state = \"state\"");
    let text = fs::read_to_string(folder.path().join("huge.toml")).expect("the query");
    fs::write(folder.path().join("huge.toml"), text.replace("delay_ms_max = 10", "records_max = 1"))
        .expect("the query");
    for number in 1..=2 {
        let told = run(folder.path(), &["--json", "run", "huge.toml"]);
        assert_eq!(told.code, Some(0), "run {number}: {}", told.err);
        // The second one has nothing to read, and tells what the first one kept.
        assert_eq!(total(&told), (json!(f64::MAX), json!(3.0)), "run {number}");
    }
}

#[test]
fn what_was_recorded_in_batches_that_never_commit_is_not_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let faulty = guest_path("faulty").expect("the faulty guest");
    let text = format!(
        r#"name = "doomed"
tenant = "acme"
[sources.seed]
kind = "generator"
batches = 1
[[stages]]
name = "seen"
module = {faulty:?}
function = "seen"
[[stages]]
name = "broken"
module = {faulty:?}
function = "panics"
params = {{ at = 7 }}
[sinks.out]
kind = "count"
"#
    );
    fs::write(folder.path().join("doomed.toml"), text).expect("the query file");
    // The endpoint is there as long as one of them runs.
    query(folder.path(), "calm", "acme", "/dev/stdin", &echo_stage("late", "seen"), "");
    let served = Served::start(folder.path(), &[ONE_PROCESS, "doomed.toml", "calm.toml"]);
    let doomed = |more: &[(&'static str, &'static str)]| [&[("query", "doomed")], more].concat();
    let read = wait_for("its end", LONG, || {
        let read = served.scrape();
        (read.value("weir_query_state", &doomed(&[("state", "failed")])) == Some(1.0)).then_some(read)
    });
    // The batch was not settled: nothing of it counts in any stage, and the account says where it is.
    assert_eq!(read.value("weir_source_records_total", &doomed(&[])), Some(1000.0));
    assert_eq!(read.value("weir_source_unfinished_records_total", &doomed(&[])), Some(1000.0));
    assert_eq!(read.value("weir_stage_records_out_total", &doomed(&[("stage", "seen")])), Some(0.0));
    // It is divided until the record is known that is to blame.
    let traps = read.value("weir_stage_traps_total", &doomed(&[("stage", "broken")]));
    assert!(traps.is_some_and(|traps| (1.0..=12.0).contains(&traps)), "{traps:?}");
    assert_eq!(read.value("weir_query_committed_records_total", &doomed(&[])), Some(0.0));
    assert_eq!(read.value("weir_guest_records_total", &doomed(&[])), None);
}

#[test]
fn metrics_that_cannot_be_are_refused_by_name_before_anything_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path(), "bad", "acme", "rows.jsonl", "", "");
    fs::write(folder.path().join("rows.jsonl"), "{\"i8\":1}\n").expect("the input");
    let check = |metric: Value, expected: Expect| {
        Guest::new(vec![metric]).write(&folder.path().join("bad.wasm"));
        let told = run(folder.path(), &["run", "bad.toml"]);
        assert_eq!((told.code, told.out.as_str()), (Some(2), ""), "{}", told.err);
        let reason = told.err.lines().find_map(|line| line.split_once("manifest, line 1: ")).map(|(_, reason)| reason);
        expected.assert_eq(reason.unwrap_or(&told.err));
    };
    let histogram = |buckets: Value| json!({ "name": "took", "kind": "histogram", "buckets": buckets });
    check(histogram(json!([2, 1])), expect!["metric `took`: buckets must be ascending, finite upper bounds"]);
    check(histogram(json!([1, 1])), expect!["metric `took`: buckets must be ascending, finite upper bounds"]);
    check(histogram(json!([])), expect!["metric `took`: a histogram has 1 to 256 buckets"]);
    check(histogram(json!((0..257).collect::<Vec<_>>())), expect!["metric `took`: a histogram has 1 to 256 buckets"]);
    check(histogram(json!([0, "NaN"])), expect![[r#"invalid type: string "NaN", expected f64 at line 1 column 67"#]]);
    check(histogram(json!([0, null])), expect!["invalid type: null, expected f64 at line 1 column 66"]);
    check(
        json!({ "name": "n", "kind": "gauge", "buckets": [1] }),
        expect!["metric `n`: a gauge has no buckets: remove them"],
    );
    check(metric("a\nb", "counter", &[]), expect![[r#"metric `a\nb`: a name is [a-z][a-z0-9_]*, at most 64 bytes"#]]);
    check(metric("n", "counter", &["l", "l"]), expect!["label `l` is declared twice"]);
    check(
        metric("n", "counter", &["__name__"]),
        expect!["label `__name__`: a name is [a-z][a-z0-9_]*, at most 64 bytes"],
    );
}
