//! What is wrong with a query file, and where.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use weir_fault::Fault;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};
use weir_text::escape_to;
pub use weir_text::nearest;

/// One mistake, or one warning: where it stands, what is wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[non_exhaustive]
pub struct Problem {
    /// The key's path, such as `stages.late.params.min_delay`; empty where no key is to blame.
    pub key: String,
    /// The line, from 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// The column in characters, from 1; 0 where the file as a whole is meant.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right; empty where the message already says so.
    pub help: String,
}

impl Problem {
    /// What is wrong with a file as a whole.
    pub fn of_file(message: impl Into<String>) -> Problem {
        Problem { key: String::new(), line: 0, column: 0, message: message.into(), help: String::new() }
    }
}

/// `stages.late.function: missing; name a function of the module`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        if !self.help.is_empty() {
            write!(f, "; {}", self.help)?;
        }
        Ok(())
    }
}

/// A query file that cannot be run, or a limits file that cannot be kept: every mistake in it, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueryFileError {
    /// The file.
    pub path: PathBuf,
    /// At least one problem, sorted by line and column.
    pub problems: Vec<Problem>,
}

impl QueryFileError {
    /// These problems of a file, at least one.
    pub fn new(path: impl Into<PathBuf>, problems: Vec<Problem>) -> QueryFileError {
        QueryFileError { path: path.into(), problems }
    }

    /// Whose fault it is: whoever wrote the file mends it.
    pub fn fault(&self) -> Fault {
        Fault::Tenant
    }

    /// Whether the same may succeed later.
    pub fn retryable(&self) -> bool {
        false
    }
}

/// A line a problem: `late.toml:12: stages.late.function: missing; name a function of the module`.
impl fmt::Display for QueryFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            match problem.line {
                0 => write!(f, "{}: {problem}", self.path.display())?,
                line => write!(f, "{}:{line}: {problem}", self.path.display())?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for QueryFileError {}

/// A key's path and where it stands in the text. Kept beside every value that a later check may complain about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeyPlace {
    /// The key's path, such as `stages.late.params.min_delay`.
    pub key: String,
    /// The byte of the text at which it begins.
    pub offset: usize,
}

impl KeyPlace {
    /// The place of a key below this one.
    pub fn child(&self, name: &str, offset: usize) -> KeyPlace {
        let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let mut key = self.key.clone();
        if !key.is_empty() {
            key.push('.');
        }
        if !name.is_empty() && name.len() <= QUOTED_CHARS_MAX && name.bytes().all(bare) {
            key.push_str(name);
        } else {
            key.push_str(&format!("\"{}\"", clip(name)));
        }
        KeyPlace { key, offset }
    }

    /// The place of an element of the list at this one.
    pub fn element(&self, index: usize, offset: usize) -> KeyPlace {
        KeyPlace { key: format!("{}[{index}]", self.key), offset }
    }
}

/// A place for people: what is left of one when the text is gone, for what only later turns out to be wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[non_exhaustive]
pub struct Spot {
    /// The key's path.
    pub key: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Spot {
    /// What is wrong here.
    pub fn problem(&self, message: impl Into<String>, help: impl Into<String>) -> Problem {
        let Spot { key, line, column } = self.clone();
        Problem { key, line, column, message: message.into(), help: help.into() }
    }
}

/// Collects what is wrong with one text. Shared by all who read it: hence the cells.
#[derive(Debug, Serialize, Deserialize)]
pub struct Problems {
    // The offset at which each line begins; the first is 0.
    line_starts: Vec<usize>,
    text: Box<str>,
    errors: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
    // The keys of values that the environment gave.
    of_environment: RefCell<HashSet<String>>,
}

impl Problems {
    /// Nothing is wrong with this text so far.
    pub fn new(text: &str) -> Problems {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(offset, _)| offset + 1);
        Problems {
            line_starts: std::iter::once(0).chain(starts).collect(),
            text: text.into(),
            errors: RefCell::default(),
            warnings: RefCell::default(),
            of_environment: RefCell::default(),
        }
    }

    /// Records a mistake.
    pub fn error(&self, place: &KeyPlace, message: impl Into<String>, help: impl Into<String>) {
        self.errors.borrow_mut().push(self.spot(place).problem(message, help));
    }

    /// Records what is odd but can be run.
    pub fn warning(&self, place: &KeyPlace, message: impl Into<String>, help: impl Into<String>) {
        self.warnings.borrow_mut().push(self.spot(place).problem(message, help));
    }

    /// Remembers that the value here came from the environment.
    pub(crate) fn came_from_environment(&self, place: &KeyPlace) {
        self.of_environment.borrow_mut().insert(place.key.clone());
    }

    /// Whether the value here came from the environment.
    pub(crate) fn is_of_environment(&self, place: &KeyPlace) -> bool {
        self.of_environment.borrow().contains(&place.key)
    }

    /// Whether something below this place is known to be wrong.
    pub(crate) fn has_error_below(&self, place: &KeyPlace) -> bool {
        let begin = format!("{}.", place.key);
        self.errors.borrow().iter().any(|error| error.key.starts_with(&begin))
    }

    /// The warnings where nothing is wrong, else the errors; sorted by line.
    ///
    /// # Errors
    ///
    /// Every mistake that was recorded.
    pub fn finish(self) -> Result<Vec<Problem>, Vec<Problem>> {
        let sorted = |mut problems: Vec<Problem>| {
            problems.sort_by_key(|problem| (problem.line, problem.column));
            problems
        };
        match self.errors.into_inner() {
            errors if errors.is_empty() => Ok(sorted(self.warnings.into_inner())),
            errors => Err(sorted(errors)),
        }
    }

    /// Line and column of a place.
    pub fn spot(&self, place: &KeyPlace) -> Spot {
        let line = self.line_starts.partition_point(|&start| start <= place.offset);
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..place.offset).unwrap_or("");
        Spot { key: place.key.clone(), line, column: before.chars().count() + 1 }
    }
}

/// How much of a value of the file is repeated in a message.
const QUOTED_CHARS_MAX: usize = 64;

/// A value of the file as it is repeated in a message: escaped, and cut where it is long.
pub fn clip(text: &str) -> String {
    let mut clipped = escape_to(text, QUOTED_CHARS_MAX);
    if text.chars().nth(QUOTED_CHARS_MAX).is_some() {
        clipped.push_str("...");
    }
    clipped
}

/// ``did you mean `x`?`` where a candidate is near, else all candidates after `none_near`.
pub fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>, none_near: &str) -> String {
    // More candidates than anybody reads are not listed.
    const LISTED_MAX: usize = 16;
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if let Some(candidate) = nearest(word, candidates.iter().copied()) {
        return format!("did you mean `{}`?", clip(candidate));
    }
    if candidates.is_empty() {
        return String::new();
    }
    let mut listed: Vec<String> =
        candidates.iter().take(LISTED_MAX).map(|candidate| format!("`{}`", clip(candidate))).collect();
    if candidates.len() > LISTED_MAX {
        listed.push(format!("{} more", candidates.len() - LISTED_MAX));
    }
    format!("{none_near} {}", listed.join(", "))
}
