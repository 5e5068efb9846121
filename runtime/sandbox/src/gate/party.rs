//! What a query has had of its tenant's share, and who of it waits.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::{Duration, Instant};

/// A query keeps its seat over a pause between two calls, if such pauses are usually no longer than this, ...
const KEPT_PAUSE_MAX: Duration = Duration::from_micros(500);

/// ... and either shorter than it takes to give the seat away and get it back, ...
const SHORT_PAUSE: Duration = Duration::from_micros(50);

/// ... or this multiple of the length of the calls, so that a kept seat is in use for a quarter of the time.
const PAUSES_PER_CALL_MAX: u32 = 3;

/// How long a seat is kept: a thread that the system takes off its core in the pause may be back by then.
const KEPT_FOR: Duration = Duration::from_millis(2);

/// A query keeps seats while it uses, of the seats it kept, more time than it lets pass in vain; by at most this much either
/// way it is remembered.
const CREDIT_MAX_NANOS: i64 = 10_000_000;

/// Calls that usually take less are brief: a core is lent to them without waiting for a tick.
const BRIEF: Duration = Duration::from_millis(1);

/// A query gets too little of a core on its seats if it runs for less than nine tenths of the time, of the last so much: longer than
/// the system leaves a thread without a core, so that the part is known.
const STARVED_PERCENT: u128 = 90;
const PACE_WINDOW: Duration = Duration::from_millis(50);
const PACE_LEAST: Duration = Duration::from_millis(5);

/// No pause counts as longer, or as shorter.
const PAUSE_MAX: Duration = Duration::from_millis(2);
const PAUSE_MIN: Duration = Duration::from_micros(1);

/// A query's account: one of those between which its tenant's share is divided, equally.
#[derive(Default)]
pub(super) struct Party {
    /// CPU time on seats, in nanoseconds.
    pub(super) virtual_nanos: u64,
    pub(super) waiting: VecDeque<(u64, Waker)>,
    /// What it had since it last waited, or found a seat free.
    pub(super) turn_nanos: u64,
    pub(super) habit: Habit,
}

/// How long its calls, and the pauses between them, usually are.
#[derive(Default)]
pub(super) struct Habit {
    left_at: Option<Instant>,
    pause: Option<Duration>,
    call: Duration,
    // Time on its seats, less the time for which seats were kept in vain.
    credit_nanos: i64,
    // Of its last time on seats, the part in which it had a core.
    paced: Duration,
    had_core: Duration,
}

impl Habit {
    /// A call begins.
    pub(super) fn begins(&mut self, now: Instant) {
        let Some(left_at) = self.left_at.take() else { return };
        let pause = now.saturating_duration_since(left_at).clamp(PAUSE_MIN, PAUSE_MAX);
        // As many pauses are longer as are shorter: one in which the thread had no core for a while says nothing.
        self.pause = Some(match self.pause {
            None => pause,
            Some(usual) if pause > usual => pause.min(usual.saturating_mul(9) / 8),
            Some(usual) => pause.max(usual.saturating_mul(7) / 8),
        });
    }

    /// A slice of a call is over; `ended` with the call.
    pub(super) fn ran(&mut self, slice: Duration, ended: bool, now: Instant) {
        self.call = slice.max((self.call.saturating_mul(7).saturating_add(slice)) / 8);
        self.left_at = ended.then_some(now);
        self.add_credit(i64::try_from(slice.as_nanos()).unwrap_or(i64::MAX));
    }

    /// It had a core for so long of the time on its seat.
    pub(super) fn paced(&mut self, spent: Duration, passed: Duration) {
        self.had_core = self.had_core.saturating_add(spent.min(passed));
        self.paced = self.paced.saturating_add(passed);
        if self.paced > PACE_WINDOW {
            (self.had_core, self.paced) = (self.had_core / 2, self.paced / 2);
        }
    }

    /// Whether it gets less of a core on its seats than it could use: others run there.
    pub(super) fn is_starved(&self) -> bool {
        let (had, passed) = (self.had_core.as_nanos(), self.paced.as_nanos());
        self.paced >= PACE_LEAST && had.saturating_mul(100) < passed.saturating_mul(STARVED_PERCENT)
    }

    /// A seat was kept for so long in vain.
    pub(super) fn stayed_away(&mut self, kept: Duration) {
        self.add_credit(i64::try_from(kept.as_nanos()).map_or(i64::MIN, |nanos| -nanos));
    }

    fn add_credit(&mut self, nanos: i64) {
        self.credit_nanos = self.credit_nanos.saturating_add(nanos).clamp(-CREDIT_MAX_NANOS, CREDIT_MAX_NANOS);
    }

    /// Whether the next call is likely to come before another guest would have got anything done.
    pub(super) fn returns_soon(&self) -> bool {
        let worth = SHORT_PAUSE.max(self.call.saturating_mul(PAUSES_PER_CALL_MAX)).min(KEPT_PAUSE_MAX);
        self.credit_nanos >= 0 && self.pause.is_some_and(|pause| pause <= worth)
    }

    /// Whether its calls are known to be brief.
    pub(super) fn is_brief(&self) -> bool {
        !self.call.is_zero() && self.call < BRIEF
    }

    /// Whether a seat that was kept for so long is given to another.
    pub(super) fn is_over(kept: Duration) -> bool {
        kept >= KEPT_FOR
    }
}
