//! Settings of a Kafka sink.

use std::time::Duration;

use weir_batch::{DataType, Schema};
use weir_formats::CsvOptions;

use weir_kafka::{KafkaConnection, refuse_topic};

use super::BrokerRefusals;
use crate::SinkError;

/// Settings of a [`crate::KafkaSink`]. What is written is acknowledged by all in-sync replicas and written once per
/// producer: `acks = all` and `enable.idempotence` are not to be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KafkaSinkConfig {
    /// The brokers.
    pub connection: KafkaConnection,
    /// The topic, which must exist.
    pub topic: String,
    /// What a record's value is.
    pub value: KafkaValue,
    /// How values of CSV are written; `header` and `comment` count for nothing.
    pub csv: CsvOptions,
    /// What a record's key is.
    pub key: KafkaKey,
    /// Which partition a record goes to.
    pub partitioner: KafkaPartitioner,
    /// Whether the headers that a record came with (`_headers`) are passed on.
    pub pass_headers: bool,
    /// Headers made of columns: a header's name and a column of text, bytes or integers. Where the value is null, the
    /// header is left out.
    pub headers: Vec<(String, String)>,
    /// What a record's timestamp is.
    pub timestamp: KafkaTimestamp,
    /// How batches of records are compressed.
    pub compression: KafkaCompression,
    /// How long a record may take to be delivered, all tries together. `None`: what the option `message.timeout.ms`
    /// says, or librdkafka's five minutes.
    pub delivery_timeout: Option<Duration>,
    /// How long the opening waits for a broker.
    pub open_timeout: Duration,
    /// What brokers refused of the query's records. Shared by all attempts of a query; no setting.
    pub refusals: BrokerRefusals,
}

/// What a record's value is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KafkaValue {
    /// The fields as one JSON object, without a line end.
    #[default]
    JsonLines,
    /// The fields as one line of CSV, without header and line end.
    Csv,
    /// The fields as one [`weir_formats::bincode::Frame::Record`], without a length before it.
    Bincode,
    /// A column's bytes as they are.
    Raw {
        /// A column of bytes or text. Where it is null, the record is a tombstone: it has no value.
        column: String,
    },
}

/// What a record's key is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KafkaKey {
    /// The key that the record came with (`_key`); none where it had none.
    #[default]
    System,
    /// A column of text or bytes as it is, or of integers in decimal digits; none where it is null.
    Column(String),
    /// None.
    None,
}

/// Which partition a record goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KafkaPartitioner {
    /// By the hash that the Java client takes; records without a key anywhere.
    #[default]
    Murmur2Random,
    /// By the hash that the Java client takes; all records without a key to one partition.
    Murmur2,
    /// By CRC-32; records without a key, or with an empty one, anywhere.
    ConsistentRandom,
    /// By CRC-32; all records without a key to one partition.
    Consistent,
    /// By FNV-1a, as Sarama does; records without a key anywhere.
    Fnv1aRandom,
    /// By FNV-1a, as Sarama does; all records without a key to one partition.
    Fnv1a,
    /// Anywhere.
    Random,
    /// To the partition that the record came from (`_partition`); where it came from none, as
    /// [`KafkaPartitioner::Murmur2Random`].
    Keep,
}

/// What a record's timestamp is, in whole milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KafkaTimestamp {
    /// The one that the record came with (`_timestamp`); the time of writing where it had none.
    #[default]
    System,
    /// A column of timestamps; the time of writing where it is null.
    Column(String),
    /// The time of writing.
    Now,
}

/// How batches of records are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KafkaCompression {
    /// Not at all.
    #[default]
    None,
    /// DEFLATE.
    Gzip,
    /// Snappy.
    Snappy,
    /// LZ4.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl KafkaPartitioner {
    /// Every partitioner.
    pub const ALL: [KafkaPartitioner; 8] = [
        KafkaPartitioner::Murmur2Random,
        KafkaPartitioner::Murmur2,
        KafkaPartitioner::ConsistentRandom,
        KafkaPartitioner::Consistent,
        KafkaPartitioner::Fnv1aRandom,
        KafkaPartitioner::Fnv1a,
        KafkaPartitioner::Random,
        KafkaPartitioner::Keep,
    ];

    /// The name in query files: librdkafka's own, or `keep`.
    pub const fn name(self) -> &'static str {
        match self {
            KafkaPartitioner::Keep => "keep",
            other => other.librdkafka_name(),
        }
    }

    /// librdkafka's name of what decides where no partition is given.
    pub const fn librdkafka_name(self) -> &'static str {
        match self {
            KafkaPartitioner::Murmur2Random | KafkaPartitioner::Keep => "murmur2_random",
            KafkaPartitioner::Murmur2 => "murmur2",
            KafkaPartitioner::ConsistentRandom => "consistent_random",
            KafkaPartitioner::Consistent => "consistent",
            KafkaPartitioner::Fnv1aRandom => "fnv1a_random",
            KafkaPartitioner::Fnv1a => "fnv1a",
            KafkaPartitioner::Random => "random",
        }
    }
}

