//! Positions of a consumer group that a transaction commits.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;

/// The positions of a member of a consumer group, and its identity: the data of a source that a Kafka transaction commits. The
/// Kafka source creates it; for everything in between it is opaque.
pub struct GroupOffsets {
    next: BTreeMap<(String, i32), i64>,
    member: Box<dyn Any + Send + Sync>,
}

impl GroupOffsets {
    /// The positions: for each partition the topic, the number and the offset of the next record to read. `member` is passed to the
    /// writer's client; reader and writer agree on its type.
    pub fn new(
        positions: impl IntoIterator<Item = (String, i32, i64)>,
        member: impl Any + Send + Sync,
    ) -> GroupOffsets {
        let next = positions.into_iter().map(|(topic, partition, next)| ((topic, partition), next)).collect();
        GroupOffsets { next, member: Box::new(member) }
    }

    /// The value for the writer's client; `None` if the reader uses another client library.
    pub fn member<T: Any>(&self) -> Option<&T> {
        self.member.downcast_ref()
    }

    /// The offset of the next record to read from a partition; `None` if the partition is not included.
    pub fn next(&self, topic: &str, partition: i32) -> Option<i64> {
        self.next.get(&(topic.to_owned(), partition)).copied()
    }
}

impl fmt::Debug for GroupOffsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupOffsets").field("next", &self.next).finish_non_exhaustive()
    }
}
