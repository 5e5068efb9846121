//! How far the engine's ticker has come.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The ticks of an engine. They stand still while the process is stopped, or its machine is suspended: none is made up
/// for, so that time counted in ticks is time in which the process could run.
pub(crate) struct Pulse {
    ticks: AtomicU64,
    tick: Duration,
}

/// A moment, by the wall's clock and by ticks.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    at: Instant,
    ticks: u64,
}

impl Pulse {
    pub(crate) fn new(tick: Duration) -> Pulse {
        Pulse { ticks: AtomicU64::new(0), tick }
    }

    /// One more.
    pub(crate) fn beat(&self) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// So many ticks as time.
    pub(crate) fn span(&self, ticks: u64) -> Duration {
        self.tick.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX))
    }

    pub(crate) fn now(&self) -> Moment {
        Moment { at: Instant::now(), ticks: self.ticks() }
    }

    /// The wall's time since then, at most as much as ticks have passed, the one under way included.
    pub(crate) fn since(&self, then: Moment) -> Duration {
        let ticks = self.ticks().saturating_sub(then.ticks).saturating_add(1);
        then.at.elapsed().min(self.span(ticks))
    }
}
