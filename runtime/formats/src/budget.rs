//! Memory limits for reading files of binary formats.

use super::{Format, FormatError};

/// The maximum number of bytes for decompression and dictionaries of one file at a time. Even small files can state any size: all
/// sizes that a file states are added up and compared with this before memory is allocated for them.
pub(super) const EXPANDED_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// The maximum expansion of a byte by LZ4: each byte of a length adds 255.
pub(super) const LZ4_RATIO_MAX: u64 = 255;
/// By zstd: a block of four bytes repeats one byte 128 Ki times.
pub(super) const ZSTD_RATIO_MAX: u64 = 32 * 1024;
/// By deflate: two bits can be a copy of 258 bytes.
pub(super) const DEFLATE_RATIO_MAX: u64 = 1032;
/// By snappy: three bytes can be a copy of 64.
pub(super) const SNAPPY_RATIO_MAX: u64 = 22;

/// The maximum size of a part of a file that is kept in memory unchanged: the body of an Arrow record batch. The file must contain
/// the bytes.
pub(super) const HELD_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// The maximum size of a file's metadata: a Parquet footer, or the metadata of an Arrow message.
pub(super) const METADATA_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The maximum nesting depth of a file's schema.
pub(super) const SCHEMA_DEPTH_MAX: usize = 64;

/// An error for a file that contradicts itself, or that states impossible sizes.
pub(super) fn corrupt(format: Format, reason: impl ToString) -> FormatError {
    FormatError::Corrupt { format, reason: weir_text::brief(&reason) }
}

/// Refuses sizes above `bytes_max`; `remedy` says what the writer of the file can do.
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
