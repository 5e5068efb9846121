//! Reads query files and limits files.

use std::path::Path;

use weir_config::{Problem, Problems, QueryFileError};
use weir_files::{FileError, read_whole};

/// The maximum size of a query or limits file. A query with a thousand stages has a tenth of it.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The text of a file; `what` is its kind, for the message.
pub(super) fn read(path: &Path, what: &str) -> Result<String, QueryFileError> {
    let text = read_text(path, what);
    text.map_err(|message| QueryFileError::new(path, vec![Problem::of_file(message)]))
}

/// The bytes of a query file, not looked at: for whoever has another process read them.
///
/// # Errors
///
/// That it cannot be opened, is no regular file, or is too large.
pub fn read_query_file(path: &Path) -> Result<Vec<u8>, QueryFileError> {
    read_bytes(path, "query").map_err(|message| QueryFileError::new(path, vec![Problem::of_file(message)]))
}

fn read_text(path: &Path, what: &str) -> Result<String, String> {
    String::from_utf8(read_bytes(path, what)?)
        .map_err(|error| format!("is not valid UTF-8 at byte {}: save it as UTF-8", error.utf8_error().valid_up_to()))
}

fn read_bytes(path: &Path, what: &str) -> Result<Vec<u8>, String> {
    read_whole(path, FILE_BYTES_MAX).map_err(|error| match error {
        FileError::Io(error) => format!("cannot be opened: {error}"),
        FileError::TooLarge { .. } => {
            format!("is too large for a {what} file: the maximum is {FILE_BYTES_MAX} bytes")
        }
        FileError::NotRegular { .. } => format!("{error}, which a {what} file has to be"),
        error => error.to_string(),
    })
}

/// The result with warnings, or all mistakes, sorted by line.
pub(super) fn finish<T>(made: Option<T>, problems: Problems) -> Result<(T, Vec<Problem>), Vec<Problem>> {
    let warnings = problems.finish()?;
    // Everything that makes the result incomplete should have been reported. This is for a report that was forgotten.
    let forgotten = || vec![Problem::of_file("cannot be used (unknown reason)")];
    Ok((made.ok_or_else(forgotten)?, warnings))
}

/// The folder to which paths in a file are relative.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
