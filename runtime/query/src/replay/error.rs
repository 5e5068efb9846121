//! Why letters are not replayed.

use std::io;
use std::path::PathBuf;
use weir_batch::Fault;

use weir_formats::FormatError;

use crate::run::StateError;
use weir_files::Denied;

/// Letters could not be taken out to be replayed, or not be put away. None is lost by it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The query keeps no letters in a file.
    #[error("the query has no `[dead_letters]` with a `path`, so there is nothing to replay")]
    NoFile,
    /// The file is no longer where it was when the query file was checked.
    #[error("dead_letters: its file {0} (this has changed since the query file was checked)")]
    Denied(#[from] Denied),
    /// Somebody writes the letters, or replays them.
    #[error(
        "dead letters {}: in use: the query is running, or its dead letters are being replayed; stop it first",
        path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// What a sink would do to a file that is there.
    #[error(
        "sinks.{sink}: {} already exists, and replayed records cannot be added to it: move it away, or let the sink write numbered files (`commit_ms`, `rotate_bytes_max`)",
        path.display()
    )]
    SinkFile {
        /// The sink.
        sink: String,
        /// The file.
        path: PathBuf,
    },
    /// Letters of a replay that did not finish cannot come in any more.
    #[error(
        "dead letter {number} of {}, from an unfinished replay, cannot be replayed: {reason}; fix the query, or append the lines of that file to the dead letters and remove it",
        path.display()
    )]
    Stuck {
        /// The file of that replay.
        path: PathBuf,
        /// The letter.
        number: u64,
        /// Why not.
        reason: String,
    },
    /// The state folder is in use, or damaged.
    #[error(transparent)]
    State(#[from] StateError),
    /// Records cannot be decoded at all.
    #[error("dead letters: {0}")]
    Format(#[from] FormatError),
    /// The file system refused.
    #[error("dead letters: cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl ReplayError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            ReplayError::NoFile | ReplayError::SinkFile { .. } | ReplayError::Stuck { .. } => Fault::Tenant,
            ReplayError::Denied(error) => error.fault(),
            ReplayError::InUse { .. } | ReplayError::Io { .. } => Fault::External,
            ReplayError::State(error) => error.fault(),
            ReplayError::Format(error) => error.fault(),
        }
    }

    /// Whether the same may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            ReplayError::InUse { .. } => true,
            ReplayError::Denied(error) => error.retryable(),
            ReplayError::State(error) => error.retryable(),
            ReplayError::Format(error) => error.retryable(),
            ReplayError::NoFile | ReplayError::SinkFile { .. } | ReplayError::Stuck { .. } | ReplayError::Io { .. } => {
                false
            }
        }
    }
}
