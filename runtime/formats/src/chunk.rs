//! Consecutive records that were cut from a text.

use std::ops::Range;

/// Some consecutive records. `F` says why a record is bad, as far as that is known before it is parsed.
pub(super) struct Chunk<'a, F> {
    /// The chunk, including the bytes between its records.
    pub(super) bytes: &'a [u8],
    /// The records in the chunk. Blank lines and comments are not records.
    pub(super) spans: &'a [Span<F>],
    /// The number of bytes of the file that the chunk consumed.
    pub(super) bytes_read: u64,
}

/// One record of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span<F> {
    /// The position of the record in the chunk, without its line end.
    pub(super) range: Range<usize>,
    /// The line on which it begins.
    pub(super) line: u64,
    /// Why it is a bad record, if that is known without parsing it.
    pub(super) fault: Option<F>,
}

/// A chunk ends after the record that exceeds this size, which bounds memory.
pub(super) const CHUNK_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The number of bytes that are read at once.
pub(super) const READ_BYTES: usize = 256 * 1024;
