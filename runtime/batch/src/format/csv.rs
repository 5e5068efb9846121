//! CSV after RFC 4180: a header row, commas, quotes where needed.
//!
//! An empty field is null where the field admits nulls; where it admits none it is the empty text or no bytes. So an
//! empty text in a field that admits nulls is the one value that does not come back. Timestamps are RFC 3339 text (a
//! number of microseconds where the year has not four digits), bytes are hex, numbers that are none `NaN`, `inf` and
//! `-inf`.

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use ::csv::{ByteRecord, ReaderBuilder, Writer};
use arrow::array::{Array, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter;

use super::csv_values::{ColumnBuilder, write_value};
use super::encoder::{ByteCounter, CountingWriter};
use super::error::brief;
use super::input::{Input, Patient};
use super::narrow::with_offsets;
use super::records::{Chunk, Records, Span};
use super::{BadRecord, Decoded, Decoder, Encoder, Format, FormatError};
use crate::{Batch, Schema};

pub(super) struct CsvDecoder {
    records: Records<Input>,
    schema: Arc<Schema>,
    // The position in a record of each declared field.
    positions: Vec<usize>,
    header_len: usize,
    // What the header took, until the first chunk accounts for it.
    header_bytes: u64,
    records_max: usize,
    next_offset: i64,
}

impl CsvDecoder {
    pub(super) fn new(file: Input, schema: Arc<Schema>, records_max: usize) -> Result<Self, FormatError> {
        let mut records = Records::new(file, true);
        let (header, header_bytes) = read_header(&mut records)?;
        let mut positions = Vec::with_capacity(schema.len());
        for field in schema.fields() {
            let mut found = header.iter().enumerate().filter(|(_, name)| **name == *field.name);
            let Some((position, _)) = found.next() else {
                return Err(FormatError::MissingField { name: field.name.to_string(), available: header.join(", ") });
            };
            if found.next().is_some() {
                return Err(FormatError::Header { reason: format!("`{}` stands in it twice", field.name) });
            }
            positions.push(position);
        }
        let header_len = header.len();
        Ok(CsvDecoder { records, schema, positions, header_len, header_bytes, records_max, next_offset: 0 })
    }
}

/// The names in the first record, and the bytes it took.
fn read_header<R: Patient>(records: &mut Records<R>) -> Result<(Vec<String>, u64), FormatError> {
    let fault = |reason: &str| FormatError::Header { reason: reason.to_owned() };
    let mut bytes_read = 0;
    loop {
        let Some(chunk) = records.next(1)? else { return Err(fault("the file is empty")) };
        bytes_read += chunk.bytes_read;
        let Some(span) = chunk.spans.first() else { continue };
        if let Some(fault) = span.fault {
            return Err(FormatError::Header { reason: fault.message() });
        }
        let record = parse(&chunk.bytes[span.range.clone()]);
        let record = record.first().ok_or_else(|| fault("it holds no names"))?;
        let names = record.iter().map(|name| std::str::from_utf8(name).map(str::to_owned));
        let names: Result<Vec<String>, _> = names.collect();
        return Ok((names.map_err(|_| fault("it is not UTF-8"))?, bytes_read));
    }
}

/// The first records of a file with its header, as CSV again: what a schema is inferred from.
pub(super) fn sample(file: File, records_max: usize) -> Result<Vec<u8>, FormatError> {
    let mut records = Records::new(Input::new(file, None), true);
    let (header, _) = read_header(&mut records)?;
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(&header).map_err(write_error)?;
    let mut sampled = 0;
    while sampled < records_max {
        let Some(chunk) = records.next(records_max - sampled)? else { break };
        sampled += chunk.spans.len();
        for span in chunk.spans.iter().filter(|span| span.fault.is_none()) {
            for record in parse(&chunk.bytes[span.range.clone()]) {
                // Records of another length will be bad ones.
                if record.len() == header.len() {
                    writer.write_byte_record(&record).map_err(write_error)?;
                }
            }
        }
    }
    writer.into_inner().map_err(|error| FormatError::Io(error.into_error()))
}

fn parse(bytes: &[u8]) -> Vec<ByteRecord> {
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    // Reading bytes from memory into records of any length has no way to fail; the caller checks their number.
    reader.byte_records().filter_map(Result::ok).collect()
}

impl Decoder for CsvDecoder {
    fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    fn next(&mut self) -> Result<Option<Decoded>, FormatError> {
        let Some(chunk) = self.records.next(self.records_max)? else { return Ok(None) };
        let Chunk { bytes, spans, bytes_read } = chunk;
        let bytes_read = bytes_read + std::mem::take(&mut self.header_bytes);
        let first = self.next_offset;
        self.next_offset = first.saturating_add(spans.len() as i64);
        let mut rows = Rows {
            schema: &self.schema,
            positions: &self.positions,
            header_len: self.header_len,
            columns: self.schema.fields().iter().map(|field| ColumnBuilder::new(field.data_type)).collect(),
            faults: Vec::new(),
        };
        for range in sound_runs(spans) {
            rows.push_run(bytes, spans, range);
        }
        let Rows { mut columns, faults, .. } = rows;
        let mut arrays: Vec<_> = columns.iter_mut().map(ColumnBuilder::finish).collect();
        if !faults.is_empty() {
            let keep = BooleanBuffer::collect_bool(spans.len(), |row| {
                faults.binary_search_by_key(&row, |(row, _)| *row).is_err()
            });
            let keep = BooleanArray::new(keep, None);
            for array in &mut arrays {
                *array = filter(array, &keep).map_err(crate::BatchError::from)?;
            }
        }
        let mut good: Vec<usize> = (0..spans.len()).collect();
        good.retain(|row| faults.binary_search_by_key(row, |(row, _)| *row).is_err());
        let bad = faults.into_iter().map(|(row, message)| BadRecord {
            offset: first.saturating_add(row as i64),
            line: Some(spans[row].line),
            bytes: bytes[spans[row].range.clone()].to_vec(),
            message,
        });
        let bad = bad.collect();
        let batch = Batch::with_rows(Arc::clone(&self.schema), arrays, good.len())?;
        Ok(Some(Decoded { batch: with_offsets(batch, first, &good)?, bad, bytes_read }))
    }
}

/// Runs of consecutive records, each run either without faults or one faulty record.
fn sound_runs(spans: &[Span]) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut begin = 0;
    for (index, span) in spans.iter().enumerate() {
        if span.fault.is_some() {
            runs.extend([begin..index, index..index + 1]);
            begin = index + 1;
        }
    }
    runs.push(begin..spans.len());
    runs.retain(|run| !run.is_empty());
    runs
}

