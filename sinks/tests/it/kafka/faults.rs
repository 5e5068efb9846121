//! Brokers that are away, slow, or refuse.

use std::sync::Arc;
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use weir_batch::Fault;
use weir_batch::arrow::array::{BinaryArray, Int32Array, Int64Array};
use weir_batch::{Batch, DataType, Field, Schema, SystemColumns};
use weir_kafka::{KafkaConnection, KafkaProblem};
use weir_sinks::{KafkaPartitioner, KafkaSink, KafkaSinkConfig, KafkaValue, Sink, SinkConfig, SinkError};

use super::cluster::Cluster;

pub(super) fn batch(numbers: impl IntoIterator<Item = i64>) -> Arc<Batch> {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::I64)]).unwrap());
    Arc::new(Batch::new(schema, vec![Arc::new(Int64Array::from_iter_values(numbers))]).unwrap())
}

/// The numbers that arrived, in order.
pub(super) async fn numbers(cluster: &Cluster, topic: &str) -> Vec<i64> {
    let number = |value: &[u8]| std::str::from_utf8(value).unwrap()["{\"n\":".len()..value.len() - 1].parse().unwrap();
    cluster.read(topic).await.iter().map(|message| number(message.value.as_ref().unwrap())).collect()
}

fn config(cluster: &Cluster) -> KafkaSinkConfig {
    cluster.topic("out", 1);
    KafkaSinkConfig::new(cluster.connection(), "out")
}

async fn open(config: &KafkaSinkConfig) -> KafkaSink {
    KafkaSink::open(config, batch([]).schema()).await.unwrap()
}

fn problem(error: &SinkError) -> &KafkaProblem {
    match error {
        SinkError::Kafka { source, .. } => source,
        other => panic!("{other}"),
    }
}

/// The flush fails so, and the sink stays failed.
async fn check_failed(sink: &mut KafkaSink, error: SinkError, retryable: bool, expect: Expect) {
    expect.assert_eq(&format!("{:?}: {error}", error.fault()));
    assert_eq!(error.retryable(), retryable);
    assert!(matches!(sink.flush().await, Err(SinkError::AfterError)));
    assert!(matches!(sink.write(batch([1])).await, Err(SinkError::AfterError)));
    assert!(matches!(sink.close().await, Err(SinkError::AfterError)));
    assert_eq!(sink.next_deadline(), None);
}

