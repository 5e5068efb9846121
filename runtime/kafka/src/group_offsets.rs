//! Positions of a consumer group, on their way into a transaction.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;

/// How far a member of a consumer group has read, and who it is: what a Kafka transaction commits of a source. Made by the
/// source's side of Kafka, and opaque to everybody between.
pub struct GroupOffsets {
    next: BTreeMap<(String, i32), i64>,
    member: Box<dyn Any + Send + Sync>,
}

impl GroupOffsets {
    /// Of these positions: of each partition its topic, its number and the offset of the next record to be read. `member` is
    /// what the writer's client is given, of a type that reader and writer of one client library agree on.
    pub fn new(
        positions: impl IntoIterator<Item = (String, i32, i64)>,
        member: impl Any + Send + Sync,
    ) -> GroupOffsets {
        let next = positions.into_iter().map(|(topic, partition, next)| ((topic, partition), next)).collect();
        GroupOffsets { next, member: Box::new(member) }
    }

    /// What the writer's client is given; `None` where the reader has another client library.
    pub fn member<T: Any>(&self) -> Option<&T> {
        self.member.downcast_ref()
    }

    /// The offset of the next record to be read of a partition; `None` where it is not among them.
    pub fn next(&self, topic: &str, partition: i32) -> Option<i64> {
        self.next.get(&(topic.to_owned(), partition)).copied()
    }
}

impl fmt::Debug for GroupOffsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupOffsets").field("next", &self.next).finish_non_exhaustive()
    }
}
