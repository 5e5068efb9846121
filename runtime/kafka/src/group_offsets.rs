//! Positions of a consumer group, on their way into a transaction.

use std::fmt;

use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::{Offset, TopicPartitionList};

/// How far a member of a consumer group has read, and who it is: what a Kafka transaction commits of a source. Made by the
/// source's side of Kafka, and opaque to everybody between.
pub struct GroupOffsets {
    positions: TopicPartitionList,
    group: ConsumerGroupMetadata,
}

impl GroupOffsets {
    /// Of these positions: of each partition the offset of the next record to be read.
    #[doc(hidden)]
    pub fn of_client(positions: TopicPartitionList, group: ConsumerGroupMetadata) -> GroupOffsets {
        GroupOffsets { positions, group }
    }

    /// What the writer's client is given.
    #[doc(hidden)]
    pub fn client_parts(&self) -> (&TopicPartitionList, &ConsumerGroupMetadata) {
        (&self.positions, &self.group)
    }

    /// The offset of the next record to be read of a partition; `None` where it is not among them.
    pub fn next(&self, topic: &str, partition: i32) -> Option<i64> {
        match self.positions.find_partition(topic, partition)?.offset() {
            Offset::Offset(next) => Some(next),
            _ => None,
        }
    }
}

impl fmt::Debug for GroupOffsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupOffsets").field("positions", &self.positions).finish_non_exhaustive()
    }
}
