//! Kafka topics as a source.
//!
//! A thread of the source's own polls librdkafka, whatever the query does: the group is told that the reader lives, and
//! rebalances are answered. Each partition has a queue of its own there; where the query is slower than the brokers it
//! is simply not read on, and librdkafka stops fetching when it is full. A second thread asks which partitions there
//! are, where they begin and how far they reach: those questions wait for brokers, and polling must not.

// What opens clients is there with the feature `kafka` only.
#[cfg(not(feature = "kafka"))]
mod absent;
#[cfg(feature = "kafka")]
mod backlog;
mod backlog_message;
#[cfg(feature = "kafka")]
mod client;
mod config;
#[cfg(feature = "kafka")]
mod context;
mod error;
#[cfg(feature = "kafka")]
mod gather;
#[cfg(feature = "kafka")]
mod hand_over;
#[cfg(feature = "kafka")]
mod keeper;
#[cfg(feature = "kafka")]
mod kept;
#[cfg(feature = "kafka")]
mod lanes;
#[cfg(feature = "kafka")]
mod place;
#[cfg(feature = "kafka")]
mod poller;
#[cfg(feature = "kafka")]
mod scout;
#[cfg(feature = "kafka")]
mod source;
#[cfg(all(test, feature = "kafka"))]
mod tests;
#[cfg(feature = "kafka")]
mod topic_id;

#[cfg(not(feature = "kafka"))]
pub use self::absent::{Backlog, KafkaSource};
#[cfg(feature = "kafka")]
pub use self::backlog::Backlog;
pub use self::backlog_message::{BacklogError, BacklogMessage};
pub use self::config::{KafkaIsolation, KafkaOutOfRange, KafkaPartitions, KafkaSourceConfig, KafkaStart};
pub use self::error::KafkaSourceError;
#[cfg(feature = "kafka")]
pub use self::source::KafkaSource;
