//! How far the engine's ticker has come, and whether it has to go on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Ticks without work before the ticker rests. A stream of short calls keeps it going; calls that are further apart than
/// this wake it, which costs the first of them a few microseconds.
const QUIET_TICKS: u32 = 5;

/// In [`Pulse::work`]: one call that is under way, and one call that began.
const UNDER_WAY: u64 = 1;
const BEGAN: u64 = 1 << 32;

/// The ticks of an engine. They stand still while the process is stopped, or its machine is suspended: none is made up
/// for, so that time counted in ticks is time in which the process could run. They also stand still while no call is
/// under way; whatever counts time in ticks holds a [`Beating`].
pub(crate) struct Pulse {
    ticks: AtomicU64,
    tick: Duration,
    // The lower half counts the calls that are under way, the upper half those that ever began, modulo 2^32: a tick sees
    // by one look whether a call began and ended since the tick before.
    work: AtomicU64,
    // Whether the ticker's thread is parked, or is about to be.
    resting: AtomicBool,
    ticker: OnceLock<Thread>,
}

/// Keeps the ticks coming while it lives.
pub(crate) struct Beating {
    pulse: Arc<Pulse>,
}

/// A moment, by the wall's clock and by ticks.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    at: Instant,
    ticks: u64,
}

/// What the ticker remembers of the work that it saw.
#[derive(Default)]
pub(crate) struct Quiet {
    work: u64,
    ticks: u32,
}

impl Pulse {
    pub(crate) fn new(tick: Duration) -> Pulse {
        Pulse {
            ticks: AtomicU64::new(0),
            tick,
            work: AtomicU64::new(0),
            resting: AtomicBool::new(false),
            ticker: OnceLock::new(),
        }
    }

    /// A call begins. The first tick from now on comes after one tick's time at most, and a wake-up.
    ///
    /// No wake-up is lost. All four operations are sequentially consistent: here `work` is changed, then `resting` read; in
    /// [`Pulse::rest`] `resting` is set, then `work` read. Whichever of the changes comes first in their common order is
    /// seen by the other side's read: either the ticker sees the call and does not rest, or the call sees that it rests and
    /// wakes it. `unpark` before `park` makes `park` return at once.
    pub(crate) fn beating(self: &Arc<Pulse>) -> Beating {
        self.work.fetch_add(UNDER_WAY | BEGAN, Ordering::SeqCst);
        if self.resting.load(Ordering::SeqCst) {
            self.wake();
        }
        Beating { pulse: Arc::clone(self) }
    }

    /// Ends the ticker's rest, if it rests.
    pub(crate) fn wake(&self) {
        if self.resting.swap(false, Ordering::SeqCst)
            && let Some(ticker) = self.ticker.get()
        {
            ticker.unpark();
        }
    }

    /// One more, by the ticker's thread.
    pub(crate) fn beat(&self) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
    }

    /// Has the ticker's thread, which calls this after each tick, rest while no call is under way.
    pub(crate) fn rest(&self, quiet: &mut Quiet, stopped: &AtomicBool) {
        let work = self.work.load(Ordering::SeqCst);
        let is_quiet = work.is_multiple_of(BEGAN) && work == quiet.work;
        *quiet = Quiet { work, ticks: if is_quiet { quiet.ticks.saturating_add(1) } else { 0 } };
        if quiet.ticks < QUIET_TICKS {
            return;
        }
        quiet.ticks = 0;
        self.ticker.get_or_init(thread::current);
        self.resting.store(true, Ordering::SeqCst);
        if self.work.load(Ordering::SeqCst) != work || stopped.load(Ordering::SeqCst) {
            self.resting.store(false, Ordering::SeqCst);
            return;
        }
        while self.resting.load(Ordering::SeqCst) {
            thread::park();
        }
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

    #[cfg(test)]
    pub(crate) fn is_resting(&self) -> bool {
        self.resting.load(Ordering::SeqCst)
    }
}

impl Drop for Beating {
    fn drop(&mut self) {
        self.pulse.work.fetch_sub(UNDER_WAY, Ordering::SeqCst);
    }
}
