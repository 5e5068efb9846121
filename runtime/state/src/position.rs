//! How far a source has been read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use weir_formats::ResumePlace;

use crate::{FileMark, TopicId};

/// A part of a source that is read in order: a partition of a topic, or a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// The topic, or the file's path.
    pub origin: Arc<str>,
    /// The partition's number, or the file's place in the list.
    pub number: i32,
}

/// `flights [3]`.
impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.origin, self.number)
    }
}

/// For each partition of one source the offset of the next record to be read. An entry a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions(BTreeMap<Partition, Position>, Topics);

/// The ids of the topics that positions are of, where they are known.
type Topics = BTreeMap<Partition, TopicId>;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Position {
    next: i64,
    // Of a file, what is kept beside the number.
    mark: Option<Arc<FileMark>>,
    // Where the batch before this position begins.
    begin: Option<ResumePlace>,
}

impl Positions {
    /// The position of a partition that was read to its end, and has no more.
    pub const END: i64 = i64::MAX;

    /// Moves the positions that the other one names. One that names no topic's id leaves it as it is known here.
    pub fn advance(&mut self, to: &Positions) {
        self.1.extend(to.1.iter().map(|(partition, id)| (partition.clone(), id.clone())));
        for (partition, position) in &to.0 {
            self.0.insert(partition.clone(), position.clone());
        }
    }

    /// Moves one.
    pub fn set(&mut self, partition: Partition, next: i64) {
        self.0.insert(partition, Position { next, mark: None, begin: None });
    }

    /// Moves one in a file. The batch before this position begins at `begin`.
    pub fn set_in_file(&mut self, partition: Partition, next: i64, mark: Arc<FileMark>, begin: Option<ResumePlace>) {
        self.0.insert(partition, Position { next, mark: Some(mark), begin });
    }

    /// Moves one back into the batch that it is behind.
    pub fn set_within(&mut self, partition: Partition, next: i64) {
        let Some(position) = self.0.get_mut(&partition) else { return self.set(partition, next) };
        position.next = next;
        let mark = position.mark.take().zip(position.begin.filter(|begin| begin.record <= next));
        position.mark = mark.map(|(mark, place)| Arc::new(FileMark { place, seen: mark.seen.clone() }));
    }

    /// Forgets these partitions: somebody else reads them now.
    pub fn forget(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.0.remove(partition);
            self.1.remove(partition);
        }
    }

    /// Notes the id of the topic that a partition's position is of.
    pub fn set_topic(&mut self, partition: Partition, id: TopicId) {
        self.1.insert(partition, id);
    }

    /// The id of the topic that a partition's position is of, where it is known.
    pub fn topic(&self, partition: &Partition) -> Option<&TopicId> {
        self.1.get(partition)
    }

    /// The offset of the partition's next record.
    pub fn get(&self, partition: &Partition) -> Option<i64> {
        self.0.get(partition).map(|position| position.next)
    }

    /// What is kept beside it, of a file.
    pub fn mark(&self, partition: &Partition) -> Option<&Arc<FileMark>> {
        self.0.get(partition)?.mark.as_ref()
    }

    /// All of them, in the order of origins and numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&Partition, i64)> {
        self.0.iter().map(|(partition, position)| (partition, position.next))
    }

    /// How many partitions there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Partition, i64)> for Positions {
    fn from_iter<I: IntoIterator<Item = (Partition, i64)>>(positions: I) -> Positions {
        let mut all = Positions::default();
        positions.into_iter().for_each(|(partition, next)| all.set(partition, next));
        all
    }
}
