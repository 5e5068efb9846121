//! Slow readers, pauses, brokers that go away, topics that are missing.

use std::time::Instant;

use super::super::KafkaSourceError;
use super::*;

#[tokio::test]
async fn a_slow_reader_loses_nothing_and_little_waits_for_it() {
    let cluster = cluster(2);
    let writer = Writer::new(&cluster);
    writer.ids("in", 0, 0..10_000);
    writer.ids("in", 1, 10_000..20_000);
    let mut source = open(&KafkaSourceConfig { prefetch_records_max: 300, ..config(&cluster) });
    let mut batches = vec![batch(&mut source).await.unwrap()];
    // For a while no more than may wait.
    soon("records wait", || source.hand_over.waiting_records() >= 100).await;
    for _ in 0..30 {
        let waiting = source.hand_over.waiting_records();
        assert!((1..=500).contains(&waiting), "{waiting} records wait");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    batches.extend(all(&mut source).await);
    assert_eq!(sorted_ids(&batches), (0..20_000).collect::<Vec<_>>());
    assert!(batches.iter().all(|batch| batch.batch.rows() <= 100));
    // In each partition in order.
    for partition in 0..2 {
        let of_partition = batches.iter().flat_map(ids).filter(|id| id / 10_000 == partition);
        assert!(of_partition.is_sorted());
    }
}

#[tokio::test]
async fn a_paused_source_gives_no_batches() {
    let cluster = cluster(1);
    Writer::new(&cluster).ids("in", 0, 0..1000);
    let mut source = open(&config(&cluster));
    let first = batch(&mut source).await.unwrap();
    assert!(source.pause(true), "and wants to be asked for events all the same");
    assert!(is_silent(&mut source, Duration::from_millis(300)).await);
    source.pause(false);
    let mut batches = all(&mut source).await;
    batches.push(first);
    assert_eq!(sorted_ids(&batches), (0..1000).collect::<Vec<_>>());
}

#[tokio::test]
async fn brokers_that_are_away_are_waited_for() {
    let cluster = cluster(1);
    let writer = Writer::new(&cluster);
    writer.ids("in", 0, 0..5);
    let mut source = open(&KafkaSourceConfig { until_end: false, ..config(&cluster) });
    assert_eq!(ids(&batch(&mut source).await.unwrap()), [0, 1, 2, 3, 4]);
    cluster.broker_down(1).unwrap();
    assert!(is_silent(&mut source, Duration::from_secs(1)).await);
    cluster.broker_up(1).unwrap();
    writer.ids("in", 0, 5..8);
    let mut batches = Vec::new();
    while sorted_ids(&batches) != [5, 6, 7] {
        batches.push(batch(&mut source).await.unwrap());
    }
}

#[tokio::test]
async fn a_topic_that_is_missing_is_an_error_after_a_while() {
    let cluster = cluster(1);
    for partitions in [KafkaPartitions::All, KafkaPartitions::Group] {
        let mut source = open(&KafkaSourceConfig { topics: vec!["other".to_owned()], partitions, ..config(&cluster) });
        let error = event(&mut source).await.unwrap_err();
        let SourceError::Kafka { source: KafkaSourceError::UnknownTopic { topic }, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!((topic.as_str(), error.retryable()), ("other", false));
        assert!(event(&mut source).await.unwrap().is_none(), "an error is told once");
    }
}

#[tokio::test]
async fn a_partition_that_is_missing_is_an_error() {
    let cluster = cluster(2);
    let list = KafkaPartitions::List(vec![1, 2]);
    let error = event(&mut open(&KafkaSourceConfig { partitions: list, ..config(&cluster) })).await.unwrap_err();
    assert!(error.to_string().ends_with("topic `in` has no partition 2"), "{error}");
}

#[tokio::test]
async fn dropping_does_not_hang() {
    let cluster = cluster(1);
    Writer::new(&cluster).ids("in", 0, 0..1000);
    let group = KafkaSourceConfig { partitions: KafkaPartitions::Group, until_end: false, ..config(&cluster) };
    // Never started; in the middle; with brokers away.
    drop(open(&group));
    let mut source = open(&config(&cluster));
    batch(&mut source).await.unwrap();
    let began = Instant::now();
    drop(source);
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    let mut source = open(&group);
    batch(&mut source).await.unwrap();
    cluster.broker_down(1).unwrap();
    let began = Instant::now();
    drop(source);
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
}
