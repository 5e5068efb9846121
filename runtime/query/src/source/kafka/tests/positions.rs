//! Where reading begins, and how far it is kept.

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::super::{KafkaSourceError, KafkaStart};
use super::*;
use crate::source::{Partition, Positions};

fn position(number: i32, next: i64) -> Positions {
    Positions::from_iter([(Partition { origin: "in".into(), number }, next)])
}

#[tokio::test]
async fn what_was_committed_is_not_read_again() {
    let cluster = cluster(2);
    let writer = Writer::new(&cluster);
    writer.ids("in", 0, 0..10);
    writer.ids("in", 1, 100..110);
    let mut source = open(&config(&cluster));
    assert_eq!(all(&mut source).await.iter().map(|batch| ids(batch).len()).sum::<usize>(), 20);
    // The source may be gone when the query commits.
    let keeper = source.keeper().unwrap();
    drop(source);
    keeper.commit(&position(0, 7)).await.unwrap();
    keeper.commit(&Positions::default()).await.unwrap();
    let (offsets, _group) = keeper.of_transaction(&position(1, 3)).unwrap();
    assert_eq!(offsets.elements()[0].offset(), rdkafka::Offset::Offset(3));
    drop(offsets);
    drop(keeper);
    let again = all(&mut open(&config(&cluster))).await;
    let expected: Vec<i64> = (7..10).chain(100..110).collect();
    assert_eq!(sorted_ids(&again), expected);
}

#[tokio::test]
async fn positions_that_are_given_come_before_those_of_the_group() {
    let cluster = cluster(2);
    let writer = Writer::new(&cluster);
    writer.ids("in", 0, 0..10);
    writer.ids("in", 1, 100..110);
    let mut source = open(&config(&cluster));
    source.seek(&position(0, 8)).await.unwrap();
    let expected: Vec<i64> = (8..10).chain(100..110).collect();
    assert_eq!(sorted_ids(&all(&mut source).await), expected);

    let other = Positions::from_iter([(Partition { origin: "out".into(), number: 0 }, 1)]);
    let error = open(&config(&cluster)).seek(&other).await.unwrap_err();
    assert!(matches!(error, SourceError::Moved { .. }), "{error}");
    let mut member = open(&KafkaSourceConfig { partitions: KafkaPartitions::Group, ..config(&cluster) });
    let error = member.seek(&position(0, 1)).await.unwrap_err();
    assert!(error.to_string().contains("group `acme.q` keeps the positions of its members"), "{error}");
}

#[tokio::test]
async fn a_list_of_partitions_and_the_ends_of_them() {
    let cluster = cluster(3);
    let writer = Writer::new(&cluster);
    writer.ids("in", 0, 0..5);
    writer.ids("in", 2, 20..25);
    let config = KafkaSourceConfig { partitions: KafkaPartitions::List(vec![2]), ..config(&cluster) };
    let mut source = open(&config);
    assert_eq!(sorted_ids(&all(&mut source).await), [20, 21, 22, 23, 24]);
    assert_eq!(source.keeper().unwrap().ends(), position(2, 5));
}

#[tokio::test]
async fn the_latest_start_passes_over_what_is_there() {
    let cluster = cluster(1);
    let writer = Writer::new(&cluster);
    writer.ids("in", 0, 0..5);
    let mut source = open(&KafkaSourceConfig { start: KafkaStart::Latest, until_end: false, ..config(&cluster) });
    let waiting = tokio::time::timeout(Duration::from_secs(3), source.next()).await;
    assert!(waiting.is_err(), "{waiting:?}");
    writer.ids("in", 0, 5..7);
    assert_eq!(ids(&batch(&mut source).await.unwrap()), [5, 6]);
}

#[tokio::test]
async fn an_empty_topic_ends_at_once() {
    let cluster = cluster(4);
    assert_eq!(all(&mut open(&config(&cluster))).await.len(), 0);
}

/// The mock has no record for any time, and then a partition begins at its end.
#[tokio::test]
async fn a_broker_that_does_not_answer_for_a_time_is_asked_again() {
    let cluster = cluster(2);
    let writer = Writer::new(&cluster);
    writer.ids("in", 0, 0..5);
    let errors = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR; 4];
    cluster.request_errors(RDKafkaApiKey::ListOffsets, &errors);
    let config = KafkaSourceConfig { start: KafkaStart::Timestamp(1), until_end: false, ..config(&cluster) };
    let mut source = open(&config);
    let keeper = source.keeper().unwrap();
    let waiting = tokio::time::timeout(Duration::from_secs(3), source.next()).await;
    assert!(waiting.is_err(), "{waiting:?}");
    writer.ids("in", 0, 5..7);
    assert_eq!(ids(&batch(&mut source).await.unwrap()), [5, 6]);
    // What was committed is not asked for a time.
    keeper.commit(&position(0, 2)).await.unwrap();
    drop((source, keeper));
    let mut source = open(&config);
    assert_eq!(ids(&batch(&mut source).await.unwrap()), [2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn a_time_that_may_not_be_asked_for_is_an_error() {
    let cluster = cluster(1);
    let errors = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 20];
    cluster.request_errors(RDKafkaApiKey::ListOffsets, &errors);
    let mut source = open(&KafkaSourceConfig { start: KafkaStart::Timestamp(1), ..config(&cluster) });
    let error = next(&mut source).await.unwrap_err();
    let SourceError::Kafka { source: KafkaSourceError::NotAuthorised(_), .. } = &error else { panic!("{error}") };
}
