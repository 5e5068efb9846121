//! Kafka topics.

mod bytes;
mod config;
mod deliveries;
mod headers;
mod layout;
mod membership;
mod producer;
mod record;
mod refusals;
mod sink;
mod sizes;
mod slot;
mod transaction;
mod transaction_age;
mod transaction_error;
mod transaction_settings;
mod transactional;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use weir_kafka::{HiddenValues, KafkaConnection, KafkaProblem, KafkaSide, log_librdkafka};

pub use config::{KafkaCompression, KafkaKey, KafkaPartitioner, KafkaSinkConfig, KafkaTimestamp, KafkaValue};
pub use refusals::BrokerRefusals;
pub use sink::KafkaSink;
pub use slot::{SlotError, TransactionSlot};
pub use transaction::KafkaTransactions;
pub use transaction_error::TransactionError;
pub use transaction_settings::TransactionSettings;

/// What a client of this connection is made of. It is never printed: its `Debug` shows private keys.
fn client_config(connection: &KafkaConnection, side: KafkaSide) -> ClientConfig {
    let mut config = ClientConfig::from_iter(connection.settings(side));
    config.set_log_level(RDKafkaLogLevel::Info);
    config
}
