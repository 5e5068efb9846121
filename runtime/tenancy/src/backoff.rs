//! How long a worker that crashed waits, and when it is one that always does.

use std::time::{Duration, Instant};

/// Crashes in a row.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first_ms: u64,
    max_ms: u64,
    crashes_max: u32,
    stable: Duration,
    crashes: u32,
}

impl Backoff {
    pub(crate) fn new(first_ms: u64, max_ms: u64, crashes_max: u32, stable_ms: u64) -> Backoff {
        Backoff { first_ms, max_ms, crashes_max, stable: Duration::from_millis(stable_ms), crashes: 0 }
    }

    /// A process that was started then has crashed now. The wait before the next one, or `None` where there is to be none.
    pub(crate) fn crashed(&mut self, started: Instant, now: Instant) -> Option<u64> {
        if now.saturating_duration_since(started) >= self.stable {
            self.crashes = 0;
        }
        self.crashes = self.crashes.saturating_add(1);
        let doubled = self.first_ms.saturating_mul(1_u64.checked_shl(self.crashes - 1).unwrap_or(u64::MAX));
        (self.crashes < self.crashes_max).then_some(doubled.min(self.max_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_until_quarantine() {
        let start = Instant::now();
        let mut backoff = Backoff::new(100, 500, 6, 1_000);
        let mut crash = |ran_ms| backoff.crashed(start, start + Duration::from_millis(ran_ms));
        assert_eq!([crash(1), crash(1), crash(1), crash(1)].map(Option::unwrap), [100, 200, 400, 500]);
        assert_eq!(crash(1_000), Some(100), "it ran long enough");
        assert_eq!([crash(1), crash(1), crash(1), crash(1)].map(Option::unwrap), [200, 400, 500, 500]);
        assert_eq!(crash(999), None);
    }
}
