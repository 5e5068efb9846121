//! One dead letter.

/// A dead letter: why a record is dead, where it came from, and the record itself. Written by a query to a file
/// ([`Letter::parse`] reads its lines) or to a topic, as a message with the error in its headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The query that it is of.
    pub query: String,
    /// Its tenant.
    pub tenant: String,
    /// The source, stage or sink at which the record died.
    pub place: String,
    /// Digest of the module that was at work, in hexadecimal digits.
    pub module: Option<String>,
    /// Its function.
    pub function: Option<String>,
    /// Why, for machines.
    pub code: String,
    /// Why, for people.
    pub message: String,
    /// The query's source that read the record, where that is known.
    pub source: Option<String>,
    /// The file or topic that the record came from.
    pub origin: Option<String>,
    /// Its partition.
    pub partition: Option<i32>,
    /// Its place in there.
    pub offset: Option<i64>,
    /// Its event time, in microseconds since the Unix epoch.
    pub timestamp_us: Option<i64>,
    /// The line that it began on.
    pub line: Option<u64>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its headers: names and values.
    pub headers: Vec<Header>,
    /// The record itself.
    pub value: LetterValue,
}

/// A header's name, and its value where it has one.
pub type Header = (String, Option<Vec<u8>>);

/// What a letter holds of its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LetterValue {
    /// Its value as the source had it; `None` is a null value (a tombstone of a topic).
    Original(Option<Vec<u8>>),
    /// The fields that the stage or sink received.
    Record {
        /// A JSON object.
        record: String,
        /// The original value. Letters of version 1 may hold it beside the record; a letter in a topic does not.
        bytes: Option<Vec<u8>>,
    },
    /// Nothing: the letter would have been too large for its topic or file.
    Omitted,
}

impl LetterValue {
    /// The word in letters: `original`, `record` or `omitted`.
    pub const fn name(&self) -> &'static str {
        match self {
            LetterValue::Original(_) => "original",
            LetterValue::Record { .. } => "record",
            LetterValue::Omitted => "omitted",
        }
    }
}

impl Letter {
    /// The version of letters that this program writes. It reads this one and those before.
    pub const VERSION: u64 = 2;

    /// The fields that a stage or sink received, as a JSON object.
    pub fn record(&self) -> Option<&str> {
        match &self.value {
            LetterValue::Record { record, .. } => Some(record),
            _ => None,
        }
    }

    /// The record's value as its source had it.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.value {
            LetterValue::Original(bytes) | LetterValue::Record { bytes, .. } => bytes.as_deref(),
            LetterValue::Omitted => None,
        }
    }

    /// The original value, which the system columns of a record that comes back hold.
    pub fn original(&self) -> Option<&[u8]> {
        match &self.value {
            LetterValue::Original(bytes) => bytes.as_deref(),
            _ => None,
        }
    }

    /// The letter without the record's value.
    pub fn without_value(self) -> Letter {
        Letter { value: LetterValue::Omitted, ..self }
    }

    /// The letter without anything that may be of any length.
    pub fn bare(self) -> Letter {
        const TEXT_CHARS_MAX: usize = 200;
        let cut = |text: String| text.chars().take(TEXT_CHARS_MAX).collect::<String>();
        Letter {
            code: cut(self.code),
            message: cut(self.message),
            key: None,
            headers: Vec::new(),
            value: LetterValue::Omitted,
            ..self
        }
    }

    /// How many bytes it takes at least, before any encoding.
    pub fn content_bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len));
        let value = self.bytes().map_or(0, <[u8]>::len) + self.record().map_or(0, str::len);
        value + self.key.as_ref().map_or(0, Vec::len) + headers.sum::<usize>() + self.message.len() + 500
    }
}

/// What is said of a letter that a later program wrote.
pub(super) fn of_later_version(version: &str) -> String {
    format!(
        "it is a letter of version {version}, and this program reads versions up to {}: use a newer `weir`",
        Letter::VERSION
    )
}
