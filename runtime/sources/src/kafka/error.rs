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
    #[error("topic `{topic}` does not exist")]
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
    /// The consumer met an error after which it cannot be used.
    #[error("the consumer failed permanently: {0}")]
    Fatal(ErrorCode),
    /// No consumer can be made of these settings.
    #[error("invalid settings: {0}")]
    Settings(String),
    /// A reader cannot be told where to begin by anybody but its group.
    #[error("group `{group}` stores the positions of its members: positions cannot be set from outside")]
    SeekInGroup {
        /// The group.
        group: String,
    },
    /// The log does not hold the position that is to be read.
    #[error(
        "{partition}: position {position} is out of range: the log holds {first} to {end}; retention has removed it, or the topic was deleted and recreated. Set `on_out_of_range` to `earliest` or `latest` to continue there, or set the group's position"
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
        "{partition}: the topic was deleted and recreated: position {position} belongs to the old topic, and the log of the new topic holds {first} to {end}. Set `on_out_of_range` to `earliest` or `latest` to continue there, or set the group's position"
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
        "topic `{topic}` was deleted and recreated: records read since the last commit are discarded, and `on_out_of_range` decides where to continue"
    )]
    StartedOver {
        /// The topic.
        topic: String,
    },
    /// Brokers answer, but do not say where partitions begin.
    #[error("where {partitions} begin could not be determined within {} s: {reason}", waited.as_secs())]
    NoPositions {
        /// The partitions, with commas between them.
        partitions: String,
        /// How long they were asked.
        waited: Duration,
        /// What they answered last.
        reason: String,
    },
    /// The partitions are another member's by now. What it reads again begins at the last positions that were kept.
    #[error("another member of the group owns these positions: {0}")]
    Lost(ErrorCode),
    /// The positions could not be kept.
    #[error("the positions could not be stored: {0}")]
    Commit(String),
    /// A record's batch does not hold together.
    #[error("the records do not form a batch: {0}")]
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
