//! What is written is what is read.

use weir_tests::{Broker, Isolation, Record, assert_same, multiset};

#[test]
fn a_broker_gives_back_what_was_written() {
    let broker = Broker::shared();
    let topic = broker.topic("records", 3);
    let headers = vec![
        ("tenant".to_owned(), Some(b"a".to_vec())),
        ("tenant".to_owned(), Some(b"b".to_vec())),
        ("none".to_owned(), None),
        ("empty".to_owned(), Some(Vec::new())),
    ];
    // Not long ago: a broker drops what is past its time.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis();
    let now = i64::try_from(now).expect("a time in this age") - 60_000;
    let written = [
        Record { headers, timestamp_ms: Some(now), ..Record::of("v0").key("k0").to(0) },
        Record { timestamp_ms: Some(now + 1), ..Record { value: None, ..Record::of("") }.key("gone").to(0) },
        Record { timestamp_ms: Some(now + 2), ..Record::of("").key("").to(0) },
        Record { timestamp_ms: Some(now + 3), ..Record::of([0, 255, 10]).to(2) },
    ];
    assert_eq!(broker.produce(&topic, written.clone()), 4);

    let read = broker.read_all(&topic, Isolation::Committed);
    let places: Vec<(i32, i64)> = read.iter().map(|record| (record.partition, record.offset)).collect();
    assert_eq!(places, [(0, 0), (0, 1), (0, 2), (2, 0)]);
    for (read, written) in read.iter().zip(&written) {
        assert_eq!(
            (&read.key, &read.value, &read.headers, read.timestamp_ms),
            (&written.key, &written.value, &written.headers, written.timestamp_ms)
        );
    }
    assert_eq!(broker.read_all(&topic, Isolation::Uncommitted), read);
    assert_eq!(broker.read_all(&broker.topic("empty", 2), Isolation::Committed), []);
}

#[test]
fn many_records_are_all_read_to_the_end() {
    // Several batches a partition, so that an end which is that of the last batch's beginning would be noticed.
    let broker = Broker::shared();
    let topic = broker.topic("many", 4);
    let values = || (0..200_000_u32).map(|number| format!("value {number}"));
    broker.produce(&topic, values().map(Record::of));
    let read = broker.read_all(&topic, Isolation::Committed);
    assert_same(&multiset(values()), &multiset(read.iter().map(|record| record.value())));
    for pair in read.windows(2) {
        if let [first, second] = pair {
            assert!(first.partition < second.partition || first.offset + 1 == second.offset, "{first:?} {second:?}");
        }
    }
}

#[test]
#[should_panic(expected = "the topic does not exist")]
fn a_topic_that_is_not_there_is_no_empty_topic() {
    Broker::shared().read_all("weir-no-such-topic", Isolation::Committed);
}
