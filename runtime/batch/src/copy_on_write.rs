//! Counts mutations with and without a copy.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Batch;

/// Counts the outcomes of [`CopyOnWrite::make_mut`]. One per query, shared by its threads.
#[derive(Debug, Default)]
pub struct CopyOnWrite {
    free: AtomicU64,
    copied: AtomicU64,
}

impl CopyOnWrite {
    /// The batch for mutation: the batch itself if nobody else holds it, otherwise a copy of its frame. The columns stay shared in
    /// both cases.
    pub fn make_mut<'a>(&self, batch: &'a mut Arc<Batch>) -> &'a mut Batch {
        let counter = if Arc::get_mut(batch).is_some() { &self.free } else { &self.copied };
        counter.fetch_add(1, Ordering::Relaxed);
        Arc::make_mut(batch)
    }

    /// Mutations that found the batch unshared.
    pub fn free(&self) -> u64 {
        self.free.load(Ordering::Relaxed)
    }

    /// Mutations that copied the frame.
    pub fn copied(&self) -> u64 {
        self.copied.load(Ordering::Relaxed)
    }
}
