//! Calls of transactions, and how they fail. What they make visible the mock does not know.

use std::collections::HashSet;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use weir_batch::Fault;
use weir_kafka::{GroupOffsets, KafkaConnection, KafkaProblem};
use weir_sinks::{
    KafkaCompression, KafkaPartitioner, KafkaSink, KafkaSinkConfig, KafkaTransactions, Sink, SinkError,
    TransactionError, TransactionSettings,
};

use super::cluster::Cluster;
use super::faults::{batch, numbers};

async fn open(cluster: &Cluster) -> KafkaTransactions {
    open_with(cluster, "id", &TransactionSettings::default()).await
}

async fn open_with(cluster: &Cluster, id: &str, settings: &TransactionSettings) -> KafkaTransactions {
    KafkaTransactions::open(&cluster.connection(), id, settings).await.unwrap()
}

async fn sink(cluster: &Cluster, transactions: &KafkaTransactions, topic: &str) -> KafkaSink {
    cluster.topic(topic, 1);
    let config = KafkaSinkConfig::new(cluster.connection(), topic);
    transactions.sink(&config, batch([]).schema()).await.unwrap()
}

/// A group's position in a topic, and the group as a consumer of it knows it.
fn position(cluster: &Cluster) -> (TopicPartitionList, ConsumerGroupMetadata, BaseConsumer) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.connection().brokers)
        .set("group.id", "group")
        .create()
        .unwrap();
    let mut positions = TopicPartitionList::new();
    positions.add_partition_offset("in", 0, Offset::Offset(42)).unwrap();
    (positions, consumer.group_metadata().unwrap(), consumer)
}

/// After any error everything fails.
async fn check_failed(
    transactions: &KafkaTransactions,
    sink: &mut KafkaSink,
    error: TransactionError,
    (fault, retryable, certain): (Fault, bool, bool),
    expect: Expect,
) {
    expect.assert_eq(&error.to_string());
    assert_eq!((error.fault(), error.retryable(), error.certainly_not_committed()), (fault, retryable, certain));
    assert!(matches!(transactions.commit(vec![]).await, Err(TransactionError::AfterError)));
    assert!(matches!(transactions.begin_if_needed().await, Err(TransactionError::AfterError)));
    assert!(matches!(transactions.abort().await, Err(TransactionError::AfterError)));
    let refused = sink.write(batch([1])).await.unwrap_err();
    assert!(matches!(refused, SinkError::Kafka { source: KafkaProblem::AfterError, .. } | SinkError::AfterError));
    assert!(sink.flush().await.is_err());
}

#[tokio::test]
async fn several_sinks_write_in_one_transaction_after_another() {
    let cluster = Cluster::new();
    let transactions = open(&cluster).await;
    let mut one = sink(&cluster, &transactions, "one").await;
    let mut other = sink(&cluster, &transactions, "other").await;
    for round in 0..3 {
        assert!(transactions.is_empty());
        let (first, second) = tokio::join!(one.write(batch([round])), other.write(batch([round + 10])));
        first.unwrap();
        second.unwrap();
        assert!(!transactions.is_empty());
        one.flush().await.unwrap();
        transactions.commit(vec![]).await.unwrap();
    }
    one.close().await.unwrap();
    drop(other);
    assert_eq!(numbers(&cluster, "one").await, [0, 1, 2]);
    assert_eq!(numbers(&cluster, "other").await, [10, 11, 12]);
}

#[tokio::test]
async fn without_records_and_positions_there_is_nothing_to_commit() {
    let cluster = Cluster::new();
    let transactions = open(&cluster).await;
    // It would be answered with an error, were the broker asked.
    cluster.fail(RDKafkaApiKey::EndTxn, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_PRODUCER_FENCED]);
    let mut sink = sink(&cluster, &transactions, "out").await;
    sink.write(batch([])).await.unwrap();
    sink.flush().await.unwrap();
    assert!(transactions.is_empty());
    transactions.commit(vec![]).await.unwrap();
    transactions.abort().await.unwrap();
}

#[tokio::test]
async fn positions_are_committed_with_records_or_alone() {
    let cluster = Cluster::new();
    cluster.topic("in", 1);
    let transactions = open(&cluster).await;
    let (positions, group, _consumer) = position(&cluster);
    transactions.commit(vec![GroupOffsets::new([], (positions, group))]).await.unwrap();
    let mut sink = sink(&cluster, &transactions, "out").await;
    sink.write(batch([1])).await.unwrap();
    let (positions, group, _consumer) = position(&cluster);
    transactions.commit(vec![GroupOffsets::new([], (positions, group))]).await.unwrap();

    // That the broker is asked shows when it refuses.
    sink.write(batch([2])).await.unwrap();
    cluster.fail(RDKafkaApiKey::TxnOffsetCommit, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED]);
    let (positions, group, _consumer) = position(&cluster);
    let error = transactions.commit(vec![GroupOffsets::new([], (positions, group))]).await.unwrap_err();
    check_failed(
        &transactions,
        &mut sink,
        error,
        (Fault::Tenant, false, true),
        expect![
            "the transaction is aborted: not authorised: GroupAuthorizationFailed (Broker: Group authorization failed)"
        ],
    )
    .await;
}

