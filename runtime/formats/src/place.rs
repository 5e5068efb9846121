//! Places in files at which a decoder can continue.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use serde::{Deserialize, Serialize};

use super::{Format, FormatError};

/// A place at which another decoder of the same file can continue: see [`super::Decoder::place`]. Records before it are not decoded
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResumePlace {
    /// The number of the first record after the place, counted from 0.
    pub record: i64,
    /// The place.
    pub at: PlaceAt,
}

/// The place in terms of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum PlaceAt {
    /// A byte of a CSV or JSON file.
    Text(TextPlace),
    /// A row group of Parquet, counted from 0.
    RowGroup(u64),
    /// A record batch of Arrow IPC, counted from 0.
    Block(u64),
}

/// A byte between two records of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextPlace {
    /// The number of bytes of the file before it.
    pub byte: u64,
    /// The line, counted from 1.
    pub line: u64,
    /// The number of bytes of the line before it; 0 if every record begins a line.
    #[serde(default)]
    pub column: u64,
    /// How records follow each other.
    #[serde(default)]
    pub layout: TextLayout,
    /// Whether the file ended here before its last record did: without a line end, or within quotes or brackets. Bytes that follow
    /// later may belong to that record.
    #[serde(default)]
    pub cut_off: bool,
}

/// How records follow each other in text formats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextLayout {
    /// Each record begins a line.
    #[default]
    Lines,
    /// Consecutive JSON objects.
    Objects,
    /// The elements of a JSON array; the place is before the opening bracket.
    ArrayOutside,
    /// The place is after the opening bracket.
    ArrayBegun,
    /// The place is after a comma.
    ArrayComma,
    /// The place is after an element.
    ArrayElement,
    /// The place is after the array.
    ArrayBehind,
}

impl PlaceAt {
    /// The byte, for a place in text.
    pub fn text(&self) -> Option<&TextPlace> {
        match self {
            PlaceAt::Text(place) => Some(place),
            PlaceAt::RowGroup(_) | PlaceAt::Block(_) => None,
        }
    }
}

/// The error for an invalid place.
pub(super) fn refused(format: Format, reason: impl Into<String>) -> FormatError {
    FormatError::Place { format, reason: reason.into() }
}

impl ResumePlace {
    /// The place in text, if the record number is possible.
    pub(super) fn in_text(&self, format: Format) -> Result<TextPlace, FormatError> {
        match self.at {
            PlaceAt::Text(place) if self.record >= 0 && place.line > 0 => Ok(place),
            PlaceAt::Text(place) => {
                Err(refused(format, format!("record {} cannot be on line {}", self.record, place.line)))
            }
            PlaceAt::RowGroup(_) | PlaceAt::Block(_) => Err(refused(format, "it belongs to another format")),
        }
    }
}

impl TextPlace {
    /// The place in this file, moved after the line end of a record that was cut off before. Refused if it is beyond the end of the
    /// file, within a line, or if that record was continued.
    pub(super) fn within(mut self, format: Format, file: &File) -> Result<TextPlace, FormatError> {
        let length = file.metadata()?.len();
        if self.byte > length {
            return Err(refused(format, format!("byte {} is beyond the {length} bytes of the file", self.byte)));
        }
        let lines = self.layout == TextLayout::Lines;
        if std::mem::take(&mut self.cut_off) {
            let mut behind = [0; 2];
            let read = read_at(file, &mut behind, self.byte)?;
            self.byte += match behind.get(..read).unwrap_or_default() {
                [] => 0,
                [b'\n', ..] if lines => 1,
                [b'\r', b'\n'] if lines => 2,
                _ => return Err(FormatError::Continued { format, byte: self.byte }),
            };
            return Ok(self);
        }
        let mut before = [b'\n'];
        if let Some(at) = self.byte.checked_sub(1).filter(|_| lines) {
            read_at(file, &mut before, at)?;
        }
        if before != *b"\n" {
            return Err(refused(format, format!("byte {} is within a line", self.byte)));
        }
        Ok(self)
    }
}

/// Reads the available bytes at a place. Returns their number.
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    loop {
        match file.read_at(bytes, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
