//! A source that starts at a time.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::temporal_conversions::timestamp_ms_to_datetime;
use serde_json::Value;
use weir_tests::{Broker, Record, Weir};

use crate::support::SOON;

/// Milliseconds since 1970, a minute ago: a broker drops what is past its time.
fn a_minute_ago() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    i64::try_from(now).expect("a time in this age") - 60_000
}

/// A record with a number for a value.
fn record(partition: i32, number: i64, timestamp_ms: i64) -> Record {
    let timestamp_ms = Some(timestamp_ms);
    Record { timestamp_ms, ..Record::of(format!("{{\"id\":{number}}}")).to(partition) }
}

/// Runs a query over the topic to its end, from this time, and gives the numbers that it read, in order.
#[track_caller]
fn read(broker: &Broker, folder: &Path, (topic, group): (&str, &str), start_ms: i64) -> Vec<i64> {
    let start = timestamp_ms_to_datetime(start_ms).expect("a time");
    let (brokers, group) = (broker.address(), broker.name(group));
    let text = format!(
        "name = \"numbers\"\n[sources.ids]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {topic:?}\ngroup = {group:?}\n\
         schema = {{ id = \"i64\" }}\npartitions = \"all\"\nuntil = \"end\"\nstart = \"{start:?}Z\"\n\
         [sinks.out]\nkind = \"stdout\"\nformat = \"json_lines\"\n"
    );
    std::fs::write(folder.join("q.toml"), text).expect("a query file");
    let mut weir = Weir::in_folder(folder).run(&["run", "--quiet", "q.toml"]);
    assert!(weir.wait(SOON).success(), "{}", weir.stderr());
    let lines = weir.stdout();
    let ids = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("a record")["id"].as_i64());
    let mut ids: Vec<i64> = ids.map(|id| id.expect("a number")).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn a_start_at_a_time_is_each_partition_s_own() {
    let broker = Broker::shared();
    let topic = broker.topic("timed", 4);
    let zero = a_minute_ago();
    let written = [
        // Before, at and after the time in the middle, with equal times.
        (0, [0, 10, 20, 20, 20, 30].as_slice()),
        (1, &[5, 20, 40]),
        // Nothing from then on; and nothing at all in the last one.
        (2, &[1, 2]),
    ];
    for (partition, times) in written {
        let record = |(number, time): (i64, &i64)| record(partition, i64::from(partition) * 100 + number, zero + time);
        broker.produce(&topic, (0..).zip(times).map(record));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let from = |group: &str, time: i64| read(&broker, folder.path(), (&topic, group), zero + time);
    assert_eq!(from("middle", 20), [2, 3, 4, 5, 101, 102]);
    assert_eq!(from("between", 21), [5, 102]);
    assert_eq!(from("first", 0), [0, 1, 2, 3, 4, 5, 100, 101, 102, 200, 201]);
    assert_eq!(from("before", -1_000), [0, 1, 2, 3, 4, 5, 100, 101, 102, 200, 201]);
    assert_eq!(from("last", 40), [102]);
    assert_eq!(from("after", 41), [0; 0]);
}

#[test]
fn a_position_that_was_kept_comes_before_a_time() {
    let broker = Broker::shared();
    let topic = broker.topic("kept", 3);
    let zero = a_minute_ago();
    broker.produce(&topic, (0..5).map(|number| record(0, number, zero + number)));
    broker.produce(&topic, (0..5).map(|number| record(1, 100 + number, zero + number)));
    let folder = tempfile::tempdir().expect("a folder");
    let from = |time: i64| read(&broker, folder.path(), (&topic, "group"), zero + time);
    assert_eq!(from(3), [3, 4, 103, 104]);
    let group = broker.name("group");
    let kept = broker.committed(&group, &topic);
    // Also of the partition that had no record.
    assert_eq!((kept.get(&0), kept.get(&1), kept.get(&2)), (Some(&5), Some(&5), Some(&0)));
    // A restart with another time, and records that are older and newer than either.
    broker
        .produce(&topic, [record(0, 5, zero), record(0, 6, zero + 50), record(2, 200, zero), record(2, 201, zero + 1)]);
    assert_eq!(from(1), [5, 6, 200, 201], "a time is for a partition of which nothing is kept");
    assert_eq!(from(0), [0; 0]);
}
