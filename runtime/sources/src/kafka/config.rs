//! Settings of a Kafka source.

use std::sync::Arc;
use std::time::Duration;

use weir_batch::Schema;
use weir_formats::{CsvOptions, Fill, FormatError, RecordDecoder, RecordFormat};
use weir_kafka::{KafkaConnection, refuse_group, refuse_topic};

/// Settings of a [`super::KafkaSource`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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

impl KafkaSourceConfig {
    /// Changes fields: `KafkaSourceConfig::new(connection, "trips", "late").with(|it| it.until_end = true)`.
    pub fn with(mut self, change: impl FnOnce(&mut KafkaSourceConfig)) -> KafkaSourceConfig {
        change(&mut self);
        self
    }

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
            fill: Fill::from(8192).with(|it| it.delay_max = Some(Duration::from_millis(100))),
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
            return Err("at least one topic is required".to_owned());
        }
        for (index, topic) in self.topics.iter().enumerate() {
            if let Some(reason) = refuse_topic(topic) {
                return Err(format!("topic `{}`: {reason}", weir_text::escape(topic)));
            }
            if self.topics.iter().take(index).any(|other| other == topic) {
                return Err(format!("topic `{topic}` is listed twice"));
            }
        }
        if let Some(reason) = refuse_group(&self.group) {
            return Err(format!("the group {reason}"));
        }
        match &self.partitions {
            KafkaPartitions::List(numbers) if numbers.is_empty() => Err("the list of partitions is empty".to_owned()),
            KafkaPartitions::List(numbers) if numbers.iter().any(|number| *number < 0) => {
                Err("partition numbers must be 0 or greater".to_owned())
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
}
