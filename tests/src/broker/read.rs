//! A reader that is not the one under test.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::client::{self, REQUEST_AT_MOST};

/// How long nothing may come before a topic counts as read, when every partition is at its end.
const QUIET: Duration = Duration::from_millis(200);

/// How long nothing may come before a reader is stuck.
const STUCK: Duration = Duration::from_secs(20);

/// Whether records of transactions that were not committed are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Committed ones only, and those outside of transactions.
    Committed,
    /// All.
    Uncommitted,
}

/// One record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The partition.
    pub partition: i32,
    /// The place in the partition. Transactions leave gaps.
    pub offset: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers, in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
}

impl Received {
    fn of(message: &BorrowedMessage<'_>) -> Received {
        let headers = message.headers().map(|headers| {
            headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
        });
        Received {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.unwrap_or_default(),
            timestamp_ms: message.timestamp().to_millis(),
        }
    }

    /// The value; empty for a record without one.
    pub fn value(&self) -> &[u8] {
        self.value.as_deref().unwrap_or_default()
    }
}

/// Everything in the topic, by partition and offset, read by a consumer that has seen none of it before.
pub(super) fn read_all(address: &str, topic: &str, isolation: Isolation) -> Result<Vec<Received>, String> {
    let said = |error: KafkaError| error.to_string();
    let consumer: BaseConsumer = client::config(address)
        .set("group.id", format!("weir-oracle-{:016x}", client::random()))
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", "20")
        // With enough at hand the client would rest for a second before it asks for more.
        .set("fetch.queue.backoff.ms", "5")
        .set(
            "isolation.level",
            match isolation {
                Isolation::Committed => "read_committed",
                Isolation::Uncommitted => "read_uncommitted",
            },
        )
        .create()
        .map_err(said)?;
    let partitions = client::partitions(address, topic);
    if partitions.is_empty() {
        return Err("the topic does not exist".to_owned());
    }
    let mut list = TopicPartitionList::new();
    for partition in &partitions {
        list.add_partition_offset(topic, *partition, Offset::Beginning).map_err(said)?;
    }
    consumer.assign(&list).map_err(said)?;
    // A list that lives when the consumer is dropped can keep it from ending.
    drop(list);

    let mut records = Vec::new();
    // What a broker says of its ends when asked is not used: hidden records make them hard to compare.
    let mut at_end = BTreeSet::new();
    let mut last = Instant::now();
    loop {
        match consumer.poll(Duration::from_millis(20)) {
            Some(Ok(message)) => {
                at_end.remove(&message.partition());
                records.push(Received::of(&message));
                last = Instant::now();
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                at_end.insert(partition);
                last = Instant::now();
            }
            Some(Err(error)) if error.rdkafka_error_code().is_some_and(is_passing) => {}
            Some(Err(error)) => return Err(error.to_string()),
            None => {}
        }
        if at_end.len() == partitions.len() && last.elapsed() > QUIET {
            break;
        }
        if last.elapsed() > STUCK {
            let open: Vec<i32> = partitions.into_iter().filter(|partition| !at_end.contains(partition)).collect();
            let read = records.len();
            return Err(format!(
                "nothing for {STUCK:?} after {read} records, and partitions {open:?} are not at their end"
            ));
        }
    }
    records.sort_by_key(|record| (record.partition, record.offset));
    Ok(records)
}

/// A connection that is lost is made again.
fn is_passing(code: rdkafka::error::RDKafkaErrorCode) -> bool {
    use rdkafka::error::RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut};
    matches!(code, AllBrokersDown | BrokerTransportFailure | OperationTimedOut)
}

/// The group's coordinator is not known yet, or is another by now.
fn is_moving(code: rdkafka::error::RDKafkaErrorCode) -> bool {
    use rdkafka::error::RDKafkaErrorCode::{CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator};
    is_passing(code) || matches!(code, CoordinatorLoadInProgress | CoordinatorNotAvailable | NotCoordinator)
}

/// The offsets that a group has committed, by partition, with the texts beside them. Partitions without one are left out.
pub(super) fn committed(address: &str, group: &str, topic: &str) -> Result<BTreeMap<i32, (i64, String)>, KafkaError> {
    let consumer: BaseConsumer = client::config(address).set("group.id", group).create()?;
    let mut list = TopicPartitionList::new();
    for partition in client::partitions(address, topic) {
        list.add_partition(topic, partition);
    }
    let begin = Instant::now();
    let answer = loop {
        match consumer.committed_offsets(list.clone(), REQUEST_AT_MOST) {
            // The first group of a broker waits for the topic of its positions.
            Err(error) if error.rdkafka_error_code().is_some_and(is_moving) && begin.elapsed() < REQUEST_AT_MOST => {
                std::thread::sleep(Duration::from_millis(50));
            }
            answer => break answer?,
        }
    };
    let offsets = answer.elements().into_iter().filter_map(|element| match element.offset() {
        Offset::Offset(offset) => Some((element.partition(), (offset, element.metadata().to_owned()))),
        _ => None,
    });
    let offsets = offsets.collect();
    // Alive, it would keep the consumer from ending.
    drop(answer);
    Ok(offsets)
}

/// Has a group without members keep this position, with a text beside it.
pub(super) fn commit(
    address: &str,
    group: &str,
    topic: &str,
    partition: i32,
    (offset, text): (i64, &str),
) -> Result<(), KafkaError> {
    let consumer: BaseConsumer = client::config(address).set("group.id", group).create()?;
    let mut list = TopicPartitionList::new();
    let mut element = list.add_partition(topic, partition);
    element.set_offset(Offset::Offset(offset))?;
    element.set_metadata(text);
    consumer.commit(&list, CommitMode::Sync)
}
