//! Why dead letters are not kept.

use std::io;
use std::path::PathBuf;

use weir_batch::{BatchError, Fault};
use weir_formats::FormatError;
use weir_sinks::{RowRefusal, SinkError};

/// Dead letters could not be kept, so the query cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeadLetterError {
    /// The file could not be opened, written or made durable.
    #[error("dead letters {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
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
    /// Somebody else writes the file.
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
    /// The topic takes no letter, however short.
    #[error("dead letters: even a dead letter without its record is refused: {why}")]
    NoRoom {
        /// Why.
        why: Box<RowRefusal>,
    },
    /// Letters could not be put into a batch.
    #[error("dead letters: {0}")]
    Batch(#[from] BatchError),
    /// A record could not be written as JSON.
    #[error("could not write a dead letter as JSON: {0}")]
    Encode(#[from] FormatError),
    /// A record's JSON is no JSON.
    #[error("could not write a dead letter as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl DeadLetterError {
    /// Whose fault it is.
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
