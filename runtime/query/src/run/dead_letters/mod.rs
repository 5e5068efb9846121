//! Records that failed, kept with what is needed to find out why and to run them again.

mod file;
mod letter;
mod lock;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_batch::arrow::array::{ArrayRef, StringArray};
use weir_batch::format::{BadRecord, FormatError};
use weir_batch::{Batch, BatchError, DataType, Field, Schema};
use weir_sinks::{Sink, SinkError};

use self::file::LetterFile;
#[cfg(test)]
pub(crate) use self::letter::of_row;
pub(crate) use self::letter::{Sender, Why, position};
pub(crate) use self::lock::{Locked, lock};
use crate::file::Folders;

/// Where dead letters go, one JSON object a letter:
/// `query`, `tenant`, `place`, `module`, `function`, `code`, `message`, `origin`, `partition`, `offset`, `timestamp_us`,
/// `line`, `key_hex`, `headers`, and the original: `record` (the fields as the failing stage received them), `bytes_hex`
/// (the bytes as they came, of what a source could not decode and of Kafka's records), or both.
///
/// Letters are gathered, handed on by [`DeadLetters::write_out`] after each turn, and durable after
/// [`DeadLetters::flush`].
pub(crate) struct DeadLetters {
    to: Destination,
    pending: Vec<u8>,
}

enum Destination {
    /// A file that they are appended to.
    File(LetterFile),
    /// A sink of one text column.
    Sink(Box<dyn Sink>, Arc<Schema>),
}

/// Dead letters could not be kept, so the query cannot go on.
#[derive(Debug, thiserror::Error)]
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
        "dead letters {}: {found} bytes of the {committed} that were committed are there: somebody has cut it",
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
        "dead letters {}: the file is in use: a query that writes it is running, or its letters are being replayed",
        path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The sink of the letters failed.
    #[error("dead letters: {0}")]
    Sink(#[from] SinkError),
    /// Letters could not be put into a batch.
    #[error("dead letters: {0}")]
    Batch(#[from] BatchError),
    /// A record could not be written as JSON.
    #[error("a dead letter could not be written as JSON: {0}")]
    Encode(#[from] FormatError),
    /// A record's JSON is no JSON.
    #[error("a dead letter could not be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl DeadLetterError {
    /// Whether the next attempt may succeed.
    pub(crate) fn retryable(&self) -> bool {
        match self {
            DeadLetterError::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            DeadLetterError::Sink(error) => error.retryable(),
            _ => false,
        }
    }
}

impl DeadLetters {
    /// Opens the file to append to it, making its folder where that is missing. It has to lie within these folders.
    /// With `committed` bytes, what stands behind them is of no commit, and is cut off.
    pub(crate) fn to_file(
        path: &Path,
        folders: &Folders,
        committed: Option<u64>,
    ) -> Result<DeadLetters, DeadLetterError> {
        let file = LetterFile::open(path, folders, committed)?;
        Ok(DeadLetters { to: Destination::File(file), pending: Vec::new() })
    }

    /// The schema of a sink of letters: one text a letter.
    pub(crate) fn schema() -> Result<Schema, BatchError> {
        Schema::new(vec![Field::new(LETTER_COLUMN, DataType::Utf8)])
    }

    /// Letters that go to a sink of [`DeadLetters::schema`].
    pub(crate) fn to_sink(sink: Box<dyn Sink>) -> Result<DeadLetters, DeadLetterError> {
        let schema = Arc::new(DeadLetters::schema()?);
        Ok(DeadLetters { to: Destination::Sink(sink, schema), pending: Vec::new() })
    }

    /// Adds the record at `row` of a batch that a stage received.
    pub(crate) fn add_row(
        &mut self,
        sender: &Sender,
        batch: &Arc<Batch>,
        row: usize,
        why: Why<'_>,
    ) -> Result<(), DeadLetterError> {
        letter::of_row(sender, batch, row, why, &mut self.pending)
    }

    /// Adds what a source could not decode.
    pub(crate) fn add_bad(
        &mut self,
        sender: &Sender,
        origin: Option<&str>,
        partition: Option<i32>,
        bad: &BadRecord,
    ) -> Result<(), DeadLetterError> {
        letter::of_bad(sender, origin, partition, bad, &mut self.pending)
    }

    /// Hands on what was added.
    pub(crate) async fn write_out(&mut self) -> Result<(), DeadLetterError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        match &mut self.to {
            Destination::File(file) => file.append(pending).await,
            Destination::Sink(sink, schema) => {
                let text = String::from_utf8_lossy(&pending);
                let letters: ArrayRef = Arc::new(StringArray::from_iter_values(text.lines()));
                let batch = Batch::new(Arc::clone(schema), vec![letters])?;
                Ok(sink.write(Arc::new(batch)).await?)
            }
        }
    }

    /// Makes every letter durable. A failure is final: after a failed fsync the system may have dropped the pages.
    pub(crate) async fn flush(&mut self) -> Result<(), DeadLetterError> {
        self.write_out().await?;
        match &mut self.to {
            Destination::File(file) => file.sync().await,
            Destination::Sink(sink, _) => Ok(sink.flush().await?),
        }
    }

    /// Flushes, and lets go of the place.
    pub(crate) async fn close(&mut self) -> Result<(), DeadLetterError> {
        self.flush().await?;
        match &mut self.to {
            Destination::File(_) => Ok(()),
            Destination::Sink(sink, _) => Ok(sink.close().await?),
        }
    }

    /// How many bytes of letters the file holds; `None` where they go elsewhere.
    pub(crate) fn file_bytes(&self) -> Option<u64> {
        match &self.to {
            Destination::File(file) => Some(file.bytes()),
            Destination::Sink(..) => None,
        }
    }
}

/// The one column of a sink of letters.
pub(crate) const LETTER_COLUMN: &str = "letter";
