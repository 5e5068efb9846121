//! Catches panics of the readers of binary formats.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Format, FormatError};

/// Runs a step of a reader of a binary format, and converts a panic to an error. The readers check their input, but they are large,
/// and files come from anywhere: one damaged file must not affect other queries.
pub(super) fn guarded<T>(format: Format, read: impl FnOnce() -> Result<T, FormatError>) -> Result<T, FormatError> {
    // The reader may be in a broken state, so a decoder is never used after an error.
    let read = catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(|&text| text.to_owned()));
        let reason = format!("the reader panicked: {}", weir_text::brief(&text.unwrap_or_default()));
        Err(FormatError::Corrupt { format, reason })
    });
    read.map_err(|error| error.of_file(format))
}
