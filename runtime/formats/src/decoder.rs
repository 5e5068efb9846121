//! Reading records from a file.

use std::sync::Arc;

use super::{Format, FormatError, NewKey, ResumePlace};
use weir_batch::{Batch, Schema};

/// Reads one file from its beginning, a batch at a time. Owned by one source; holds one chunk of the file.
pub trait Decoder: Send {
    /// The schema of every batch.
    fn schema(&self) -> &Arc<Schema>;

    /// The next records, or `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// The file as a whole cannot be read on; nothing is to be read from this decoder afterwards. But for
    /// [`FormatError::is_waiting`], of a decoder over a [`super::Feed`]: that can be asked again when more was fed, and
    /// nothing is lost.
    fn next(&mut self) -> Result<Option<Decoded>, FormatError>;

    /// Where another decoder of the same file goes on behind what was given so far. Where a batch is a part of what the format
    /// decodes at once, that is the beginning of this: records are passed over by their numbers then. `None` in a format
    /// that has no such places.
    fn place(&self) -> Option<ResumePlace> {
        None
    }

    /// Goes to a place that a decoder of the same file named, before anything is asked for. Records before `next` are not
    /// needed: what of them lies behind the place may be left out, or come.
    ///
    /// # Errors
    ///
    /// A place that this file does not have, and [`FormatError::Continued`].
    fn resume(&mut self, place: &ResumePlace, next: i64) -> Result<(), FormatError> {
        let _ = (place, next);
        Err(FormatError::Place { format: Format::Bincode, reason: "the format does not support positions".to_owned() })
    }

    /// Says that the file may grow: where it ends within a record, that record is neither given nor passed, and
    /// [`Decoder::place`] is before it. Formats that are written as a whole end with it.
    fn leave_open_end(&mut self) {}

    /// From now on, remembers keys that are not declared and first appear behind this many records: those that the schema
    /// was inferred from. Only JSON has such keys.
    fn watch_new_keys(&mut self, _sample: u64) {}

    /// The keys that were found so since this was last asked.
    fn take_new_keys(&mut self) -> Vec<NewKey> {
        Vec::new()
    }
}

/// What one call of [`Decoder::next`] took from the file: never nothing, though the batch may be empty.
#[derive(Debug)]
pub struct Decoded {
    /// The good records. `_offset` holds each one's number within the file, counted from 0; a bad record keeps its
    /// number, so the good ones skip over it.
    pub batch: Batch,
    /// The records that could not be read, ascending by offset.
    pub bad: Vec<BadRecord>,
    /// Bytes of the file that this call consumed.
    pub bytes_read: u64,
}

/// One record that could not be read. The others of its chunk arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRecord {
    /// The record's number within the file, counted from 0.
    pub offset: i64,
    /// The line that it begins on, counted from 1, in formats of lines.
    pub line: Option<u64>,
    /// The record as the file has it, without its line end; the first MiB of an overlong one. In binary formats, the
    /// record as a line of JSON.
    pub bytes: Vec<u8>,
    /// Why it could not be read.
    pub message: String,
}
