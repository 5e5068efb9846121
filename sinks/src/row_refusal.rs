//! Reasons for refusing rows.

use weir_batch::Fault;

/// Why a sink cannot take a row. The text contains a remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowRefusal {
    /// The record is larger than its destination allows.
    #[error("it has {bytes} bytes, but {limit} allows only {bytes_max}: raise {remedy}")]
    TooLarge {
        /// The size of the record.
        bytes: u64,
        /// The maximum.
        bytes_max: u64,
        /// Where the limit comes from, for example "topic `late`".
        limit: String,
        /// The option to raise, and where it is.
        remedy: &'static str,
    },
    /// The topic does not have the record's partition.
    #[error(
        "topic `{topic}` has no partition {partition}: add partitions, or choose another `partitioner` than `keep`"
    )]
    NoPartition {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// The broker refuses the record.
    #[error("the broker of topic `{topic}` refused the record of {bytes} bytes: {problem}: {remedy}")]
    ByBroker {
        /// The topic.
        topic: String,
        /// The size of key, value and headers before compression.
        bytes: u64,
        /// The error of the broker.
        problem: weir_kafka::KafkaProblem,
        /// The remedy.
        remedy: &'static str,
    },
}

impl RowRefusal {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            RowRefusal::TooLarge { .. } | RowRefusal::NoPartition { .. } => Fault::Tenant,
            RowRefusal::ByBroker { problem, .. } => problem.fault(),
        }
    }

    /// Whether the same record may be accepted later: never.
    pub fn retryable(&self) -> bool {
        false
    }
}

impl RowRefusal {
    /// The code of a dead letter.
    pub fn code(&self) -> &'static str {
        match self {
            RowRefusal::TooLarge { .. } => "too_large",
            RowRefusal::ByBroker { problem: weir_kafka::KafkaProblem::MessageTooLarge(_), .. } => "too_large",
            RowRefusal::NoPartition { .. } => "no_partition",
            RowRefusal::ByBroker { .. } => "refused",
        }
    }
}
