//! What becomes of a record's parts.

use std::sync::Arc;

use expect_test::{Expect, expect};
use weir_batch::arrow::array::{
    Array, ArrayRef, BinaryArray, BinaryBuilder, Int32Array, Int64Array, ListArray, StringArray, StringBuilder,
    StructArray, TimestampMicrosecondArray,
};
use weir_batch::arrow::buffer::{BooleanBuffer, OffsetBuffer};
use weir_batch::arrow::datatypes::{DataType as ArrowType, Field as ArrowField};
use weir_batch::{Batch, DataType, Field, Schema, SystemColumns, TraceContext};
use weir_sinks::{KafkaKey, KafkaPartitioner, KafkaSink, KafkaSinkConfig, KafkaTimestamp, KafkaValue, Sink};

use super::cluster::{Cluster, Read};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Two rows with two headers, one with none, one with a null in the place of its list.
fn headers() -> ListArray {
    let (mut names, mut values) = (StringBuilder::new(), BinaryBuilder::new());
    for (name, value) in [("traceparent", Some("old")), ("a", Some("1")), ("a", Some("2")), ("empty", None)] {
        names.append_value(name);
        values.append_option(value);
    }
    let fields = vec![
        Arc::new(ArrowField::new("key", ArrowType::Utf8, false)),
        Arc::new(ArrowField::new("value", ArrowType::Binary, true)),
    ];
    let columns: Vec<ArrayRef> = vec![Arc::new(names.finish()), Arc::new(values.finish())];
    let pairs = StructArray::new(fields.into(), columns, None);
    let item = Arc::new(ArrowField::new("item", pairs.data_type().clone(), false));
    let nulls = BooleanBuffer::from(vec![true, true, true, false]);
    ListArray::new(item, OffsetBuffer::from_lengths([2, 2, 0, 0]), Arc::new(pairs), Some(nulls.into()))
}

/// Four rows that came from a topic; `raw` of the third is null.
fn batch() -> Arc<Batch> {
    let schema = Schema::new(vec![
        Field::new("number", DataType::I64),
        Field::nullable("name", DataType::Utf8),
        Field::nullable("raw", DataType::Binary),
        Field::nullable("at", DataType::Timestamp),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![-5, 6, 7, 8])),
        Arc::new(StringArray::from(vec![Some("one"), None, Some(""), Some("four")])),
        Arc::new(BinaryArray::from(vec![Some(&b"r1"[..]), Some(b""), None, Some(b"r4")])),
        Arc::new(TimestampMicrosecondArray::from(vec![Some(1_000_999), None, Some(0), Some(2_000_000)])),
    ];
    let system = SystemColumns::default().with(|it| {
        it.key = Some(BinaryArray::from(vec![Some(&b"k1"[..]), None, Some(b""), Some(b"k4")]));
        it.timestamp = Some(TimestampMicrosecondArray::from(vec![
            Some(1_640_995_200_123_999),
            Some(1_640_995_200_124_000),
            None,
            Some(1_640_995_200_125_000),
        ]));
        it.partition = Some(Int32Array::from(vec![Some(2), Some(0), None, Some(1)]));
        it.headers = Some(headers());
    });
    let batch = Batch::new(Arc::new(schema.unwrap()), columns).unwrap();
    Arc::new(batch.with_system(system).unwrap())
}

/// Writes a batch to a topic of this many partitions and reads it.
async fn written(partitions: i32, batch: Arc<Batch>, change: impl FnOnce(&mut KafkaSinkConfig)) -> Vec<Read> {
    let cluster = Cluster::new();
    cluster.topic("out", partitions);
    let mut config = KafkaSinkConfig::new(cluster.connection(), "out");
    change(&mut config);
    let mut sink = KafkaSink::open(&config, batch.schema()).await.unwrap();
    sink.write(batch).await.unwrap();
    sink.close().await.unwrap();
    cluster.read("out").await
}

async fn check(batch: Arc<Batch>, change: impl FnOnce(&mut KafkaSinkConfig), expect: Expect) {
    let read = written(1, batch, change).await;
    expect.assert_eq(&read.iter().map(|message| message.text() + "\n").collect::<String>());
}

