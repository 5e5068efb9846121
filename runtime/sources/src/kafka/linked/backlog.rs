//! What waits in a topic now, read once and for all.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Headers;
use rdkafka::{Message, Offset, TopicPartitionList};
use weir_kafka::{KafkaConnection, KafkaSide, legible};

use super::client::{client_config, code_of};
use super::{BacklogError, BacklogMessage};

/// Messages of a topic behind the positions of a group, read to the end that the topic has. The positions are kept only when asked for.
pub struct Backlog {
    consumer: BaseConsumer,
    topic: String,
    next: TopicPartitionList,
}

/// What the client holds of each partition, which are few.
const QUEUED_KBYTES: (&str, &str) = ("queued.max.messages.kbytes", "8192");

/// How long brokers are waited for.
const PATIENCE: Duration = Duration::from_secs(30);

impl Backlog {
    /// Reads it, and hands over each message. Blocks until the end.
    ///
    /// # Errors
    ///
    /// Brokers that do not answer, or what the taker says.
    pub fn read(
        connection: &KafkaConnection,
        topic: &str,
        group: &str,
        mut take: impl FnMut(&BacklogMessage<'_>) -> io::Result<()>,
    ) -> Result<Backlog, BacklogError> {
        let explain = |error: KafkaError| BacklogError::Kafka(connection.hidden().explain(&error));
        let mut settings = client_config(connection, KafkaSide::Consumer);
        if !connection.options.contains_key(QUEUED_KBYTES.0) {
            settings.set(QUEUED_KBYTES.0, QUEUED_KBYTES.1);
        }
        let consumer: BaseConsumer = settings
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "earliest")
            .create()
            .map_err(explain)?;
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).map_err(explain)?;
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions()).map(|partition| partition.id());
        let mut open: BTreeSet<i32> = partitions.collect();
        let mut asked = TopicPartitionList::new();
        for &partition in &open {
            asked.add_partition(topic, partition);
        }
        let kept = committed(&consumer, asked).map_err(explain)?;
        let mut next = TopicPartitionList::new();
        for partition in kept.elements() {
            let from = match partition.offset() {
                Offset::Offset(offset) => Offset::Offset(offset),
                _ => Offset::Beginning,
            };
            next.add_partition_offset(topic, partition.partition(), from).map_err(explain)?;
        }
        drop(kept);
        consumer.assign(&next).map_err(explain)?;

        let mut heard = Instant::now();
        while !open.is_empty() {
            match consumer.poll(Duration::from_millis(100)) {
                None if heard.elapsed() > PATIENCE => return Err(BacklogError::NoEnd(PATIENCE)),
                None => continue,
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    open.remove(&partition);
                }
                // A broker that is away comes back, or the patience ends.
                Some(Err(error)) if !matches!(error, KafkaError::MessageConsumptionFatal(_)) => {
                    tracing::debug!("{}", connection.hidden().explain(&error));
                    continue;
                }
                Some(Err(error)) => return Err(explain(error)),
                Some(Ok(message)) => {
                    // What came behind the end that was seen is for the next time.
                    if !open.contains(&message.partition()) {
                        continue;
                    }
                    let mut headers = Vec::new();
                    if let Some(found) = message.headers() {
                        for index in 0..found.count() {
                            let (name, value) =
                                legible(|| found.try_get(index).map(|header| (header.key, header.value)));
                            headers.push((name.to_owned(), value.map(<[u8]>::to_vec)));
                        }
                    }
                    let (partition, offset) = (message.partition(), message.offset());
                    take(&BacklogMessage { partition, offset, key: message.key(), value: message.payload(), headers })?;
                    next.set_partition_offset(topic, partition, Offset::Offset(offset.saturating_add(1)))
                        .map_err(explain)?;
                }
            }
            heard = Instant::now();
        }
        Ok(Backlog { consumer, topic: topic.to_owned(), next })
    }

    /// Keeps the positions behind everything that was read.
    ///
    /// # Errors
    ///
    /// What the brokers answer. The messages come again then.
    pub fn keep(self) -> Result<(), BacklogError> {
        let kafka = |error: KafkaError| BacklogError::Kafka(weir_text::brief(&error.to_string()));
        let mut read = TopicPartitionList::new();
        for partition in self.next.elements() {
            if let Offset::Offset(_) = partition.offset() {
                read.add_partition_offset(&self.topic, partition.partition(), partition.offset()).map_err(kafka)?;
            }
        }
        if read.count() > 0 {
            self.consumer.commit(&read, CommitMode::Sync).map_err(kafka)?;
        }
        Ok(())
    }
}

/// The positions that the group has kept. A coordinator that is just being made, or moves, is waited for.
fn committed(consumer: &BaseConsumer, asked: TopicPartitionList) -> Result<TopicPartitionList, KafkaError> {
    let began = Instant::now();
    loop {
        match consumer.committed_offsets(asked.clone(), PATIENCE) {
            Err(error)
                if error.rdkafka_error_code().is_some_and(|code| code_of(code).passes())
                    && began.elapsed() < PATIENCE =>
            {
                std::thread::sleep(Duration::from_millis(100));
            }
            answer => return answer,
        }
    }
}
