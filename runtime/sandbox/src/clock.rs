//! Measures the CPU time of calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::TrapCause;
use crate::pulse::Pulse;

/// A call is ended after this many times its deadline in ticks, plus one second, even if its thread did not get that much CPU time:
/// something other than the call prevents progress.
const PATIENCE: u32 = 30;
const PATIENCE_LEAST: Duration = Duration::from_secs(1);

/// A value for the CPU clock that was not read in the current slice.
const UNREAD: u64 = u64::MAX;

/// The CPU time of a call, and the number of ticks while it ran; waiting for a seat does not count. Shared by the code that polls
/// the call and the callback that ends it. Both always run on the same thread, and a slice begins and ends on one thread.
///
/// Reading a thread's CPU clock is a system call. Most calls end before their first tick and need none: without a measurement, a
/// slice counts its wall-clock time, limited by the number of ticks.
pub(crate) struct Clock {
    pulse: Arc<Pulse>,
    base: Instant,
    // For the current slice: nanoseconds since `base`, and the tick in which it began.
    began: AtomicU64,
    began_ticks: AtomicU64,
    // The thread's CPU clock when it was first read in the slice, and the time of the slice until then.
    cpu_read: AtomicU64,
    cpu_before: AtomicU64,
    // The part of the slice's time that was charged at ticks.
    told: AtomicU64,
    // Nanoseconds of CPU time, and ticks, of all earlier slices.
    spent: AtomicU64,
    spent_ticks: AtomicU64,
    limit: AtomicU64,
    // Whether the call has lasted until a tick.
    long: AtomicBool,
    // Whether it runs on a thread of the engine.
    apart: AtomicBool,
    // Whether the slice is on a seat that was lent.
    lent: AtomicBool,
    // Whether the slice ends because another call gets the seat.
    makes_way: AtomicBool,
}

impl Clock {
    pub(crate) fn new(pulse: &Arc<Pulse>) -> Clock {
        let zero = AtomicU64::default;
        Clock {
            pulse: Arc::clone(pulse),
            base: Instant::now(),
            began: zero(),
            began_ticks: zero(),
            cpu_read: AtomicU64::new(UNREAD),
            cpu_before: zero(),
            told: zero(),
            spent: zero(),
            spent_ticks: zero(),
            limit: zero(),
            long: AtomicBool::new(false),
            apart: AtomicBool::new(false),
            lent: AtomicBool::new(false),
            makes_way: AtomicBool::new(false),
        }
    }

    /// Resets the clock, with this limit of CPU time.
    pub(crate) fn start(&self, limit_ms: u64) {
        self.spent.store(0, Ordering::Relaxed);
        self.spent_ticks.store(0, Ordering::Relaxed);
        self.long.store(false, Ordering::Relaxed);
        self.limit.store(limit_ms.saturating_mul(1_000_000), Ordering::Relaxed);
    }

    /// Begins a slice of the call on this thread. `exact`: its CPU time is measured from the beginning, because others compete
    /// for the cores.
    pub(crate) fn begin_slice(&self, now: Instant, exact: bool, lent: bool) {
        self.began.store(nanos(now.saturating_duration_since(self.base)), Ordering::Relaxed);
        self.began_ticks.store(self.pulse.ticks(), Ordering::Relaxed);
        self.cpu_before.store(0, Ordering::Relaxed);
        self.told.store(0, Ordering::Relaxed);
        self.lent.store(lent, Ordering::Relaxed);
        self.makes_way.store(false, Ordering::Relaxed);
        // A slice after a tick is measured from its beginning.
        let cpu = if exact || self.is_long() || self.is_apart() { thread_cpu() } else { UNREAD };
        self.cpu_read.store(cpu, Ordering::Relaxed);
    }

    /// The part of the slice's time that was not charged yet. It counts as charged from now on.
    pub(crate) fn untold(&self, slice: Duration) -> Duration {
        slice.saturating_sub(Duration::from_nanos(self.told.swap(nanos(slice), Ordering::Relaxed)))
    }

    /// Ends the slice, and returns its CPU time.
    pub(crate) fn end_slice(&self) -> Duration {
        let slice = if self.cpu_read.load(Ordering::Relaxed) == UNREAD { self.vouched() } else { self.slice() };
        self.spent.fetch_add(nanos(slice), Ordering::Relaxed);
        self.spent_ticks.fetch_add(self.slice_ticks(), Ordering::Relaxed);
        slice
    }

    /// The CPU time of the call up to the last ended slice.
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

    pub(crate) fn set_makes_way(&self, makes_way: bool) {
        self.makes_way.store(makes_way, Ordering::Relaxed);
    }

    pub(crate) fn makes_way(&self) -> bool {
        self.makes_way.load(Ordering::Relaxed)
    }

    pub(crate) fn is_lent(&self) -> bool {
        self.lent.load(Ordering::Relaxed)
    }

    /// The CPU time of the current slice so far.
    pub(crate) fn slice(&self) -> Duration {
        let read = self.cpu_read.load(Ordering::Relaxed);
        if read == UNREAD {
            let before = self.vouched();
            self.cpu_before.store(nanos(before), Ordering::Relaxed);
            self.cpu_read.store(thread_cpu(), Ordering::Relaxed);
            return before;
        }
        let before = self.cpu_before.load(Ordering::Relaxed);
        Duration::from_nanos(before.saturating_add(thread_cpu().saturating_sub(read)))
    }

