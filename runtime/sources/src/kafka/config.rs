//! Settings of a Kafka source.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use weir_batch::Schema;
use weir_formats::{CsvOptions, Fill, FormatError, RecordDecoder, RecordFormat};
use weir_kafka::{KafkaConnection, KafkaSide, refuse_group, refuse_topic};

use super::KafkaSourceError;
use crate::SourceError;

/// Settings of a [`super::KafkaSource`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaSourceConfig {
    /// The brokers.
    pub connection: KafkaConnection,
    /// At least one topic.
    pub topics: Vec<String>,
    /// The consumer group: it keeps the positions, also where the source chooses partitions by itself.
    pub group: String,
    /// Which partitions are read.
    pub partitions: KafkaPartitions,
    /// Where partitions begin of which no position is kept.
    pub start: KafkaStart,
    /// What becomes of a partition whose log does not hold the position that is to be read.
    pub on_out_of_range: KafkaOutOfRange,
    /// Whether the group keeps the positions, rather than a state folder alone.
    pub kept_by_group: bool,
    /// Whether each record counts once: what was read of a topic that was made again meanwhile is read anew, not passed on twice.
    pub exactly_once: bool,
    /// What a record's value is.
    pub format: RecordFormat,
    /// How records of CSV are written; `header` and `comment` count for nothing.
    pub csv: CsvOptions,
    /// Records without a value are passed over, rather than being nulls (in [`RecordFormat::Raw`]) or bad records.
    pub skip_tombstones: bool,
    /// Whether records of open and aborted transactions are read.
    pub isolation: KafkaIsolation,
    /// The stream ends when every partition was read to the end that it had at the start, or a little further.
    pub until_end: bool,
    /// When a batch goes on.
    pub fill: Fill,
    /// Records that wait for the query, in whole batches.
    pub prefetch_records_max: usize,
    /// Bytes that wait for the query, of all partitions together: a quarter in whole batches, the rest with the client. A fetch of each
    /// partition comes on top where the client asks for more than fits (`fetch.message.max.bytes`).
    pub memory_bytes_max: usize,
    /// How long brokers that answer may refuse to say where partitions begin.
    pub positions_wait_max: Duration,
    /// Whether batches hold each record's bytes, for what may become a dead letter.
    pub keep_raw: bool,
}

/// Which partitions are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KafkaPartitions {
    /// Those that the group's coordinator gives to this member.
    #[default]
    Group,
    /// All, also those that are added later.
    All,
    /// These of every topic.
    List(Vec<i32>),
}

/// Where partitions begin of which no position is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KafkaStart {
    /// With the first record that there is.
    #[default]
    Earliest,
    /// With the next one.
    Latest,
    /// With the first one that is not older, in milliseconds since the Unix epoch.
    Timestamp(i64),
}

/// What becomes of a partition whose log does not hold the position that is to be read: retention has passed it, or the topic was made
/// again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KafkaOutOfRange {
    /// The query fails.
    #[default]
    Fail,
    /// It goes on with the first record that there is.
    Earliest,
    /// It goes on with the next one.
    Latest,
}

impl KafkaOutOfRange {
    /// Its name in query files.
    pub const fn name(self) -> &'static str {
        match self {
            KafkaOutOfRange::Fail => "fail",
            KafkaOutOfRange::Earliest => "earliest",
            KafkaOutOfRange::Latest => "latest",
        }
    }
}

/// Whether records of open and aborted transactions are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KafkaIsolation {
    /// No.
    #[default]
    ReadCommitted,
    /// Yes.
    ReadUncommitted,
}

impl KafkaIsolation {
    /// The name in query files, which is librdkafka's too.
    pub const fn name(self) -> &'static str {
        match self {
            KafkaIsolation::ReadCommitted => "read_committed",
            KafkaIsolation::ReadUncommitted => "read_uncommitted",
        }
    }
}

/// What librdkafka may hold of one partition, however much there is room for: enough for its fetches of a megabyte to follow each other.
const QUEUED_BYTES_MAX: usize = 4 << 20;

/// What one fetch may bring of one partition.
const FETCH_BYTES: std::ops::RangeInclusive<usize> = 16 << 10..=1 << 20;

/// How long a broker is asked for one thing, beside what a fetch may take that is before it on the connection.
const ASK_WAIT_MAX: Duration = Duration::from_millis(1500);

/// How long librdkafka has a broker wait for records, where nothing else is said, and how much of what is said counts here.
const FETCH_WAIT_MS: u64 = 500;
const FETCH_WAIT_MS_MAX: u64 = 30_000;

/// What a message takes beside its key and value, with room to spare.
const MESSAGE_BYTES: usize = 512;

impl KafkaSourceConfig {
    /// JSON values of this topic, read by a member of this group, for ever.
    pub fn new(connection: KafkaConnection, topic: impl Into<String>, group: impl Into<String>) -> KafkaSourceConfig {
        KafkaSourceConfig {
            connection,
            topics: vec![topic.into()],
            group: group.into(),
            partitions: KafkaPartitions::default(),
            start: KafkaStart::default(),
            on_out_of_range: KafkaOutOfRange::default(),
            kept_by_group: true,
            exactly_once: false,
            positions_wait_max: Duration::from_secs(60),
            format: RecordFormat::default(),
            csv: CsvOptions::default(),
            skip_tombstones: false,
            isolation: KafkaIsolation::default(),
            until_end: false,
            fill: Fill { delay_max: Some(Duration::from_millis(100)), ..Fill::from(8192) },
            prefetch_records_max: 65_536,
            memory_bytes_max: 64 << 20,
            keep_raw: false,
        }
    }

