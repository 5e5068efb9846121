//! How much CPU time the queries of a process may use.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What may be saved up while less is used: this much time at the full pace.
const SAVED_MAX: Duration = Duration::from_secs(1);

/// What there is at the start.
const AT_FIRST: Duration = Duration::from_millis(200);

/// Sources do not sleep longer without looking again.
const NAP_MAX: Duration = Duration::from_millis(500);

/// Keeps a process within a share of the cores: sources wait before each batch while the process has used more CPU time than its share.
/// Whatever a query costs (decoding, functions, sinks) begins with a batch that was read, so that all of it is paid before more is
/// read. A batch can exceed the share for a moment; the average holds.
#[derive(Clone)]
pub struct CpuPace {
    inner: Arc<Inner>,
}

struct Inner {
    percent: u32,
    used: Box<dyn Fn() -> Duration + Send + Sync>,
    account: Mutex<Account>,
}

/// Nanoseconds of CPU time that may be used now; below zero while more was used.
#[derive(Clone, Copy, Debug)]
struct Account {
    left: i128,
    at: Instant,
    used: Duration,
}

impl CpuPace {
    /// At most this much of one core, in percent, by a clock of the CPU time that the process has used. `owed` was used before, by
    /// processes that this one replaces.
    pub fn new(percent: u32, owed: Duration, used: impl Fn() -> Duration + Send + Sync + 'static) -> CpuPace {
        let left = nanos(share(percent, AT_FIRST)) - nanos(owed);
        let account = Mutex::new(Account { left, at: Instant::now(), used: Duration::ZERO });
        CpuPace { inner: Arc::new(Inner { percent: percent.max(1), used: Box::new(used), account }) }
    }

    /// Comes back as soon as there is CPU time. Dropping it changes nothing.
    pub async fn ready(&self) {
        while let Some(wait) = self.wait(Instant::now()) {
            tokio::time::sleep(wait.min(NAP_MAX)).await;
        }
    }

    /// How long nothing more may be begun.
    fn wait(&self, now: Instant) -> Option<Duration> {
        let used = (self.inner.used)();
        let mut account = self.inner.account.lock().unwrap_or_else(PoisonError::into_inner);
        let earned = share(self.inner.percent, now.saturating_duration_since(account.at));
        let left = account.left + nanos(earned) - nanos(used.saturating_sub(account.used));
        let left = left.min(nanos(share(self.inner.percent, SAVED_MAX)));
        *account = Account { left, at: now, used: used.max(account.used) };
        drop(account);
        if left > 0 {
            return None;
        }
        let owed = u64::try_from(-left).unwrap_or(u64::MAX);
        let wait = Duration::from_nanos(owed).saturating_mul(100) / self.inner.percent;
        Some(wait.max(Duration::from_millis(1)))
    }
}

impl fmt::Debug for CpuPace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CpuPace").field("percent", &self.inner.percent).finish_non_exhaustive()
    }
}

fn share(percent: u32, time: Duration) -> Duration {
    time.saturating_mul(percent) / 100
}

fn nanos(time: Duration) -> i128 {
    i128::try_from(time.as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn what_was_used_is_waited_for_and_little_is_saved() {
        let ms = Duration::from_millis;
        let clock = Arc::new(AtomicU64::new(0));
        let used = {
            let clock = Arc::clone(&clock);
            move || ms(clock.load(Ordering::Relaxed))
        };
        let pace = CpuPace::new(50, Duration::ZERO, used);
        let start = pace.inner.account.lock().unwrap().at;
        let wait = |at_ms: u64, used_ms: u64| {
            clock.store(used_ms, Ordering::Relaxed);
            pace.wait(start + ms(at_ms))
        };
        assert_eq!(wait(0, 0), None, "100 ms at first");
        assert_eq!(wait(0, 100), Some(ms(1)));
        assert_eq!(wait(100, 200), Some(ms(100)), "50 ms too much at half a core");
        assert_eq!(wait(199, 200), Some(ms(1)));
        assert_eq!(wait(202, 200), None);
        // An hour of rest saves up one second's share.
        assert_eq!(wait(3_600_000, 200), None);
        assert_eq!(wait(3_600_000, 699), None);
        assert_eq!(wait(3_600_000, 800), Some(ms(200)));
    }

    #[test]
    fn what_processes_before_have_used_is_owed() {
        let pace = CpuPace::new(200, Duration::from_secs(2), || Duration::ZERO);
        let start = pace.inner.account.lock().unwrap().at;
        assert_eq!(pace.wait(start), Some(Duration::from_millis(800)));
        assert_eq!(pace.wait(start + Duration::from_millis(801)), None);
    }
}