#[tokio::test]
async fn a_full_queue_holds_up_the_writer_and_loses_nothing() {
    let cluster = Cluster::new();
    let mut config = config(&cluster);
    config.connection = config.connection.with("queue.buffering.max.messages", "10");
    let mut sink = open(&config).await;
    for first in [0, 2500] {
        sink.write(batch(first..first + 2500)).await.unwrap();
    }
    sink.close().await.unwrap();
    assert_eq!(numbers(&cluster, "out").await, (0..5000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_broker_that_comes_back_gets_everything_once_and_in_order() {
    let cluster = Cluster::new();
    let mut sink = open(&config(&cluster)).await;
    sink.write(batch(0..100)).await.unwrap();
    sink.flush().await.unwrap();
    cluster.down();
    sink.write(batch(100..200)).await.unwrap();
    let began = Instant::now();
    let (flushed, ()) = tokio::join!(sink.flush(), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        cluster.up();
    });
    flushed.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(500), "flush did not wait");
    sink.close().await.unwrap();
    assert_eq!(numbers(&cluster, "out").await, (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_broker_that_stays_away_is_a_time_out() {
    let cluster = Cluster::new();
    let mut config = config(&cluster);
    config.delivery_timeout = Some(Duration::from_millis(300));
    let mut sink = open(&config).await;
    cluster.down();
    sink.write(batch(0..10)).await.unwrap();
    let error = sink.flush().await.unwrap_err();
    assert!(matches!(problem(&error), KafkaProblem::TimedOut(_)));
    check_failed(&mut sink, error, true, expect!["External: cannot write to topic `out`, partition 0: a record was not delivered in time: MessageTimedOut (Local: Message timed out)"]).await;
}

#[tokio::test]
async fn what_the_broker_cannot_do_yet_is_tried_again() {
    let cluster = Cluster::new();
    let mut sink = open(&config(&cluster)).await;
    cluster.fail(
        RDKafkaApiKey::Produce,
        &[
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT,
        ],
    );
    sink.write(batch(0..10)).await.unwrap();
    sink.close().await.unwrap();
    assert_eq!(numbers(&cluster, "out").await, (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_the_broker_refuses_fails_the_sink_for_good() {
    for (code, retryable, expect) in [
        (
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
            false,
            expect![
                "Tenant: cannot write to topic `out`, partition 0: not authorised: TopicAuthorizationFailed (Broker: Topic authorization failed)"
            ],
        ),
        (
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
            false,
            expect![
                "Tenant: cannot write to topic `out`, partition 0: a record is too large: MessageSizeTooLarge (Broker: Message size too large)"
            ],
        ),
        (
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_RECORD,
            false,
            expect![
                "Tenant: cannot write to topic `out`, partition 0: the broker refused the record: InvalidRecord (Broker: Broker failed to validate record)"
            ],
        ),
    ] {
        let cluster = Cluster::new();
        let mut sink = open(&config(&cluster)).await;
        cluster.fail(RDKafkaApiKey::Produce, &[code]);
        // A single record: its refusal cannot come while a later one is handed over.
        sink.write(batch([1])).await.unwrap();
        let error = sink.flush().await.unwrap_err();
        check_failed(&mut sink, error, retryable, expect).await;
    }
}

/// While nobody writes or flushes, the tick hears of it.
#[tokio::test]
async fn a_loss_is_heard_of_while_idle() {
    let cluster = Cluster::new();
    let mut sink = open(&config(&cluster)).await;
    assert_eq!(sink.next_deadline(), None, "nothing is on its way");
    cluster.fail(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
    sink.write(batch(0..10)).await.unwrap();
    let mut ticks = 0;
    let error = loop {
        let deadline = sink.next_deadline().expect("records are on their way");
        tokio::time::sleep_until(deadline.into()).await;
        ticks += 1;
        assert!(ticks < 100);
        if let Err(error) = sink.tick().await {
            break error;
        }
    };
    assert!(matches!(problem(&error), KafkaProblem::NotAuthorised(_)));
}

#[tokio::test]
async fn a_record_that_is_too_large_is_refused_and_the_sink_goes_on() {
    let cluster = Cluster::new();
    let schema = Arc::new(Schema::new(vec![Field::new("raw", DataType::Binary)]).unwrap());
    let large = vec![0; 2_000_000];
    let large = BinaryArray::from(vec![b"small".as_slice(), large.as_slice(), b"small too"]);
    let batch = Arc::new(Batch::new(Arc::clone(&schema), vec![Arc::new(large)]).unwrap());
    let mut config = config(&cluster);
    config.value = KafkaValue::Raw { column: "raw".to_owned() };
    let mut sink = KafkaSink::open(&config, &schema).await.unwrap();
    // The mock does not tell its topics' limits, so that the client's default holds.
    let refused = sink.write(batch).await.unwrap().refused;
    let refused: Vec<String> = refused.iter().map(|refused| format!("{}: {}", refused.row, refused.why)).collect();
    let expect = expect![[
        r#"1: it has 2000000 bytes, but `message.max.bytes` of the client allows only 1000000: raise `message.max.bytes` in the sink's `options`"#
    ]];
    expect.assert_eq(&refused.join("\n"));
    sink.close().await.unwrap();
    let values: Vec<_> = cluster.read("out").await.into_iter().map(|read| read.value.unwrap()).collect();
    assert_eq!(values, [b"small".to_vec(), b"small too".to_vec()]);
}

/// A broker refuses a batch as a whole. The records of it are sent alone then, until the one is found that is refused.
#[tokio::test]
async fn a_record_that_the_broker_refuses_is_found_and_named() {
    let cluster = Cluster::new();
    let config = config(&cluster);
    let mut sink = open(&config).await;
    let refuse = || cluster.fail(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    refuse();
    let all = || batch([1, 2, 3]);
    sink.write(all()).await.unwrap();
    assert!(sink.flush().await.unwrap_err().is_broker_refusal());
    assert!(config.refusals.learn());
    // Alone, the second one is refused. The mock answers one request so, whatever is in it.
    let mut sink = open(&config).await;
    sink.write(batch([1])).await.unwrap();
    refuse();
    assert!(sink.write(batch([2])).await.unwrap_err().is_broker_refusal());
    assert!(config.refusals.learn());
    let mut sink = open(&config).await;
    let refused = sink.write(all()).await.unwrap().refused;
    let refused: Vec<String> = refused.iter().map(|refused| format!("{}: {}", refused.row, refused.why)).collect();
    let expect = expect![[
        r#"1: the broker of topic `out` refused the record of 7 bytes: a record is too large: MessageSizeTooLarge (Broker: Message size too large): raise `max.message.bytes` of the topic"#
    ]];
    expect.assert_eq(&refused.join("\n"));
    sink.close().await.unwrap();
    assert_eq!(numbers(&cluster, "out").await, [1, 1, 3]);
    assert!(!config.refusals.learn(), "nothing new");
}

#[tokio::test]
async fn a_kept_partition_must_exist() {
    let cluster = Cluster::new();
    let mut config = config(&cluster);
    config.partitioner = KafkaPartitioner::Keep;
    let system = SystemColumns::default().with(|it| it.partition = Some(Int32Array::from(vec![7])));
    let batch = Arc::new(Batch::clone(&batch([1])).with_system(system).unwrap());
    let mut sink = open(&config).await;
    let refused = sink.write(batch).await.unwrap().refused;
    let expect = expect!["topic `out` has no partition 7: add partitions, or choose another `partitioner` than `keep`"];
    expect.assert_eq(&refused[0].why.to_string());
    sink.close().await.unwrap();
}

async fn check_open(config: KafkaSinkConfig, retryable: bool, expect: Expect) {
    let config = SinkConfig::Kafka(Box::new(config));
    let error = config.build(batch([]).schema()).await.err().unwrap();
    assert_eq!(error.retryable(), retryable);
    expect.assert_eq(&format!("{:?}: {error}", error.fault()));
}

#[tokio::test]
async fn an_unknown_topic_is_found_out_at_the_opening_and_not_made() {
    let cluster = Cluster::new();
    let config = KafkaSinkConfig::new(cluster.connection(), "nowhere");
    assert!(KafkaSink::open(&config, batch([]).schema()).await.is_err());
    let expect = expect!["Tenant: cannot write to topic `nowhere`: the topic does not exist"];
    check_open(config, false, expect).await;
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_found_out_at_the_opening() {
    // Nobody listens on a port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut config = KafkaSinkConfig::new(KafkaConnection::new(free.to_string()), "out");
    config.open_timeout = Duration::from_secs(2);
    let error = KafkaSink::open(&config, batch([]).schema()).await.err().unwrap();
    let text = error.to_string().replace(&free.port().to_string(), "PORT");
    assert_eq!((error.fault(), error.retryable()), (Fault::External, true));
    assert!(matches!(problem(&error), KafkaProblem::Unreachable { .. }), "{error}");
    let begin = "cannot write to topic `out`: no broker answered within 2000 ms: ";
    assert!(text.starts_with(begin) && text.contains("127.0.0.1:PORT"), "{text}");
}

/// A sink whose records cannot leave is dropped; when the broker is back, nothing of it arrives.
#[tokio::test]
async fn a_dropped_sink_publishes_nothing_more() {
    let cluster = Cluster::new();
    let config = config(&cluster);
    let mut sink = open(&config).await;
    cluster.down();
    sink.write(batch(0..100)).await.unwrap();
    drop(sink);
    cluster.up();
    let mut later = open(&config).await;
    later.write(batch([1000])).await.unwrap();
    later.close().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(numbers(&cluster, "out").await, [1000]);
}

/// Nobody waits for a write that waits for a broker: the thread must come back.
#[tokio::test]
async fn a_write_that_nobody_waits_for_ends() {
    let cluster = Cluster::new();
    let mut config = config(&cluster);
    config.connection = config.connection.with("queue.buffering.max.messages", "10");
    let mut sink = open(&config).await;
    cluster.down();
    let taken = batch(0..1000);
    let written = tokio::time::timeout(Duration::from_millis(200), sink.write(Arc::clone(&taken))).await;
    assert!(written.is_err(), "the queue has room for ten");
    drop(sink);
    let began = Instant::now();
    while Arc::strong_count(&taken) > 1 {
        assert!(began.elapsed() < Duration::from_secs(60), "the write still runs");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
