//! Waiting for what another process does.

use std::time::{Duration, Instant};

/// Waits until `holds` says so, and asks it every few milliseconds.
///
/// # Panics
///
/// If it did not come true in this time: the message says `what` was waited for.
#[track_caller]
pub fn wait_until(what: &str, at_most: Duration, mut holds: impl FnMut() -> bool) {
    wait_for(what, at_most, || holds().then_some(()));
}

/// As [`wait_until`], for something that is there in the end.
///
/// # Panics
///
/// If it did not come in this time: the message says `what` was waited for.
#[track_caller]
pub fn wait_for<T>(what: &str, at_most: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < at_most, "waited {:.1} s in vain: {what}", start.elapsed().as_secs_f64());
        std::thread::sleep(Duration::from_millis(5));
    }
}
