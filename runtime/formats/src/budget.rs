//! How much memory a file of a binary format may make its reader use.

use super::{Format, FormatError};

/// The most bytes that decompression and dictionaries of one file may take at once. Small files can state any size:
/// every size that a file states is added up and checked against this before memory is allocated for it.
pub(super) const EXPANDED_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// The largest piece of a file that is held as it is: the body of an Arrow record batch. The file must have the bytes.
pub(super) const HELD_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// The largest description of a file's contents: a Parquet footer, the metadata of an Arrow message.
pub(super) const METADATA_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The deepest nesting of a file's schema.
pub(super) const SCHEMA_DEPTH_MAX: usize = 64;

/// A file that contradicts itself, or that states what it cannot hold.
pub(super) fn corrupt(format: Format, reason: impl ToString) -> FormatError {
    FormatError::Corrupt { format, reason: weir_text::brief(&reason) }
}

/// Refuses what takes more than `bytes_max`; `remedy` says what whoever writes the file can do.
pub(super) fn within(
    format: Format,
    what: &'static str,
    bytes: u64,
    bytes_max: u64,
    remedy: &'static str,
) -> Result<(), FormatError> {
    match bytes <= bytes_max {
        true => Ok(()),
        false => Err(FormatError::TooLarge { format, what, bytes, bytes_max, remedy }),
    }
}
