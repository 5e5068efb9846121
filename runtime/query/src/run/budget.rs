//! What one piece of a batch may cost before stops, commits and everybody else get their turn.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// How long the calls over one piece may take together. A commit that is due, and a pause, wait this long and one call.
const TIME_MAX: Duration = Duration::from_secs(1);

/// Calls that end badly over one piece. Below a millisecond each they are cheap; but each costs an instance.
const BAD_CALLS_MAX: u32 = 256;

/// How long work on what was read goes on after a stop, where nothing goes wrong with it.
pub(super) const AFTER_STOP_MAX: Duration = Duration::from_secs(5);

/// The budget of one piece of a batch on its way through all stages, and the stop that cuts it short.
pub(crate) struct Budget<'a> {
    stop: &'a watch::Sender<bool>,
    // Where a pause holds up work that is under way.
    pause: Option<&'a watch::Sender<bool>>,
    began: Instant,
    bad_calls: u32,
    // Whether anything was settled; a piece makes progress whatever it costs.
    settled: bool,
    limited: bool,
    // When work on what was read ends, once the stop has come.
    until: Option<Instant>,
}

/// What is to be done before the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Make it.
    Call,
    /// Leave the rest for the next piece.
    Leave,
    /// Leave everything: the query is to stop. What was begun is read again.
    Stop,
}

impl<'a> Budget<'a> {
    /// `limited` is false for a piece that cannot be cut: it ends, or is cut short by a stop. `until` is when a stop that
    /// has come ends all work.
    pub(crate) fn new(
        stop: &'a watch::Sender<bool>,
        pause: Option<&'a watch::Sender<bool>>,
        until: Option<Instant>,
        limited: bool,
    ) -> Budget<'a> {
        Budget { stop, pause, began: Instant::now(), bad_calls: 0, settled: false, limited, until }
    }

    /// Waits before records are tried again: so long, and then for as long as the query is paused. False where the stop has
    /// come.
    pub(crate) async fn wait(&self, pause: Duration) -> bool {
        let mut stop = self.stop.subscribe();
        let wait = async {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            if let Some(paused) = self.pause {
                // The sender is borrowed: the channel cannot close.
                drop(paused.subscribe().wait_for(|paused| !*paused).await);
            }
        };
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => false,
            () = wait => true,
        }
    }

    pub(crate) fn next(&mut self) -> Next {
        if *self.stop.borrow() {
            let now = Instant::now();
            let until = *self.until.get_or_insert_with(|| now + AFTER_STOP_MAX);
            // A call that ended badly is followed by others that nobody waits for.
            if self.bad_calls > 0 || now >= until {
                return Next::Stop;
            }
        }
        let spent = self.bad_calls >= BAD_CALLS_MAX || self.began.elapsed() >= TIME_MAX;
        if self.limited && self.settled && spent { Next::Leave } else { Next::Call }
    }

    /// A call, or a record, came to its end.
    pub(crate) fn settled(&mut self) {
        self.settled = true;
    }

    pub(crate) fn bad_call(&mut self) {
        self.bad_calls = self.bad_calls.saturating_add(1);
    }

    pub(crate) fn stop(&self) -> &'a watch::Sender<bool> {
        self.stop
    }

    /// Comes to its end when a call that is under way is no longer waited for: at the stop where an earlier one ended
    /// badly, else a while after it.
    pub(crate) async fn over(&self) {
        let mut stop = self.stop.subscribe();
        // The sender is borrowed: the channel cannot close.
        drop(stop.wait_for(|stop| *stop).await);
        if self.bad_calls == 0 {
            tokio::time::sleep_until(self.until.unwrap_or_else(|| Instant::now() + AFTER_STOP_MAX)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_piece_makes_progress_and_then_leaves_the_rest() {
        let stop = watch::Sender::new(false);
        let mut budget = Budget::new(&stop, None, None, true);
        tokio::time::advance(TIME_MAX).await;
        assert_eq!(budget.next(), Next::Call, "nothing is settled yet");
        budget.settled();
        assert_eq!(budget.next(), Next::Leave);
        let mut budget = Budget::new(&stop, None, None, true);
        budget.settled();
        (1..BAD_CALLS_MAX).for_each(|_| budget.bad_call());
        assert_eq!(budget.next(), Next::Call);
        budget.bad_call();
        assert_eq!(budget.next(), Next::Leave);
        let mut budget = Budget::new(&stop, None, None, false);
        budget.settled();
        tokio::time::advance(TIME_MAX).await;
        assert_eq!(budget.next(), Next::Call, "it cannot be cut");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_after_its_time_and_the_pause_or_with_the_stop() {
        let (stop, pause) = (watch::Sender::new(false), watch::Sender::new(true));
        let before = Instant::now();
        assert!(Budget::new(&stop, None, None, true).wait(Duration::from_secs(5)).await);
        assert_eq!(before.elapsed(), Duration::from_secs(5));
        let budget = Budget::new(&stop, Some(&pause), None, true);
        let resume = async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            pause.send_replace(false);
        };
        assert!(tokio::join!(budget.wait(Duration::from_secs(5)), resume).0);
        assert_eq!(before.elapsed(), Duration::from_secs(65));
        pause.send_replace(true);
        let end = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            stop.send_replace(true);
        };
        assert!(!tokio::join!(budget.wait(Duration::from_secs(600)), end).0);
        assert_eq!(before.elapsed(), Duration::from_secs(66));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_cuts_narrowing_at_once_and_ordinary_work_after_a_while() {
        let stop = watch::Sender::new(true);
        let mut budget = Budget::new(&stop, None, None, true);
        assert_eq!(budget.next(), Next::Call);
        let before = Instant::now();
        budget.over().await;
        assert_eq!(before.elapsed(), AFTER_STOP_MAX);
        assert_eq!(budget.next(), Next::Stop);
        let mut budget = Budget::new(&stop, None, None, true);
        budget.bad_call();
        assert_eq!(budget.next(), Next::Stop);
        let before = Instant::now();
        budget.over().await;
        assert_eq!(before.elapsed(), Duration::ZERO);
    }
}
