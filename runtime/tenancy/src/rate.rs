//! A rate with a burst.

use std::time::{Duration, Instant};

/// So many units a second, and as many at once as were left unused, up to a burst.
#[derive(Clone, Debug)]
pub(crate) struct Allowance {
    per_s: f64,
    burst: f64,
    left: f64,
    at: Instant,
}

impl Allowance {
    pub(crate) fn new(per_s: u64, burst: u64, now: Instant) -> Allowance {
        let (per_s, burst) = (per_s.max(1) as f64, burst.max(1) as f64);
        Allowance { per_s, burst, left: burst, at: now }
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * self.per_s).min(self.burst);
        self.at = now;
    }

    /// Takes units where there are as many.
    pub(crate) fn take(&mut self, units: usize, now: Instant) -> bool {
        self.refill(now);
        let has = self.left >= units as f64;
        if has {
            self.left -= units as f64;
        }
        has
    }

    /// Takes units that were used already, into debt. Returns the time until the debt is paid.
    pub(crate) fn charge(&mut self, units: usize, now: Instant) -> Option<Duration> {
        self.refill(now);
        self.left -= units as f64;
        (self.left < 0.0).then(|| Duration::from_secs_f64((-self.left / self.per_s).min(60.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_a_rate() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut allowance = Allowance::new(1_000, 50, start);
        assert!(allowance.take(50, start));
        assert!(!allowance.take(1, start));
        assert!(allowance.take(10, at(10)));
        assert!(!allowance.take(1, at(10)));
        assert!(!allowance.take(51, at(9_000)), "never more than the burst");
        assert!(allowance.take(50, at(9_000)));
        assert_eq!(allowance.charge(100, at(9_000)), Some(Duration::from_millis(100)));
        assert_eq!(allowance.charge(0, at(9_200)), None);
    }
}
