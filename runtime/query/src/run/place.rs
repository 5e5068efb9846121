//! How far a source was read, and how far that was committed: for its query, and for whoever watches it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::extent::{Extent, Size};
use super::partition_progress::PartitionProgress;
use weir_sources::PositionKeeper;
use weir_state::{Partition, Positions};

/// Of one source, through all attempts of its query.
#[derive(Default)]
pub(crate) struct SourcePlace(Mutex<Reached>);

#[derive(Default)]
struct Reached {
    read: Positions,
    committed: Positions,
    // Whether there was any partition.
    begun: bool,
    keeper: Option<Arc<dyn PositionKeeper>>,
    size: Option<Size>,
}

impl SourcePlace {
    /// An attempt begins at these positions.
    pub(super) fn begin(&self, positions: &Positions, keeper: Option<&Arc<dyn PositionKeeper>>) {
        let mut place = self.lock();
        place.read = positions.clone();
        place.committed.advance(positions);
        place.begun |= !positions.is_empty();
        place.keeper = keeper.map(Arc::clone);
    }

    /// An attempt has ended: what kept positions is let go.
    pub(super) fn end(&self) {
        self.lock().keeper = None;
    }

    /// What is known of the source's size.
    pub(super) fn set_size(&self, size: Option<Size>) {
        self.lock().size = size;
    }

    pub(super) fn read(&self, to: &Positions) {
        let mut place = self.lock();
        place.size.iter_mut().for_each(|size| size.begin(to));
        place.read.advance(to);
        place.begun = true;
    }

    /// Partitions begin at these positions, at which a new reader would begin, too.
    pub(super) fn kept(&self, positions: &Positions) {
        let mut place = self.lock();
        place.size.iter_mut().for_each(|size| size.begin(positions));
        place.read.advance(positions);
        place.committed.advance(positions);
        place.begun |= !positions.is_empty();
    }

    /// Whether this run has begun with a partition, and not let go of it.
    pub(super) fn knows(&self, partition: &Partition) -> bool {
        let place = self.lock();
        place.read.get(partition).or_else(|| place.committed.get(partition)).is_some()
    }

    /// Whether this run has begun with any partition of the source.
    pub(super) fn knows_any(&self) -> bool {
        self.lock().begun
    }

    /// What was read up to these positions is committed.
    pub(super) fn commit(&self, positions: &Positions) {
        self.lock().committed.advance(positions);
    }

    /// Where the source goes on after the last commit.
    pub(super) fn committed(&self) -> Positions {
        self.lock().committed.clone()
    }

    /// Somebody else reads these partitions now.
    pub(super) fn forget(&self, partitions: &[Partition]) {
        let mut place = self.lock();
        place.read.forget(partitions);
        place.committed.forget(partitions);
    }

    /// What the source waits for before it can read.
    pub(super) fn waits_for(&self) -> Option<String> {
        self.lock().keeper.as_ref()?.waits_for()
    }

    /// How much was read, of how much, after this number of bytes.
    pub(super) fn extent(&self, bytes: u64) -> Option<Extent> {
        let place = self.lock();
        let ends = place.ends();
        place.size.as_ref()?.extent(&place.read, &ends, bytes)
    }

    pub(super) fn partitions(&self) -> Vec<PartitionProgress> {
        let place = self.lock();
        let ends = place.ends();
        let mut all = ends.clone();
        all.advance(&place.read);
        let progress = all.iter().map(|(partition, _)| {
            let (read, committed) = (place.read.get(partition), place.committed.get(partition));
            let end = ends.get(partition);
            let next = |position: Option<i64>| position.filter(|&next| next != Positions::END);
            PartitionProgress {
                origin: Arc::clone(&partition.origin),
                number: partition.number,
                read: next(read),
                committed: next(committed),
                end,
                lag: end.zip(committed).map(|(end, committed)| end.saturating_sub(committed).max(0)),
                read_to_end: read == Some(Positions::END),
                done: committed == Some(Positions::END),
            }
        });
        progress.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Reached> {
        // Every change is an assignment or insertion: a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reached {
    fn ends(&self) -> Positions {
        self.keeper.as_ref().map(|keeper| keeper.ends()).unwrap_or_default()
    }
}

impl std::fmt::Debug for SourcePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SourcePlace").field(&self.lock().read).finish()
    }
}
