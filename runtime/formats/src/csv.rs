//! CSV files: the grammar is in [`super::csv_grammar`], and differences between files are in [`CsvOptions`].
//!
//! Timestamps are RFC 3339 text (or a number of microseconds if the year does not have four digits), bytes are hex, and numbers
//! that are not finite are `NaN`, `inf` and `-inf`. A number with a fraction of zeros or an exponent is accepted for an integer
//! field if its value is an integer.

use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter;

use super::chunk::Chunk;
use super::csv_grammar::split;
use super::csv_row::{CsvLayout, Reused};
use super::csv_values::ColumnBuilder;
use super::input::{Input, Patient};
use super::narrow::with_offsets;
use super::place::{self, PlaceAt, ResumePlace, TextLayout};
use super::records::Records;
use super::{BadRecord, CsvOptions, Decoded, Decoder, Fill, Format, FormatError};
use weir_batch::{Batch, Schema};

pub(super) struct CsvDecoder {
    records: Records<Input>,
    schema: Arc<Schema>,
    layout: CsvLayout,
    reused: Reused,
    // The size of the header, until a batch counts it.
    header_bytes: u64,
    records_max: usize,
    next_offset: i64,
}

impl CsvDecoder {
    pub(super) fn new(
        input: Input,
        schema: Arc<Schema>,
        fill: &Fill,
        options: &CsvOptions,
    ) -> Result<Self, FormatError> {
        options.validate()?;
        let records_max = fill.records_max;
        let mut records = Records::new(input, options.dialect(), fill.record_bytes_max);
        let mut header_bytes = 0;
        let layout = match options.header {
            false => CsvLayout::of_schema(options, &schema),
            true => match read_header(&mut records, options, &mut header_bytes)? {
                Some(header) => CsvLayout::of_header(options, &header, &schema)?,
                // No header and no records: the file is empty.
                None => CsvLayout::of_schema(options, &schema),
            },
        };
        if layout.takes_blank_lines(&schema) {
            records.take_blank_lines();
        }
        let reused = Reused::default();
        Ok(CsvDecoder { records, schema, layout, reused, header_bytes, records_max, next_offset: 0 })
    }
}

/// The names in the first record; `None` if the file has no record. Adds the number of bytes read to `bytes_read`.
pub(super) fn read_header<R: Patient>(
    records: &mut Records<R>,
    options: &CsvOptions,
    bytes_read: &mut u64,
) -> Result<Option<Vec<String>>, FormatError> {
    let unusable = |reason: String| FormatError::Header { reason };
    let dialect = options.dialect();
    loop {
        let record_bytes_max = records.record_bytes_max();
        let Some(chunk) = records.next(1)? else { return Ok(None) };
        *bytes_read += chunk.bytes_read;
        let Some(span) = chunk.spans.first() else { continue };
        if let Some(fault) = span.fault {
            return Err(unusable(fault.message(record_bytes_max)));
        }
        let record = &chunk.bytes[span.range.clone()];
        if record.starts_with(b"\xff\xfe") || record.starts_with(b"\xfe\xff") {
            return Err(unusable("the file is UTF-16: convert it to UTF-8".to_owned()));
        }
        let (mut fields, mut scratch) = (Vec::new(), Vec::new());
        split(record, dialect, usize::MAX, &mut fields).map_err(|fault| unusable(fault.message(0)))?;
        let names = fields.iter().map(|field| {
            let name = std::str::from_utf8(field.text(record, dialect, &mut scratch));
            name.map(str::to_owned).map_err(|_| unusable("it is not UTF-8".to_owned()))
        });
        return names.collect::<Result<Vec<_>, _>>().map(Some);
    }
}

impl Decoder for CsvDecoder {
    fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    fn place(&self) -> Option<ResumePlace> {
        Some(ResumePlace { record: self.next_offset, at: PlaceAt::Text(self.records.place()) })
    }

    fn resume(&mut self, place: &ResumePlace, _next: i64) -> Result<(), FormatError> {
        let at = place.in_text(Format::Csv)?;
        if at.layout != TextLayout::Lines {
            return Err(place::refused(Format::Csv, "it belongs to another format"));
        }
        let header_end = self.records.place().byte;
        if at.byte < header_end || place.record == 0 {
            // The file had no record, and perhaps only a part of its header.
            return match place.record {
                0 => Ok(()),
                _ => Err(place::refused(Format::Csv, format!("byte {} is within the header", at.byte))),
            };
        }
        self.records.resume(at)?;
        // The first reader of the header has counted its bytes.
        self.header_bytes = 0;
        self.next_offset = place.record;
        Ok(())
    }

    fn leave_open_end(&mut self) {
        self.records.leave_open_end();
    }

    fn next(&mut self) -> Result<Option<Decoded>, FormatError> {
        let record_bytes_max = self.records.record_bytes_max();
        let chunk = self.records.next(self.records_max)?;
        if chunk.is_none() && self.header_bytes == 0 {
            return Ok(None);
        }
        let Chunk { bytes, spans, bytes_read } = chunk.unwrap_or(Chunk { bytes: &[], spans: &[], bytes_read: 0 });
        let bytes_read = bytes_read + std::mem::take(&mut self.header_bytes);
        let first = self.next_offset;
        self.next_offset = first.saturating_add(spans.len() as i64);
        let mut columns = ColumnBuilder::of_schema(&self.schema);
        // Ascending by row.
        let mut faults: Vec<(usize, String)> = Vec::new();
        for (row, span) in spans.iter().enumerate() {
            let pushed = match span.fault {
                Some(fault) => Err(fault.message(record_bytes_max)),
                None => {
                    let record = &bytes[span.range.clone()];
                    self.layout.push(record, &self.schema, &mut columns, &mut self.reused)
                }
            };
            if let Err(message) = pushed {
                // Every record has a row; the rows of bad records are removed at the end.
                columns.iter_mut().filter(|column| column.len() == row).for_each(ColumnBuilder::push_null);
                faults.push((row, message));
            }
        }
        let mut arrays: Vec<_> = columns.iter_mut().map(ColumnBuilder::finish).collect();
        if !faults.is_empty() {
            let keep = BooleanBuffer::collect_bool(spans.len(), |row| {
                faults.binary_search_by_key(&row, |(row, _)| *row).is_err()
            });
            let keep = BooleanArray::new(keep, None);
            for array in &mut arrays {
                *array = filter(array, &keep).map_err(weir_batch::BatchError::from)?;
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
