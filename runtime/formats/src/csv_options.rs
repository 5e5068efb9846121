//! Options of CSV files.

use std::path::Path;
use weir_batch::Fault;

/// The options of a CSV file. The default is RFC 4180 with a header row: commas, double quotes, and an empty field for null.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CsvOptions {
    /// The delimiter between fields: one ASCII character.
    pub delimiter: u8,
    /// The quote around fields that contain delimiters, quotes or line ends. Without it no field can contain these.
    pub quote: Option<u8>,
    /// Whether the first record holds the names of the fields. Without a header, fields are in the order of the schema.
    pub header: bool,
    /// The unquoted texts that mean null. An encoder writes the first of them.
    pub nulls: Vec<String>,
    /// Lines that begin with this character are comments.
    pub comment: Option<u8>,
}

/// An option that is invalid, alone or in combination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {reason}")]
#[non_exhaustive]
pub struct CsvOptionError {
    /// The field of [`CsvOptions`].
    pub key: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

impl CsvOptionError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        Fault::Tenant
    }

    /// Whether the same options may be valid later.
    pub fn retryable(&self) -> bool {
        false
    }
}

/// Each field is compared with all of them.
const NULLS_MAX: usize = 16;

impl Default for CsvOptions {
    fn default() -> CsvOptions {
        CsvOptions { delimiter: b',', quote: Some(b'"'), header: true, nulls: vec![String::new()], comment: None }
    }
}

impl CsvOptions {
    /// Changes fields: `CsvOptions::default().with(|it| it.delimiter = b';')`.
    pub fn with(mut self, change: impl FnOnce(&mut CsvOptions)) -> CsvOptions {
        change(&mut self);
        self
    }

    /// The default options, but with tabs for a path that ends with `.tsv`.
    pub fn of_path(path: &Path) -> CsvOptions {
        let tabs = path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("tsv"));
        CsvOptions { delimiter: if tabs { b'\t' } else { b',' }, ..CsvOptions::default() }
    }

    /// Refuses options with which a field could be read in two ways.
    ///
    /// # Errors
    ///
    /// A character that is not ASCII or that ends lines, one character for two purposes, or a text for null that no unquoted field
    /// can contain.
    pub fn validate(&self) -> Result<(), CsvOptionError> {
        let wrong = |key, reason: String| Err(CsvOptionError { key, reason });
        let roles = [("delimiter", Some(self.delimiter)), ("quote", self.quote), ("comment", self.comment)];
        for (index, (key, byte)) in roles.iter().enumerate() {
            let Some(byte) = *byte else { continue };
            if !byte.is_ascii() || matches!(byte, b'\r' | b'\n') {
                return wrong(key, "it must be one ASCII character other than a line end".to_owned());
            }
            if let Some((other, _)) = roles.iter().take(index).find(|(_, other)| *other == Some(byte)) {
                return wrong(
                    key,
                    format!("`{}` is also the {other}", weir_text::escape(&char::from(byte).to_string())),
                );
            }
        }
        if self.nulls.len() > NULLS_MAX {
            return wrong("nulls", format!("{} texts are listed: the maximum is {NULLS_MAX}", self.nulls.len()));
        }
        for null in &self.nulls {
            let shown = weir_text::escape(null);
            if null
                .bytes()
                .any(|byte| byte == self.delimiter || Some(byte) == self.quote || matches!(byte, b'\r' | b'\n'))
            {
                return wrong(
                    "nulls",
                    format!("`{shown}` contains a delimiter, quote or line end, which an unquoted field cannot"),
                );
            }
            if self.comment.is_some() && null.bytes().next() == self.comment {
                return wrong("nulls", format!("`{shown}` begins with the comment character"));
            }
        }
        Ok(())
    }

    /// Whether an unquoted field with this text is null.
    pub(super) fn is_null(&self, value: &[u8]) -> bool {
        self.nulls.iter().any(|null| null.as_bytes() == value)
    }

    pub(super) fn dialect(&self) -> Dialect {
        Dialect { delimiter: self.delimiter, quote: self.quote, comment: self.comment }
    }
}

/// The options that determine where records and fields end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    pub(super) quote: Option<u8>,
    pub(super) comment: Option<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_read_in_two_ways_are_refused() {
        let check = |change: fn(&mut CsvOptions), expected: &str| {
            let mut options = CsvOptions::default();
            change(&mut options);
            let found = options.validate().map_or_else(|error| error.to_string(), |()| String::new());
            assert_eq!(found, expected);
        };
        check(|_| (), "");
        check(|options| options.quote = None, "");
        check(|options| options.delimiter = b'\t', "");
        check(|options| options.delimiter = b'\x01', "");
        check(|options| options.delimiter = b'\n', "delimiter: it must be one ASCII character other than a line end");
        check(|options| options.quote = Some(b'\r'), "quote: it must be one ASCII character other than a line end");
        check(|options| options.comment = Some(0xe9), "comment: it must be one ASCII character other than a line end");
        check(|options| options.delimiter = b'"', "quote: `\"` is also the delimiter");
        check(|options| options.comment = Some(b'"'), "comment: `\"` is also the quote");
        check(|options| options.comment = Some(b','), "comment: `,` is also the delimiter");
        check(|options| options.nulls = vec![], "");
        check(|options| options.nulls = vec!["NULL".to_owned(), "\\N".to_owned()], "");
        check(
            |options| options.nulls = vec!["a,b".to_owned()],
            "nulls: `a,b` contains a delimiter, quote or line end, which an unquoted field cannot",
        );
        check(
            |options| {
                options.nulls = vec!["#N/A".to_owned()];
                options.comment = Some(b'#');
            },
            "nulls: `#N/A` begins with the comment character",
        );
        check(|options| options.nulls = vec![String::new(); 17], "nulls: 17 texts are listed: the maximum is 16");
    }
}
