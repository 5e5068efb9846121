//! Estimates the time of host calls without reading the clock for each.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// This many calls are timed individually: as many as a function makes that works on whole columns.
const EXACT: u64 = 64;

/// After that, one of this many is timed. A prime: in a function that makes 2 or 64 calls per row, each of them is timed in turn.
const STRIDE: u64 = 61;

/// An instance's first guest call is timed, then one of this many: for a thousand records, reading the clock a few times takes a
/// twentieth of a call.
const EVERY: u8 = 8;

/// The host calls of an instance, by guest call. Reading the clock takes as long as a getter. Therefore, in a guest call that is
/// timed, the first host calls are timed, and then one of 61; these represent the others. The guest call represents those after it.
#[derive(Default)]
pub(crate) struct HostTimes {
    calls: u64,
    // The number of calls after which the next one is timed.
    next: u64,
    exact: Duration,
    sampled: Duration,
    samples: u64,
    // The number of guest calls until the next one is timed, and the number and time of host calls that represent theirs.
    untimed: u8,
    known: Option<(u64, Duration)>,
}

impl HostTimes {
    /// Counts a call. Returns whether it must be timed.
    #[inline(always)]
    pub(crate) fn count(&mut self) -> bool {
        let timed = self.calls == self.next;
        self.calls = self.calls.wrapping_add(1);
        timed
    }

    /// Adds the time between two reads of the clock for the last counted call.
    pub(crate) fn add(&mut self, took: Duration) {
        let took = took.saturating_sub(look());
        if self.next < EXACT {
            self.exact = self.exact.saturating_add(took);
        } else {
            self.sampled = self.sampled.saturating_add(took);
            self.samples = self.samples.saturating_add(1);
        }
        self.next = self.calls.saturating_add(if self.calls <= EXACT { 0 } else { STRIDE - 1 });
    }

    /// Ends a guest call. Returns the number of host calls and their time.
    pub(crate) fn end(&mut self) -> (u64, Duration) {
        let calls = self.calls;
        let time = match self.known.filter(|_| self.untimed > 0) {
            Some((known, time)) => share(time, calls, known),
            None => self.time(),
        };
        let (untimed, known) = match self.untimed {
            0 if calls == 0 => (0, self.known),
            0 => (EVERY - 1, Some((calls, time))),
            untimed => (untimed - 1, self.known),
        };
        *self = HostTimes { untimed, known, next: if untimed > 0 { u64::MAX } else { 0 }, ..HostTimes::default() };
        (calls, time)
    }

    /// The time of all host calls in a timed guest call: exact up to 64 calls, then an estimate.
    fn time(&self) -> Duration {
        let rest = share(self.sampled, self.calls.saturating_sub(EXACT), self.samples);
        self.exact.saturating_add(rest)
    }
}

/// The time of `calls` calls, if `of` calls took `time`.
fn share(time: Duration, calls: u64, of: u64) -> Duration {
    let nanos = time.as_nanos().saturating_mul(u128::from(calls)).checked_div(u128::from(of)).unwrap_or(0);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// The time between two reads of the clock without work in between, which is about the time of a getter.
fn look() -> Duration {
    static LOOK: OnceLock<Duration> = OnceLock::new();
    *LOOK.get_or_init(|| {
        let mut looks: Vec<Duration> = (0..101).map(|_| Instant::now().elapsed()).collect();
        looks.sort_unstable();
        looks.get(looks.len() / 2).copied().unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The times of this many calls; `took` returns the duration of a call by its number.
    fn times(calls: u64, took: impl Fn(u64) -> Duration) -> (HostTimes, Vec<u64>) {
        let mut times = HostTimes::default();
        let timed = (0..calls).filter(|&call| {
            let timed = times.count();
            if timed {
                times.add(took(call) + look());
            }
            timed
        });
        let timed = timed.collect();
        (times, timed)
    }

    #[test]
    fn the_first_are_timed_then_one_in_61() {
        let (_, timed) = times(200, |_| Duration::ZERO);
        assert_eq!(timed, (0..64).chain([64, 125, 186]).collect::<Vec<_>>());
    }

    #[test]
    fn those_that_are_not_timed_count_as_those_that_are() {
        let micros = Duration::from_micros;
        assert_eq!(times(0, micros).0.time(), Duration::ZERO);
        assert_eq!(times(64, micros).0.time(), micros(63 * 64 / 2));
        for calls in [65, 66, 1_000, 1_000_000] {
            let (times, _) = times(calls, |_| micros(3));
            assert_eq!((times.calls, times.time()), (calls, micros(3 * calls)));
        }
    }

    #[test]
    fn one_guest_call_in_eight_is_timed_and_stands_for_the_others() {
        let mut times = HostTimes::default();
        let mut guest_call = |calls: u64, took: u64| {
            let timed = (0..calls).filter(|_| {
                let timed = times.count();
                if timed {
                    times.add(Duration::from_micros(took) + look());
                }
                timed
            });
            let timed = timed.count();
            (timed, times.end())
        };
        let micros = Duration::from_micros;
        // A guest call without host calls says nothing about others.
        assert_eq!(guest_call(0, 5), (0, (0, micros(0))));
        assert_eq!(guest_call(3, 5), (3, (3, micros(15))));
        for calls in 0..7 {
            assert_eq!(guest_call(calls, 1), (0, (calls, micros(5 * calls))));
        }
        assert_eq!(guest_call(2, 1), (2, (2, micros(2))));
        assert_eq!(guest_call(100, 9), (0, (100, micros(100))));
    }

    #[test]
    fn a_pattern_of_calls_does_not_hide_some_of_them() {
        for period in [2, 4, 10, 64] {
            let (times, _) = times(100_000, |call| Duration::from_micros(if call % period == 0 { period } else { 0 }));
            let share = times.time().as_secs_f64() / 0.1;
            assert!((0.95..1.05).contains(&share), "{period}: {share}");
        }
    }
}