impl KafkaCompression {
    /// Every compression.
    pub const ALL: [KafkaCompression; 5] = [
        KafkaCompression::None,
        KafkaCompression::Gzip,
        KafkaCompression::Snappy,
        KafkaCompression::Lz4,
        KafkaCompression::Zstd,
    ];

    /// The name in query files, which is librdkafka's too.
    pub const fn name(self) -> &'static str {
        match self {
            KafkaCompression::None => "none",
            KafkaCompression::Gzip => "gzip",
            KafkaCompression::Snappy => "snappy",
            KafkaCompression::Lz4 => "lz4",
            KafkaCompression::Zstd => "zstd",
        }
    }
}

impl KafkaSinkConfig {
    /// Changes fields: `KafkaSinkConfig::new(connection, "late").with(|it| it.pass_headers = false)`.
    pub fn with(mut self, change: impl FnOnce(&mut KafkaSinkConfig)) -> KafkaSinkConfig {
        change(&mut self);
        self
    }

    /// JSON values to this topic, with the keys, headers and timestamps that the records came with.
    pub fn new(connection: KafkaConnection, topic: impl Into<String>) -> KafkaSinkConfig {
        KafkaSinkConfig {
            connection,
            topic: topic.into(),
            value: KafkaValue::default(),
            key: KafkaKey::default(),
            partitioner: KafkaPartitioner::default(),
            pass_headers: true,
            headers: Vec::new(),
            timestamp: KafkaTimestamp::default(),
            compression: KafkaCompression::default(),
            csv: CsvOptions::default(),
            delivery_timeout: None,
            open_timeout: Duration::from_secs(10),
            refusals: BrokerRefusals::default(),
        }
    }

    /// The time that the option `transaction.timeout.ms` gives a transaction, where it is set.
    pub fn transaction_timeout(&self) -> Option<Duration> {
        let ms = self.connection.options.get("transaction.timeout.ms")?.parse().ok()?;
        Some(Duration::from_millis(ms))
    }

    /// Checks what can be checked without a schema and without connecting to anything.
    ///
    /// # Errors
    ///
    /// [`SinkError::Config`], which names the setting.
    pub fn validate_settings(&self) -> Result<(), SinkError> {
        self.connection.validate()?;
        if let Some(reason) = refuse_topic(&self.topic) {
            return refuse("topic", reason);
        }
        check_timeout("delivery_timeout_ms", self.delivery_timeout)?;
        check_timeout("open_timeout_ms", Some(self.open_timeout))?;
        if self.delivery_timeout.is_some() && self.connection.options.contains_key("message.timeout.ms") {
            return refuse(
                "delivery_timeout_ms",
                "the option `message.timeout.ms` has the same meaning: set one of them",
            );
        }
        for (name, _) in &self.headers {
            if name.is_empty() || name.len() > HEADER_BYTES_MAX || name.chars().any(char::is_control) {
                return refuse("headers", "a header name must have 1 to 255 bytes and no control characters");
            }
        }
        Ok(())
    }

    /// Checks what can be checked without connecting to anything, columns of this schema included.
    ///
    /// # Errors
    ///
    /// [`SinkError::Config`], which names the setting.
    pub fn validate(&self, schema: &Schema) -> Result<(), SinkError> {
        use DataType::{Binary, I8, I16, I32, I64, Timestamp, Utf8};
        self.validate_settings()?;
        if let KafkaValue::Raw { column } = &self.value {
            check_column("value", schema, column, &[Binary, Utf8])?;
        }
        if let KafkaKey::Column(column) = &self.key {
            check_column("key", schema, column, &[Binary, Utf8, I8, I16, I32, I64])?;
        }
        for (_, column) in &self.headers {
            check_column("headers", schema, column, &[Binary, Utf8, I8, I16, I32, I64])?;
        }
        if let KafkaTimestamp::Column(column) = &self.timestamp {
            check_column("timestamp", schema, column, &[Timestamp])?;
        }
        Ok(())
    }
}

const HEADER_BYTES_MAX: usize = 255;

fn refuse<T>(key: &'static str, reason: impl Into<String>) -> Result<T, SinkError> {
    Err(SinkError::Config { key, reason: reason.into() })
}

/// librdkafka counts milliseconds in an `int`.
pub(super) fn check_timeout(key: &'static str, timeout: Option<Duration>) -> Result<(), SinkError> {
    match timeout {
        Some(timeout) if timeout.as_millis() == 0 => refuse(key, "must be at least 1"),
        Some(timeout) if i32::try_from(timeout.as_millis()).is_err() => refuse(key, "must be at most 2147483647"),
        _ => Ok(()),
    }
}

fn check_column(key: &'static str, schema: &Schema, name: &str, types: &[DataType]) -> Result<(), SinkError> {
    let names = || types.iter().map(|data_type| data_type.name()).collect::<Vec<_>>().join(", ");
    match schema.field(name) {
        None => refuse(key, format!("column `{}` does not exist", weir_text::escape(name))),
        Some(field) if !types.contains(&field.data_type) => {
            refuse(key, format!("column `{name}` is {}: it must be one of {}", field.data_type, names()))
        }
        Some(_) => Ok(()),
    }
}
