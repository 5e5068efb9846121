//! How the client is set up, and what its errors mean to a source.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use weir_kafka::{ErrorCode, KafkaConnection, KafkaSide};

use super::{KafkaSourceConfig, KafkaSourceError};
use crate::SourceError;

/// What librdkafka may hold of one partition, however much there is room for: enough for its fetches of a megabyte to follow each other.
const QUEUED_BYTES_MAX: usize = 4 << 20;

/// What one fetch may bring of one partition.
const FETCH_BYTES: std::ops::RangeInclusive<usize> = 16 << 10..=1 << 20;

/// How long a broker is asked for one thing, beside what a fetch may take that is before it on the connection.
const ASK_WAIT_MAX: Duration = Duration::from_millis(1500);

/// librdkafka's default for how long a broker waits for records, and the largest value that counts here.
const FETCH_WAIT_MS: u64 = 500;
const FETCH_WAIT_MS_MAX: u64 = 30_000;

/// What a message takes beside its key and value, with room to spare.
const MESSAGE_BYTES: usize = 512;

impl KafkaSourceConfig {
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
        self.poll_interval_max().min(Duration::from_secs(25))
    }

    /// How long the group waits for a member that does not poll.
    pub(super) fn poll_interval_max(&self) -> Duration {
        let option = self.connection.options.get("max.poll.interval.ms").and_then(|ms| ms.parse().ok());
        Duration::from_millis(option.unwrap_or(300_000))
    }

    /// The error with the brokers beside it.
    pub(super) fn error(&self, source: KafkaSourceError) -> SourceError {
        SourceError::Kafka { brokers: self.connection.brokers.clone(), source }
    }
}

/// An error code of the client, as contracts have it.
pub(super) fn code_of(code: Code) -> ErrorCode {
    ErrorCode::of_librdkafka(code as i32)
}

impl KafkaSourceError {
    /// What ends the reading; `None` for what passes, or is another's to report.
    pub(super) fn of(error: &KafkaError) -> Option<KafkaSourceError> {
        if let KafkaError::MessageConsumptionFatal(code) = error {
            return Some(KafkaSourceError::Fatal(code_of(*code)));
        }
        let code = error.rdkafka_error_code()?;
        match code {
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::Authentication => Some(KafkaSourceError::NotAuthorised(code_of(code))),
            Code::InconsistentGroupProtocol | Code::Fatal | Code::FencedInstanceId => {
                Some(KafkaSourceError::Fatal(code_of(code)))
            }
            _ => None,
        }
    }
}

/// What a client of this connection is made of. It is never printed: its `Debug` shows private keys.
pub(super) fn client_config(connection: &KafkaConnection, side: KafkaSide) -> ClientConfig {
    let mut config = ClientConfig::from_iter(connection.settings(side));
    config.set_log_level(RDKafkaLogLevel::Info);
    config
}
