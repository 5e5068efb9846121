//! A running query, seen and steered from outside.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use weir_batch::CopyOnWrite;

use super::counters::Counters;
use super::details::Details;
use super::extent::{Extent, Size};
use super::metrics::{CommittedMetric, CommittedMetrics};
use super::progress::{PartitionProgress, Progress, State};
use crate::source::{Partition, PositionKeeper, Positions};
use crate::trace::TraceCounters;

/// Watches a query, pauses and stops it, from any thread; outlives it.
#[derive(Clone)]
pub struct QueryHandle {
    pub(super) query: Arc<str>,
    pub(super) tenant: Arc<str>,
    pub(super) counters: Arc<Counters>,
    pub(super) places: Arc<Places>,
    pub(super) metrics: Arc<CommittedMetrics>,
    pub(super) copy_on_write: Arc<CopyOnWrite>,
    // Where it is traced.
    pub(super) traces: Option<Arc<TraceCounters>>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) pause: watch::Sender<bool>,
}

impl QueryHandle {
    /// The query's name.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// Its tenant.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// What the query is about.
    pub fn state(&self) -> State {
        match self.counters.state() {
            State::Running if *self.stop.borrow() => State::Draining,
            State::Running if *self.pause.borrow() => State::Paused,
            state => state,
        }
    }

    /// What the query has done so far.
    pub fn progress(&self) -> Progress {
        let mut progress = self.counters.progress();
        progress.state = self.state();
        for (index, source) in progress.sources.iter_mut().enumerate() {
            source.partitions = self.places.partitions(index);
            source.waits_for = self.places.waits_for(index);
            source.extent = self.places.extent(index, source.bytes).filter(|_| !progress.state.is_over());
        }
        progress
    }

    /// How the query has spent its time, and what waits in it.
    pub fn details(&self) -> Details {
        self.counters.details(&self.copy_on_write, self.traces.as_ref().map(|traces| traces.read()))
    }

    /// What its functions recorded in batches that are committed. Costs a copy of every series.
    pub fn metrics(&self) -> Vec<CommittedMetric> {
        self.metrics.read()
    }

    /// Asks the query to take in no more, to finish what it has, to commit and to end.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Asks the query to read no more until [`QueryHandle::resume`]. What it has taken in goes on to the sinks, and
    /// commits go on in their time.
    pub fn pause(&self) {
        self.pause.send_replace(true);
    }

    /// Asks the query to go on reading.
    pub fn resume(&self) {
        self.pause.send_replace(false);
    }
}

/// How far the sources of a query were read, and how far that was committed.
pub(super) struct Places(Mutex<Vec<Place>>);

#[derive(Default)]
struct Place {
    read: Positions,
    committed: Positions,
    // Whether there was any partition.
    begun: bool,
    keeper: Option<Arc<dyn PositionKeeper>>,
    size: Option<Size>,
}

impl Places {
    pub(super) fn new(sources: usize) -> Places {
        Places(Mutex::new((0..sources).map(|_| Place::default()).collect()))
    }

    /// An attempt begins at these positions.
    pub(super) fn begin(&self, positions: &[Positions], keepers: &[Option<Arc<dyn PositionKeeper>>]) {
        for (place, (positions, keeper)) in self.lock().iter_mut().zip(positions.iter().zip(keepers)) {
            place.read = positions.clone();
            place.committed.advance(positions);
            place.begun |= !positions.is_empty();
            place.keeper = keeper.as_ref().map(Arc::clone);
        }
    }

    /// An attempt has ended: what kept positions is let go.
    pub(super) fn end(&self) {
        self.lock().iter_mut().for_each(|place| place.keeper = None);
    }

    /// What is known of the sources' sizes.
    pub(super) fn sizes(&self, sizes: Vec<Option<Size>>) {
        for (place, size) in self.lock().iter_mut().zip(sizes) {
            place.size = size;
        }
    }

    fn extent(&self, source: usize, bytes: u64) -> Option<Extent> {
        let places = self.lock();
        let place = places.get(source)?;
        let ends = place.keeper.as_ref().map(|keeper| keeper.ends()).unwrap_or_default();
        place.size.as_ref()?.extent(&place.read, &ends, bytes)
    }

    pub(super) fn read(&self, source: usize, to: &Positions) {
        if let Some(place) = self.lock().get_mut(source) {
            place.size.iter_mut().for_each(|size| size.begin(to));
            place.read.advance(to);
            place.begun = true;
        }
    }

    /// Partitions of the source begin at these positions, at which a new reader would begin, too.
    pub(super) fn kept(&self, source: usize, positions: &Positions) {
        if let Some(place) = self.lock().get_mut(source) {
            place.size.iter_mut().for_each(|size| size.begin(positions));
            place.read.advance(positions);
            place.committed.advance(positions);
            place.begun |= !positions.is_empty();
        }
    }

    /// Whether this run has begun with a partition, and not let go of it.
    pub(super) fn knows(&self, source: usize, partition: &Partition) -> bool {
        self.lock()
            .get(source)
            .is_some_and(|place| place.read.get(partition).or_else(|| place.committed.get(partition)).is_some())
    }

    /// Whether this run has begun with any partition of the source.
    pub(super) fn knows_any(&self, source: usize) -> bool {
        self.lock().get(source).is_some_and(|place| place.begun)
    }

    /// What the source waits for before it can read.
    fn waits_for(&self, source: usize) -> Option<String> {
        self.lock().get(source)?.keeper.as_ref()?.waits_for()
    }

    pub(super) fn committed(&self, positions: &[Positions]) {
        for (place, positions) in self.lock().iter_mut().zip(positions) {
            place.committed.advance(positions);
        }
    }

    /// Where each source goes on after the last commit.
    pub(super) fn all_committed(&self) -> Vec<Positions> {
        self.lock().iter().map(|place| place.committed.clone()).collect()
    }

    /// Somebody else reads these partitions now.
    pub(super) fn forget(&self, source: usize, partitions: &[Partition]) {
        if let Some(place) = self.lock().get_mut(source) {
            place.read.forget(partitions);
            place.committed.forget(partitions);
        }
    }

    fn partitions(&self, source: usize) -> Vec<PartitionProgress> {
        let places = self.lock();
        let Some(place) = places.get(source) else { return Vec::new() };
        let ends = place.keeper.as_ref().map(|keeper| keeper.ends()).unwrap_or_default();
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

    fn lock(&self) -> MutexGuard<'_, Vec<Place>> {
        // Every change is an assignment or insertion: a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
