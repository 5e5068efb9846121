//! Why a row is not taken.

use weir_batch::Fault;

/// Why a sink cannot take a row. The text says what would help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowRefusal {
    /// The record is larger than its place admits.
    #[error("it has {bytes} bytes, but {limit} allows only {bytes_max}: raise {remedy}")]
    TooLarge {
        /// What the record takes where it is measured.
        bytes: u64,
        /// What is allowed.
        bytes_max: u64,
        /// What sets the limit, for example "topic `late`".
        limit: String,
        /// The option to raise, with its place.
        remedy: &'static str,
    },
    /// The record goes to a partition that the topic has not.
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
        /// Bytes of key, value and headers, before compression.
        bytes: u64,
        /// What the broker answered.
        problem: weir_kafka::KafkaProblem,
        /// What would help.
        remedy: &'static str,
    },
}

impl RowRefusal {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            RowRefusal::TooLarge { .. } | RowRefusal::NoPartition { .. } => Fault::Tenant,
            RowRefusal::ByBroker { problem, .. } => problem.fault(),
        }
    }

    /// Whether the same may succeed later: the record stays what it is.
    pub fn retryable(&self) -> bool {
        false
    }
}

impl RowRefusal {
    /// For machines: the code of a dead letter.
    pub fn code(&self) -> &'static str {
        match self {
            RowRefusal::TooLarge { .. } => "too_large",
            RowRefusal::ByBroker { problem: weir_kafka::KafkaProblem::MessageTooLarge(_), .. } => "too_large",
            RowRefusal::NoPartition { .. } => "no_partition",
            RowRefusal::ByBroker { .. } => "refused",
        }
    }
}
