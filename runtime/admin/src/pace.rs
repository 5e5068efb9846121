//! Estimates how long reading the rest of an input takes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The recent speed of reading an input of known size.
#[derive(Debug, Default)]
pub struct Pace(VecDeque<(Instant, f64)>);

impl Pace {
    /// The period over which the speed is measured: a change of speed is visible after this time.
    const WINDOW: Duration = Duration::from_secs(15);
    /// With less data than this, there is no estimate.
    const WINDOW_MIN: Duration = Duration::from_millis(900);
    /// Longer estimates are not reported.
    const LEFT_MAX: Duration = Duration::from_hours(24 * 365);

    /// Records the part of the input that has been read, from 0 to 1, if known. Returns the estimated time for the rest.
    pub fn left(&mut self, now: Instant, share: Option<f64>) -> Option<Duration> {
        let Some(share) = share else {
            self.0.clear();
            return None;
        };
        // The query went back to its last commit.
        if self.0.back().is_some_and(|&(_, before)| share < before) {
            self.0.clear();
        }
        self.0.push_back((now, share));
        while self.0.get(1).is_some_and(|&(then, _)| now.duration_since(then) >= Pace::WINDOW) {
            self.0.pop_front();
        }
        let &(then, before) = self.0.front()?;
        let (time, gain) = (now.duration_since(then), share - before);
        if time < Pace::WINDOW_MIN || gain <= 0.0 || share >= 1.0 {
            return None;
        }
        let left = Duration::try_from_secs_f64((1.0 - share) / gain * time.as_secs_f64()).ok()?;
        (left <= Pace::LEFT_MAX).then_some(left)
    }
}

/// A share from 0 to 1 in whole percent. The result is 100 only if everything was read.
pub fn percent(share: f64) -> u64 {
    (share * 100.0).clamp(0.0, 100.0) as u64
}
