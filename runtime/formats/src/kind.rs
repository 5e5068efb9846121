//! The supported file formats.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use weir_batch::Fault;

/// A file format for reading or writing records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// One JSON object per line.
    JsonLines,
    /// RFC 4180 with a header row.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC: read as file or stream, written as file (also known as Feather 2).
    ArrowIpc,
    /// Weir's own frames: see [`mod@super::bincode`].
    Bincode,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 5] = [Format::JsonLines, Format::Csv, Format::Parquet, Format::ArrowIpc, Format::Bincode];

    /// The names of all formats, for messages.
    pub const NAMES: &'static str = "json_lines, csv, parquet, arrow_ipc, bincode";

    /// The name in query files.
    pub const fn name(self) -> &'static str {
        match self {
            Format::JsonLines => "json_lines",
            Format::Csv => "csv",
            Format::Parquet => "parquet",
            Format::ArrowIpc => "arrow_ipc",
            Format::Bincode => "bincode",
        }
    }

    /// The usual suffix of file names, without the dot.
    pub const fn suffix(self) -> &'static str {
        match self {
            Format::JsonLines => "jsonl",
            Format::Csv => "csv",
            Format::Parquet => "parquet",
            Format::ArrowIpc => "arrow",
            Format::Bincode => "bincode",
        }
    }

    /// The suffixes of file names that determine a format: without the dot, in lower case.
    pub const SUFFIXES: &[(&str, Format)] = &[
        ("jsonl", Format::JsonLines),
        ("ndjson", Format::JsonLines),
        ("json", Format::JsonLines),
        ("csv", Format::Csv),
        ("tsv", Format::Csv),
        ("parquet", Format::Parquet),
        ("arrow", Format::ArrowIpc),
        ("ipc", Format::ArrowIpc),
        ("feather", Format::ArrowIpc),
        ("bincode", Format::Bincode),
    ];

    /// The format that the suffix of a path determines, as in [`Format::SUFFIXES`]. The case of ASCII letters is ignored.
    pub fn from_suffix(path: &Path) -> Option<Format> {
        let suffix = path.extension()?.to_str()?;
        let known = Format::SUFFIXES.iter().find(|(known, _)| suffix.eq_ignore_ascii_case(known));
        known.map(|(_, format)| *format)
    }

    /// Whether files of this format contain their schema. For the others, a schema is declared, or inferred from the first records.
    pub const fn carries_schema(self) -> bool {
        matches!(self, Format::Parquet | Format::ArrowIpc | Format::Bincode)
    }

    /// Whether queries can read this format. Bincode frames are for consumers written in Rust: [`super::open_decoder`] can read
    /// them, but they are not an interchange format.
    pub const fn can_decode(self) -> bool {
        !matches!(self, Format::Bincode)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is not a format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown format `{name}`: use one of {}", Format::NAMES)]
#[non_exhaustive]
pub struct UnknownFormat {
    /// The name, escaped.
    pub name: String,
}

impl UnknownFormat {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        Fault::Tenant
    }

    /// Whether the same name may be valid later.
    pub fn retryable(&self) -> bool {
        false
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Format, UnknownFormat> {
        Format::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or_else(|| UnknownFormat { name: weir_text::escape_to(name, 80) })
    }
}
