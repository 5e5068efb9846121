//! Whether a process that holds work does any of it.

use std::time::{Duration, Instant};

use weir_frame::Turns;

/// The account of one process.
#[derive(Debug)]
pub(crate) struct WorkClock {
    held: u64,
    done: u64,
    // Since when there is work and none of it was done.
    since: Option<Instant>,
}

impl WorkClock {
    pub(crate) fn new() -> WorkClock {
        WorkClock { held: 0, done: 0, since: None }
    }

    /// The process said what it holds and what it has done.
    pub(crate) fn said(&mut self, held: u64, done: u64, now: Instant) {
        if done > self.done || self.held == 0 {
            self.since = Some(now);
        }
        (self.held, self.done) = (held, done);
    }

    /// Something was answered, or begun.
    pub(crate) fn moved(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// Keeps the clock still while there is no work.
    pub(crate) fn settle(&mut self, turns: &Turns, now: Instant) {
        let is_busy = self.held > 0 || turns.owes_answer();
        match (is_busy, self.since) {
            (true, None) => self.since = Some(now),
            (false, _) => self.since = None,
            (true, Some(_)) => {}
        }
    }

    /// When the process will have stalled, if nothing comes of it until then.
    pub(crate) fn deadline(&self, stall: Duration) -> Option<Instant> {
        self.since?.checked_add(stall)
    }

    /// How long nothing was done.
    pub(crate) fn idle(&self, now: Instant) -> Duration {
        self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}
