//! From a file to its TOML.

use std::path::Path;

use toml::de::DeTable;
use weir_files::{FileError, read_whole};

use super::hints;
use super::problem::{Place, Problem, Problems, QueryFileError};
use super::table::Table;

/// The largest query or limits file. A query of a thousand stages has a tenth of it.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// How many mistakes of TOML itself are listed: what follows the first ones often follows from them.
const SYNTAX_ERRORS_MAX: usize = 20;

/// The text of a file; `what` it is to be, for the message.
pub(super) fn read(path: &Path, what: &str) -> Result<String, QueryFileError> {
    let text = read_text(path, what);
    text.map_err(|message| QueryFileError { path: path.to_owned(), problems: vec![of_all(message)] })
}

fn read_text(path: &Path, what: &str) -> Result<String, String> {
    let bytes = read_whole(path, FILE_BYTES_MAX).map_err(|error| match error {
        FileError::Io(error) => format!("cannot be opened: {error}"),
        FileError::TooLarge { .. } => {
            format!("is too large for a {what} file: it can have {FILE_BYTES_MAX} bytes")
        }
        FileError::NotRegular { .. } => format!("{error}, which a {what} file has to be"),
    })?;
    String::from_utf8(bytes).map_err(|error| {
        format!("is not UTF-8 text, from byte {} on: save it as UTF-8", error.utf8_error().valid_up_to())
    })
}

/// What `check` makes of a TOML text, after `prepare` has seen to it, with the warnings; or every mistake, sorted by line.
pub(super) fn parse<T>(
    text: &str,
    prepare: impl FnOnce(&mut DeTable<'_>, &Problems),
    check: impl FnOnce(Table<'_>, &Problems) -> Option<T>,
) -> Result<(T, Vec<Problem>), Vec<Problem>> {
    let problems = Problems::new(text);
    let (mut root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        if let Some(language) = hints::other_language(text) {
            let message = format!("this is {language}, and the file must be TOML");
            problems.error(
                &Place::default(),
                message,
                "write `name = \"…\"`, and a header such as `[sources.flights]` for each part",
            );
            return Err(problems.finish().err().unwrap_or_default());
        }
        let more = errors.len().saturating_sub(SYNTAX_ERRORS_MAX);
        for error in errors.into_iter().take(SYNTAX_ERRORS_MAX) {
            let offset = error.span().map_or(0, |span| span.start);
            let message = error.message().trim().replace('\n', ", ");
            problems.error(&Place { key: String::new(), offset }, format!("not valid TOML: {message}"), "");
        }
        if more > 0 {
            let last = Place { key: String::new(), offset: text.len() };
            problems.error(&last, format!("{more} more mistakes of TOML are not listed"), "mend the first ones");
        }
        // What the parser made of the rest would be complained about for the wrong reasons.
        return Err(problems.finish().err().unwrap_or_default());
    }
    prepare(root.get_mut(), &problems);
    let checked = check(Table::new(Place::default(), root.get_ref(), &problems), &problems);
    let warnings = problems.finish()?;
    // Whatever leaves it incomplete has been reported: this is for a report that was forgotten.
    let forgotten = || vec![of_all("cannot be used, for a reason that was not recorded".to_owned())];
    Ok((checked.ok_or_else(forgotten)?, warnings))
}

/// A problem of a file as a whole.
fn of_all(message: String) -> Problem {
    Problem { key: String::new(), line: 0, column: 0, message, help: String::new() }
}

/// The folder that paths in a file are taken from.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
