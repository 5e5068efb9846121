//! Letters as messages of a topic: the original record, with the error in headers.
//!
//! Key, value and headers are the record's own. The facts of the letter are in additional headers, whose names begin with `weir.`.
//! If the record has headers with this prefix, the prefix is replaced by `weir.original.`, so that a record cannot forge facts of
//! its letter.

use crate::letter::of_later_version;
use crate::{Header, Letter, LetterValue};

const OURS: &str = "weir.";
const THEIRS: &str = "weir.original.";
const VERSION: &str = "weir.letter.version";
const VALUE: &str = "weir.letter.value";
const ERROR: &str = "weir.error.";

/// Key, value and headers of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LetterMessage {
    /// The record's key.
    pub key: Option<Vec<u8>>,
    /// The content of the record.
    pub value: Option<Vec<u8>>,
    /// The record's headers, and the facts of the letter.
    pub headers: Vec<Header>,
}

impl LetterMessage {
    /// Converts a letter to a message.
    pub fn of(letter: Letter) -> LetterMessage {
        let facts = letter.facts();
        let mut headers = Vec::with_capacity(letter.headers.len() + facts.len() + 2);
        for (name, value) in letter.headers {
            let renamed = name.strip_prefix(OURS).map(|rest| format!("{THEIRS}{rest}"));
            headers.push((renamed.unwrap_or(name), value));
        }
        let mut say = |name: String, text: String| headers.push((name, Some(text.into_bytes())));
        say(VERSION.to_owned(), Letter::VERSION.to_string());
        say(VALUE.to_owned(), letter.value.name().to_owned());
        facts.into_iter().for_each(|(name, text)| say(format!("{ERROR}{name}"), text));
        let value = match letter.value {
            LetterValue::Original(bytes) => bytes,
            LetterValue::Record { record, .. } => Some(record.into_bytes()),
            LetterValue::Omitted => None,
        };
        LetterMessage { key: letter.key, value, headers }
    }

    /// Converts a message to a letter; `None` if the message does not claim to be a letter of this form.
    ///
    /// # Errors
    ///
    /// What is wrong with a message that claims to be a letter.
    pub fn read(&self) -> Option<Result<Letter, String>> {
        let is_letter = self.headers.iter().any(|(name, _)| name == VERSION);
        is_letter.then(|| self.letter())
    }

    fn letter(&self) -> Result<Letter, String> {
        let version = self.own(VERSION)?.unwrap_or_default();
        match version.parse::<u64>() {
            Ok(Letter::VERSION) => {}
            Ok(later) if later > Letter::VERSION => return Err(of_later_version(&later.to_string())),
            _ => return Err(format!("header `{VERSION}` is not a version of dead letters")),
        }
        let value = match self.own(VALUE)? {
            Some("original") => LetterValue::Original(self.value.clone()),
            Some("omitted") => LetterValue::Omitted,
            Some("record") => {
                let record = self.value.clone().ok_or("the record is missing")?;
                let record = String::from_utf8(record).map_err(|_| "the record is not UTF-8")?;
                let parsed: Result<&serde_json::value::RawValue, _> = serde_json::from_str(&record);
                parsed.map_err(|error| format!("the record is not JSON: {error}"))?;
                LetterValue::Record { record, bytes: None }
            }
            _ => return Err(format!("header `{VALUE}` must be `original`, `record` or `omitted`")),
        };
        let theirs = self.headers.iter().filter(|(name, _)| !name.starts_with(OURS) || name.starts_with(THEIRS));
        let headers = theirs.map(|(name, value)| {
            let renamed = name.strip_prefix(THEIRS).map(|rest| format!("{OURS}{rest}"));
            (renamed.unwrap_or_else(|| name.clone()), value.clone())
        });
        let fact = |name: &str| self.own(&format!("{ERROR}{name}"));
        Letter::of_facts(fact, self.key.clone(), headers.collect(), value)
    }

    /// The text of one of the letter's own headers.
    fn own(&self, name: &str) -> Result<Option<&str>, String> {
        let mut found = self.headers.iter().filter(|(other, _)| other == name);
        let Some((_, value)) = found.next() else { return Ok(None) };
        if found.next().is_some() {
            return Err(format!("header `{name}` occurs twice"));
        }
        let value = value.as_deref().ok_or_else(|| format!("header `{name}` has no value"))?;
        std::str::from_utf8(value).map(Some).map_err(|_| format!("header `{name}` is not UTF-8"))
    }
}
