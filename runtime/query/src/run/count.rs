//! The cells that counters are kept in: one task raises them, others read them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that one task raises and others read.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, to: u64) {
        self.0.store(to, Ordering::Relaxed);
    }

    pub(crate) fn raise_to(&self, at_least: u64) {
        self.0.fetch_max(at_least, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// Records that count once each, also where an attempt is given up and they come again. It never falls before the query
/// ends: what an attempt that is given up has counted is counted up to by the next one.
#[derive(Debug, Default)]
pub(crate) struct OnceCount {
    committed: Count,
    uncommitted: Count,
    shown: Count,
}

impl OnceCount {
    pub(crate) fn add(&self, more: u64) {
        self.uncommitted.add(more);
        self.shown.raise_to(self.committed.get().saturating_add(self.uncommitted.get()));
    }

    /// What was counted up to here does not come again.
    pub(crate) fn commit(&self) {
        self.committed.add(self.uncommitted.take());
    }

    /// What was counted since the last commit comes again.
    pub(crate) fn go_back(&self) {
        self.uncommitted.set(0);
    }

    /// The query has ended: nothing comes again in this run.
    pub(crate) fn end(&self) {
        self.commit();
        self.shown.set(self.committed.get());
    }

    pub(crate) fn get(&self) -> u64 {
        self.shown.get()
    }
}

/// A number that a part outside of this crate raises, such as a source.
#[derive(Debug, Default)]
pub(crate) struct SharedCount(Arc<AtomicU64>);

impl SharedCount {
    /// What the part raises.
    pub(crate) fn cell(&self) -> &Arc<AtomicU64> {
        &self.0
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
