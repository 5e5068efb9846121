//! Positions in sources.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use weir_formats::ResumePlace;

use crate::{FileMark, TopicId};

/// A part of a source that is read in order: a partition of a topic, or a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Partition {
    /// The topic, or the file's path.
    pub origin: Arc<str>,
    /// The partition's number, or the file's index in the list.
    pub number: i32,
}

impl Partition {
    /// The partition of this number of a topic, or the file of this place in the list.
    pub fn new(origin: impl Into<Arc<str>>, number: i32) -> Partition {
        Partition { origin: origin.into(), number }
    }
}

/// `flights [3]`.
impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.origin, self.number)
    }
}

/// For each partition of one source, the offset of the next record to read. One entry per partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions(BTreeMap<Partition, Position>, Topics);

/// The known ids of topics, by partition.
type Topics = BTreeMap<Partition, TopicId>;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Position {
    next: i64,
    // For a file: the data stored besides the number.
    mark: Option<Arc<FileMark>>,
    // Where the batch before this position begins.
    begin: Option<ResumePlace>,
}

impl Positions {
    /// The position of a partition that was read to its end.
    pub const END: i64 = i64::MAX;

    /// Takes over the positions in `to`. A known topic id stays if `to` has none.
    pub fn advance(&mut self, to: &Positions) {
        self.1.extend(to.1.iter().map(|(partition, id)| (partition.clone(), id.clone())));
        for (partition, position) in &to.0 {
            self.0.insert(partition.clone(), position.clone());
        }
    }

    /// Sets one position.
    pub fn set(&mut self, partition: Partition, next: i64) {
        self.0.insert(partition, Position { next, mark: None, begin: None });
    }

    /// Sets a position in a file. The batch before this position begins at `begin`.
    pub fn set_in_file(&mut self, partition: Partition, next: i64, mark: Arc<FileMark>, begin: Option<ResumePlace>) {
        self.0.insert(partition, Position { next, mark: Some(mark), begin });
    }

    /// Moves a position back into the batch before it.
    pub fn set_within(&mut self, partition: Partition, next: i64) {
        let Some(position) = self.0.get_mut(&partition) else { return self.set(partition, next) };
        position.next = next;
        let mark = position.mark.take().zip(position.begin.filter(|begin| begin.record <= next));
        position.mark = mark.map(|(mark, place)| Arc::new(FileMark { place, seen: mark.seen.clone() }));
    }

    /// Removes these partitions, because somebody else reads them now.
    pub fn forget(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.0.remove(partition);
            self.1.remove(partition);
        }
    }

    /// Sets the topic id for a partition's position.
    pub fn set_topic(&mut self, partition: Partition, id: TopicId) {
        self.1.insert(partition, id);
    }

    /// The topic id for a partition's position, if known.
    pub fn topic(&self, partition: &Partition) -> Option<&TopicId> {
        self.1.get(partition)
    }

    /// The offset of the partition's next record.
    pub fn get(&self, partition: &Partition) -> Option<i64> {
        self.0.get(partition).map(|position| position.next)
    }

    /// The data stored besides the position, for a file.
    pub fn mark(&self, partition: &Partition) -> Option<&Arc<FileMark>> {
        self.0.get(partition)?.mark.as_ref()
    }

    /// All positions, ordered by origin and number.
    pub fn iter(&self) -> impl Iterator<Item = (&Partition, i64)> {
        self.0.iter().map(|(partition, position)| (partition, position.next))
    }

    /// The number of partitions.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no positions.
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
