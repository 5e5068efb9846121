//! The main job: real flights through guests into sinks, against the same counts by plain Arrow code.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use crate::common::{root, run, summary};
use arrow::array::{Array, Int64Array, StringArray};
use arrow::datatypes::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use weir_tests::guest_path;

/// What plain Arrow code finds in a file of flights.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    flights: u64,
    late: u64,
    late_minutes: i64,
    by_origin: BTreeMap<String, (u64, i64)>,
}

fn count_plainly(path: &Path) -> Expected {
    let file = File::open(path).expect("the flights");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet").build().expect("Parquet");
    let mut expected = Expected::default();
    for batch in reader {
        let batch = batch.expect("a batch");
        let delay = batch.column_by_name("delay").expect("delay");
        let delay = delay.as_any().downcast_ref::<Int64Array>().expect("i64").clone();
        let origin = arrow::compute::cast(batch.column_by_name("origin").expect("origin"), &DataType::Utf8);
        let origin = origin.expect("text");
        let origin = origin.as_any().downcast_ref::<StringArray>().expect("utf8");
        for row in 0..batch.num_rows() {
            if delay.is_null(row) || origin.is_null(row) {
                continue;
            }
            let minutes = delay.value(row);
            expected.flights += 1;
            if minutes > 60 {
                expected.late += 1;
                expected.late_minutes += minutes;
            }
            let entry = expected.by_origin.entry(origin.value(row).to_owned()).or_default();
            entry.0 += 1;
            entry.1 += minutes;
        }
    }
    expected
}

fn query(folder: &Path, input: &Path) -> std::path::PathBuf {
    let module = guest_path("flights").expect("the flights guest");
    let text = format!(
        r#"
name = "late-flights"

[sources.flights]
kind = "file"
path = {input:?}
format = "parquet"

[[stages]]
name = "delays"
module = {module:?}
function = "delays"

[[stages]]
name = "late"
module = {module:?}
function = "late"
params = {{ min_delay = 60 }}

[sinks.lines]
kind = "stdout"
format = "json_lines"

[sinks.archive]
kind = "file"
path = "late.parquet"
"#
    );
    let path = folder.join("late.toml");
    std::fs::write(&path, text).expect("the query file");
    path
}

/// Runs the query and compares everything that it says with what plain code found.
fn check(input: &Path) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let query = query(folder.path(), input);
    let said = run(folder.path(), &["--json", "run", query.to_str().expect("UTF-8")]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let expected = count_plainly(input);
    let summary = summary(&said);

    let mut late = 0;
    let mut minutes = 0;
    for line in said.out.lines() {
        let row: Value = serde_json::from_str(line).expect("a JSON line");
        let route = row["route"].as_str().expect("a route");
        assert_eq!(route.split('-').map(str::len).collect::<Vec<_>>(), [3, 3], "{route}");
        late += 1;
        minutes += row["minutes"].as_i64().expect("minutes");
    }
    assert_eq!((late, minutes), (expected.late, expected.late_minutes));

    let archive = File::open(folder.path().join("late.parquet")).expect("the archive");
    let archive = ParquetRecordBatchReaderBuilder::try_new(archive).expect("Parquet");
    assert_eq!(archive.metadata().file_metadata().num_rows() as u64, expected.late);

    let metrics = summary["metrics"].as_array().expect("metrics");
    let of = |name: &str| metrics.iter().filter(|series| series["metric"] == name).collect::<Vec<_>>();
    assert_eq!(
        of("flights").iter().map(|series| series["total"].as_f64().expect("a total")).sum::<f64>(),
        expected.flights as f64
    );
    let by_origin: BTreeMap<String, (u64, i64)> = of("delay_minutes")
        .iter()
        .map(|series| {
            let origin = series["labels"][0][1].as_str().expect("an origin").to_owned();
            let count = series["count"].as_u64().expect("a count");
            let buckets = series["buckets"].as_array().expect("buckets");
            assert_eq!(buckets.iter().filter_map(Value::as_u64).sum::<u64>(), count);
            (origin, (count, series["sum"].as_f64().expect("a sum") as i64))
        })
        .collect();
    assert_eq!(by_origin, expected.by_origin);

    for stage in summary["stages"].as_array().expect("stages") {
        let number = |key: &str| stage[key].as_u64().expect("a number");
        assert_eq!(
            number("records_in") + number("expanded"),
            number("records_out") + number("filtered") + number("failed") + number("dead"),
            "{stage}"
        );
    }
    assert_eq!(summary["committed_records"], expected.flights);
    summary
}

#[test]
fn the_sample_of_flights_comes_out_as_plain_code_counts_it() {
    let summary = check(&root().join("data/flights-sample.parquet"));
    assert_eq!(summary["ending"], "end_of_input");
}

/// Where the large file is at hand, named by `WEIR_FLIGHTS` or beside the repository, it is checked too; the sample is
/// checked everywhere.
#[test]
fn three_million_flights_come_out_as_plain_code_counts_them() {
    let large = std::env::var_os("WEIR_FLIGHTS")
        .map(std::path::PathBuf::from)
        .unwrap_or_else(|| root().join("../shared/data/flights-3m.parquet"));
    let input = if large.is_file() { large } else { root().join("data/flights-sample.parquet") };
    check(&input);
}
