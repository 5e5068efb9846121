//! Formats rows as aligned text.

use std::sync::Arc;

use comfy_table::{CellAlignment, ColumnConstraint, Table as Shown, Width, presets};
use weir_batch::arrow::datatypes::DataType as ArrowType;
use weir_batch::arrow::util::display::{ArrayFormatter, FormatOptions};
use weir_batch::{Batch, DataType, Schema};
use weir_formats::FormatError;
use weir_text::elide;

use crate::SinkError;
use crate::memory::check_schema;

/// The maximum length of a cell, in characters; an ellipsis replaces the rest.
const CELL_CHARS_MAX: usize = 60;

/// Formats batches under one header. The width of a column is that of its widest cell so far.
pub struct Table {
    schema: Arc<Schema>,
    // The widths of the columns so far, without padding; empty before the first row.
    widths: Vec<u16>,
    header_written: bool,
    rows_left: usize,
    rows_hidden: u64,
    bytes: u64,
}

impl Table {
    /// A table for rows of this schema, of which at most `rows_max` are shown.
    pub fn new(schema: &Arc<Schema>, rows_max: usize) -> Table {
        Table {
            schema: Arc::clone(schema),
            widths: Vec::new(),
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
    /// A batch of another schema, or a value that cannot be formatted.
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
        let mut columns = Vec::with_capacity(rows.num_columns());
        for column in rows.columns() {
            let options = match column.data_type() {
                ArrowType::Timestamp(_, _) => FormatOptions::new().with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.fZ")),
                _ => FormatOptions::new(),
            };
            let options = options.with_null("null").with_display_error(true);
            let formatter = ArrayFormatter::try_new(column, &options)
                .map_err(|error| encode(weir_batch::BatchError::from(error).into()))?;
            columns.push((0..shown).map(|row| cell(&formatter.value(row).to_string())).collect::<Vec<_>>());
        }
        let has_header = !std::mem::replace(&mut self.header_written, true);
        if columns.is_empty() {
            // Records without columns are lines too.
            let text = "\n".repeat(shown + usize::from(has_header));
            self.bytes += text.len() as u64;
            return Ok(text);
        }
        let mut table = Shown::new();
        table.load_style(presets::NOTHING);
        if has_header {
            table.set_header(self.schema.fields().iter().map(|field| cell(&field.name)));
        }
        table.add_rows((0..shown).map(|row| columns.iter().map(move |cells| cells[row].as_str())));
        for (index, (column, field)) in table.column_iter_mut().zip(self.schema.fields()).enumerate() {
            let (left, right) = (u16::from(index > 0), 1);
            column.set_padding((left, right)).set_cell_alignment(Table::alignment(field.data_type));
            if let Some(&width) = self.widths.get(index) {
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width + left + right)));
            }
        }
        let widths = table.column_max_content_widths();
        self.widths = widths
            .iter()
            .enumerate()
            .map(|(index, width)| self.widths.get(index).map_or(*width, |before| *before.max(width)))
            .collect();
        let text = table.trim_fmt() + "\n";
        self.bytes += text.len() as u64;
        Ok(text)
    }

    /// The last line, if rows were left out.
    pub fn footer(&self) -> String {
        match self.rows_hidden {
            0 => String::new(),
            1 => "… and 1 more row\n".to_owned(),
            rows => format!("… and {rows} more rows\n"),
        }
    }

    /// The number of bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the cells of a column are aligned left, like text, or right.
    fn alignment(data_type: DataType) -> CellAlignment {
        match data_type {
            DataType::Utf8 | DataType::Binary | DataType::Timestamp => CellAlignment::Left,
            _ => CellAlignment::Right,
        }
    }
}

/// A value on one escaped line of limited length: values are not trusted, and terminals interpret control characters.
fn cell(text: &str) -> String {
    elide(text, CELL_CHARS_MAX)
}
