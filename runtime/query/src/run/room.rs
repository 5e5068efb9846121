//! How many bytes may wait in a queue.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use weir_sources::{Buffered, Buffers};

/// Bytes are counted in units of this size: a semaphore counts to 2^29 on small machines.
const UNIT_BYTES: u64 = 1024;

/// The bytes that a queue may hold, also together with others. What is larger than all of it waits alone.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    units: Arc<Semaphore>,
    units_max: u32,
    /// What is shared with the queues of other queries, and how much of that this queue holds.
    buffers: Option<(Buffers, Arc<AtomicU64>)>,
}

/// The place of one batch among them, given back when this is dropped.
#[derive(Debug)]
pub(crate) struct QueuePermit {
    // `None` cannot happen: nothing closes the semaphore.
    _units: Option<OwnedSemaphorePermit>,
    _buffered: Option<Buffered>,
}

impl Room {
    /// Room for this number of bytes, and for no more than `buffers` have.
    pub(crate) fn new(bytes_max: usize, buffers: Option<&Buffers>) -> Room {
        let units_max = u32::try_from(bytes_max as u64 / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        let units_max = units_max.min(u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX));
        Room {
            units: Arc::new(Semaphore::new(units_max as usize)),
            units_max,
            buffers: buffers.map(|buffers| (buffers.clone(), Arc::default())),
        }
    }

    /// Waits until there is room for this number of bytes. Callers are served in the order in which they came.
    pub(crate) async fn take(&self, bytes: u64) -> QueuePermit {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX).clamp(1, self.units_max);
        let of_queue = Arc::clone(&self.units).acquire_many_owned(units).await.ok();
        let buffered = match &self.buffers {
            Some((buffers, held)) => Some(buffers.take(bytes, held).await),
            None => None,
        };
        QueuePermit { _units: of_queue, _buffered: buffered }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn bytes_wait_for_room_and_what_is_larger_waits_alone() {
        let room = Room::new(64 * 1024, None);
        let first = room.take(40 * 1024).await;
        let second = room.take(24 * 1024).await;
        let waits = async |bytes: u64| tokio::time::timeout(Duration::from_millis(20), room.take(bytes)).await.is_err();
        assert!(waits(1).await);
        drop(first);
        assert!(!waits(40 * 1024).await);
        // Larger than all of the room.
        assert!(waits(1 << 40).await);
        drop(second);
        assert!(!waits(1 << 40).await);
    }
}
