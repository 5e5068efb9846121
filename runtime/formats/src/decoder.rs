//! Reading records from a file.

use std::sync::Arc;

use super::{Format, FormatError, NewKey, ResumePlace};
use weir_batch::{Batch, Schema};

/// Reads one file from its beginning, one batch at a time. Owned by one source; holds one chunk of the file.
pub trait Decoder: Send {
    /// The schema of every batch.
    fn schema(&self) -> &Arc<Schema>;

    /// The next records, or `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// The rest of the file cannot be read; do not use this decoder afterwards. The exception is [`FormatError::is_waiting`], from
    /// a decoder of a [`super::Feed`]: call this again when more bytes were added; nothing is lost.
    fn next(&mut self) -> Result<Option<Decoded>, FormatError>;

    /// The place from which another decoder of the same file can continue after the records returned so far. If a batch is a part
    /// of a larger unit of the format, this is the beginning of that unit, and records are then skipped by their numbers. `None`
    /// for a format without such places.
    fn place(&self) -> Option<ResumePlace> {
        None
    }

    /// Moves to a place from a decoder of the same file. Call this before reading. Records before `next` are not needed: those
    /// between the place and `next` may be returned or left out.
    ///
    /// # Errors
    ///
    /// A place that does not exist in this file, and [`FormatError::Continued`].
    fn resume(&mut self, place: &ResumePlace, next: i64) -> Result<(), FormatError> {
        let _ = (place, next);
        Err(FormatError::Place { format: Format::Bincode, reason: "the format does not support positions".to_owned() })
    }

    /// Expects the file to grow: a record that the end of the file cuts off is not returned, and [`Decoder::place`] is before it.
    /// Formats that are written as a whole ignore this.
    fn leave_open_end(&mut self) {}

    /// From now on, records undeclared keys that first appear after this many records, which are those of the schema's sample. Only
    /// JSON has such keys.
    fn watch_new_keys(&mut self, _sample: u64) {}

    /// The new keys since the last call.
    fn take_new_keys(&mut self) -> Vec<NewKey> {
        Vec::new()
    }
}

/// The result of one call of [`Decoder::next`]. It always consumed bytes, though the batch may be empty.
#[derive(Debug)]
#[non_exhaustive]
pub struct Decoded {
    /// The valid records. `_offset` is each record's number within the file, counted from 0. Bad records have numbers too, so the
    /// numbers of valid records have gaps.
    pub batch: Batch,
    /// The records that could not be read, ascending by offset.
    pub bad: Vec<BadRecord>,
    /// Bytes of the file that this call consumed.
    pub bytes_read: u64,
}

/// A record that could not be read. The other records of its chunk are returned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadRecord {
    /// The record's number within the file, counted from 0.
    pub offset: i64,
    /// The line on which it begins, counted from 1, in line-based formats.
    pub line: Option<u64>,
    /// The record's bytes in the file, without its line end; the first MiB of an overlong record. In binary formats, the record as
    /// a line of JSON.
    pub bytes: Vec<u8>,
    /// Why it could not be read.
    pub message: String,
}

impl BadRecord {
    /// A record of no known line.
    pub fn new(offset: i64, bytes: Vec<u8>, message: impl Into<String>) -> BadRecord {
        BadRecord { offset, line: None, bytes, message: message.into() }
    }
}
