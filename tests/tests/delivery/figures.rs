//! What is to be counted of flights, from the file that they are in, and the three ways in which Weir says it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, concat_batches, filter_record_batch};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

fn open(path: &Path) -> ParquetRecordBatchReaderBuilder<File> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    ParquetRecordBatchReaderBuilder::try_new(file).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// How many rows a file has.
pub(crate) fn rows(path: &Path) -> usize {
    usize::try_from(open(path).metadata().file_metadata().num_rows()).expect("a number of rows")
}

/// The flights of these files, one after the other.
pub(crate) fn read(paths: &[impl AsRef<Path>]) -> RecordBatch {
    let mut batches = Vec::new();
    for path in paths {
        let reader = open(path.as_ref()).with_batch_size(1 << 16).build().expect("a reader");
        batches.extend(reader.map(|batch| {
            let batch = batch.expect("a batch");
            let columns = ["date", "delay", "distance", "origin", "destination"].map(|name| {
                let column = batch.column_by_name(name).expect("a column");
                // Texts come with offsets of either width.
                match column.data_type() {
                    DataType::LargeUtf8 => (name, cast(column, &DataType::Utf8).expect("short texts")),
                    // Weir writes instants, with the zone that says so; the input's have none, and mean the same.
                    DataType::Timestamp(TimeUnit::Microsecond, _) => {
                        let instants = column.as_primitive::<TimestampMicrosecondType>().clone();
                        (name, Arc::new(instants.with_timezone_opt(None::<Arc<str>>)) as ArrayRef)
                    }
                    _ => (name, Arc::clone(column)),
                }
            });
            RecordBatch::try_from_iter(columns).expect("a batch")
        }));
    }
    concat_batches(&batches.first().expect("a flight").schema(), &batches).expect("batches of one schema")
}

/// Minutes.
pub(crate) fn delays(flights: &RecordBatch) -> &[i64] {
    flights.column(1).as_primitive::<Int64Type>().values()
}

/// Those whose delay is such, and the others.
pub(crate) fn divide(flights: &RecordBatch, is_such: impl Fn(i64) -> bool) -> (RecordBatch, RecordBatch) {
    let such: BooleanArray = delays(flights).iter().map(|&delay| Some(is_such(delay))).collect();
    let others = arrow::compute::not(&such).expect("the others");
    let of = |mask| filter_record_batch(flights, mask).expect("a mask of this length");
    (of(&such), of(&others))
}

/// Every series by its name: `traffic.flights`, `traffic.hauls{short,yes}`.
#[derive(Debug, Default)]
pub(crate) struct Figures(BTreeMap<String, Figure>);

/// A counter has no buckets, a histogram those of its bounds and one more.
#[derive(Clone, Debug, Default, PartialEq)]
struct Figure {
    sum: f64,
    buckets: Vec<u64>,
}

impl Figures {
    fn add(&mut self, name: &str, labels: &[&str], value: i64) {
        self.entry(name, labels).sum += value as f64;
    }

    fn observe(&mut self, name: &str, labels: &[&str], bounds: [i64; 4], value: i64) {
        let figure = self.entry(name, labels);
        figure.buckets.resize(bounds.len() + 1, 0);
        figure.buckets[bounds.iter().position(|&bound| value <= bound).unwrap_or(bounds.len())] += 1;
        figure.sum += value as f64;
    }

    fn entry(&mut self, name: &str, labels: &[&str]) -> &mut Figure {
        let name = if labels.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", labels.join(",")) };
        self.0.entry(name).or_default()
    }

    /// How many flights the function `traffic` counted.
    pub(crate) fn flights(&self) -> f64 {
        self.0.get("traffic.flights").map_or(0.0, |figure| figure.sum)
    }

    #[track_caller]
    pub(crate) fn assert_same(&self, found: &Figures) {
        let names = self.0.keys().chain(found.0.keys().filter(|name| !self.0.contains_key(*name)));
        let differ = names.filter(|name| self.0.get(*name) != found.0.get(*name));
        let differ: Vec<_> = differ.map(|name| (name, self.0.get(name), found.0.get(name))).collect();
        let shown = &differ[..differ.len().min(10)];
        assert!(shown.is_empty(), "of {} series {} differ; expected and found: {shown:#?}", self.0.len(), differ.len());
    }
}

