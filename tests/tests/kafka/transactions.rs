//! Which records of transactions a fresh reader sees, and which offsets they leave.

use std::collections::BTreeMap;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::Producer;
use rdkafka::{Offset, TopicPartitionList};
use weir_tests::{Broker, Isolation, Record};

use crate::support::{SOON, begin_with, transactional};

fn values(broker: &Broker, topic: &str, isolation: Isolation) -> Vec<String> {
    let read = broker.read_all(topic, isolation);
    read.iter().map(|record| String::from_utf8_lossy(record.value()).into_owned()).collect()
}

#[test]
fn only_what_was_committed_is_seen() {
    let broker = Broker::shared();
    let topic = broker.topic("out", 1);
    let producer = transactional(&broker, "writer");
    begin_with(&producer, &topic, &["a", "b"]);
    // Open: hidden, and the reader ends all the same.
    assert_eq!(values(&broker, &topic, Isolation::Committed), [""; 0]);
    assert_eq!(values(&broker, &topic, Isolation::Uncommitted), ["a", "b"]);
    producer.commit_transaction(SOON).expect("a commit");
    assert_eq!(values(&broker, &topic, Isolation::Committed), ["a", "b"]);

    begin_with(&producer, &topic, &["c"]);
    producer.abort_transaction(SOON).expect("an abort");
    assert_eq!(values(&broker, &topic, Isolation::Committed), ["a", "b"]);
    assert_eq!(values(&broker, &topic, Isolation::Uncommitted), ["a", "b", "c"]);

    begin_with(&producer, &topic, &["d"]);
    producer.commit_transaction(SOON).expect("a commit");
    assert_eq!(values(&broker, &topic, Isolation::Committed), ["a", "b", "d"]);
}

#[test]
fn a_second_producer_of_the_same_id_fences_the_first() {
    let broker = Broker::shared();
    let topic = broker.topic("out", 1);
    let first = transactional(&broker, "writer");
    begin_with(&first, &topic, &["lost"]);
    let second = transactional(&broker, "writer");
    assert!(first.commit_transaction(SOON).is_err(), "a zombie committed");
    begin_with(&second, &topic, &["kept"]);
    second.commit_transaction(SOON).expect("a commit");
    assert_eq!(values(&broker, &topic, Isolation::Committed), ["kept"]);
}

#[test]
fn offsets_go_with_their_transaction() {
    let broker = Broker::shared();
    let (input, output) = (broker.topic("in", 2), broker.topic("out", 1));
    broker.produce(&input, (0..10).map(|number| Record::of(format!("{number}")).to(number % 2)));
    let group = broker.name("group");
    assert_eq!(broker.committed(&group, &input), BTreeMap::new());

    let consumer: BaseConsumer = broker.client().set("group.id", &group).create().expect("a consumer");
    let producer = transactional(&broker, "writer");
    for (end, offset, expected) in [("commit", 3, 3), ("abort", 5, 3), ("commit", 4, 4)] {
        begin_with(&producer, &output, &[end]);
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(&input, 1, Offset::Offset(offset)).expect("an offset");
        let metadata = consumer.group_metadata().expect("a group");
        producer.send_offsets_to_transaction(&offsets, &metadata, SOON).expect("offsets sent");
        match end {
            "commit" => producer.commit_transaction(SOON).expect("a commit"),
            _ => producer.abort_transaction(SOON).expect("an abort"),
        }
        assert_eq!(broker.committed(&group, &input), BTreeMap::from([(1, expected)]), "after the {end} of {offset}");
    }
}
