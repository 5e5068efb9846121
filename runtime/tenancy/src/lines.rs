//! What a process writes, as lines of a log.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use weir_text::escape_to;

use crate::rate::Allowance;

/// Cuts bytes into lines, and drops those beyond a rate. Holds one line at most.
#[derive(Debug)]
pub(crate) struct Lines {
    line: Vec<u8>,
    // Whether the rest of an overlong line is being skipped.
    is_skipping: bool,
    line_bytes_max: usize,
    allowance: Allowance,
    dropped: u64,
}

impl Lines {
    pub(crate) fn new(line_bytes_max: usize, bytes_per_s: u64, now: Instant) -> Lines {
        Lines {
            line: Vec::new(),
            is_skipping: false,
            line_bytes_max: line_bytes_max.max(1),
            allowance: Allowance::new(bytes_per_s, bytes_per_s.saturating_mul(4), now),
            dropped: 0,
        }
    }

    /// Adds what was read, and hands out whole lines.
    pub(crate) fn add(&mut self, mut piece: &[u8], now: Instant, mut line: impl FnMut(&str)) {
        while !piece.is_empty() {
            let end = piece.iter().position(|byte| *byte == b'\n');
            let (part, rest) = match end {
                Some(end) => (piece.get(..end).unwrap_or_default(), piece.get(end.saturating_add(1)..)),
                None => (piece, None),
            };
            if !self.is_skipping {
                let room = self.line_bytes_max.saturating_sub(self.line.len());
                self.line.extend_from_slice(part.get(..part.len().min(room)).unwrap_or_default());
                self.is_skipping = part.len() > room;
            }
            if end.is_some() {
                self.finish(now, &mut line);
            }
            piece = rest.unwrap_or_default();
        }
    }

    /// The process has ended: what there is of a line is one.
    pub(crate) fn end(&mut self, now: Instant, mut line: impl FnMut(&str)) {
        if !self.line.is_empty() {
            self.finish(now, &mut line);
        }
    }

    /// A line that came whole.
    pub(crate) fn whole(&mut self, text: &str, now: Instant, line: impl FnOnce(&str)) {
        let end = text.floor_char_boundary(self.line_bytes_max);
        let text = text.get(..end).unwrap_or_default();
        match self.allowance.take(text.len().saturating_add(1), now) {
            true => line(text),
            false => self.dropped = self.dropped.saturating_add(1),
        }
    }

    fn finish(&mut self, now: Instant, line: impl FnOnce(&str)) {
        let bytes = std::mem::take(&mut self.line);
        let is_cut = std::mem::take(&mut self.is_skipping);
        if !self.allowance.take(bytes.len().saturating_add(1), now) {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        if is_cut {
            text.push('…');
        }
        if !text.trim().is_empty() {
            line(&text);
        }
    }

    /// A line that was handed out, and that nobody had room for.
    pub(crate) fn drop_one(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }

    /// How many lines were dropped, since this was last asked.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}

/// A line as it is logged: `2026-11-30T14:40:01.123Z acme/3: text`. The text is escaped; of a name, 64 characters are shown.
pub(crate) fn dressed(time: SystemTime, tenant: &str, worker: u64, text: &str) -> String {
    format!("{} {}/{worker}: {}", utc(time), escape_to(tenant, 64), weir_text::escape(text))
}

/// A time of RFC 3339, in UTC with milliseconds. Days are counted as in Howard Hinnant's `civil_from_days`.
fn utc(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, millis) = (since.as_secs(), since.subsec_millis());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days.saturating_add(719_468);
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn cut(pieces: &[&[u8]], line_bytes_max: usize, bytes_per_s: u64) -> (Vec<String>, u64) {
        let now = Instant::now();
        let mut lines = Lines::new(line_bytes_max, bytes_per_s, now);
        let mut all = Vec::new();
        for piece in pieces {
            lines.add(piece, now, |line| all.push(line.to_owned()));
        }
        lines.end(now, |line| all.push(line.to_owned()));
        (all, lines.take_dropped())
    }

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
        let text = b"one\n\ntwo three\nfour five six\nseven\r\n\xff\nlast";
        let whole = cut(&[text], 10, 1_000);
        let expected = ["one", "two three", "four five …", "seven\r", "\u{fffd}", "last"];
        assert_eq!(whole, (expected.map(str::to_owned).to_vec(), 0));
        for length in 1..12 {
            assert_eq!(cut(&text.chunks(length).collect::<Vec<_>>(), 10, 1_000), whole);
        }
    }

    #[test]
    fn lines_beyond_the_rate_are_counted() {
        let (lines, dropped) = cut(&["0123456789\n".repeat(100).as_bytes()], 100, 11);
        assert_eq!((lines.len(), dropped), (4, 96), "four times the rate at once");
        // A line without an end takes no more memory than another.
        let (lines, dropped) = cut(&[&[b'x'; 100_000], b"\nshort\n"], 10, 100);
        assert_eq!((lines.concat(), dropped), ("xxxxxxxxxx…short".to_owned(), 0));
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        let at = |seconds: u64| utc(UNIX_EPOCH + Duration::from_millis(seconds * 1_000 + 7));
        assert_eq!(at(0), "1970-01-01T00:00:00.007Z");
        assert_eq!(at(951_868_799), "2000-02-29T23:59:59.007Z");
        assert_eq!(at(1_798_761_599), "2026-12-31T23:59:59.007Z");
        assert_eq!(dressed(UNIX_EPOCH, "a\nb", 3, "\u{1b}[2Jgone"), "1970-01-01T00:00:00.000Z a\\nb/3: \\u{1b}[2Jgone");
    }
}
