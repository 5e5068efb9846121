//! Writes dead letters.

use std::path::Path;
use std::sync::Arc;

use weir_batch::{Batch, BatchError, Schema, SystemColumns};
use weir_files::Folders;
use weir_formats::BadRecord;
use weir_sinks::Sink;
use weir_state::Letter;

use super::error::DeadLetterError;
use super::file::LetterFile;
use super::letter::{self, Sender, Why};
use super::topic::{self, TopicLetterSink};

/// Writes dead letters: to a file as lines of JSON, or to a topic as messages with the error in their headers. [`Letter`] describes
/// both forms.
///
/// Letters are collected, passed on by [`DeadLetters::write_out`] after each turn, and durable after [`DeadLetters::flush`]. A
/// letter that is too large is written without the record's value, and counted.
pub struct DeadLetters {
    to: Destination,
    pending: Vec<Letter>,
    /// Called with the number of letters that are written without their records.
    omitted: Option<Box<dyn Fn(u64) + Send + Sync>>,
}

enum Destination {
    /// A file that they are appended to.
    File(LetterFile),
    /// A topic.
    Topic(TopicLetterSink),
}

impl DeadLetters {
    /// Opens the file for appending, and creates its folder if it is missing. The file must be inside of these folders. With
    /// `committed`, bytes after that length belong to no commit, and are removed.
    ///
    /// # Errors
    ///
    /// A file that cannot be opened, is in use, or is shorter than `committed`.
    pub fn to_file(path: &Path, folders: &Folders, committed: Option<u64>) -> Result<DeadLetters, DeadLetterError> {
        let file = LetterFile::open(path, folders, committed)?;
        Ok(DeadLetters { to: Destination::File(file), pending: Vec::new(), omitted: None })
    }

    /// The schema for a sink of letters: the value of each letter.
    ///
    /// # Errors
    ///
    /// None in practice, because the schema is fixed.
    pub fn schema() -> Result<Schema, BatchError> {
        topic::schema()
    }

    /// Writes letters to a sink with [`DeadLetters::schema`], which also writes keys and headers.
    ///
    /// # Errors
    ///
    /// As [`DeadLetters::schema`].
    pub fn to_sink(sink: Box<dyn Sink>) -> Result<DeadLetters, DeadLetterError> {
        let sink = TopicLetterSink::new(sink)?;
        Ok(DeadLetters { to: Destination::Topic(sink), pending: Vec::new(), omitted: None })
    }

    /// Sets a function that is called with the number of letters that were too large, and were written without their records.
    #[must_use]
    pub fn counted(mut self, count: impl Fn(u64) + Send + Sync + 'static) -> DeadLetters {
        self.omitted = Some(Box::new(count));
        self
    }

    /// Adds the record at `row` of a batch that a stage or sink received.
    ///
    /// # Errors
    ///
    /// A record that cannot be converted to JSON.
    pub fn add_row(
        &mut self,
        sender: &Sender,
        batch: &Arc<Batch>,
        row: usize,
        why: Why<'_>,
    ) -> Result<(), DeadLetterError> {
        self.pending.push(letter::of_row(sender, batch, row, why)?);
        Ok(())
    }

    /// Adds a record that a source could not decode, and a row with everything else that the source knows about it.
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn add_bad(
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

    /// Passes on all added letters.
    ///
    /// # Errors
    ///
    /// A file or sink that cannot be written.
    pub async fn write_out(&mut self) -> Result<(), DeadLetterError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        let omitted = match &mut self.to {
            Destination::File(file) => file.append_letters(pending).await?,
            Destination::Topic(sink) => sink.write(pending).await?,
        };
        if omitted > 0 {
            tracing::warn!(
                letters = omitted,
                "dead letters are written without their records because these are too large"
            );
            self.omitted.iter().for_each(|count| count(omitted));
        }
        Ok(())
    }

    /// Makes all letters durable. A failure is final: after a failed fsync the operating system may have dropped the pages.
    ///
    /// # Errors
    ///
    /// As [`DeadLetters::write_out`].
    pub async fn flush(&mut self) -> Result<(), DeadLetterError> {
        self.write_out().await?;
        match &mut self.to {
            Destination::File(file) => file.sync().await,
            Destination::Topic(sink) => Ok(sink.flush().await?),
        }
    }

    /// Flushes and closes the file or sink.
    ///
    /// # Errors
    ///
    /// As [`DeadLetters::write_out`].
    pub async fn close(&mut self) -> Result<(), DeadLetterError> {
        self.flush().await?;
        match &mut self.to {
            Destination::File(_) => Ok(()),
            Destination::Topic(sink) => Ok(sink.close().await?),
        }
    }

    /// The length of the file in bytes; `None` for a topic.
    pub fn file_bytes(&self) -> Option<u64> {
        match &self.to {
            Destination::File(file) => Some(file.bytes()),
            Destination::Topic(_) => None,
        }
    }
}
