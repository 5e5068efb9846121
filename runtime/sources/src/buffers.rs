//! How many bytes may wait in the queues of several queries together.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Bytes of records that wait in queues of all queries that share this: what a tenant's worker may hold. Where it is reached, whoever
/// would add a batch waits, and so do its sources. A queue that holds nothing takes one batch in any case, so that no query waits for
/// another one that is paused or stuck: the bound can be exceeded by one batch a queue.
///
/// ```
/// let buffers = weir_sources::Buffers::new(256 << 20);
/// assert_eq!((buffers.bytes(), buffers.bytes_max()), (0, 256 << 20));
/// ```
#[derive(Clone)]
pub struct Buffers {
    inner: Arc<Inner>,
}

struct Inner {
    bytes: AtomicU64,
    bytes_max: u64,
    freed: Notify,
}

impl Buffers {
    /// Room for this many bytes.
    pub fn new(bytes_max: u64) -> Buffers {
        Buffers { inner: Arc::new(Inner { bytes: AtomicU64::new(0), bytes_max, freed: Notify::new() }) }
    }

    /// Bytes that wait now.
    pub fn bytes(&self) -> u64 {
        self.inner.bytes.load(Ordering::Relaxed)
    }

    /// The most.
    pub fn bytes_max(&self) -> u64 {
        self.inner.bytes_max
    }

    /// Counts a batch of one queue, of which `held` counts the bytes, as soon as there is room. Dropping the call counts nothing.
    pub async fn take(&self, bytes: u64, held: &Arc<AtomicU64>) -> Buffered {
        loop {
            // Before the look, so that what is freed after it is not missed.
            let freed = self.inner.freed.notified();
            if self.add(bytes, held.load(Ordering::SeqCst) == 0) {
                held.fetch_add(bytes, Ordering::SeqCst);
                return Buffered { buffers: self.clone(), held: Arc::clone(held), bytes };
            }
            freed.await;
        }
    }

    fn add(&self, bytes: u64, in_any_case: bool) -> bool {
        let fits = |now: u64| {
            let then = now.saturating_add(bytes);
            (in_any_case || then <= self.inner.bytes_max).then_some(then)
        };
        self.inner.bytes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fits).is_ok()
    }
}

impl fmt::Debug for Buffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffers").field("bytes", &self.bytes()).field("bytes_max", &self.bytes_max()).finish()
    }
}

/// A batch that is counted until this is dropped.
#[derive(Debug)]
pub struct Buffered {
    buffers: Buffers,
    held: Arc<AtomicU64>,
    bytes: u64,
}

impl Drop for Buffered {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::SeqCst);
        self.buffers.inner.bytes.fetch_sub(self.bytes, Ordering::SeqCst);
        // Each looks for itself: one may fit where another does not.
        self.buffers.inner.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn queues_share_what_there_is_and_an_empty_one_goes_on() {
        let buffers = Buffers::new(100);
        let queue = || Arc::new(AtomicU64::new(0));
        let (one, other) = (queue(), queue());
        let first = buffers.take(60, &one).await;
        let second = buffers.take(40, &one).await;
        let waits = async |bytes: u64, queue: &Arc<AtomicU64>| {
            tokio::time::timeout(Duration::from_millis(20), buffers.take(bytes, queue)).await.is_err()
        };
        assert!(waits(1, &one).await);
        let third = buffers.take(50, &other).await;
        assert_eq!(buffers.bytes(), 150, "one batch in any case");
        assert!(waits(1, &other).await);
        drop(second);
        assert!(waits(1, &other).await, "110 of 100 still");
        drop(first);
        assert!(!waits(50, &other).await);
        assert!(waits(51, &other).await);
        let waiting = {
            let (buffers, other) = (buffers.clone(), Arc::clone(&other));
            tokio::spawn(async move { buffers.take(100, &other).await })
        };
        tokio::task::yield_now().await;
        drop(third);
        assert_eq!(waiting.await.map(|it| it.bytes).ok(), Some(100), "it is woken");
        assert_eq!((buffers.bytes(), one.load(Ordering::SeqCst), other.load(Ordering::SeqCst)), (0, 0, 0));
    }
}
