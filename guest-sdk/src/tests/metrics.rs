//! Tests of metrics: what reaches the host, and what a native test can read.

use super::{ints, set, texts};
use crate::native_host::{Host, Value};
use crate::prelude::*;
use crate::rt::{Observer, ReadRow};
use crate::sys::host;

#[derive(Row)]
struct Departure<'a> {
    origin: &'a str,
    delay: i64,
}

#[derive(Default, MetricSet)]
struct Delays {
    flights: Counter,
    #[metric(labels("origin"))]
    minutes: Counter<1>,
    last: Gauge,
    #[metric(labels("origin", "sign"))]
    last_by: Gauge<2>,
    #[metric(buckets(0, 60))]
    delays: Histogram,
    #[metric(labels("origin"), buckets(0, 60))]
    delays_by: Histogram<1>,
    #[metric(skip)]
    unit: i64,
}

#[derive(Params)]
struct Unit {
    unit: i64,
}

#[metrics(name = "all_delays")]
impl Metrics for Delays {
    type Row<'a> = Departure<'a>;
    type Params = Unit;

    fn start(&mut self, params: Unit) {
        self.unit = params.unit;
    }

    fn observe(&mut self, departure: Departure<'_>) {
        let delay = departure.delay * self.unit;
        self.flights.inc();
        self.minutes.with([departure.origin]).add(delay);
        self.last.set(delay);
        self.last_by.with([departure.origin, if delay < 0 { "-" } else { "+" }]).set(delay);
        self.delays.observe(delay);
        self.delays_by.with([departure.origin]).observe(delay);
    }
}

/// Series as text, with all recorded values.
fn recorded(host: &Host) -> Vec<(u32, String, Vec<f64>)> {
    let values = |handle: usize| {
        host.records.iter().filter(|(series, _)| *series as usize == handle).map(|(_, value)| *value).collect()
    };
    let text = |labels: &[u8]| String::from_utf8_lossy(labels).replace('\0', "").escape_debug().to_string();
    let series = host.series.iter().enumerate();
    series.map(|(handle, (metric, labels))| (*metric, text(labels), values(handle))).collect()
}

#[test]
fn a_batch_is_summed_and_handed_over_once() {
    let origins = ["SEA", "SFO", "SEA"];
    let rows = set(vec![texts(origins), ints([2, -1, 4])], vec![Value::I64(10)]);
    let mut observer = Observer::<_, Delays>::new(<Departure<'_> as ReadRow>::columns());
    for _ in 0..2 {
        observer.run(rows, <Departure<'_> as ReadRow>::fill, |columns, metrics: &mut Delays, slot| {
            metrics.observe(ReadRow::get(columns, slot));
        });
    }
    let host = host(std::mem::take);
    // The lengths of labels appear as characters with these codes.
    let mut expected = vec![
        (0, "", vec![3.0, 3.0]),
        (2, "", vec![40.0, 40.0]),
        (4, "", vec![20.0, -10.0, 40.0, 20.0, -10.0, 40.0]),
        (1, "\\u{3}SEA", vec![60.0, 60.0]),
        (3, "\\u{3}SEA\\u{1}+", vec![40.0, 40.0]),
        (5, "\\u{3}SEA", vec![20.0, 40.0, 20.0, 40.0]),
        (1, "\\u{3}SFO", vec![]),
        (3, "\\u{3}SFO\\u{1}-", vec![-10.0, -10.0]),
        (5, "\\u{3}SFO", vec![-10.0, -10.0]),
    ];
    let expected: Vec<_> =
        expected.drain(..).map(|(metric, labels, values)| (metric, labels.to_owned(), values)).collect();
    assert_eq!(recorded(&host), expected);
    // A counter refuses a negative value, and logs a warning.
    let warning = "warn: metric `minutes`: 1 values left out, as they are negative, infinite or not a number";
    assert_eq!(host.log, [warning, warning]);
}

