//! Settings of transactions.

use std::time::Duration;

use super::{BrokerRefusals, KafkaCompression, KafkaPartitioner};

/// What holds for all sinks that write in the same transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransactionSettings {
    /// How long a transaction may be open before the broker aborts it. The broker has a limit of its own
    /// (`transaction.max.timeout.ms`, 15 minutes unless it was changed).
    pub timeout: Duration,
    /// How long the opening waits for older transactions to be ended.
    pub open_timeout: Duration,
    /// How long a commit or an abort is tried.
    pub commit_timeout: Duration,
    /// Which partition a record goes to; librdkafka has one partitioner a producer.
    pub partitioner: KafkaPartitioner,
    /// How batches of records are compressed.
    pub compression: KafkaCompression,
    /// How long a record may take to be delivered; at most `timeout`.
    pub delivery_timeout: Option<Duration>,
    /// The topics that its sinks will write, which say how large batches may be.
    pub topics: Vec<String>,
    /// What brokers refused of the query's records. Shared by all attempts of a query; no setting.
    pub refusals: BrokerRefusals,
}

impl TransactionSettings {
    /// Changes fields: `TransactionSettings::default().with(|it| it.timeout = timeout)`.
    pub fn with(mut self, change: impl FnOnce(&mut TransactionSettings)) -> TransactionSettings {
        change(&mut self);
        self
    }
}

impl Default for TransactionSettings {
    fn default() -> TransactionSettings {
        TransactionSettings {
            timeout: Duration::from_secs(60),
            open_timeout: Duration::from_secs(30),
            commit_timeout: Duration::from_secs(60),
            partitioner: KafkaPartitioner::default(),
            compression: KafkaCompression::default(),
            delivery_timeout: None,
            topics: Vec::new(),
            refusals: BrokerRefusals::default(),
        }
    }
}
