//! Records that failed: said a few times a second, and counted by code.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines a second of one source or stage.
const LINES_SECOND_MAX: u32 = 10;

const SECOND: Duration = Duration::from_secs(1);

/// The maximum number of different codes. A guest chooses its codes; further ones count as [`OTHER_CODES`].
const CODES_MAX: usize = 64;

/// Stands for every further code.
const OTHER_CODES: &str = "other";

/// Which failures are logged: a few each second. The others are counted, and their number is logged.
#[derive(Debug)]
pub(crate) struct Voice {
    place: String,
    since: Option<Instant>,
    left: u32,
    unsaid: u64,
}

impl Voice {
    /// Of a source or stage.
    pub(crate) fn new(place: String) -> Voice {
        Voice { place, since: None, left: 0, unsaid: 0 }
    }

    /// Whether one more is logged.
    pub(crate) fn speaks(&mut self) -> bool {
        self.speaks_at(Instant::now())
    }

    fn speaks_at(&mut self, now: Instant) -> bool {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= SECOND) {
            self.say_unsaid();
            (self.since, self.left) = (Some(now), LINES_SECOND_MAX);
        }
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => self.unsaid = self.unsaid.saturating_add(1),
        }
        self.unsaid == 0
    }

    fn say_unsaid(&mut self) {
        let unsaid = std::mem::take(&mut self.unsaid);
        if unsaid > 0 {
            tracing::warn!(unsaid, "{}: {unsaid} more records failed; the summary counts them by code", self.place);
        }
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        self.say_unsaid();
    }
}

/// Records that failed, by code.
#[derive(Debug, Default)]
pub(crate) struct Codes(Mutex<BTreeMap<String, u64>>);

impl Codes {
    pub(crate) fn add(&self, code: &str) {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = codes.contains_key(code) || codes.len() < CODES_MAX;
        let count = codes.entry(if known { code } else { OTHER_CODES }.to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    pub(crate) fn read(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_lines_a_second_are_said_and_the_others_counted() {
        let mut voice = Voice::new("stages.x".to_owned());
        let start = Instant::now();
        let said = |voice: &mut Voice, at, times| (0..times).filter(|_| voice.speaks_at(at)).count();
        assert_eq!(said(&mut voice, start, 5), 5);
        assert_eq!(said(&mut voice, start + SECOND / 2, 100_000), 5);
        assert_eq!(voice.unsaid, 99_995);
        assert_eq!(said(&mut voice, start + SECOND, 3), 3);
        assert_eq!(voice.unsaid, 0);
    }

    #[test]
    fn a_guest_that_makes_up_codes_fills_nothing() {
        let codes = Codes::default();
        (0..10_000).for_each(|code| codes.add(&format!("guest:{code}")));
        codes.add("guest:1");
        let read = codes.read();
        assert_eq!((read.len(), read["guest:1"], read[OTHER_CODES]), (CODES_MAX + 1, 2, 10_000 - CODES_MAX as u64));
        assert_eq!(read.values().sum::<u64>(), 10_001);
    }
}
