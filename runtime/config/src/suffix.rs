//! The suffixes of file names that determine a format, as rules of the JSON Schema.

use serde_json::{Value as Json, json};

use crate::words::{ReadFormat, Words, WriteFormat};

/// The suffixes that determine a format: without the dot, in lower case. The reader ignores the case of ASCII letters. A test of
/// `weir-plan` compares them with those of `weir-formats`.
pub const SUFFIXES: &[(&str, WriteFormat)] = &[
    ("jsonl", WriteFormat::JsonLines),
    ("ndjson", WriteFormat::JsonLines),
    ("json", WriteFormat::JsonLines),
    ("csv", WriteFormat::Csv),
    ("tsv", WriteFormat::Csv),
    ("parquet", WriteFormat::Parquet),
    ("arrow", WriteFormat::ArrowIpc),
    ("ipc", WriteFormat::ArrowIpc),
    ("feather", WriteFormat::ArrowIpc),
    ("bincode", WriteFormat::Bincode),
];

/// A regular expression of paths whose suffix determines one of these formats.
pub(crate) fn pattern(formats: &[WriteFormat]) -> String {
    let suffixes = SUFFIXES.iter().filter(|(_, format)| formats.contains(format));
    pattern_of(&suffixes.map(|(suffix, _)| *suffix).collect::<Vec<_>>())
}

/// A regular expression of paths with one of these suffixes. As in `std::path`, a name that only begins with a dot has no
/// suffix, and slashes and `/.` at the end do not belong to the name.
pub(crate) fn pattern_of(suffixes: &[&str]) -> String {
    let any_case = |letter: char| format!("[{letter}{}]", letter.to_ascii_uppercase());
    let suffixes: Vec<String> = suffixes.iter().map(|suffix| suffix.chars().map(any_case).collect()).collect();
    format!(r"[^/]\.({})(/\.?)*$", suffixes.join("|"))
}

/// A source without a `format`: the suffixes determine one format that can be read, the same for all paths.
pub(crate) fn readable() -> Json {
    let formats: Vec<WriteFormat> = WriteFormat::ALL.iter().copied().filter(|format| is_readable(*format)).collect();
    let all = pattern(&formats);
    let of_one: Vec<Json> =
        formats.iter().map(|format| json!({ "items": { "pattern": pattern(&[*format]) } })).collect();
    without_format(&json!({ "path": { "pattern": all }, "paths": { "pattern": all, "anyOf": of_one } }))
}

/// A sink without a `format`: the suffix determines a format that can be written.
pub(crate) fn writable() -> Json {
    without_format(&json!({ "path": { "pattern": pattern(WriteFormat::ALL) } }))
}

/// What the properties of a table must be if it has no `format`. Patterns apply only to strings: a path that an environment
/// variable gives is not restricted.
fn without_format(properties: &Json) -> Json {
    json!({ "if": { "required": ["format"] }, "else": { "properties": properties } })
}

fn is_readable(format: WriteFormat) -> bool {
    ReadFormat::WORDS.iter().any(|(word, _)| *word == format.name())
}