#[test]
fn observations_go_in_chunks() {
    let rows = 3_000;
    set(vec![texts(vec!["SEA"; rows]), ints(0..rows as i64)], vec![Value::I64(1)]);
    let mut observer = Observer::<_, Delays>::new(<Departure<'_> as ReadRow>::columns());
    observer.run(rows as u32, <Departure<'_> as ReadRow>::fill, |columns, metrics: &mut Delays, slot| {
        metrics.observe(ReadRow::get(columns, slot));
    });
    let host = host(std::mem::take);
    let by_origin: Vec<f64> =
        recorded(&host).into_iter().find(|(metric, ..)| *metric == 5).map(|(.., values)| values).unwrap();
    assert_eq!(by_origin, (0..rows).map(|n| n as f64).collect::<Vec<_>>());
}

#[derive(Row)]
struct Reading {
    id: i64,
    value: Option<f64>,
}

#[derive(Default, MetricSet)]
struct Readings {
    readings: Counter,
    ids: Counter,
    #[metric(buckets(0, 60))]
    values: Histogram,
}

#[metrics]
impl Metrics for Readings {
    type Row<'a> = Reading;

    fn observe(&mut self, reading: Reading) {
        self.readings.inc();
        self.ids.add(reading.id);
        if let Some(value) = reading.value {
            self.values.observe(value);
        }
    }

    fn observe_batch(&mut self, rows: u32) -> bool {
        self.readings.add(rows);
        self.ids.add_column(0, rows);
        self.values.observe_column(1, rows);
        // One batch is observed again, record by record.
        rows == 1
    }
}

#[test]
fn columns_are_observed_whole() {
    let mut observer = Observer::<_, Readings>::new(<Reading as ReadRow>::columns());
    let mut run = |ids: Vec<i64>, values: Vec<Value>| {
        let rows = set(vec![ints(ids), values], Vec::new());
        observer.run(rows, <Reading as ReadRow>::fill, |columns, metrics: &mut Readings, slot| {
            metrics.observe(ReadRow::get(columns, slot));
        });
    };
    // The host assigned these handles at the beginning.
    run(vec![7], vec![Value::F64(0.5)]);
    let first = host(std::mem::take);
    assert_eq!(first.records, [(1, 7.0), (2, 0.5), (0, 1.0)]);
    run(vec![1, 2, 3], vec![Value::F64(f64::NAN), Value::Null, Value::F64(4.0)]);
    let second = host(std::mem::take);
    // If `observe_batch` returns false, the records are observed too.
    assert_eq!(second.records[..4], [(1, 1.0), (1, 2.0), (1, 3.0), (2, 4.0)]);
    assert_eq!(second.records[4..], [(0, 6.0), (1, 6.0), (2, 4.0)]);
    assert_eq!(second.log, ["warn: metric `values`: 2 values left out, as they are infinite or not a number"]);
}

#[test]
fn values_are_read_natively() {
    let mut delays = Delays { unit: 1, ..Delays::default() };
    for (origin, delay) in [("SEA", 90), ("SFO", 5), ("SEA", 10)] {
        delays.observe(Departure { origin, delay });
    }
    assert_eq!((delays.flights.value(), delays.last.value(), delays.delays.count()), (3.0, Some(10.0), 3));
    assert_eq!(delays.minutes.with(["SEA"]).value(), 100.0);
    assert_eq!(delays.last_by.with(["SFO", "+"]).value(), Some(5.0));
    assert_eq!(delays.last_by.with(["SFO", "-"]).value(), None);
    assert_eq!((delays.delays_by.with(["SEA"]).count(), delays.delays_by.with(["SEA"]).sum()), (2, 100.0));
    delays.delays.observe(f64::NAN);
    delays.last.set(f64::INFINITY);
    assert_eq!((delays.delays.count(), delays.last.value()), (3, Some(10.0)));
}