/// The columns of one chunk as they grow. Every record has a row; the rows of bad ones are left out at the end.
struct Rows<'a> {
    schema: &'a Schema,
    positions: &'a [usize],
    header_len: usize,
    columns: Vec<ColumnBuilder>,
    // Ascending by row.
    faults: Vec<(usize, String)>,
}

impl Rows<'_> {
    fn push_run(&mut self, bytes: &[u8], spans: &[Span], run: Range<usize>) {
        if let Some(fault) = spans[run.start].fault {
            return self.push_bad(run.start, fault.message());
        }
        let records = parse(&bytes[spans[run.start].range.start..spans[run.end - 1].range.end]);
        if records.len() == run.len() {
            for (row, record) in run.zip(&records) {
                self.push(row, record);
            }
            return;
        }
        // The csv crate also ends a record at a carriage return that stands alone: find where.
        for row in run {
            match parse(&bytes[spans[row].range.clone()]).as_slice() {
                [record] => self.push(row, record),
                _ => self.push_bad(row, "a carriage return stands alone outside quotes".to_owned()),
            }
        }
    }

    fn push_bad(&mut self, row: usize, message: String) {
        for column in &mut self.columns {
            column.push_null();
        }
        self.faults.push((row, message));
    }

    fn push(&mut self, row: usize, record: &ByteRecord) {
        if record.len() != self.header_len {
            let message = format!("{} fields where the header has {}", record.len(), self.header_len);
            return self.push_bad(row, message);
        }
        let mut fault = None;
        for ((field, column), &position) in self.schema.fields().iter().zip(&mut self.columns).zip(self.positions) {
            let value = record.get(position).unwrap_or_default();
            if let Err(reason) = column.push(value, field.nullable) {
                column.push_null();
                fault.get_or_insert_with(|| format!("field `{}`: {reason}", field.name));
            }
        }
        self.faults.extend(fault.map(|message| (row, message)));
    }
}

pub(super) struct CsvEncoder<W: Write> {
    writer: CountingWriter<W>,
    written: ByteCounter,
}

impl<W: Write + Send> CsvEncoder<W> {
    pub(super) fn new(schema: &Schema, writer: CountingWriter<W>) -> Result<Self, FormatError> {
        let written = writer.counter();
        let mut encoder = CsvEncoder { writer, written };
        let mut text = Writer::from_writer(Vec::new());
        text.write_record(schema.fields().iter().map(|field| &*field.name)).map_err(write_error)?;
        encoder.write_text(text)?;
        Ok(encoder)
    }

    fn write_text(&mut self, text: Writer<Vec<u8>>) -> Result<(), FormatError> {
        let text = text.into_inner().map_err(|error| FormatError::Io(error.into_error()))?;
        Ok(self.writer.write_all(&text)?)
    }
}

impl<W: Write + Send> Encoder for CsvEncoder<W> {
    fn write(&mut self, batch: &Batch) -> Result<(), FormatError> {
        let batch = batch.to_arrow()?;
        // A batch's text is made in memory, so that the bytes are counted when the batch was taken.
        let mut text = Writer::from_writer(Vec::new());
        let mut field = Vec::new();
        for row in 0..batch.num_rows() {
            for column in batch.columns() {
                field.clear();
                if !column.is_null(row) {
                    write_value(column, row, &mut field)?;
                }
                text.write_field(&field).map_err(write_error)?;
            }
            text.write_record(None::<&[u8]>).map_err(write_error)?;
        }
        self.write_text(text)
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

fn write_error(error: ::csv::Error) -> FormatError {
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => FormatError::Io(error),
        other => FormatError::Encode { format: Format::Csv, reason: brief(&format!("{other:?}")) },
    }
}
