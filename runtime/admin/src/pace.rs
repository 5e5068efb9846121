//! How long the rest of an input takes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How fast an input of known size has been read of late.
#[derive(Debug, Default)]
pub struct Pace(VecDeque<(Instant, f64)>);

impl Pace {
    /// Of so much time: as long as a change of the rate takes to show.
    const WINDOW: Duration = Duration::from_secs(15);
    /// Of less nothing is concluded.
    const WINDOW_MIN: Duration = Duration::from_millis(900);
    /// What would take longer is not said.
    const LEFT_MAX: Duration = Duration::from_hours(24 * 365);

    /// Takes note of the part that was read by now, from 0 to 1 or unknown, and says how long the rest takes at this pace.
    pub fn left(&mut self, now: Instant, share: Option<f64>) -> Option<Duration> {
        let Some(share) = share else {
            self.0.clear();
            return None;
        };
        // It went back to its last commit.
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

/// Whole percents of a share from 0 to 1. There are 100 only where everything was read.
pub fn percent(share: f64) -> u64 {
    (share * 100.0).clamp(0.0, 100.0) as u64
}
