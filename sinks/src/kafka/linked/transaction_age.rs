//! How long a transaction has been open.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// When the last transaction began, by two clocks: the one stands still while the machine is suspended, the other may be set.
#[derive(Default)]
pub(super) struct Age(Mutex<Option<(Instant, SystemTime)>>);

impl Age {
    pub(super) fn begin(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), SystemTime::now()));
    }

    /// How long ago that was, as far as the broker may have seen it.
    pub(super) fn elapsed(&self) -> Duration {
        let began = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        began.map_or(Duration::ZERO, |(steady, wall)| steady.elapsed().max(wall.elapsed().unwrap_or_default()))
    }
}
