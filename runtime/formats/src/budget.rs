//! How much memory a file of a binary format may make its reader use.

use super::{Format, FormatError};

/// The most bytes that decompression and dictionaries of one file may take at once. Small files can state any size:
/// every size that a file states is added up and checked against this before memory is allocated for it.
pub(super) const EXPANDED_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// The most bytes that a byte compressed by LZ4 can become: each byte of a length adds 255.
pub(super) const LZ4_RATIO_MAX: u64 = 255;
/// By zstd: a block of four bytes repeats one of them 128 Ki times.
pub(super) const ZSTD_RATIO_MAX: u64 = 32 * 1024;
/// By deflate: two bits are a copy of 258 bytes.
pub(super) const DEFLATE_RATIO_MAX: u64 = 1032;
/// By snappy: three bytes are a copy of 64.
pub(super) const SNAPPY_RATIO_MAX: u64 = 22;

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
