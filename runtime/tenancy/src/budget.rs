//! Bytes of a worker that wait to be taken by whoever reads the events.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::wake::Waker;

/// The account of one worker.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: AtomicUsize,
    bytes_max: usize,
    // Whether the supervisor stopped reading and waits for room.
    is_waited_for: AtomicBool,
    waker: Waker,
}

impl Budget {
    pub(crate) fn new(bytes_max: usize, waker: Waker) -> Arc<Budget> {
        Arc::new(Budget { bytes: AtomicUsize::new(0), bytes_max, is_waited_for: AtomicBool::new(false), waker })
    }

    /// Whether there is room. Where there is none, the supervisor is woken when there is.
    pub(crate) fn has_room(&self) -> bool {
        self.is_waited_for.store(true, Ordering::SeqCst);
        let has_room = self.bytes.load(Ordering::SeqCst) < self.bytes_max;
        if has_room {
            self.is_waited_for.store(false, Ordering::SeqCst);
        }
        has_room
    }

    /// Whether there is room, for what is dropped where there is none.
    pub(crate) fn is_below(&self) -> bool {
        self.bytes() < self.bytes_max
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::SeqCst)
    }

    pub(crate) fn count<T>(self: &Arc<Budget>, value: T, bytes: usize) -> Counted<T> {
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
        Counted { value: Some(value), bytes, budget: Arc::clone(self) }
    }

    fn free(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        let is_below = before.saturating_sub(bytes) < self.bytes_max;
        if is_below && self.is_waited_for.swap(false, Ordering::SeqCst) {
            self.waker.wake();
        }
    }
}

/// A value of a worker's, counted against its budget until it is dropped or taken out.
#[derive(Debug)]
pub struct Counted<T> {
    // Empty only after it was taken out.
    value: Option<T>,
    bytes: usize,
    budget: Arc<Budget>,
}

impl<T> Counted<T> {
    /// The value, which is not counted any more.
    pub fn take(mut self) -> T {
        self.value.take().expect("a value is taken out once: this call consumes its holder")
    }
}

impl<T> Deref for Counted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("a value is taken out once: that call consumes its holder")
    }
}

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        self.budget.free(self.bytes);
    }
}
