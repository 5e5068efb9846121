//! Waiting: for an instance, for a pause to be over, and for a stop in both.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// The pauses of a stage that waits for an instance.
pub(crate) struct Waiting {
    pub(crate) since: Instant,
    warned: Option<Instant>,
    pause: Duration,
    // Set when the stop was seen.
    give_up: Option<Instant>,
}

/// The first and the longest pause between two attempts: one costs microseconds, and an instance is free the sooner
/// noticed the better.
const INSTANCE_PAUSE_MIN: Duration = Duration::from_millis(1);
const INSTANCE_PAUSE_MAX: Duration = Duration::from_millis(100);

/// How often somebody who waits says so.
const INSTANCE_WARN_EVERY: Duration = Duration::from_secs(10);

/// How long a query that is to stop still waits for an instance: those of its run that stop as well give theirs back
/// when they have drained.
const INSTANCE_WAIT_AFTER_STOP_MAX: Duration = Duration::from_secs(5);

impl Waiting {
    pub(crate) fn new() -> Waiting {
        Waiting { since: Instant::now(), warned: None, pause: INSTANCE_PAUSE_MIN, give_up: None }
    }

    /// Whether it is time to say that somebody waits: at once, and now and then.
    pub(crate) fn warn_is_due(&mut self) -> bool {
        let due = self.warned.is_none_or(|warned| warned.elapsed() >= INSTANCE_WARN_EVERY);
        if due {
            self.warned = Some(Instant::now());
        }
        due
    }

    /// Waits before the next attempt; false where there is to be none.
    pub(crate) async fn pause(&mut self, stop: &watch::Sender<bool>) -> bool {
        if *stop.borrow() {
            let give_up = *self.give_up.get_or_insert_with(|| Instant::now() + INSTANCE_WAIT_AFTER_STOP_MAX);
            if Instant::now() >= give_up {
                return false;
            }
            tokio::time::sleep(self.pause).await;
        } else {
            sleep_or_stop(Instant::now() + self.pause, stop).await;
        }
        self.pause = (self.pause * 2).min(INSTANCE_PAUSE_MAX);
        true
    }
}

/// Waits until then, or until the query is to stop.
pub(crate) async fn sleep_or_stop(until: Instant, stop: &watch::Sender<bool>) {
    let mut stop = stop.subscribe();
    tokio::select! {
        () = tokio::time::sleep_until(until) => {}
        // The sender is borrowed: the channel cannot close.
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// Whole milliseconds, as counters have them.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