    /// Checks what can be checked without connecting to anything.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn validate(&self) -> Result<(), String> {
        self.connection.validate().map_err(|error| error.to_string())?;
        if self.topics.is_empty() {
            return Err("there must be a topic".to_owned());
        }
        for (index, topic) in self.topics.iter().enumerate() {
            if let Some(reason) = refuse_topic(topic) {
                return Err(format!("topic `{}`: {reason}", weir_text::escape(topic)));
            }
            if self.topics.iter().take(index).any(|other| other == topic) {
                return Err(format!("topic `{topic}` is named twice"));
            }
        }
        if let Some(reason) = refuse_group(&self.group) {
            return Err(format!("the group {reason}"));
        }
        match &self.partitions {
            KafkaPartitions::List(numbers) if numbers.is_empty() => Err("no partition is named".to_owned()),
            KafkaPartitions::List(numbers) if numbers.iter().any(|number| *number < 0) => {
                Err("partitions are counted from 0".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// A decoder of the topics' records.
    ///
    /// # Errors
    ///
    /// A schema that the format cannot have.
    pub fn decoder(&self, schema: &Arc<Schema>) -> Result<RecordDecoder, FormatError> {
        match self.format {
            RecordFormat::Csv => RecordDecoder::csv(Arc::clone(schema), &self.csv, None),
            format => RecordDecoder::new(format, Arc::clone(schema)),
        }
    }

    /// What waits for the query in whole batches, at most.
    pub(super) fn prefetch_bytes_max(&self) -> usize {
        self.memory_bytes_max / 4
    }

    /// For how many partitions the client is set up where they have not been counted; with more of them each has to do with less.
    pub(super) fn few_partitions(&self) -> usize {
        ((self.memory_bytes_max - self.prefetch_bytes_max()) / (3 * QUEUED_BYTES_MAX)).max(1)
    }

    /// The settings of the consumer of this many partitions. librdkafka's limits are of each.
    pub(super) fn client_config(&self, partitions: usize) -> ClientConfig {
        let mut config = client_config(&self.connection, KafkaSide::Consumer);
        let share = (self.memory_bytes_max - self.prefetch_bytes_max()) / partitions.max(1);
        // What waits, and one fetch that was asked for while there was room.
        let queued = (share / 2).min(QUEUED_BYTES_MAX);
        let fetched = (share / 2).clamp(*FETCH_BYTES.start(), *FETCH_BYTES.end());
        for (name, value) in [
            ("queued.max.messages.kbytes", (queued >> 10).max(1)),
            ("queued.min.messages", (share / MESSAGE_BYTES).clamp(100, 100_000)),
            ("fetch.message.max.bytes", fetched),
        ] {
            if !self.connection.options.contains_key(name) {
                config.set(name, value.to_string());
            }
        }
        // The client's own second would be waited for each time that the queue was full for a moment.
        if !self.connection.options.contains_key("fetch.queue.backoff.ms") {
            config.set("fetch.queue.backoff.ms", "5");
        }
        // The client hears of an end by an answer without records, for which a broker waits this long: half a second, if
        // nothing were said, with which a query over little would spend most of its time.
        if self.until_end && !self.connection.options.contains_key("fetch.wait.max.ms") {
            config.set("fetch.wait.max.ms", "50");
        }
        config
            .set("group.id", &self.group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", self.isolation.name())
            .set("partition.assignment.strategy", "cooperative-sticky")
            // Where partitions begin is asked for before they are assigned. What is out of range later is an error to be dealt with.
            .set("auto.offset.reset", "error");
        config
    }

    /// How long a broker is asked for one thing. Brokers answer what comes on a connection one after the other: a question waits for a
    /// fetch that waits for records. The consumer cannot be dropped meanwhile.
    pub(super) fn ask_wait_max(&self) -> Duration {
        let option = self.connection.options.get("fetch.wait.max.ms").and_then(|ms| ms.parse().ok());
        ASK_WAIT_MAX + Duration::from_millis(option.unwrap_or(FETCH_WAIT_MS).min(FETCH_WAIT_MS_MAX))
    }

    /// How long a batch waits for more records.
    pub(super) fn delay_max(&self) -> Duration {
        self.fill.delay_max.unwrap_or(Duration::from_millis(100))
    }

    /// How long an answer to a rebalance may wait for the query: as long as the group waits, but never for ever.
    pub(super) fn revoke_wait_max(&self) -> Duration {
        let option = self.connection.options.get("max.poll.interval.ms").and_then(|ms| ms.parse().ok());
        Duration::from_millis(option.unwrap_or(300_000)).min(Duration::from_secs(25))
    }

    /// The error with the brokers beside it.
    pub(super) fn error(&self, source: KafkaSourceError) -> SourceError {
        SourceError::Kafka { brokers: self.connection.brokers.clone(), source }
    }
}

/// What a client of this connection is made of. It is never printed: its `Debug` shows private keys.
pub(super) fn client_config(connection: &KafkaConnection, side: KafkaSide) -> ClientConfig {
    let mut config = ClientConfig::from_iter(connection.settings(side));
    config.set_log_level(RDKafkaLogLevel::Info);
    config
}
