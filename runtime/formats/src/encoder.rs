//! Writes records to a file or pipe.

use super::FormatError;
use weir_batch::Batch;

/// Writes batches of one schema to one writer. Owned by one sink. Writes only rows that count, and only fields, not system columns.
/// Do not use it after an error.
pub trait Encoder: Send {
    /// Writes the rows of a batch that count. Some may stay buffered.
    ///
    /// # Errors
    ///
    /// A batch with another schema, or an error of the writer.
    fn write(&mut self, batch: &Batch) -> Result<(), FormatError>;

    /// Passes buffered bytes to the writer and flushes the writer. (Parquet closes its row group.)
    ///
    /// # Errors
    ///
    /// An error of the writer.
    fn flush(&mut self) -> Result<(), FormatError>;

    /// Bytes written so far, with an estimate of those that are still buffered.
    fn bytes_written(&self) -> u64;

    /// Writes the end of the file, flushes the writer and drops it. Without this call the file is incomplete. To sync a `File`
    /// afterwards, keep a clone of its handle.
    ///
    /// # Errors
    ///
    /// An error of the writer.
    fn finish(self: Box<Self>) -> Result<(), FormatError>;
}
