//! Where reading begins, and how far it is kept.

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::super::{KafkaOutOfRange, KafkaSourceError, KafkaStart};
use super::*;
use weir_state::{Partition, Positions};

fn position(number: i32, next: i64) -> Positions {
    Positions::from_iter([(Partition::new("in", number), next)])
}

fn both(one: (i32, i64), other: (i32, i64)) -> Positions {
    [one, other].into_iter().map(|(number, next)| (Partition::new("in", number), next)).collect()
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
    let offsets = keeper.of_transaction(&position(1, 3)).unwrap();
    assert_eq!((offsets.next("in", 1), offsets.next("in", 0)), (Some(3), None));
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

    let other = Positions::from_iter([(Partition::new("out", 0), 1)]);
    let error = open(&config(&cluster)).seek(&other).await.unwrap_err();
    assert!(matches!(error, SourceError::Moved { .. }), "{error}");
    let mut member = open(&KafkaSourceConfig { partitions: KafkaPartitions::Group, ..config(&cluster) });
    let error = member.seek(&position(0, 1)).await.unwrap_err();
    assert!(error.to_string().contains("group `acme.q` stores the positions of its members"), "{error}");
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
    assert_eq!(begin(&mut source).await.kept, position(0, 5));
    assert!(is_silent(&mut source, Duration::from_millis(300)).await);
    writer.ids("in", 0, 5..7);
    assert_eq!(ids(&batch(&mut source).await.unwrap()), [5, 6]);
}

#[tokio::test]
async fn where_partitions_begin_is_kept_before_any_record_is_read() {
    let cluster = cluster(2);
    Writer::new(&cluster).ids("in", 0, 0..5);
    let latest = |kept_by_group| KafkaSourceConfig {
        start: KafkaStart::Latest,
        until_end: false,
        kept_by_group,
        ..config(&cluster)
    };
    let both = both((0, 5), (1, 0));
    // A query that keeps positions by itself keeps these.
    let begins = begin(&mut open(&latest(false))).await;
    assert_eq!((begins.kept, begins.new), (Positions::default(), both.clone()));
    let begins = begin(&mut open(&latest(true))).await;
    assert_eq!((begins.kept, begins.new), (both.clone(), Positions::default()));
    Writer::new(&cluster).ids("in", 0, 5..7);
    let mut again = open(&latest(true));
    assert_eq!(begin(&mut again).await.kept, both);
    assert_eq!(ids(&batch(&mut again).await.unwrap()), [5, 6]);
}

#[tokio::test]
async fn a_coordinator_that_moves_is_asked_again_and_one_that_does_not_come_is_an_error() {
    let cluster = cluster(1);
    Writer::new(&cluster).ids("in", 0, 0..5);
    let refuse = |times| {
        let errors = vec![RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_COORDINATOR; times];
        cluster.request_errors(RDKafkaApiKey::OffsetFetch, &errors);
    };
    refuse(20);
    assert_eq!(sorted_ids(&all(&mut open(&config(&cluster))).await), [0, 1, 2, 3, 4]);
    refuse(100_000);
    let mut source = open(&KafkaSourceConfig { positions_wait_max: Duration::from_millis(500), ..config(&cluster) });
    let keeper = source.keeper().unwrap();
    let error = event(&mut source).await.unwrap_err();
    let SourceError::Kafka { source: KafkaSourceError::NoPositions { partitions, .. }, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!((partitions.as_str(), error.retryable()), ("in [0]", true));
    let waits = keeper.waits_for().unwrap();
    assert!(waits.starts_with("the positions of group `acme.q` in in ("), "{waits}");
}

/// A kept position that the log of one partition does not hold, and one that it does.
#[tokio::test]
async fn a_position_out_of_range_is_an_error_or_a_move_as_the_settings_say() {
    let cluster = cluster(2);
    let writer = Writer::new(&cluster);
    writer.ids("in", 0, 0..5);
    writer.ids("in", 1, 10..15);
    let out = both((0, 9), (1, 3));
    for (policy, moved_to, expected) in [
        (KafkaOutOfRange::Fail, None, vec![]),
        (KafkaOutOfRange::Earliest, Some(0), vec![0, 1, 2, 3, 4, 13, 14]),
        (KafkaOutOfRange::Latest, Some(5), vec![13, 14]),
    ] {
        let mut source = open(&KafkaSourceConfig { on_out_of_range: policy, ..config(&cluster) });
        source.seek(&out).await.unwrap();
        let (mut batches, mut moved, mut failed) = (Vec::new(), None, None);
        loop {
            match event(&mut source).await {
                Ok(None) => break,
                Ok(Some(SourceEvent::Batch(batch))) => batches.push(batch),
                Ok(Some(SourceEvent::Moved(to))) => moved = Some(to),
                Ok(Some(other)) => panic!("{other:?}"),
                Err(error) => failed = Some(error.to_string()),
            }
        }
        assert_eq!(moved.as_ref().map(|moved| moved.to), moved_to);
        match policy {
            KafkaOutOfRange::Fail => {
                let failed = failed.unwrap();
                assert!(failed.contains("in [0]: position 9 is out of range: the log holds 0 to 5"), "{failed}");
            }
            _ => assert_eq!((failed, sorted_ids(&batches)), (None, expected)),
        }
    }
}

#[test]
fn a_partition_among_many_is_held_less_of() {
    let config = KafkaSourceConfig::new(KafkaConnection::new("localhost:1"), "in", "group");
    let of = |partitions: usize| {
        let client = config.client_config(partitions);
        let number = |name: &str| client.get(name).unwrap().parse::<usize>().unwrap();
        (number("queued.max.messages.kbytes"), number("queued.min.messages"), number("fetch.message.max.bytes"))
    };
    assert_eq!(config.few_partitions(), 4);
    assert_eq!(of(4), (4096, 24_576, 1 << 20));
    assert_eq!(of(12), (2048, 8192, 1 << 20));
    assert_eq!(of(200), (122, 491, 125_829));
    for partitions in 4..1_500 {
        let (queued, _, fetched) = of(partitions);
        assert!(partitions * ((queued << 10) + fetched) <= 48 << 20, "{partitions}");
    }
}

#[tokio::test]
async fn many_partitions_are_all_read_with_what_each_may_hold() {
    let cluster = cluster(40);
    let writer = Writer::new(&cluster);
    for partition in 0..40 {
        writer.ids("in", partition, 0..20);
    }
    let mut source = open(&KafkaSourceConfig { memory_bytes_max: 1 << 20, ..config(&cluster) });
    let all = all(&mut source).await;
    assert_eq!(all.iter().map(|batch| ids(batch).len()).sum::<usize>(), 800);
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
    assert_eq!(begin(&mut source).await.kept, both((0, 5), (1, 0)));
    assert!(is_silent(&mut source, Duration::from_millis(300)).await);
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
    let error = event(&mut source).await.unwrap_err();
    let SourceError::Kafka { source: KafkaSourceError::NotAuthorised(_), .. } = &error else { panic!("{error}") };
}
