//! Kafka topics.

mod bytes;
mod config;
mod connection;
mod deliveries;
mod group_offsets;
mod headers;
mod hidden;
mod layout;
mod log;
mod membership;
mod options;
mod problem;
mod producer;
mod refusals;
mod sink;
mod sizes;
mod transaction;
mod transaction_age;
mod transaction_error;
mod transaction_settings;

pub use config::{KafkaCompression, KafkaKey, KafkaPartitioner, KafkaSinkConfig, KafkaTimestamp, KafkaValue};
pub use connection::{KafkaConnection, KafkaConnectionError};
pub use group_offsets::GroupOffsets;
pub use hidden::HiddenValues;
pub use log::log_librdkafka;
pub use options::{KafkaOption, KafkaSide};
pub use problem::KafkaProblem;
pub use refusals::BrokerRefusals;
pub use sink::KafkaSink;
pub use transaction::KafkaTransactions;
pub use transaction_error::TransactionError;
pub use transaction_settings::TransactionSettings;
