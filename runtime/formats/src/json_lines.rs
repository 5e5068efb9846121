//! JSON: one object per line, consecutive objects over several lines, or the elements of one array. UTF-8, RFC 8259.
//!
//! Timestamps are RFC 3339 text (or a number of microseconds if the year does not have four digits), bytes are hex text, and
//! numbers that are not finite are the texts `NaN`, `Infinity` and `-Infinity`. Nulls are written, not left out. Reading accepts
//! the same, and also numbers in quotes and integers written as `61.0`. Undeclared keys are skipped, though their values must be
//! valid JSON. A missing key is null.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use arrow::json::writer::{LineDelimited, Writer};

use super::chunk::Chunk;
use super::counting_writer::{ByteCounter, CountingWriter};
use super::input::Input;
use super::json_records::JsonRecords;
use super::json_rows::{JsonColumns, JsonRows};
use super::json_values::arrow_writer;
use super::narrow::with_offsets;
use super::new_keys::NewKeys;
use super::place::{PlaceAt, ResumePlace};
use super::{BadRecord, Decoded, Decoder, Encoder, Fill, Format, FormatError, NewKey};
use weir_batch::{Batch, Schema};

/// The maximum number of records per chunk.
const RECORDS_MAX: usize = 64 * 1024;
/// The maximum size of the columns of a chunk: a record of two bytes may be a row with 4,096 fields.
const COLUMN_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The maximum size of a schema's sample: every key may be a different one.
const SAMPLE_BYTES_MAX: u64 = 64 * 1024 * 1024;

pub(super) struct JsonLinesDecoder {
    records: JsonRecords<Input>,
    schema: Arc<Schema>,
    records_max: usize,
    next_offset: i64,
    new_keys: Option<NewKeys>,
}

impl JsonLinesDecoder {
    pub(super) fn new(file: Input, schema: Arc<Schema>, fill: &Fill) -> JsonLinesDecoder {
        let row_bytes: usize = schema.fields().iter().map(|field| field.data_type.width().unwrap_or(8)).sum();
        let records_max = fill.records_max.min(RECORDS_MAX).min(COLUMN_BYTES_MAX / row_bytes.max(1)).max(1);
        let records = JsonRecords::new(file, fill.record_bytes_max);
        JsonLinesDecoder { records, schema, records_max, next_offset: 0, new_keys: None }
    }
}

impl Decoder for JsonLinesDecoder {
    fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    fn place(&self) -> Option<ResumePlace> {
        Some(ResumePlace { record: self.next_offset, at: PlaceAt::Text(self.records.place()) })
    }

    fn resume(&mut self, place: &ResumePlace, _next: i64) -> Result<(), FormatError> {
        let at = place.in_text(Format::JsonLines)?;
        // Before the first record the layout may be unknown.
        if place.record > 0 {
            self.records.resume(at)?;
            self.next_offset = place.record;
        }
        Ok(())
    }

    fn leave_open_end(&mut self) {
        self.records.leave_open_end();
    }

    fn next(&mut self) -> Result<Option<Decoded>, FormatError> {
        let record_bytes_max = self.records.record_bytes_max();
        let Some(chunk) = self.records.next(self.records_max)? else { return Ok(None) };
        let Chunk { bytes, spans, bytes_read } = chunk;
        let first = self.next_offset;
        self.next_offset = first.saturating_add(spans.len() as i64);
        let mut rows = JsonRows::new(&self.schema).watching(self.new_keys.as_mut(), first);
        for span in spans {
            match span.fault {
                None => rows.push(&bytes[span.range.clone()]),
                Some(fault) => rows.push_bad(fault.message(record_bytes_max)),
            }
        }
        let JsonColumns { columns, rows, bad } = rows.finish()?;
        let mut good: Vec<usize> = Vec::with_capacity(rows);
        let mut bad_rows = bad.iter().map(|(row, _)| *row).peekable();
        good.extend((0..spans.len()).filter(|row| bad_rows.next_if_eq(row).is_none()));
        let batch = Batch::with_rows(Arc::clone(&self.schema), columns, rows)?;
        let batch = with_offsets(batch, first, &good)?;
        let bad = bad.into_iter().map(|(row, message)| BadRecord {
            offset: first.saturating_add(row as i64),
            line: Some(spans[row].line),
            bytes: bytes[spans[row].range.clone()].to_vec(),
            message,
        });
        Ok(Some(Decoded { bad: bad.collect(), batch, bytes_read }))
    }

    fn watch_new_keys(&mut self, sample: u64) {
        self.new_keys = Some(NewKeys::behind(sample));
    }

    fn take_new_keys(&mut self) -> Vec<NewKey> {
        self.new_keys.as_mut().map(NewKeys::take).unwrap_or_default()
    }
}

pub(super) struct JsonLinesEncoder<W: Write> {
    writer: Writer<CountingWriter<W>, LineDelimited>,
    written: ByteCounter,
}

impl<W: Write + Send> JsonLinesEncoder<W> {
    pub(super) fn new(writer: CountingWriter<W>) -> Self {
        let written = writer.counter();
        JsonLinesEncoder { writer: arrow_writer(writer), written }
    }
}

impl<W: Write + Send> Encoder for JsonLinesEncoder<W> {
    fn write(&mut self, batch: &Batch) -> Result<(), FormatError> {
        let batch = batch.to_arrow()?;
        self.writer.write(&batch).map_err(|error| FormatError::write(Format::JsonLines, error))
    }

    fn flush(&mut self) -> Result<(), FormatError> {
        Ok(self.writer.get_mut().flush()?)
    }

    fn bytes_written(&self) -> u64 {
        self.written.get()
    }

    fn finish(mut self: Box<Self>) -> Result<(), FormatError> {
        self.writer.finish().map_err(|error| FormatError::write(Format::JsonLines, error))?;
        self.flush()
    }
}

/// Passes the first records of a file to `look`, up to the maximum number or size.
pub(super) fn sample(file: File, records_max: usize, mut look: impl FnMut(&[u8])) -> Result<(), FormatError> {
    let mut records = JsonRecords::new(Input::new(file, None), Fill::RECORD_BYTES_MAX);
    let (mut sampled, mut bytes) = (0, 0);
    while sampled < records_max && bytes < SAMPLE_BYTES_MAX {
        let Some(chunk) = records.next(records_max - sampled)? else { break };
        sampled += chunk.spans.len();
        bytes += chunk.bytes_read;
        for span in chunk.spans.iter().filter(|span| span.fault.is_none()) {
            look(&chunk.bytes[span.range.clone()]);
        }
    }
    Ok(())
}