#[tokio::test]
async fn positions_of_another_client_library_are_refused() {
    let cluster = Cluster::new();
    let transactions = open(&cluster).await;
    let offsets = GroupOffsets::new([("in".to_owned(), 0, 7)], "a member of something else");
    assert_eq!((offsets.next("in", 0), offsets.next("in", 1), offsets.next("out", 0)), (Some(7), None, None));
    let error = transactions.commit(vec![offsets]).await.unwrap_err();
    assert_eq!(error.to_string(), "offsets: they were read by another client library than the one that commits them");
    assert!(error.certainly_not_committed());
}

#[tokio::test]
async fn positions_of_an_older_generation_abort() {
    for (code, said) in [
        (
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
            "IllegalGeneration (Broker: Specified group generation id is not valid)",
        ),
        (RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, "UnknownMemberId (Broker: Unknown member)"),
    ] {
        let cluster = Cluster::new();
        cluster.topic("in", 1);
        let transactions = open(&cluster).await;
        let (positions, group, _consumer) = position(&cluster);
        cluster.fail(RDKafkaApiKey::TxnOffsetCommit, &[code]);
        let error = transactions.commit(vec![GroupOffsets::new([], (positions, group))]).await.unwrap_err();
        let TransactionError::Aborted { source: KafkaProblem::OtherMember(_) } = &error else { panic!("{error}") };
        let expected = format!("the transaction is aborted: another member of the group has taken over: {said}");
        assert_eq!((error.to_string(), error.fault()), (expected, Fault::External));
        assert!(error.certainly_not_committed());
    }
}

#[tokio::test]
async fn an_abort_is_followed_by_a_new_transaction() {
    let cluster = Cluster::new();
    let transactions = open(&cluster).await;
    let mut sink = sink(&cluster, &transactions, "out").await;
    sink.write(batch(0..1000)).await.unwrap();
    transactions.abort().await.unwrap();
    assert!(transactions.is_empty());
    sink.write(batch([1000])).await.unwrap();
    transactions.commit(vec![]).await.unwrap();
    assert_eq!(numbers(&cluster, "out").await.last(), Some(&1000));
}

