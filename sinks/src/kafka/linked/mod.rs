//! What needs the client of Kafka: in programs with the feature `kafka` only.

mod bytes;
mod client;
mod deliveries;
mod headers;
mod layout;
mod membership;
mod producer;
mod record;
mod sink;
mod sizes;
mod transaction;
mod transaction_age;
mod transaction_failure;
mod transactional;

use super::*;

pub use sink::KafkaSink;
pub use transaction::KafkaTransactions;
