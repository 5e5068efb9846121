//! One dead letter.

use serde::Deserialize;
use serde::ser::SerializeMap;
use serde_json::value::RawValue;

use crate::encoded_headers::ReadHeaders;

/// Declares [`Letter`], with each of its facts once: its field, which is its key in a line of JSON, `as` its name in the
/// headers of a message, and `or null` where a line has the key in any case. `line` are the keys of a line that hold the
/// record, whose encoding depends on the version.
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

        /// The JSON of a letter of either version. Keys that are not known are passed over.
        #[derive(Deserialize)]
        pub(crate) struct Line {
            $( pub(crate) $field: $type, )*
            $( $(#[$key_meta])* pub(crate) $key: $key_type, )*
        }

        impl Line {
            /// Its letter, with this record.
            pub(crate) fn into_letter(self, $( $record: $record_type ),*) -> Letter {
                Letter { $( $field: self.$field, )* $( $record, )* }
            }
        }

        impl Letter {
            /// Writes the facts' keys of a line of JSON.
            pub(crate) fn write_facts<M: SerializeMap>(&self, line: &mut M) -> Result<(), M::Error> {
                $(
                    if self.$field.is_known() $( || stringify!($null) == "null" )? {
                        line.serialize_entry(stringify!($field), &self.$field)?;
                    }
                )*
                Ok(())
            }

            /// The facts that are known as texts, with their names in headers.
            pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
                let facts = [$( ($name, self.$field.text()), )*];
                facts.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
            }

            /// The letter whose facts have these texts, with this record.
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
    /// A dead letter: why a record is dead, where it came from, and the record itself. Written by a query to a file
    /// ([`Letter::parse`] reads its lines) or to a topic, as a message with the error in its headers.
    facts {
        /// The query.
        query as "query": String;
        /// Its tenant.
        tenant as "tenant": String;
        /// The source, stage or sink at which the record died.
        place as "place": String;
        /// Digest of the module that was at work, in hexadecimal digits.
        module as "module": Option<String>;
        /// Its function.
        function as "function": Option<String>;
        /// Why, for machines.
        code as "code": String;
        /// Why, for people.
        message as "message": String;
        /// The query's source that read the record, where that is known.
        source as "source": Option<String>;
        /// The file or topic that the record came from.
        origin as "origin": Option<String>;
        /// Its partition.
        partition as "partition": Option<i32>, or null;
        /// Its place in there.
        offset as "offset": Option<i64>, or null;
        /// Its event time, in microseconds since the Unix epoch.
        timestamp_us as "timestamp": Option<i64>;
        /// The line that it began on.
        line as "line": Option<u64>;
    }
    record {
        /// Its key.
        key: Option<Vec<u8>>;
        /// Its headers: names and values.
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
        // As it was written: reading it into numbers of this program's would change some.
        record: Option<Box<RawValue>>;
    }
}

/// A fact that a letter says in JSON and in a header.
trait Fact: Sized {
    /// Its text; `None` where it is not known.
    fn text(&self) -> Option<String>;

    /// Whether it is known.
    fn is_known(&self) -> bool;

    /// Read again; says what is wrong with the text.
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

/// A header's name, and its value where it has one.
pub type Header = (String, Option<Vec<u8>>);

/// What a letter holds of its record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
        "the dead letter has version {version}, but this program reads versions up to {}: use a newer `weir`",
        Letter::VERSION
    )
}
