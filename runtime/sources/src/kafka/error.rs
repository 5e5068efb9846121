//! Why a topic cannot be read on.

use std::time::Duration;

use weir_batch::Fault;
use weir_kafka::ErrorCode;

use weir_state::Partition;

/// Why a topic cannot be read on, or positions in it not be kept. Brokers that do not answer are none: they are waited for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KafkaSourceError {
    /// There is no such topic, or none that this user may see.
    #[error("there is no topic `{topic}`")]
    UnknownTopic {
        /// The topic.
        topic: String,
    },
    /// The topic has fewer partitions.
    #[error("topic `{topic}` has no partition {partition}")]
    UnknownPartition {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// The user may not do this, or is not who it claims to be.
    #[error("not authorised: {0}")]
    NotAuthorised(ErrorCode),
    /// The consumer met an error after which it is of no use.
    #[error("the consumer failed for good: {0}")]
    Fatal(ErrorCode),
    /// No consumer can be made of these settings.
    #[error("the settings cannot be used: {0}")]
    Settings(String),
    /// A reader cannot be told where to begin by anybody but its group.
    #[error("group `{group}` keeps the positions of its members: none can be given")]
    SeekInGroup {
        /// The group.
        group: String,
    },
    /// The log does not hold the position that is to be read.
    #[error(
        "{partition}: position {position} is out of range: the log holds {first} to {end}; retention has passed it, or the topic was \
         deleted and made again. Set `on_out_of_range` to `earliest` or `latest` to go on there, or set the group's position"
    )]
    OutOfRange {
        /// The partition.
        partition: Partition,
        /// The offset that was to be read.
        position: i64,
        /// The first offset that the log holds.
        first: i64,
        /// The offset that its next record will get.
        end: i64,
    },
    /// The topic is another one of the same name by now.
    #[error(
        "{partition}: the topic was deleted and made again: position {position} is of the old one, and the log of the new one holds \
         {first} to {end}. Set `on_out_of_range` to `earliest` or `latest` to go on there, or set the group's position"
    )]
    MadeAgain {
        /// The partition.
        partition: Partition,
        /// The offset that was to be read.
        position: i64,
        /// The first offset that the log holds.
        first: i64,
        /// The offset that its next record will get.
        end: i64,
    },
    /// The topic is another one of the same name by now, and the policy is to go on in it.
    #[error(
        "topic `{topic}` was deleted and made again: what was read of it since the last commit is read anew, as `on_out_of_range` says"
    )]
    StartedOver {
        /// The topic.
        topic: String,
    },
    /// Brokers answer, but do not say where partitions begin.
    #[error("where {partitions} begin was not to be learnt within {} s: {reason}", waited.as_secs())]
    NoPositions {
        /// The partitions, with commas between them.
        partitions: String,
        /// How long they were asked.
        waited: Duration,
        /// What they answered last.
        reason: String,
    },
    /// The partitions are another member's by now. What it reads again begins at the last positions that were kept.
    #[error("the positions are another member's to keep: {0}")]
    Lost(ErrorCode),
    /// The positions could not be kept.
    #[error("the positions could not be kept: {0}")]
    Commit(String),
    /// A record's batch does not hold together.
    #[error("the records cannot be made a batch of: {0}")]
    Batch(String),
    /// The source was dropped.
    #[error("the source was dropped")]
    Closed,
}

impl KafkaSourceError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            KafkaSourceError::UnknownTopic { .. }
            | KafkaSourceError::UnknownPartition { .. }
            | KafkaSourceError::NotAuthorised(_)
            | KafkaSourceError::Settings(_)
            | KafkaSourceError::SeekInGroup { .. }
            | KafkaSourceError::OutOfRange { .. }
            | KafkaSourceError::MadeAgain { .. } => Fault::Tenant,
            KafkaSourceError::Fatal(_)
            | KafkaSourceError::Lost(_)
            | KafkaSourceError::Commit(_)
            | KafkaSourceError::StartedOver { .. }
            | KafkaSourceError::NoPositions { .. } => Fault::External,
            KafkaSourceError::Batch(_) | KafkaSourceError::Closed => Fault::Internal,
        }
    }

    /// Whether a new reader may succeed with the same settings.
    pub fn retryable(&self) -> bool {
        matches!(
            self,
            KafkaSourceError::Fatal(_)
                | KafkaSourceError::Lost(_)
                | KafkaSourceError::Commit(_)
                | KafkaSourceError::StartedOver { .. }
                | KafkaSourceError::NoPositions { .. }
        )
    }
}
