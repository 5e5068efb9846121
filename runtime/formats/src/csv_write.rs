//! Writes CSV that reads back unchanged.
//!
//! A null is written as the first of the options' nulls, without quotes. A value is quoted if it is empty, equals one of the nulls,
//! contains a delimiter, quote or line end, or would begin a comment: quoted text is never null. A row whose only value is a null
//! that is written as an empty text is a blank line.

use std::io::Write;

use arrow::array::Array;
use memchr::memchr_iter;

use super::counting_writer::{ByteCounter, CountingWriter};
use super::csv_values::write_value;
use super::{CsvOptions, Encoder, Format, FormatError};
use weir_batch::{Batch, Schema};

pub(super) struct CsvEncoder<W: Write> {
    writer: CountingWriter<W>,
    written: ByteCounter,
    options: CsvOptions,
}

impl<W: Write + Send> CsvEncoder<W> {
    pub(super) fn new(schema: &Schema, writer: CountingWriter<W>, options: &CsvOptions) -> Result<Self, FormatError> {
        options.validate()?;
        let written = writer.counter();
        let mut encoder = CsvEncoder { writer, written, options: options.clone() };
        if options.header {
            let mut row = Row { options, text: Vec::new() };
            for (index, field) in schema.fields().iter().enumerate() {
                row.value(index, &field.name, field.name.as_bytes())?;
            }
            row.end(schema.len());
            encoder.writer.write_all(&row.text)?;
        }
        Ok(encoder)
    }
}

impl<W: Write + Send> Encoder for CsvEncoder<W> {
    fn write(&mut self, batch: &Batch) -> Result<(), FormatError> {
        let schema = batch.schema();
        let batch = batch.to_arrow()?;
        // The text of a batch is built in memory, so that its bytes are counted when the batch has been accepted.
        let mut rows = Row { options: &self.options, text: Vec::new() };
        let mut value = Vec::new();
        for row in 0..batch.num_rows() {
            for (index, (column, field)) in batch.columns().iter().zip(schema.fields()).enumerate() {
                if column.is_null(row) {
                    rows.null(index, &field.name)?;
                } else {
                    value.clear();
                    write_value(column, row, &mut value)?;
                    rows.value(index, &field.name, &value)?;
                }
            }
            rows.end(batch.num_columns());
        }
        Ok(self.writer.write_all(&rows.text)?)
    }

    fn flush(&mut self) -> Result<(), FormatError> {
        Ok(self.writer.flush()?)
    }

    fn bytes_written(&self) -> u64 {
        self.written.get()
    }

    fn finish(mut self: Box<Self>) -> Result<(), FormatError> {
        self.flush()
    }
}

/// Rows as text.
struct Row<'a> {
    options: &'a CsvOptions,
    text: Vec<u8>,
}

impl Row<'_> {
    fn null(&mut self, index: usize, field: &str) -> Result<(), FormatError> {
        let Some(null) = self.options.nulls.first() else {
            return Err(refused(field, "is null, but `nulls` is empty: add a text for nulls"));
        };
        self.delimit(index);
        self.text.extend_from_slice(null.as_bytes());
        Ok(())
    }

    fn value(&mut self, index: usize, field: &str, value: &[u8]) -> Result<(), FormatError> {
        self.delimit(index);
        let CsvOptions { delimiter, quote, comment, .. } = *self.options;
        let apart = |&byte: &u8| byte == delimiter || Some(byte) == quote || matches!(byte, b'\r' | b'\n');
        // At the beginning of a line, also quote what a reader would skip: a comment or a byte order mark.
        let passed_over = || {
            index == 0 && (comment.is_some() && value.first().copied() == comment || value.starts_with(b"\xef\xbb\xbf"))
        };
        if !value.is_empty() && !self.options.is_null(value) && !value.iter().any(apart) && !passed_over() {
            self.text.extend_from_slice(value);
            return Ok(());
        }
        let Some(quote) = quote else {
            let what = "is empty, or contains a delimiter or line end, or reads as a null or comment: it cannot be written without quotes";
            return Err(refused(field, what));
        };
        self.text.push(quote);
        let mut written = 0;
        for place in memchr_iter(quote, value) {
            self.text.extend_from_slice(value.get(written..=place).unwrap_or_default());
            written = place;
        }
        self.text.extend_from_slice(value.get(written..).unwrap_or_default());
        self.text.push(quote);
        Ok(())
    }

    fn delimit(&mut self, index: usize) {
        if index > 0 {
            self.text.push(self.options.delimiter);
        }
    }

    /// Ends a row with this number of fields. A row without fields is written as an empty quoted field, to distinguish it from a
    /// blank line.
    fn end(&mut self, fields: usize) {
        if fields == 0 {
            let quote = self.options.quote.unwrap_or(self.options.delimiter);
            self.text.extend([quote, quote]);
        }
        self.text.push(b'\n');
    }
}

fn refused(field: &str, what: &str) -> FormatError {
    let reason = format!("the value of field `{}` {what}", weir_text::escape(field));
    FormatError::Encode { format: Format::Csv, reason }
}
