//! Which formats there are.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use weir_batch::Fault;

/// A file format that records are read from or written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// One JSON object a line.
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

    /// What the names of such files end with, without the dot.
    pub const fn suffix(self) -> &'static str {
        match self {
            Format::JsonLines => "jsonl",
            Format::Csv => "csv",
            Format::Parquet => "parquet",
            Format::ArrowIpc => "arrow",
            Format::Bincode => "bincode",
        }
    }

    /// The format that a file's suffix tells of: jsonl, ndjson, json; csv, tsv; parquet; arrow, ipc, feather; bincode.
    pub fn from_suffix(path: &Path) -> Option<Format> {
        let suffix = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match suffix.as_str() {
            "jsonl" | "ndjson" | "json" => Format::JsonLines,
            "csv" | "tsv" => Format::Csv,
            "parquet" => Format::Parquet,
            "arrow" | "ipc" | "feather" => Format::ArrowIpc,
            "bincode" => Format::Bincode,
            _ => return None,
        })
    }

    /// Whether a file says its schema itself. The others need one declared, or inferred from their first records.
    pub const fn carries_schema(self) -> bool {
        matches!(self, Format::Parquet | Format::ArrowIpc | Format::Bincode)
    }

    /// Whether queries read this format. Bincode frames are for consumers written in Rust: [`super::open_decoder`]
    /// reads them back, but they are no interchange format.
    pub const fn can_decode(self) -> bool {
        !matches!(self, Format::Bincode)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no format's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown format `{name}`: use one of {}", Format::NAMES)]
pub struct UnknownFormat {
    /// The name, escaped.
    pub name: String,
}

impl UnknownFormat {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        Fault::Tenant
    }

    /// Whether the same may succeed later.
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