    /// The reason for ending the call now, in the current slice, if there is one.
    pub(crate) fn overdue(&self) -> Option<TrapCause> {
        let limit = self.limit.load(Ordering::Relaxed);
        let limit_ms = limit / 1_000_000;
        let ran = self.spent.load(Ordering::Relaxed).saturating_add(nanos(self.slice()));
        if ran >= limit {
            return Some(TrapCause::Deadline { limit_ms });
        }
        let ticks = self.spent_ticks.load(Ordering::Relaxed).saturating_add(self.slice_ticks());
        let passed = self.pulse.span(ticks);
        let patience = Duration::from_nanos(limit).saturating_mul(PATIENCE).saturating_add(PATIENCE_LEAST);
        (passed >= patience).then(|| TrapCause::Starved {
            cpu_ms: ran / 1_000_000,
            limit_ms,
            passed_ms: u64::try_from(passed.as_millis()).unwrap_or(u64::MAX),
        })
    }

    fn slice_ticks(&self) -> u64 {
        self.pulse.ticks().saturating_sub(self.began_ticks.load(Ordering::Relaxed))
    }

    /// The wall-clock time since the slice began, limited by the number of ticks.
    fn vouched(&self) -> Duration {
        let began = self.base.checked_add(Duration::from_nanos(self.began.load(Ordering::Relaxed)));
        let wall = began.map_or(Duration::ZERO, |began| began.elapsed());
        wall.min(self.pulse.span(self.slice_ticks().saturating_add(1)))
    }
}

/// The CPU time of this thread in nanoseconds.
fn thread_cpu() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_nsec).unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(2);

    fn clock(limit_ms: u64) -> (Arc<Pulse>, Clock) {
        let pulse = Arc::new(Pulse::new(TICK));
        let clock = Clock::new(&pulse);
        clock.start(limit_ms);
        (pulse, clock)
    }

    fn work(cpu: Duration) {
        let began = thread_cpu();
        while thread_cpu() - began < nanos(cpu) {
            std::hint::spin_loop();
        }
    }

    /// The time this long ago, as the beginning of a slice.
    fn earlier(time: Duration) -> Instant {
        Instant::now().checked_sub(time).unwrap()
    }

    #[test]
    fn a_pause_of_the_process_is_not_the_guests() {
        // The wall clock advanced by a minute without a tick: the process was stopped.
        let (pulse, clock) = clock(50);
        clock.begin_slice(clock.base, false, false);
        clock.began.store(0, Ordering::Relaxed);
        let paused = Clock { base: earlier(Duration::from_secs(60)), ..clock };
        assert!(paused.overdue().is_none());
        assert!(paused.slice() <= TICK + Duration::from_millis(20), "{:?}", paused.slice());
        // The same without a check before the end of the slice.
        let short = Clock { base: earlier(Duration::from_secs(60)), cpu_read: AtomicU64::new(UNREAD), ..paused };
        assert_eq!(short.end_slice(), TICK);
        // And after a tick, when the CPU clock has been read.
        pulse.beat();
        short.set_long();
        short.begin_slice(Instant::now(), false, false);
        let asleep = Clock { base: earlier(Duration::from_secs(60)), ..short };
        assert!(asleep.overdue().is_none());
    }

    #[test]
    fn cpu_time_ends_a_call_at_its_limit() {
        let (_pulse, clock) = clock(30);
        clock.begin_slice(Instant::now(), false, false);
        assert!(clock.overdue().is_none());
        work(Duration::from_millis(10));
        assert!(clock.overdue().is_none());
        assert!(clock.end_slice() >= Duration::from_millis(10));
        clock.set_long();
        clock.begin_slice(Instant::now(), false, false);
        work(Duration::from_millis(25));
        assert!(matches!(clock.overdue(), Some(TrapCause::Deadline { limit_ms: 30 })), "10 ms and 25 ms");
    }

    #[test]
    fn a_call_that_gets_no_core_is_ended_in_the_end_and_not_to_blame() {
        let (pulse, clock) = clock(100);
        clock.begin_slice(Instant::now(), false, false);
        assert!(clock.overdue().is_none());
        let passed = Duration::from_millis(30 * 100 + 1_000);
        for _ in 0..passed.as_millis() / TICK.as_millis() - 1 {
            pulse.beat();
        }
        assert!(clock.overdue().is_none());
        pulse.beat();
        let Some(TrapCause::Starved { cpu_ms, limit_ms, passed_ms }) = clock.overdue() else { panic!("it goes on") };
        assert!(cpu_ms < 100, "{cpu_ms}");
        assert_eq!((limit_ms, passed_ms), (100, 4_000));
        // Earlier slices count; a new call starts from zero.
        clock.end_slice();
        clock.begin_slice(Instant::now(), false, false);
        assert!(clock.overdue().is_some());
        clock.start(100);
        clock.begin_slice(Instant::now(), false, false);
        assert!(clock.overdue().is_none());
    }
}
