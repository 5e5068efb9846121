//! Records that failed, kept with what is needed to find out why and to run them again.

mod file;
mod letter;
mod topic;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_batch::{Batch, BatchError, Fault, Schema, SystemColumns};
use weir_formats::{BadRecord, FormatError};
use weir_sinks::{RowRefusal, Sink, SinkError};

use self::file::LetterFile;
pub(crate) use self::letter::{Sender, Why, position};
#[cfg(test)]
pub(crate) use self::letter::{of_bad, of_row};
pub(crate) use self::topic::LETTER_COLUMN;
use self::topic::TopicLetterSink;
use super::counters::Counters;
use weir_files::Folders;
use weir_state::Letter;

/// Where dead letters go: to a file as lines of JSON, or to a topic as messages with the error in their headers. Both forms
/// are described at [`Letter`].
///
/// Letters are gathered, handed on by [`DeadLetters::write_out`] after each turn, and durable after
/// [`DeadLetters::flush`]. A letter that is too large for its place is written without the record's value, and counted.
pub(crate) struct DeadLetters {
    to: Destination,
    pending: Vec<Letter>,
    counters: Option<Arc<Counters>>,
}

enum Destination {
    /// A file that they are appended to.
    File(LetterFile),
    /// A topic.
    Topic(TopicLetterSink),
}

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
    /// The topic takes no letter, however short.
    #[error("dead letters: even a letter without its record is refused: {why}")]
    NoRoom {
        /// Why.
        why: Box<RowRefusal>,
    },
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

impl DeadLetters {
    /// Opens the file to append to it, making its folder where that is missing. It has to lie within these folders.
    /// With `committed` bytes, what stands behind them is of no commit, and is cut off.
    pub(crate) fn to_file(
        path: &Path,
        folders: &Folders,
        committed: Option<u64>,
    ) -> Result<DeadLetters, DeadLetterError> {
        let file = LetterFile::open(path, folders, committed)?;
        Ok(DeadLetters { to: Destination::File(file), pending: Vec::new(), counters: None })
    }

    /// The schema of a sink of letters: the value of each.
    pub(crate) fn schema() -> Result<Schema, BatchError> {
        topic::schema()
    }

    /// Letters that go to a sink of [`DeadLetters::schema`], which writes keys and headers too.
    pub(crate) fn to_sink(sink: Box<dyn Sink>) -> Result<DeadLetters, DeadLetterError> {
        let sink = TopicLetterSink::new(sink)?;
        Ok(DeadLetters { to: Destination::Topic(sink), pending: Vec::new(), counters: None })
    }

    /// The same, with letters that are too large counted there.
    pub(crate) fn counted(mut self, counters: &Arc<Counters>) -> DeadLetters {
        self.counters = Some(Arc::clone(counters));
        self
    }

    /// Adds the record at `row` of a batch that a stage or sink received.
    pub(crate) fn add_row(
        &mut self,
        sender: &Sender,
        batch: &Arc<Batch>,
        row: usize,
        why: Why<'_>,
    ) -> Result<(), DeadLetterError> {
        self.pending.push(letter::of_row(sender, batch, row, why)?);
        Ok(())
    }

    /// Adds what a source could not decode, with the row of what else it knows of it.
    pub(crate) fn add_bad(
        &mut self,
        sender: &Sender,
        origin: Option<&str>,
        partition: Option<i32>,
        bad: &BadRecord,
        known: (&SystemColumns, usize),
    ) -> Result<(), DeadLetterError> {
        self.pending.push(letter::of_bad(sender, origin, partition, bad, known));
        Ok(())
    }

    /// Hands on what was added.
    pub(crate) async fn write_out(&mut self) -> Result<(), DeadLetterError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        let omitted = match &mut self.to {
            Destination::File(file) => file.append_letters(pending).await?,
            Destination::Topic(sink) => sink.write(pending).await?,
        };
        if omitted > 0 {
            tracing::warn!(letters = omitted, "dead letters are written without their records, which are too large");
            self.counters.iter().for_each(|counters| counters.letters_omitted.add(omitted));
        }
        Ok(())
    }

    /// Makes every letter durable. A failure is final: after a failed fsync the system may have dropped the pages.
    pub(crate) async fn flush(&mut self) -> Result<(), DeadLetterError> {
        self.write_out().await?;
        match &mut self.to {
            Destination::File(file) => file.sync().await,
            Destination::Topic(sink) => Ok(sink.flush().await?),
        }
    }

    /// Flushes, and lets go of the place.
    pub(crate) async fn close(&mut self) -> Result<(), DeadLetterError> {
        self.flush().await?;
        match &mut self.to {
            Destination::File(_) => Ok(()),
            Destination::Topic(sink) => Ok(sink.close().await?),
        }
    }

    /// How many bytes of letters the file holds; `None` where they go elsewhere.
    pub(crate) fn file_bytes(&self) -> Option<u64> {
        match &self.to {
            Destination::File(file) => Some(file.bytes()),
            Destination::Topic(_) => None,
        }
    }
}
