//! What becomes of what is exported.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use opentelemetry_sdk::error::OTelSdkError;

use super::environment::Signal;

/// What is waiting and what was lost of one signal.
#[derive(Debug)]
pub(super) struct Fate {
    signal: Signal,
    // The maximum number that is queued or being sent.
    waiting: AtomicUsize,
    waiting_max: usize,
    lost: AtomicU64,
    said: AtomicBool,
}

impl Fate {
    pub(super) fn new(signal: Signal, waiting_max: usize) -> Fate {
        let (waiting, lost, said) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicBool::new(false));
        Fate { signal, waiting, waiting_max, lost, said }
    }

    /// Whether there is room for one more, which it then takes.
    pub(super) fn enter(&self) -> bool {
        let room = |waiting| (waiting < self.waiting_max).then_some(waiting + 1);
        let entered = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok();
        if !entered {
            self.lose(1, "the receiver is too slow");
        }
        entered
    }

    /// So many have left, sent or not.
    pub(super) fn leave(&self, things: usize, sent: &Result<(), OTelSdkError>) {
        self.waiting.fetch_sub(things, Ordering::Relaxed);
        if let Err(error) = sent {
            let why = match error {
                OTelSdkError::InternalFailure(why) => why.clone(),
                other => other.to_string(),
            };
            self.lose(things as u64, &why);
        }
    }

    /// Counts what a receiver has left out: of metrics these are points, and the export they are of is what is lost.
    pub(super) fn lose_part(&self, things: u64, why: &str) {
        self.lose(if self.signal == Signal::Metrics { 1 } else { things }, why);
    }

    /// Counts a loss, and says the first one.
    pub(super) fn lose(&self, things: u64, why: &str) {
        self.lost.fetch_add(things, Ordering::Relaxed);
        if !self.said.swap(true, Ordering::Relaxed) {
            tracing::warn!("{} are lost (queries are not affected): {why}", self.signal.things());
        }
    }

    /// Says how many were lost in all, those among them that wait in vain; `in_time` is whether the last ones went.
    pub(super) fn close(&self, in_time: bool) {
        if !in_time {
            self.lose(0, "the receiver did not accept the last export in time");
        }
        let lost = self.lost.load(Ordering::Relaxed) + self.waiting.load(Ordering::Relaxed) as u64;
        if lost > 0 {
            let (things, signal) = (self.signal.things(), self.signal.name());
            tracing::warn!(lost, "{things} lost on the way to the receiver of {signal}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_beyond_the_queue_are_counted() {
        let fate = Fate::new(Signal::Traces, 2);
        assert_eq!([fate.enter(), fate.enter(), fate.enter(), fate.enter()], [true, true, false, false]);
        assert_eq!(fate.lost.load(Ordering::Relaxed), 2);
    }
}
