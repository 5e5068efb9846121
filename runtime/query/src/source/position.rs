//! How far a source has been read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

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
pub struct Positions(BTreeMap<Partition, i64>);

impl Positions {
    /// The position of a partition that was read to its end, and has no more.
    pub const END: i64 = i64::MAX;

    /// Moves the positions that the other one names.
    pub fn advance(&mut self, to: &Positions) {
        for (partition, next) in &to.0 {
            self.0.insert(partition.clone(), *next);
        }
    }

    /// Moves one.
    pub fn set(&mut self, partition: Partition, next: i64) {
        self.0.insert(partition, next);
    }

    /// Forgets these partitions: somebody else reads them now.
    pub fn forget(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.0.remove(partition);
        }
    }

    /// The offset of the partition's next record.
    pub fn get(&self, partition: &Partition) -> Option<i64> {
        self.0.get(partition).copied()
    }

    /// All of them, in the order of origins and numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&Partition, i64)> {
        self.0.iter().map(|(partition, next)| (partition, *next))
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
        Positions(positions.into_iter().collect())
    }
}
