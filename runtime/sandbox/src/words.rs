//! What a guest says: log lines and last words.

use crate::text::{clean_to, cut};
use crate::{Limits, LogLevel, LogLine};

/// The contract's limit of last words.
const LAST_WORDS_BYTES_MAX: usize = 1 << 10;

/// What a guest said since it was last asked.
#[derive(Default)]
pub(crate) struct Words {
    logs: Vec<LogLine>,
    dropped: u64,
    last: Option<String>,
}

impl Words {
    /// Keeps a line, cut and escaped, or counts it.
    pub(crate) fn log(&mut self, level: LogLevel, text: &str, limits: &Limits) {
        if self.logs.len() >= limits.log_lines_batch_max {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        let text = cut(text, limits.log_line_bytes_max);
        self.logs.push(LogLine { level, text: clean_to(text, usize::MAX) });
    }

    /// Keeps the text that goes with an end to come.
    pub(crate) fn set_last(&mut self, text: &str) {
        self.last = Some(clean_to(cut(text, LAST_WORDS_BYTES_MAX), usize::MAX));
    }

    /// Forgets the last words of an earlier batch.
    pub(crate) fn begin(&mut self) {
        self.last = None;
    }

    pub(crate) fn take_logs(&mut self) -> (Vec<LogLine>, u64) {
        (std::mem::take(&mut self.logs), std::mem::take(&mut self.dropped))
    }

    pub(crate) fn take_last(&mut self) -> Option<String> {
        self.last.take()
    }
}
