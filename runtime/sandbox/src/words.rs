//! Log lines and last words of guests.

use weir_text::escape_within;

use crate::{Limits, LogLevel, LogLine};

/// The ABI's limit for last words.
const LAST_WORDS_BYTES_MAX: usize = 1 << 10;

/// Texts of a guest since they were last taken.
#[derive(Default)]
pub(crate) struct Words {
    logs: Vec<LogLine>,
    // The size of all `logs`.
    bytes: usize,
    dropped: u64,
    // Not escaped yet, but cut: most last words are replaced or never used.
    last: Option<String>,
}

impl Words {
    /// Stores a line, escaped and cut, or counts it as dropped.
    pub(crate) fn log(&mut self, level: LogLevel, text: &str, limits: &Limits) {
        if self.logs.len() >= limits.log_lines_batch_max {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        let text = escape_within(text, limits.log_line_bytes_max);
        if text.len() > limits.log_bytes_batch_max.saturating_sub(self.bytes) {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.bytes = self.bytes.saturating_add(text.len());
        self.logs.push(LogLine { level, text });
    }

    /// Stores the text for a following error.
    pub(crate) fn set_last(&mut self, text: &str) {
        let last = self.last.get_or_insert_default();
        last.clear();
        last.push_str(text.get(..text.floor_char_boundary(LAST_WORDS_BYTES_MAX)).unwrap_or_default());
    }

    /// Forgets the last words of an earlier batch.
    pub(crate) fn begin(&mut self) {
        self.last = None;
    }

    pub(crate) fn take_logs(&mut self) -> (Vec<LogLine>, u64) {
        self.bytes = 0;
        (std::mem::take(&mut self.logs), std::mem::take(&mut self.dropped))
    }

    /// The last words, escaped and cut.
    pub(crate) fn take_last(&mut self) -> Option<String> {
        self.last.take().map(|last| escape_within(&last, LAST_WORDS_BYTES_MAX))
    }
}