/// What the functions `traffic` and `delays` are to record of the flights that they see.
pub(crate) fn of_flights(counted: &RecordBatch, late: &RecordBatch) -> Figures {
    let mut figures = Figures::default();
    let text = |column: usize| counted.column(column).as_string::<i32>();
    let (origins, destinations) = (text(3), text(4));
    let distances = counted.column(2).as_primitive::<Int64Type>().values();
    for (row, (&delay, &miles)) in delays(counted).iter().zip(distances).enumerate() {
        let haul = if miles < 700 {
            "short"
        } else if miles < 2_000 {
            "medium"
        } else {
            "long"
        };
        figures.add("traffic.flights", &[], 1);
        figures.add("traffic.hauls", &[haul, if delay > 0 { "yes" } else { "no" }], 1);
        figures.observe("traffic.miles", &[], [100, 300, 700, 2_000], miles);
        figures.observe("traffic.delay_minutes", &[origins.value(row)], [0, 15, 60, 240], delay);
        // A counter that was given nothing but zeros was never heard of.
        if delay > 0 {
            figures.add("traffic.lost_minutes", &[destinations.value(row)], delay);
        }
    }
    let origins = late.column(3).as_string::<i32>();
    for (row, &delay) in delays(late).iter().enumerate() {
        figures.add("delays.flights", &[], 1);
        figures.observe("delays.delay_minutes", &[origins.value(row)], [0, 15, 60, 240], delay);
    }
    figures
}

/// The figures of a run's summary.
pub(crate) fn summed_up(summary: &Value) -> Figures {
    let mut figures = Figures::default();
    for series in summary["metrics"].as_array().unwrap_or_else(|| panic!("{summary}")) {
        let text = |key: &str| series[key].as_str().unwrap_or_else(|| panic!("{series}"));
        let labels = series["labels"].as_array().unwrap_or_else(|| panic!("{series}"));
        let labels: Vec<_> = labels.iter().map(|label| label[1].as_str().expect("a value")).collect();
        let figure = figures.entry(&format!("{}.{}", text("stage"), text("metric")), &labels);
        if text("kind") == "counter" {
            figure.sum = series["total"].as_f64().expect("a total");
            continue;
        }
        let buckets = series["buckets"].as_array().expect("buckets");
        figure.buckets = buckets.iter().map(|bucket| bucket.as_u64().expect("a count")).collect();
        figure.sum = series["sum"].as_f64().expect("a sum");
        assert_eq!(series["count"].as_u64(), Some(figure.buckets.iter().sum()), "{series}");
    }
    figures
}

/// The figures that an endpoint told. Names and airports hold nothing that is escaped.
pub(crate) fn exposed(text: &str) -> Figures {
    let mut figures = Figures::default();
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("weir_guest_") else { continue };
        let (name, rest) = rest.split_once('{').unwrap_or_else(|| panic!("{line}"));
        let (labels, value) = rest.split_once("} ").unwrap_or_else(|| panic!("{line}"));
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        let labels: Vec<(&str, &str)> = labels
            .split(',')
            .map(|label| label.split_once('=').unwrap_or_else(|| panic!("{line}")))
            .map(|(name, value)| (name, value.trim_matches('"')))
            .collect();
        let stage = labels.iter().find(|(name, _)| *name == "stage").unwrap_or_else(|| panic!("{line}")).1;
        let own = labels.iter().filter(|(name, _)| !["tenant", "query", "stage", "le"].contains(name));
        let own: Vec<&str> = own.map(|(_, value)| *value).collect();
        let (name, part) = name.rsplit_once('_').unwrap_or_else(|| panic!("{line}"));
        let figure = figures.entry(&format!("{stage}.{name}"), &own);
        match part {
            "total" | "sum" => figure.sum = value,
            // Here each bucket holds those below it as well, and the last, like the count, holds all.
            "bucket" => figure.buckets.push(value as u64 - figure.buckets.iter().sum::<u64>()),
            "count" => assert_eq!(value as u64, figure.buckets.iter().sum::<u64>(), "{line}"),
            _ => panic!("{line}"),
        }
    }
    figures
}
