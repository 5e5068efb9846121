//! What a function made of a batch.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use weir_batch::Batch;

use crate::MetricBatch;

/// What a function made of a batch. Each of the batch's rows has output, failed, or was filtered:
/// `rows = rows with output + failed + filtered`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The rows that go on. The very batch that came in where a filter kept all of it or a metrics function failed
    /// none of it.
    pub output: Arc<Batch>,
    /// The rows that failed, ascending.
    pub failed: Vec<RowFailure>,
    /// How many rows neither failed nor have output.
    pub filtered: usize,
    /// What was recorded. It counts when the batch is committed.
    pub metrics: MetricBatch,
    /// What was logged, in order; lines of init come with the first batch.
    pub logs: Vec<LogLine>,
    /// Log lines beyond the limit.
    pub logs_dropped: u64,
    /// What it cost.
    pub usage: Usage,
}

/// A row that failed by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RowFailure {
    /// The row, among those of the input batch that count.
    pub row: usize,
    /// Why, for programs.
    pub code: RowCode,
    /// Why, for people: cut and escaped; may be empty.
    pub message: String,
}

/// Why a row failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowCode {
    /// A code of the function's choosing.
    Guest(i32),
    /// A null in a field of which the function takes none; the function never saw the row.
    NullInput,
}

impl fmt::Display for RowCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RowCode::Guest(code) => write!(f, "guest:{code}"),
            RowCode::NullInput => f.write_str("null_input"),
        }
    }
}

/// A line that a function logged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogLine {
    /// How grave it is.
    pub level: LogLevel,
    /// One line: control characters are escaped, and it is cut at its limit.
    pub text: String,
}

impl LogLine {
    /// A line of this level.
    pub fn new(level: LogLevel, text: impl Into<String>) -> LogLine {
        LogLine { level, text: text.into() }
    }
}

/// How grave a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is not as it should be.
    Warn,
    /// Something worth knowing.
    Info,
    /// For the function's author.
    Debug,
}

impl LogLevel {
    pub(crate) fn from_code(code: u32) -> Option<LogLevel> {
        match code {
            1 => Some(LogLevel::Error),
            2 => Some(LogLevel::Warn),
            3 => Some(LogLevel::Info),
            4 => Some(LogLevel::Debug),
            _ => None,
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
        })
    }
}

/// What a call cost. A first call holds instantiation and init too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Fuel: instructions, and host calls in proportion to rows and bytes. 0 where fuel is not metered.
    pub fuel: u64,
    /// Wall-clock time, waiting included.
    pub time: Duration,
    /// What of it the call waited while others ran, or because its tenant's share was used up.
    pub waited: Duration,
    /// Calls from the function to the host.
    pub host_calls: u64,
    /// Time in them, of `time`. An estimate: one call in 8 is timed for all of them, the first among
    /// them; of that, the first 64 calls to the host, then one in 61.
    pub host_time: Duration,
    /// Size of the instance's linear memory afterwards.
    pub memory_bytes: usize,
}
