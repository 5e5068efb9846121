//! Query files, wrong and right.

mod delivery;
mod documented;
mod environment;
mod hostile;
mod kafka;
mod outside;
mod reading;
mod right;
mod schema;
mod together;
mod topics;
mod wrong;
mod wrong_limits;
mod wrong_sink;
mod wrong_source;
mod wrong_stage;

use std::path::Path;

use expect_test::Expect;

use super::{Plan, QueryFileError};

/// What the modules of the tests declare, a line a function.
const MANIFEST: &str = r#"
{"abi":1,"name":"late","kind":"transform","output_shape":"filter_map","input":[{"name":"delay","type":"i64"},{"name":"origin","type":"utf8"},{"name":"destination","type":"utf8"}],"output":[{"name":"route","type":"utf8"},{"name":"minutes","type":"i64"}],"params":[{"name":"min_delay","type":"i64","default":60}]}
{"abi":1,"name":"is_late","kind":"transform","output_shape":"filter","input":[{"name":"delay","type":"i64"}]}
{"abi":1,"name":"scaled","kind":"transform","output_shape":"map","input":[{"name":"distance","type":"i64","nullable":true}],"output":[{"name":"scaled","type":"f64"}],"params":[{"name":"factor","type":"f64"},{"name":"unit","type":"utf8","default":"km"}]}
{"abi":1,"name":"delays","kind":"metrics","input":[{"name":"origin","type":"utf8"},{"name":"delay","type":"i64"}],"metrics":[{"name":"flights","kind":"counter","labels":["origin"]},{"name":"delay_minutes","kind":"histogram","buckets":[0,60]}]}
"#;

/// A query without a mistake.
const GOOD: &str = r#"name = "late-flights"
tenant = "demo"

[sources.flights]
kind = "file"
path = "flights.csv"
schema = { date = "timestamp", delay = "i64", distance = "i64?", origin = "utf8", destination = "utf8" }

[[stages]]
name = "late"
module = "flights.wasm"
function = "late"
params = { min_delay = 60 }
carry = ["date"]
on_error = "skip"

[stages.limits]
memory_bytes_max = 1048576

[sinks.table]
kind = "stdout"
rows_max = 10

[sinks.archive]
kind = "file"
path = "out/late.parquet"

[delivery]
guarantee = "at_least_once"

[batching]
records_max = 8192
"#;

/// A folder with the files that the tests' queries name.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let manifest = MANIFEST.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    // What admission asks for beside the manifest: a memory, and the function that each line names.
    let mut exports = String::from("(memory (export \"memory\") 1)");
    for line in MANIFEST.lines().filter(|line| !line.trim().is_empty()) {
        let function: serde_json::Value = serde_json::from_str(line).unwrap();
        let name = function["name"].as_str().unwrap();
        exports.push_str(&format!("(func (export \"weir_call_{name}\") (param i32) (result i32) (i32.const 0))"));
    }
    let module = wat::parse_str(format!(r#"(module (@custom "weir.manifest" "{manifest}") {exports})"#)).unwrap();
    write("flights.wasm", &module);
    write("empty.wasm", &wat::parse_str("(module (memory (export \"memory\") 1))").unwrap());
    write("text.wasm", b"(module)");
    write("flights.csv", b"date,delay,distance,origin,destination\n2024-01-01T00:00:00Z,75,954,SEA,LAX\n");
    write("odd.csv", b"delay,,_x,twice,twice,origin,code\n75,,,1,2,SEA,007\n");
    write("odd-too.csv", b"delay,origin,code\n0.5,SEA,1\n");
    write("tabs.tsv", b"delay\torigin\tcode\n1\tSEA\t2\n");
    write("nothing.csv", b"\n");
    write("flights.jsonl", b"{\"delay\":75,\"origin\":\"SEA\"}\n");
    write("bids.bincode", b"");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/flights-sample.parquet");
    std::fs::copy(sample, folder.path().join("sample.parquet")).unwrap();
    folder
}

/// The same without the folder that the test happens to use.
fn relative(text: &str, folder: &Path) -> String {
    text.replace(&format!("{}/", folder.display()), "")
}

/// Compares what is wrong with a query file.
fn check(text: &str, expect: &Expect) {
    let folder = folder();
    let problems = match Plan::parse(text, folder.path()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems,
    };
    schema::compare_query(text, &problems);
    let error = QueryFileError::new("late.toml", problems);
    expect.assert_eq(&relative(&error.to_string(), folder.path()));
}

/// Compares what is wrong with the good query file after one change.
fn check_edit(from: &str, to: &str, expect: &Expect) {
    check(&edited(from, to), expect);
}

fn edited(from: &str, to: &str) -> String {
    assert_eq!(GOOD.matches(from).count(), 1, "{from:?} stands in the good file once");
    GOOD.replace(from, to)
}

/// Compares a plan's description and warnings.
fn check_plan(text: &str, expect: &Expect) {
    let folder = folder();
    let described = match Plan::parse(text, folder.path()) {
        Ok(plan) => {
            schema::compare_query(text, &[]);
            let warnings = plan.warnings.iter().map(|warning| format!("warning, line {}: {warning}\n", warning.line));
            format!("{plan}{}", warnings.collect::<String>())
        }
        Err(problems) => {
            schema::compare_query(text, &problems);
            QueryFileError::new("late.toml", problems).to_string()
        }
    };
    expect.assert_eq(&relative(&described, folder.path()));
}
