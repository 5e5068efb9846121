//! Query and limits files as files.

use std::path::Path;

use weir_config::{Problem, Problems, QueryFileError};
use weir_files::{FileError, read_whole};

/// The largest query or limits file. A query of a thousand stages has a tenth of it.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The text of a file; `what` it is to be, for the message.
pub(super) fn read(path: &Path, what: &str) -> Result<String, QueryFileError> {
    let text = read_text(path, what);
    text.map_err(|message| QueryFileError::new(path, vec![Problem::of_file(message)]))
}

fn read_text(path: &Path, what: &str) -> Result<String, String> {
    let bytes = read_whole(path, FILE_BYTES_MAX).map_err(|error| match error {
        FileError::Io(error) => format!("cannot be opened: {error}"),
        FileError::TooLarge { .. } => {
            format!("is too large for a {what} file: the maximum is {FILE_BYTES_MAX} bytes")
        }
        FileError::NotRegular { .. } => format!("{error}, which a {what} file has to be"),
        error => error.to_string(),
    })?;
    String::from_utf8(bytes)
        .map_err(|error| format!("is not valid UTF-8 at byte {}: save it as UTF-8", error.utf8_error().valid_up_to()))
}

/// What was made of a file, with the warnings; or every mistake, sorted by line.
pub(super) fn finish<T>(made: Option<T>, problems: Problems) -> Result<(T, Vec<Problem>), Vec<Problem>> {
    let warnings = problems.finish()?;
    // Whatever leaves it incomplete has been reported: this is for a report that was forgotten.
    let forgotten = || vec![Problem::of_file("cannot be used (unknown reason)")];
    Ok((made.ok_or_else(forgotten)?, warnings))
}

/// The folder that paths in a file are taken from.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
