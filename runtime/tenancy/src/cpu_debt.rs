//! CPU time that a worker has used beyond its share, over all its processes.

use std::time::{Duration, Instant};

/// What a worker owes. It is worked off at the pace of its share, whether a process of it lives or not, so that a worker that is started
/// again has no fresh share.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuDebt {
    owed: Duration,
    /// As of then.
    since: Option<Instant>,
}

impl CpuDebt {
    /// A process has ended that has used this much since it was started.
    pub(crate) fn ended(&mut self, percent: u32, used: Duration, started: Instant, now: Instant) {
        let before = self.at(percent, started);
        let allowed = share(percent, now.saturating_duration_since(started));
        *self = CpuDebt { owed: before.saturating_add(used).saturating_sub(allowed), since: Some(now) };
    }

    /// What is owed at a time.
    pub(crate) fn at(&self, percent: u32, now: Instant) -> Duration {
        let since = self.since.unwrap_or(now);
        self.owed.saturating_sub(share(percent, now.saturating_duration_since(since)))
    }
}

/// What a share is in a time, of one core.
fn share(percent: u32, time: Duration) -> Duration {
    time.saturating_mul(percent) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_too_much_is_owed_by_the_next_process() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let ms = Duration::from_millis;
        let mut debt = CpuDebt::default();
        assert_eq!(debt.at(20, after(5)), Duration::ZERO);
        debt.ended(20, ms(1_000), start, after(1_000));
        assert_eq!([1_000, 2_000, 5_000, 6_000].map(|at| debt.at(20, after(at))), [ms(800), ms(600), ms(0), ms(0)]);
        // Started again at once, and ended again after half a second at full speed.
        debt.ended(20, ms(500), after(1_000), after(1_500));
        assert_eq!(debt.at(20, after(1_500)), ms(1_200));
        // One that used less than its share pays off.
        debt.ended(20, ms(0), after(1_500), after(4_500));
        assert_eq!(debt.at(20, after(4_500)), ms(600));
    }
}
