//! Kafka topics as a source.
//!
//! A thread of the source's own polls librdkafka, whatever the query does: the group learns that the reader lives, and
//! rebalances are answered. Each partition has a queue of its own there; where the query is slower than the brokers it
//! is simply not read on, and librdkafka stops fetching when it is full. A second thread asks which partitions there
//! are, where they begin and how far they reach: those questions wait for brokers, and polling must not.

#[cfg(not(feature = "kafka"))]
#[path = "absent.rs"]
mod linked;
#[cfg(feature = "kafka")]
mod linked;

mod backlog_message;
mod config;
mod error;

pub use self::backlog_message::{BacklogError, BacklogMessage};
pub use self::config::{KafkaIsolation, KafkaOutOfRange, KafkaPartitions, KafkaSourceConfig, KafkaStart};
pub use self::error::KafkaSourceError;
pub use self::linked::{Backlog, KafkaSource};
