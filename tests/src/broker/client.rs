//! The client's side of a broker: its settings, and what the administrator asks.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

/// How long one request may take.
pub(super) const REQUEST_AT_MOST: Duration = Duration::from_secs(15);

/// The settings of every client here.
pub(super) fn config(address: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address);
    // A broker that is started again should be noticed soon: the default waits up to ten seconds.
    config.set("reconnect.backoff.ms", "20").set("reconnect.backoff.max.ms", "500");
    // A topic that is asked for and is not there is a test's mistake.
    config.set("allow.auto.create.topics", "false");
    config
}

/// Whether a broker answers there.
pub(super) fn answers(address: &str) -> bool {
    let consumer: BaseConsumer = config(address).create().expect("a consumer");
    // As long as a busy machine may take for a connection: less, and a broker on it never answers.
    consumer.fetch_metadata(None, Duration::from_secs(3)).is_ok()
}

/// The partitions of a topic, or none where it is not there.
pub(super) fn partitions(address: &str, topic: &str) -> Vec<i32> {
    let consumer: BaseConsumer = config(address).create().expect("a consumer");
    let Ok(metadata) = consumer.fetch_metadata(Some(topic), REQUEST_AT_MOST) else { return Vec::new() };
    let found = metadata.topics().iter().filter(|found| found.name() == topic && found.error().is_none());
    found.flat_map(|topic| topic.partitions()).map(|partition| partition.id()).collect()
}

/// Creates a topic with the broker's own choice of copies.
pub(super) fn create_topic(
    address: &str,
    name: &str,
    partitions: i32,
    settings: &[(&str, &str)],
) -> Result<(), String> {
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1));
    let topic = settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
    let admin: AdminClient<DefaultClientContext> = config(address).create().map_err(|error| error.to_string())?;
    let results = block_on(admin.create_topics([&topic], &options())).map_err(|error| error.to_string())?;
    for result in results {
        result.map_err(|(name, code)| format!("{name}: {code}"))?;
    }
    Ok(())
}

/// Removes the records of a partition before this offset.
pub(super) fn delete_records(address: &str, topic: &str, partition: i32, before: i64) -> Result<(), KafkaError> {
    let admin: AdminClient<DefaultClientContext> = config(address).create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(before))?;
    let answer = block_on(admin.delete_records(&list, &options()))?;
    answer.elements().iter().try_for_each(|element| element.error())
}

/// The first offset of a partition, and its end.
pub(super) fn watermarks(address: &str, topic: &str, partition: i32) -> Result<(i64, i64), KafkaError> {
    let consumer: BaseConsumer = config(address).create()?;
    consumer.fetch_watermarks(topic, partition, REQUEST_AT_MOST)
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(REQUEST_AT_MOST)).request_timeout(Some(REQUEST_AT_MOST))
}

/// Deletes topics as far as that works: it is for cleaning up.
pub(super) fn delete_topics(address: &str, names: &[String]) {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let Ok(admin) = config(address).create::<AdminClient<DefaultClientContext>>() else { return };
    if let Err(error) = block_on(admin.delete_topics(&names, &options())) {
        eprintln!("the topics {} were not deleted: {error}", names.join(", "));
    }
}

/// A number that differs from call to call and from process to process.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(0)
}

/// Runs a future on this thread. The administrator's futures are completed by a thread of their own, so no runtime is needed, and none is
/// in the way where a test has one.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
