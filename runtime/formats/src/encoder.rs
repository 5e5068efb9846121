//! Writing records to a file or pipe.

use super::FormatError;
use weir_batch::Batch;

/// Writes batches of one schema to one writer. Owned by one sink. Only rows that count are written, and only fields:
/// system columns stay behind. After an error nothing more is to be written.
pub trait Encoder: Send {
    /// Writes the rows of a batch that count. Some may stay buffered.
    ///
    /// # Errors
    ///
    /// A batch of another schema, or what the writer answers.
    fn write(&mut self, batch: &Batch) -> Result<(), FormatError>;

    /// Hands what is buffered to the writer and flushes that. (Parquet closes its row group.)
    ///
    /// # Errors
    ///
    /// What the writer answers.
    fn flush(&mut self) -> Result<(), FormatError>;

    /// Bytes written so far, with an estimate of those that are still buffered.
    fn bytes_written(&self) -> u64;

    /// Writes what the format puts last, flushes the writer and drops it. Without this a file is torn. To sync a
    /// `File` afterwards, keep a clone of its handle.
    ///
    /// # Errors
    ///
    /// What the writer answers.
    fn finish(self: Box<Self>) -> Result<(), FormatError>;
}