#[tokio::test]
async fn what_a_record_came_with_is_passed_on() {
    check(
        batch(),
        |_| (),
        expect![[r#"
        k1 = {"number":-5,"name":"one","raw":"7231","at":"1970-01-01T00:00:01.000999Z"} traceparent:old a:1
        (none) = {"number":6,"name":null,"raw":"","at":null} a:2 empty:(none)
         = {"number":7,"name":"","raw":null,"at":"1970-01-01T00:00:00Z"}
        k4 = {"number":8,"name":"four","raw":"7234","at":"1970-01-01T00:00:02Z"}
    "#]],
    )
    .await;
}

#[tokio::test]
async fn rows_that_a_selection_leaves_out_take_their_parts_with_them() {
    let some = batch().filter(&BooleanBuffer::from(vec![false, true, false, true])).unwrap();
    check(
        some,
        |_| (),
        expect![[r#"
        (none) = {"number":6,"name":null,"raw":"","at":null} a:2 empty:(none)
        k4 = {"number":8,"name":"four","raw":"7234","at":"1970-01-01T00:00:02Z"}
    "#]],
    )
    .await;
}

#[tokio::test]
async fn values_are_lines_or_columns() {
    check(
        batch(),
        |config| {
            config.value = KafkaValue::Csv;
            config.pass_headers = false;
        },
        expect![[r#"
            k1 = -5,one,7231,1970-01-01T00:00:01.000999Z
            (none) = 6,,"",
             = 7,"",,1970-01-01T00:00:00Z
            k4 = 8,four,7234,1970-01-01T00:00:02Z
        "#]],
    )
    .await;
    check(
        batch(),
        |config| {
            config.value = KafkaValue::Raw { column: "name".to_owned() };
            config.pass_headers = false;
        },
        expect![[r#"
            k1 = one
            (none) = (none)
             = 
            k4 = four
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_null_in_the_value_s_column_is_a_tombstone() {
    let read = written(1, batch(), |config| config.value = KafkaValue::Raw { column: "raw".to_owned() }).await;
    let values: Vec<Option<&[u8]>> = read.iter().map(|message| message.value.as_deref()).collect();
    assert_eq!(values, [Some(&b"r1"[..]), Some(b""), None, Some(b"r4")]);
    let keys: Vec<Option<&[u8]>> = read.iter().map(|message| message.key.as_deref()).collect();
    assert_eq!(keys, [Some(&b"k1"[..]), None, Some(b""), Some(b"k4")]);
}

#[tokio::test]
async fn keys_are_columns_or_none() {
    for (key, expected) in [
        (KafkaKey::Column("number".to_owned()), [Some("-5"), Some("6"), Some("7"), Some("8")]),
        (KafkaKey::Column("name".to_owned()), [Some("one"), None, Some(""), Some("four")]),
        (KafkaKey::None, [None; 4]),
    ] {
        let read = written(1, batch(), |config| config.key = key).await;
        let keys: Vec<_> = read.iter().map(|message| message.key.as_deref()).collect();
        assert_eq!(keys, expected.map(|key| key.map(str::as_bytes)));
    }
}

#[tokio::test]
async fn headers_are_made_of_columns_and_replace_those_of_their_name() {
    check(
        batch(),
        |config| {
            config.value = KafkaValue::Raw { column: "raw".to_owned() };
            config.headers = vec![("a".to_owned(), "number".to_owned()), ("name".to_owned(), "name".to_owned())];
        },
        expect![[r#"
            k1 = r1 traceparent:old a:-5 name:one
            (none) =  empty:(none) a:6
             = (none) a:7 name:
            k4 = r4 a:8 name:four
        "#]],
    )
    .await;
}

#[tokio::test]
async fn the_batch_s_trace_replaces_what_was_passed() {
    let mut traced = Batch::clone(&batch());
    traced.set_trace(Some(TRACE.parse::<TraceContext>().unwrap()));
    let traced = Arc::new(traced);
    for pass_headers in [true, false] {
        let read = written(1, Arc::clone(&traced), |config| config.pass_headers = pass_headers).await;
        for message in &read {
            let traces: Vec<_> = message.headers.iter().filter(|(name, _)| name == "traceparent").collect();
            assert_eq!(traces, [&("traceparent".to_owned(), Some(TRACE.as_bytes().to_vec()))]);
        }
        assert_eq!(read[0].headers.len(), if pass_headers { 2 } else { 1 });
    }
}

#[tokio::test]
async fn without_a_trace_of_the_batch_each_record_keeps_its_own() {
    let read = written(1, batch(), |_| ()).await;
    let own: Vec<_> = read[0].headers.iter().filter(|(name, _)| name == "traceparent").collect();
    assert_eq!(own, [&("traceparent".to_owned(), Some(b"old".to_vec()))]);
    assert!(read[1..].iter().all(|message| message.headers.iter().all(|(name, _)| name != "traceparent")));
}

#[tokio::test]
async fn timestamps_are_whole_milliseconds() {
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let before = now();
    let times = async |timestamp: KafkaTimestamp| {
        let read = written(1, batch(), |config| config.timestamp = timestamp).await;
        // What was made now cannot be known before.
        read.iter().map(|message| message.millis.filter(|&millis| millis < before)).collect::<Vec<_>>()
    };
    let of_source = [Some(1_640_995_200_123), Some(1_640_995_200_124), None, Some(1_640_995_200_125)];
    assert_eq!(times(KafkaTimestamp::System).await, of_source);
    // The first millisecond of 1970 cannot be written.
    assert_eq!(times(KafkaTimestamp::Column("at".to_owned())).await, [Some(1000), None, Some(1), Some(2000)]);
    assert_eq!(times(KafkaTimestamp::Now).await, [None; 4]);
}

#[tokio::test]
async fn partitions_are_kept_or_chosen_by_key() {
    let kept = written(3, batch(), |config| config.partitioner = KafkaPartitioner::Keep).await;
    let partition = |read: &[Read], key: &str| {
        read.iter().find(|message| message.key.as_deref() == Some(key.as_bytes())).unwrap().partition
    };
    assert_eq!((partition(&kept, "k1"), partition(&kept, "k4")), (2, 1));
    // As the Java client would: `Utils.toPositive(Utils.murmur2(key)) % 3`.
    let chosen = written(3, batch(), |_| ()).await;
    assert_eq!((partition(&chosen, "k1"), partition(&chosen, "k4")), (murmur2(b"k1") % 3, murmur2(b"k4") % 3));
    assert_eq!((kept.len(), chosen.len()), (4, 4));
}

/// The Java client's hash (<https://github.com/apache/kafka/blob/3.9.0/clients/src/main/java/org/apache/kafka/common/utils/Utils.java>),
/// for keys of two bytes, made positive.
fn murmur2(key: &[u8; 2]) -> i32 {
    let multiplier = 0x5bd1_e995_u32;
    let mut hash = 0x9747_b28c_u32 ^ 2;
    hash ^= u32::from(key[1]) << 8;
    hash ^= u32::from(key[0]);
    hash = hash.wrapping_mul(multiplier);
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(multiplier);
    hash ^= hash >> 15;
    (hash & 0x7fff_ffff) as i32
}
