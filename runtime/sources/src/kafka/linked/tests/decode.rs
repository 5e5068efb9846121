//! What records become.

use expect_test::expect;
use weir_batch::arrow::array::{Array, AsArray};
use weir_formats::RecordFormat;

use super::*;

#[tokio::test]
async fn records_come_with_what_is_known_of_them() {
    let cluster = cluster(2);
    let writer = Writer::new(&cluster);
    writer.whole("a", "{\"id\":1}", 1_700_000_000_123, &[("traceparent", Some("00-ab")), ("empty", None)]);
    writer.ids("in", 0, 2..3);
    writer.ids("in", 1, 10..12);
    let mut source = open(&KafkaSourceConfig { keep_raw: true, ..config(&cluster) });
    let batches = all(&mut source).await;
    assert_eq!(sorted_ids(&batches), [1, 2, 10, 11]);
    let first = batches.iter().find(|batch| ids(batch).contains(&1)).unwrap();
    let row = ids(first).iter().position(|id| *id == 1).unwrap();
    let system = first.batch.system();
    assert_eq!(system.origin.as_deref(), Some("in"));
    assert_eq!(system.key.as_ref().unwrap().value(row), b"a");
    assert_eq!(system.timestamp.as_ref().unwrap().value(row), 1_700_000_000_123_000);
    assert_eq!((system.partition.as_ref().unwrap().value(row), system.offset.as_ref().unwrap().value(row)), (0, 0));
    assert_eq!(system.raw.as_ref().unwrap().value(row), b"{\"id\":1}");
    let headers = system.headers.as_ref().unwrap().value(row);
    let (names, values) = (headers.as_struct().column(0).as_string::<i32>(), headers.as_struct().column(1));
    assert_eq!((names.value(0), values.as_binary::<i32>().value(0)), ("traceparent", &b"00-ab"[..]));
    assert!(values.is_null(1), "a header may have no value");
    assert!(system.key.as_ref().unwrap().is_null((row + 1) % 2) || ids(first).len() > 2);
    let bytes: u64 = batches.iter().map(|batch| batch.bytes).sum();
    assert_eq!(bytes, 1 + 8 + 8 + 9 + 9 + 16 + 5);
}

#[tokio::test]
async fn bad_records_are_known_by_partition_and_offset() {
    let cluster = cluster(2);
    let writer = Writer::new(&cluster);
    writer.whole("k", "soon", 5, &[("h", Some("1"))]);
    writer.ids("in", 0, 0..2);
    writer.value("in", 1, Some(b"{\"id\":\"x\"}"));
    writer.value("in", 1, None);
    writer.flush();
    let batches = all(&mut open(&config(&cluster))).await;
    assert_eq!(sorted_ids(&batches), [0, 1]);
    let mut lines = Vec::new();
    for batch in &batches {
        for (row, bad) in batch.bad.iter().enumerate() {
            let (system, text) = (batch.bad_system.as_ref().unwrap(), String::from_utf8_lossy(&bad.bytes));
            let partition = system.partition.as_ref().unwrap().value(row);
            assert_eq!(system.offset.as_ref().unwrap().value(row), bad.offset);
            let key = system.key.as_ref().unwrap();
            let key = if key.is_valid(row) { String::from_utf8_lossy(key.value(row)).into_owned() } else { "-".into() };
            lines.push(format!("{partition} {} {key} `{text}`: {}\n", bad.offset, bad.message));
        }
    }
    lines.sort();
    expect![[r#"
        0 0 k `soon`: not JSON: expected a value at byte 1, found `s`
        1 0 - `{"id":"x"}`: field `id`: `x` is not an i64
        1 1 - ``: the value is null (a tombstone)
    "#]]
    .assert_eq(&lines.concat());
    // Positions go beyond the bad ones.
    let ends: Vec<String> =
        batches.iter().flat_map(|it| it.positions.iter().map(|(at, next)| format!("{at} {next}"))).collect();
    assert!(ends.contains(&"in [0] 3".to_owned()) && ends.contains(&"in [1] 2".to_owned()), "{ends:?}");
}

#[tokio::test]
async fn tombstones_can_be_passed_over() {
    let cluster = cluster(1);
    let writer = Writer::new(&cluster);
    writer.ids("in", 0, 0..1);
    writer.value("in", 0, None);
    writer.flush();
    let batches = all(&mut open(&KafkaSourceConfig { skip_tombstones: true, ..config(&cluster) })).await;
    assert_eq!(sorted_ids(&batches), [0]);
    assert!(batches.iter().all(|batch| batch.bad.is_empty()));
    let next = batches.iter().flat_map(|batch| batch.positions.iter().map(|(_, next)| next)).max();
    assert_eq!(next, Some(2), "and are done with");
}

#[tokio::test]
async fn raw_values_and_csv() {
    let cluster = cluster(1);
    let writer = Writer::new(&cluster);
    writer.value("in", 0, Some(b"7"));
    writer.value("in", 0, None);
    writer.flush();
    let raw = Arc::new(Schema::new(vec![Field::nullable("value", DataType::Binary)]).unwrap());
    let config = config(&cluster);
    let with = |format| KafkaSourceConfig { format, ..config.clone() };
    let batches = all(&mut KafkaSource::new(with(RecordFormat::Raw), raw).unwrap()).await;
    expect![[r#"
        +-------+
        | value |
        +-------+
        | 37    |
        |       |
        +-------+"#]]
    .assert_eq(&batches[0].batch.to_string());
    assert!(batches[0].bad.is_empty());
    let batches = all(&mut open(&with(RecordFormat::Csv))).await;
    assert_eq!((sorted_ids(&batches), batches[0].bad.len()), (vec![7], 1));
    let refused = KafkaSource::new(with(RecordFormat::Raw), schema()).err().unwrap();
    assert!(refused.to_string().contains("a raw value must be binary or utf8, not i64"), "{refused}");
}