#[tokio::test]
async fn a_lost_record_aborts() {
    let cluster = Cluster::new();
    let transactions = open(&cluster).await;
    let mut sink = sink(&cluster, &transactions, "out").await;
    cluster.fail(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
    sink.write(batch([1])).await.unwrap();
    let error = transactions.commit(vec![]).await.unwrap_err();
    check_failed(
        &transactions,
        &mut sink,
        error,
        (Fault::Tenant, false, true),
        expect![
            "the transaction is aborted: not authorised: TopicAuthorizationFailed (Broker: Topic authorization failed)"
        ],
    )
    .await;
    // Opened again, they go on.
    let transactions = open(&cluster).await;
    let mut sink = self::sink(&cluster, &transactions, "next").await;
    sink.write(batch([2])).await.unwrap();
    transactions.commit(vec![]).await.unwrap();
    assert_eq!(numbers(&cluster, "next").await, [2]);
}

/// The commit is answered with these errors.
async fn check_commit(errors: &[RDKafkaRespErr], is: (Fault, bool, bool), expect: Expect) {
    let cluster = Cluster::new();
    let transactions = open(&cluster).await;
    let mut sink = sink(&cluster, &transactions, "out").await;
    sink.write(batch([1])).await.unwrap();
    cluster.fail(RDKafkaApiKey::EndTxn, errors);
    let error = transactions.commit(vec![]).await.unwrap_err();
    check_failed(&transactions, &mut sink, error, is, expect).await;
}

#[tokio::test]
async fn a_fenced_producer_must_not_come_back() {
    let code = RDKafkaRespErr::RD_KAFKA_RESP_ERR_PRODUCER_FENCED;
    check_commit(&[code], (Fault::External, false, false), expect!["another producer has taken over the transactions of `id`: Transaction error: Failed to end transaction: Local: This instance has been fenced by a newer instance; remove `transactional_id`, or give each process its own id"]).await;
}

/// A broker refuses the producer of a transaction that it has aborted because it was too old, as it refuses one that another has fenced.
#[tokio::test]
async fn a_producer_whose_transaction_outlived_its_time_out_was_fenced_by_nobody() {
    let cluster = Cluster::new();
    // Longer than a busy machine takes from the begin to the question.
    let settings = TransactionSettings::default().with(|it| it.timeout = Duration::from_secs(3));
    let transactions = open_with(&cluster, "id", &settings).await;
    transactions.begin_if_needed().await.unwrap();
    let why = || transactions.why_fenced("fenced".to_owned());
    assert!(matches!(why(), TransactionError::Fenced { id, .. } if id == "id"));
    tokio::time::sleep(settings.timeout).await;
    let error = why();
    assert!(error.retryable());
    let TransactionError::TimedOut { id, open_for, timeout } = error else { panic!("{error}") };
    assert!(open_for >= timeout && timeout == settings.timeout, "{open_for:?}");
    expect!["the broker has aborted a transaction of `id` that was open for 3 s, longer than its `transaction.timeout.ms` allows"]
        .assert_eq(&TransactionError::TimedOut { id, open_for: timeout, timeout }.to_string());
}

#[tokio::test]
async fn an_abortable_answer_to_the_commit_is_indeterminate() {
    let code = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING;
    check_commit(&[code], (Fault::External, true, false), expect!["it is not known whether the transaction was committed: Transaction error: EndTxn commit failed: Broker: Producer attempted to use a producer id which is not currently assigned to its transactional id"]).await;
}

#[tokio::test]
async fn an_answer_that_ends_the_producer_is_fatal() {
    let code = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    check_commit(&[code], (Fault::Tenant, false, false), expect!["the transactional producer failed permanently: Transaction error: Failed to end transaction: Broker: Transactional Id authorization failed"]).await;
}

#[tokio::test]
async fn a_coordinator_that_is_not_ready_is_asked_again() {
    let cluster = Cluster::new();
    let transactions = open(&cluster).await;
    let mut sink = sink(&cluster, &transactions, "out").await;
    sink.write(batch([1])).await.unwrap();
    cluster.fail(
        RDKafkaApiKey::EndTxn,
        &[
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
        ],
    );
    transactions.commit(vec![]).await.unwrap();
    assert_eq!(numbers(&cluster, "out").await, [1]);
}

#[tokio::test]
async fn a_broker_that_is_away_at_the_commit_is_indeterminate() {
    let cluster = Cluster::new();
    // After which the commit is given up.
    let settings = TransactionSettings::default().with(|it| it.commit_timeout = Duration::from_secs(2));
    let transactions = open_with(&cluster, "id", &settings).await;
    let mut sink = sink(&cluster, &transactions, "out").await;
    sink.write(batch([1])).await.unwrap();
    sink.flush().await.unwrap();
    cluster.down();
    let error = transactions.commit(vec![]).await.unwrap_err();
    assert!(matches!(error, TransactionError::Indeterminate { .. }), "{error}");
    cluster.up();
    let is = (Fault::External, true, false);
    check_failed(&transactions, &mut sink, error, is, expect!["it is not known whether the transaction was committed: Transaction error: Timed out waiting for operation to finish, retry call to resume"]).await;
}

/// Half of a batch, or records whose sink is gone, must not be committed.
#[tokio::test]
async fn a_sink_that_is_dropped_with_uncommitted_records_fails_the_transaction() {
    let cluster = Cluster::new();
    let transactions = open(&cluster).await;
    let mut dropped = sink(&cluster, &transactions, "dropped").await;
    let mut other = sink(&cluster, &transactions, "other").await;
    dropped.write(batch([1])).await.unwrap();
    other.write(batch([1])).await.unwrap();
    transactions.commit(vec![]).await.unwrap();
    dropped.write(batch([2])).await.unwrap();
    drop(dropped);
    let error = transactions.commit(vec![]).await.unwrap_err();
    check_failed(
        &transactions,
        &mut other,
        error,
        (Fault::Internal, false, true),
        expect!["the transaction is aborted: a sink failed or was dropped before all of its records were written"],
    )
    .await;
}

#[tokio::test]
async fn a_sink_that_is_closed_leaves_its_records_to_the_commit() {
    let cluster = Cluster::new();
    let transactions = open(&cluster).await;
    let mut sink = sink(&cluster, &transactions, "out").await;
    sink.write(batch([1])).await.unwrap();
    sink.close().await.unwrap();
    drop(sink);
    transactions.commit(vec![]).await.unwrap();
    assert_eq!(numbers(&cluster, "out").await, [1]);
}

#[tokio::test]
async fn sinks_of_one_producer_agree() {
    let cluster = Cluster::new();
    cluster.topic("out", 1);
    let transactions = open(&cluster).await;
    let check = async |change: &dyn Fn(&mut KafkaSinkConfig), expect: Expect| {
        let mut config = KafkaSinkConfig::new(cluster.connection(), "out");
        change(&mut config);
        let error = transactions.sink(&config, batch([]).schema()).await.err().unwrap();
        assert_eq!(error.fault(), Fault::Tenant);
        expect.assert_eq(&error.to_string());
    };
    check(
        &|config| config.partitioner = KafkaPartitioner::Random,
        expect!["partitioner: is random, but other sinks of the same transaction use murmur2_random"],
    )
    .await;
    check(
        &|config| config.compression = KafkaCompression::Zstd,
        expect!["compression: is zstd, but other sinks of the same transaction use none"],
    )
    .await;
    check(
        &|config| config.delivery_timeout = Some(Duration::from_secs(7)),
        expect!["delivery_timeout_ms: must be the same as for the query's transactions"],
    )
    .await;
    check(
        &|config| config.connection = KafkaConnection::new("elsewhere:1"),
        expect!["connection: must be the same as for the query's transactions"],
    )
    .await;
    check(
        &|config| config.topic = "nowhere".to_owned(),
        expect!["cannot write to topic `nowhere`: the topic does not exist"],
    )
    .await;
    // A kept partition is the record's, not the producer's.
    let mut config = KafkaSinkConfig::new(cluster.connection(), "out");
    config.partitioner = KafkaPartitioner::Keep;
    assert!(transactions.sink(&config, batch([]).schema()).await.is_ok());
}

#[tokio::test]
async fn transactions_that_cannot_be_opened() {
    let cluster = Cluster::new();
    let check = async |id: &str, settings: TransactionSettings, expect: Expect| {
        let error = KafkaTransactions::open(&cluster.connection(), id, &settings).await.err().unwrap();
        expect.assert_eq(&format!("{:?}: {error}", error.fault()));
    };
    let settings = || TransactionSettings::default().with(|it| it.open_timeout = Duration::from_secs(1));
    check("", settings(), expect!["Tenant: transactional_id: must not be empty or contain control characters"]).await;
    let long = settings().with(|it| it.delivery_timeout = Some(Duration::from_secs(61)));
    check("id", long, expect!["Tenant: delivery_timeout_ms: must not be longer than the transaction's time-out"]).await;
    let short = settings().with(|it| it.timeout = Duration::ZERO);
    check("id", short, expect!["Tenant: timeout_ms: must be at least 1"]).await;
    let code = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    cluster.fail(RDKafkaApiKey::InitProducerId, &[code]);
    check("id", settings(), expect!["Tenant: cannot open the transactions of `id`: not authorised: TransactionalIdAuthorizationFailed (Broker: Transactional Id authorization failed)"]).await;
    cluster.fail(RDKafkaApiKey::InitProducerId, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT]);
    check("id", settings(), expect!["Tenant: the broker does not allow the `transaction.timeout.ms` of 60000 ms of `id`: lower this option of the sink to at most the broker's `transaction.max.timeout.ms` (and keep it above the query's `commit_ms`), or raise the broker's setting"]).await;
    cluster.down();
    let error = KafkaTransactions::open(&cluster.connection(), "id", &settings()).await.err().unwrap();
    assert!(matches!(error, TransactionError::Open { source: KafkaProblem::Unreachable { .. }, .. }), "{error}");
    assert!(error.retryable());
}

