//! One dead letter.

use serde::Deserialize;
use serde::ser::SerializeMap;
use serde_json::value::RawValue;

use crate::encoded_headers::ReadHeaders;

/// Declares [`Letter`] and its facts. For each fact: the field, whose name is the key in JSON; `as` the name in message headers;
/// and `or null` if the JSON always has the key. `line` lists the keys that hold the record, whose encoding depends on the version.
macro_rules! letter {
    (
        $(#[$about:meta])*
        facts { $( $(#[$doc:meta])+ $field:ident as $name:literal: $type:ty $(, or $null:ident)?; )* }
        record { $( $(#[$record_doc:meta])+ $record:ident: $record_type:ty; )* }
        line { $( $(#[$key_meta:meta])* $key:ident: $key_type:ty; )* }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Letter {
            $( $(#[$doc])+ pub $field: $type, )*
            $( $(#[$record_doc])+ pub $record: $record_type, )*
        }

        /// The JSON of a letter of either version. Unknown keys are ignored.
        #[derive(Deserialize)]
        pub(crate) struct Line {
            $( pub(crate) $field: $type, )*
            $( $(#[$key_meta])* pub(crate) $key: $key_type, )*
        }

        impl Line {
            /// The letter with this record.
            pub(crate) fn into_letter(self, $( $record: $record_type ),*) -> Letter {
                Letter { $( $field: self.$field, )* $( $record, )* }
            }
        }

        impl Letter {
            /// Writes the facts as keys of a JSON object.
            pub(crate) fn write_facts<M: SerializeMap>(&self, line: &mut M) -> Result<(), M::Error> {
                $(
                    if self.$field.is_known() $( || stringify!($null) == "null" )? {
                        line.serialize_entry(stringify!($field), &self.$field)?;
                    }
                )*
                Ok(())
            }

            /// The known facts as texts, with the names of their headers.
            pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
                let facts = [$( ($name, self.$field.text()), )*];
                facts.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
            }

            /// The letter with these texts of facts, and this record.
            pub(crate) fn of_facts<'a>(
                text_of: impl Fn(&str) -> Result<Option<&'a str>, String>,
                $( $record: $record_type ),*
            ) -> Result<Letter, String> {
                let wrong = |name: &str, what: &str| format!("header `weir.error.{name}` {what}");
                Ok(Letter {
                    $( $field: Fact::of_text(text_of($name)?).map_err(|what| wrong($name, what))?, )*
                    $( $record, )*
                })
            }
        }
    };
}

letter! {
    /// A dead letter: a failed record, why it failed, and where it came from. A query writes it to a file ([`Letter::parse`] reads
    /// its lines) or to a topic, as a message with the error in its headers.
    facts {
        /// The query.
        query as "query": String;
        /// Its tenant.
        tenant as "tenant": String;
        /// The source, stage or sink at which the record failed.
        place as "place": String;
        /// The digest of the module, in hexadecimal digits.
        module as "module": Option<String>;
        /// The function.
        function as "function": Option<String>;
        /// The error code.
        code as "code": String;
        /// The error message.
        message as "message": String;
        /// The query's source that read the record, if known.
        source as "source": Option<String>;
        /// The file or topic that the record came from.
        origin as "origin": Option<String>;
        /// The partition.
        partition as "partition": Option<i32>, or null;
        /// The offset in the partition.
        offset as "offset": Option<i64>, or null;
        /// The event time, in microseconds since the Unix epoch.
        timestamp_us as "timestamp": Option<i64>;
        /// The line on which the record began.
        line as "line": Option<u64>;
    }
    record {
        /// The record's key.
        key: Option<Vec<u8>>;
        /// The record's headers: names and values.
        headers: Vec<Header>;
        /// The record itself.
        value: LetterValue;
    }
    line {
        version: Option<u64>;
        key_hex: Option<String>;
        #[serde(rename = "key")]
        key_base64: Option<String>;
        headers: Option<ReadHeaders>;
        bytes_hex: Option<String>;
        value: Option<String>;
        bytes: Option<String>;
        // Kept as text: parsing numbers would change some.
        record: Option<Box<RawValue>>;
    }
}

/// A fact that a letter has in JSON and in a header.
trait Fact: Sized {
    /// The text; `None` if the fact is not known.
    fn text(&self) -> Option<String>;

    /// Whether it is known.
    fn is_known(&self) -> bool;

    /// Parses the text; the error says what is wrong with it.
    fn of_text(text: Option<&str>) -> Result<Self, &'static str>;
}

impl Fact for String {
    fn text(&self) -> Option<String> {
        Some(self.clone())
    }

    fn is_known(&self) -> bool {
        true
    }

    fn of_text(text: Option<&str>) -> Result<String, &'static str> {
        text.map(str::to_owned).ok_or("is missing")
    }
}

impl<T: std::fmt::Display + std::str::FromStr> Fact for Option<T> {
    fn text(&self) -> Option<String> {
        self.as_ref().map(T::to_string)
    }

    fn is_known(&self) -> bool {
        self.is_some()
    }

    fn of_text(text: Option<&str>) -> Result<Option<T>, &'static str> {
        text.map(str::parse).transpose().map_err(|_| "is not a valid number")
    }
}

/// A header's name, and its value, if any.
pub type Header = (String, Option<Vec<u8>>);

/// The content of a record in a letter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LetterValue {
    /// The value as the source read it; `None` is a null value (a tombstone in a topic).
    Original(Option<Vec<u8>>),
    /// The fields that the stage or sink received.
    Record {
        /// A JSON object.
        record: String,
        /// The original value. Only letters of version 1 in files may have both.
        bytes: Option<Vec<u8>>,
    },
    /// Omitted: the letter would have been too large for its topic or file.
    #[default]
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
    /// The version of letters that this program writes. It also reads earlier versions.
    pub const VERSION: u64 = 2;

    /// The fields that a stage or sink received, as a JSON object.
    pub fn record(&self) -> Option<&str> {
        match &self.value {
            LetterValue::Record { record, .. } => Some(record),
            _ => None,
        }
    }

    /// The record's value as its source read it.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.value {
            LetterValue::Original(bytes) | LetterValue::Record { bytes, .. } => bytes.as_deref(),
            LetterValue::Omitted => None,
        }
    }

    /// The original value, for the system columns of the replayed record.
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

    /// The letter without all parts of unlimited length.
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

    /// A lower bound for its size in bytes, before any encoding.
    pub fn content_bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len));
        let value = self.bytes().map_or(0, <[u8]>::len) + self.record().map_or(0, str::len);
        value + self.key.as_ref().map_or(0, Vec::len) + headers.sum::<usize>() + self.message.len() + 500
    }
}

/// The message about a letter that a later version of this program wrote.
pub(super) fn of_later_version(version: &str) -> String {
    format!(
        "the dead letter has version {version}, but this program reads versions up to {}: use a newer `weir`",
        Letter::VERSION
    )
}
