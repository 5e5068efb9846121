//! Errors of writing dead letters.

use std::io;
use std::path::PathBuf;

use weir_batch::{BatchError, Fault};
use weir_formats::FormatError;
use weir_sinks::{RowRefusal, SinkError};

/// Dead letters could not be written, so the query cannot continue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeadLetterError {
    /// The file could not be opened, written or made durable.
    #[error("dead letters {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file is shorter than it was at the last commit.
    #[error(
        "dead letters {}: the file has only {found} of the {committed} committed bytes: it was truncated",
        path.display()
    )]
    Cut {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
        /// Its length at the last commit.
        committed: u64,
    },
    /// Another process writes the file.
    #[error(
        "dead letters {}: the file is in use: a query that writes it is running, or its dead letters are being replayed",
        path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The sink of the letters failed.
    #[error("dead letters: {0}")]
    Sink(#[from] SinkError),
    /// The topic refuses every letter, however short.
    #[error("dead letters: even a dead letter without its record is refused: {why}")]
    NoRoom {
        /// The reason.
        why: Box<RowRefusal>,
    },
    /// Letters could not be converted to a batch.
    #[error("dead letters: {0}")]
    Batch(#[from] BatchError),
    /// A record could not be written as JSON.
    #[error("could not write a dead letter as JSON: {0}")]
    Encode(#[from] FormatError),
    /// A record's JSON is invalid.
    #[error("could not write a dead letter as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl DeadLetterError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            DeadLetterError::Io { .. } | DeadLetterError::Cut { .. } | DeadLetterError::InUse { .. } => Fault::External,
            DeadLetterError::Sink(error) => error.fault(),
            DeadLetterError::NoRoom { why } => why.fault(),
            DeadLetterError::Batch(_) | DeadLetterError::Encode(_) | DeadLetterError::Json(_) => Fault::Internal,
        }
    }

    /// Whether the next attempt may succeed.
    pub fn retryable(&self) -> bool {
        match self {
            DeadLetterError::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            DeadLetterError::Sink(error) => error.retryable(),
            _ => false,
        }
    }
}
