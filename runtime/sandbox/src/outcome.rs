//! Results of functions for batches.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use weir_batch::Batch;

use crate::MetricBatch;

/// The result of a function for a batch. Each row of the batch has output, failed, or was filtered: `rows = rows with output +
/// failed + filtered`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The output rows. This is the input batch itself if a filter kept all rows, or no row of a metrics function failed.
    pub output: Arc<Batch>,
    /// The failed rows, ascending.
    pub failed: Vec<RowFailure>,
    /// The number of rows without output that did not fail.
    pub filtered: usize,
    /// The recorded metrics. They count when the batch is committed.
    pub metrics: MetricBatch,
    /// The log lines, in order; lines of init are in the first batch.
    pub logs: Vec<LogLine>,
    /// Log lines beyond the limit.
    pub logs_dropped: u64,
    /// The cost.
    pub usage: Usage,
}

/// A failed row.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RowFailure {
    /// The row, among the rows of the input batch that count.
    pub row: usize,
    /// The reason, for programs.
    pub code: RowCode,
    /// The reason, for people: cut and escaped; may be empty.
    pub message: String,
}

/// Why a row failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowCode {
    /// A code that the function chose.
    Guest(i32),
    /// A null in a field that is not nullable; the function did not receive the row.
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
    /// The severity.
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

/// The severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is wrong.
    Warn,
    /// Information.
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

/// The cost of a call. The first call includes instantiation and init.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Fuel: instructions, and host calls in proportion to rows and bytes. 0 where fuel is not metered.
    pub fuel: u64,
    /// Wall-clock time, including waiting.
    pub time: Duration,
    /// The part of `time` in which the call waited because others ran, or because its tenant had used its share.
    pub waited: Duration,
    /// CPU time that counts against the share of its tenant and query: of the guest, and of what the host made of its answer.
    /// Where guests compete for the cores it is the thread's, else the wall's for a call that ends within a tick.
    pub cpu: Duration,
    /// Calls from the function to the host.
    pub host_calls: u64,
    /// The part of `time` in calls to the host. An estimate: one guest call in 8 is timed, including the first; of that, the first
    /// 64 calls to the host, then one in 61.
    pub host_time: Duration,
    /// The size of the instance's linear memory after the call.
    pub memory_bytes: usize,
}
