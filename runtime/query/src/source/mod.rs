//! Where records come from.

mod file;
mod generator;
mod nexmark;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use weir_batch::format::{BadRecord, FormatError};
use weir_batch::{Batch, BatchError, Schema};
use weir_sandbox::Fault;

pub(crate) use self::nexmark::NexmarkSource;
pub use file::FileSource;
pub(crate) use generator::GeneratorSource;
pub use generator::{SEED_BATCH_ROWS, seed_batch, seed_schema};
pub use nexmark::nexmark_schema;

/// A stream of batches with a position. Owned by its query, read by one task.
#[async_trait]
pub trait Source: Send {
    /// The schema of every batch.
    fn schema(&self) -> &Arc<Schema>;

    /// The next batch, or `None` at the end of the stream, for good. Cancelling the call must lose no record that a
    /// later call could not still return, unless the query ends.
    async fn next(&mut self) -> Result<Option<SourceBatch>, SourceError>;
}

/// What a source read at once.
#[derive(Debug)]
pub struct SourceBatch {
    /// The records that were understood.
    pub batch: Batch,
    /// The records that were not, with their bytes.
    pub bad: Vec<BadRecord>,
    /// Bytes read from outside for all of them.
    pub bytes: u64,
    /// The file that they come from, where there is one.
    pub origin: Option<Origin>,
}

/// Where a batch was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file.
    pub path: PathBuf,
    /// Its `_partition`.
    pub partition: i32,
}

/// A source that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file could not be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file's contents are not what its format says.
    #[error("{}: {source}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: FormatError,
    },
    /// A generated batch does not hold together.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The thread that read the file ended without an answer.
    #[error("the reading thread ended: {0}")]
    Thread(String),
}

impl SourceError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            SourceError::Io { .. } | SourceError::Format { .. } => Fault::External,
            SourceError::Batch(_) | SourceError::Thread(_) => Fault::Internal,
        }
    }
}
