//! Kafka topics.

// What opens clients is there with the feature `kafka` only.
#[cfg(not(feature = "kafka"))]
mod absent;
#[cfg(feature = "kafka")]
mod bytes;
#[cfg(feature = "kafka")]
mod client;
mod config;
#[cfg(feature = "kafka")]
mod deliveries;
#[cfg(feature = "kafka")]
mod headers;
#[cfg(feature = "kafka")]
mod layout;
#[cfg(feature = "kafka")]
mod membership;
#[cfg(feature = "kafka")]
mod producer;
#[cfg(feature = "kafka")]
mod record;
#[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "only clients ask"))]
mod refusals;
#[cfg(feature = "kafka")]
mod sink;
#[cfg(feature = "kafka")]
mod sizes;
mod slot;
#[cfg(feature = "kafka")]
mod transaction;
#[cfg(feature = "kafka")]
mod transaction_age;
mod transaction_error;
#[cfg(feature = "kafka")]
mod transaction_failure;
mod transaction_settings;
#[cfg(feature = "kafka")]
mod transactional;

#[cfg(not(feature = "kafka"))]
pub use absent::{KafkaSink, KafkaTransactions};
pub use config::{KafkaCompression, KafkaKey, KafkaPartitioner, KafkaSinkConfig, KafkaTimestamp, KafkaValue};
pub use refusals::BrokerRefusals;
#[cfg(feature = "kafka")]
pub use sink::KafkaSink;
pub use slot::{SlotError, TransactionSlot};
#[cfg(feature = "kafka")]
pub use transaction::KafkaTransactions;
pub use transaction_error::TransactionError;
pub use transaction_settings::TransactionSettings;
