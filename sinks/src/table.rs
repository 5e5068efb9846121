//! Rows as aligned text.

use std::fmt::Write;
use std::sync::Arc;

use weir_batch::arrow::datatypes::DataType as ArrowType;
use weir_batch::arrow::util::display::{ArrayFormatter, FormatOptions};
use weir_batch::{Batch, DataType, Schema};
use weir_formats::FormatError;

use crate::SinkError;
use crate::memory::check_schema;

/// The longest cell, in characters; the rest becomes an ellipsis.
const CELL_CHARS_MAX: usize = 60;

/// Renders batches under one header. A column is as wide as its widest cell so far.
pub struct Table {
    schema: Arc<Schema>,
    widths: Vec<usize>,
    header_written: bool,
    rows_left: usize,
    rows_hidden: u64,
    bytes: u64,
}

impl Table {
    /// A table of rows of this schema, of which at most `rows_max` are shown.
    pub fn new(schema: &Arc<Schema>, rows_max: usize) -> Table {
        let widths = schema.fields().iter().map(|field| cell(&field.name).chars().count()).collect();
        Table {
            schema: Arc::clone(schema),
            widths,
            header_written: false,
            rows_left: rows_max,
            rows_hidden: 0,
            bytes: 0,
        }
    }

    /// The lines of these rows, with the header before the first.
    ///
    /// # Errors
    ///
    /// A batch of another schema, or a value that cannot be shown.
    pub fn render(&mut self, batch: &Arc<Batch>) -> Result<String, SinkError> {
        check_schema(&self.schema, batch)?;
        let shown = batch.rows().min(self.rows_left);
        self.rows_left -= shown;
        self.rows_hidden += (batch.rows() - shown) as u64;
        if shown == 0 {
            return Ok(String::new());
        }
        let encode = |error: FormatError| SinkError::Encode(error);
        let rows = batch.slice(0, shown).and_then(|rows| rows.to_arrow()).map_err(|error| encode(error.into()))?;
        let mut columns = Vec::with_capacity(self.widths.len());
        for (column, width) in rows.columns().iter().zip(&mut self.widths) {
            let options = match column.data_type() {
                ArrowType::Timestamp(_, _) => FormatOptions::new().with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.fZ")),
                _ => FormatOptions::new(),
            };
            let options = options.with_null("null").with_display_error(true);
            let formatter = ArrayFormatter::try_new(column, &options)
                .map_err(|error| encode(weir_batch::BatchError::from(error).into()))?;
            let cells: Vec<String> = (0..shown).map(|row| cell(&formatter.value(row).to_string())).collect();
            *width = cells.iter().map(|cell| cell.chars().count()).fold(*width, usize::max);
            columns.push(cells);
        }
        let mut text = String::new();
        if !self.header_written {
            self.header_written = true;
            let names: Vec<String> = self.schema.fields().iter().map(|field| cell(&field.name)).collect();
            self.line(&mut text, names.iter());
        }
        for row in 0..shown {
            self.line(&mut text, columns.iter().map(|cells| &cells[row]));
        }
        self.bytes += text.len() as u64;
        Ok(text)
    }

    /// The last line, where rows were left out.
    pub fn footer(&self) -> String {
        match self.rows_hidden {
            0 => String::new(),
            1 => "… and 1 more row\n".to_owned(),
            rows => format!("… and {rows} more rows\n"),
        }
    }

    /// Bytes rendered so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Text to the left, the rest to the right.
    fn line<'a>(&self, out: &mut String, cells: impl Iterator<Item = &'a String>) {
        let begin = out.len();
        for ((cell, &width), field) in cells.zip(&self.widths).zip(self.schema.fields()) {
            let gap = if out.len() == begin { "" } else { "  " };
            // Writing to a `String` cannot fail.
            let written = match field.data_type {
                DataType::Utf8 | DataType::Binary | DataType::Timestamp => write!(out, "{gap}{cell:<width$}"),
                _ => write!(out, "{gap}{cell:>width$}"),
            };
            written.unwrap_or_default();
        }
        out.truncate(out.trim_end().len().max(begin));
        out.push('\n');
    }
}

/// A value on one line of bounded length. Control characters are escaped: records come from anywhere, and a terminal
/// obeys what it is sent.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == CELL_CHARS_MAX {
            cell.push('…');
            break;
        }
        match c.is_control() || is_direction(c) {
            true => cell.extend(c.escape_default()),
            false => cell.push(c),
        }
    }
    cell
}

/// Characters that reorder the text around them on a terminal.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
