//! How long a call has run.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The time that a call has run, without that in which it waited for a seat. Shared by whoever polls the call and the
/// callback that ends it; both are on the same thread at any time.
pub(crate) struct Clock {
    base: Instant,
    // Nanoseconds; `began` from `base` on, of the slice at hand.
    began: AtomicU64,
    spent: AtomicU64,
    limit: AtomicU64,
    // Whether the call has run into a tick.
    long: AtomicBool,
    // Whether it runs on a thread of the engine's.
    apart: AtomicBool,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        let zero = AtomicU64::default;
        Clock {
            base: Instant::now(),
            began: zero(),
            spent: zero(),
            limit: zero(),
            long: AtomicBool::new(false),
            apart: AtomicBool::new(false),
        }
    }

    /// Starts from nothing, with this limit.
    pub(crate) fn start(&self, limit_ms: u64) {
        self.spent.store(0, Ordering::Relaxed);
        self.long.store(false, Ordering::Relaxed);
        self.limit.store(limit_ms.saturating_mul(1_000_000), Ordering::Relaxed);
    }

    /// The call runs from now on.
    pub(crate) fn begin_slice(&self, now: Instant) {
        self.began.store(nanos(now.saturating_duration_since(self.base)), Ordering::Relaxed);
    }

    /// The call ran for so long.
    pub(crate) fn end_slice(&self, ran: Duration) {
        self.spent.fetch_add(nanos(ran), Ordering::Relaxed);
    }

    /// What the call has run, up to the last slice that ended.
    pub(crate) fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent.load(Ordering::Relaxed))
    }

    pub(crate) fn set_long(&self) {
        self.long.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_long(&self) -> bool {
        self.long.load(Ordering::Relaxed)
    }

    pub(crate) fn set_apart(&self, apart: bool) {
        self.apart.store(apart, Ordering::Relaxed);
    }

    pub(crate) fn is_apart(&self) -> bool {
        self.apart.load(Ordering::Relaxed)
    }

    /// How long the slice at hand is by now.
    pub(crate) fn slice(&self) -> Duration {
        let began = self.base.checked_add(Duration::from_nanos(self.began.load(Ordering::Relaxed)));
        began.map_or(Duration::ZERO, |began| began.elapsed())
    }

    /// The limit, where it is reached now, in the slice at hand.
    pub(crate) fn overdue(&self) -> Option<u64> {
        let slice = nanos(self.slice());
        let limit = self.limit.load(Ordering::Relaxed);
        let ran = self.spent.load(Ordering::Relaxed).saturating_add(slice);
        (ran >= limit).then_some(limit / 1_000_000)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