/// A clone commits what was written through the other.
#[tokio::test]
async fn clones_are_the_same_transactions() {
    let cluster = Cluster::new();
    let transactions = open(&cluster).await;
    let clone = transactions.clone();
    let mut sink = sink(&cluster, &transactions, "out").await;
    sink.write(Arc::clone(&batch([1]))).await.unwrap();
    assert!(!clone.is_empty());
    clone.commit(vec![]).await.unwrap();
    assert!(transactions.is_empty());
}

/// The ids of this process's threads.
fn threads() -> HashSet<OsString> {
    std::fs::read_dir("/proc/self/task").unwrap().flatten().map(|task| task.file_name()).collect()
}

/// That the broker was asked to abort shows by the error that it had for the next who asks it to end a transaction.
#[tokio::test]
async fn transactions_that_are_dropped_abort() {
    let cluster = Cluster::new();
    let transactions = open(&cluster).await;
    let mut dropped = sink(&cluster, &transactions, "dropped").await;
    dropped.write(batch([1])).await.unwrap();
    dropped.flush().await.unwrap();
    cluster.fail(RDKafkaApiKey::EndTxn, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_PRODUCER_FENCED]);
    let before = threads();
    drop(dropped);
    drop(transactions);
    // The producer ends on a thread of its own.
    let begun: HashSet<_> = threads().difference(&before).cloned().collect();
    let began = Instant::now();
    while !threads().is_disjoint(&begun) {
        assert!(began.elapsed() < Duration::from_secs(60), "the producer does not end");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let transactions = open_with(&cluster, "other", &TransactionSettings::default()).await;
    let mut next = sink(&cluster, &transactions, "next").await;
    next.write(batch([2])).await.unwrap();
    transactions.commit(vec![]).await.unwrap();
}
