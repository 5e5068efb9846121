//! Kafka topics.

#[cfg(not(feature = "kafka"))]
#[path = "absent.rs"]
mod linked;
#[cfg(feature = "kafka")]
mod linked;

mod config;
#[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "only clients ask"))]
mod refusals;
mod slot;
mod transaction_error;
mod transaction_settings;

pub use config::{KafkaCompression, KafkaKey, KafkaPartitioner, KafkaSinkConfig, KafkaTimestamp, KafkaValue};
pub use linked::{KafkaSink, KafkaTransactions};
pub use refusals::BrokerRefusals;
pub use slot::{SlotError, TransactionSlot};
pub use transaction_error::TransactionError;
pub use transaction_settings::TransactionSettings;
