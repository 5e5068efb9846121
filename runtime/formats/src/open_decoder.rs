//! Opens decoders.

use std::collections::VecDeque;
use std::sync::Arc;

use super::input::{DecoderInput, Input};
use super::narrow::abridged;
use super::row_bytes::{bytes_at_most, carried_bytes};
use super::{BadRecord, CsvOptions, Decoded, Decoder, Fill, Format, FormatError, NewKey, ResumePlace};
use super::{arrow_ipc, bincode, csv, foreign, json_lines, parquet};
use weir_batch::Schema;

/// A decoder for this file or feed, from its current position to its end. `fill` says when a batch is full; a number is the maximum
/// number of records per batch.
///
/// `schema` is the declared schema. JSON lines and CSV need it. For formats that contain a schema, it selects columns, each of
/// which the file must have with the same type; without it all columns are read. Fields that are not declared are skipped. A record
/// with a null in a field that is not nullable is a bad record.
///
/// # Errors
///
/// A file that is not of this format, that lacks a declared field or has it with another type, or that cannot be read; a feed with
/// a format other than JSON lines and CSV. [`FormatError::is_waiting`] if a feed has too few bytes: rewind it, and call this again
/// when there are more.
pub fn open_decoder(
    format: Format,
    input: impl Into<DecoderInput>,
    schema: Option<&Arc<Schema>>,
    fill: impl Into<Fill>,
) -> Result<Box<dyn Decoder>, FormatError> {
    let fill: Fill = fill.into();
    let input = input.into();
    refuse_foreign(format, &input)?;
    let declared = || schema.map(Arc::clone).ok_or(FormatError::SchemaRequired { format });
    let fill = schema.map_or(fill, |schema| fill.for_schema(schema));
    let decoder: Box<dyn Decoder> = match format {
        Format::JsonLines => {
            Box::new(json_lines::JsonLinesDecoder::new(Input::new(input, fill.delay_max), declared()?, &fill))
        }
        Format::Csv => return open_csv_decoder(input, &declared()?, fill, &CsvOptions::default()),
        // These two limit batches while reading.
        Format::Parquet => return Ok(Box::new(parquet::ParquetDecoder::new(input.file()?, schema, fill)?)),
        Format::ArrowIpc => return Ok(Box::new(arrow_ipc::IpcDecoder::new(input.file()?, schema, fill)?)),
        Format::Bincode => Box::new(bincode::BincodeDecoder::new(input.file()?, schema, fill)?),
    };
    Ok(Box::new(Cut { decoder, fill, cut: VecDeque::new(), begin: None }))
}

/// Cuts the batches of a decoder by their sizes.
struct Cut {
    decoder: Box<dyn Decoder>,
    fill: Fill,
    cut: VecDeque<Decoded>,
    // The beginning of the batch that is being cut.
    begin: Option<ResumePlace>,
}

impl Decoder for Cut {
    fn schema(&self) -> &Arc<Schema> {
        self.decoder.schema()
    }

    fn next(&mut self) -> Result<Option<Decoded>, FormatError> {
        if self.cut.is_empty() {
            self.begin = self.decoder.place();
            let Some(decoded) = self.decoder.next()? else { return Ok(None) };
            self.cut = decoded.cut(&self.fill)?;
        }
        Ok(self.cut.pop_front())
    }

    fn place(&self) -> Option<ResumePlace> {
        if self.cut.is_empty() { self.decoder.place() } else { self.begin }
    }

    fn resume(&mut self, place: &ResumePlace, next: i64) -> Result<(), FormatError> {
        self.decoder.resume(place, next)
    }

    fn leave_open_end(&mut self) {
        self.decoder.leave_open_end();
    }

    fn watch_new_keys(&mut self, sample: u64) {
        self.decoder.watch_new_keys(sample);
    }

    fn take_new_keys(&mut self) -> Vec<NewKey> {
        self.decoder.take_new_keys()
    }
}

impl Decoded {
    /// Splits the records into batches that respect the limits, in order.
    fn cut(self, fill: &Fill) -> Result<VecDeque<Decoded>, FormatError> {
        let Decoded { batch, mut bad, mut bytes_read } = self;
        let few = fill.bytes_max.min(fill.record_bytes_max) as u64;
        if bytes_at_most(batch.columns(), batch.physical_rows()) <= few {
            return Ok(VecDeque::from([Decoded { batch, bad, bytes_read }]));
        }
        let sizes = carried_bytes(batch.columns(), batch.physical_rows());
        let (bytes_max, record_bytes_max) = (fill.bytes_max as u64, fill.record_bytes_max as u64);
        let fits = |sizes: &[u64]| sizes.iter().copied().fold(0, u64::saturating_add) <= bytes_max;
        if fits(&sizes) && sizes.iter().all(|&size| size <= record_bytes_max) {
            return Ok(VecDeque::from([Decoded { batch, bad, bytes_read }]));
        }
        let mut cut = VecDeque::new();
        let offset = |row: usize| batch.system().offset.as_ref().map_or(0, |offsets| offsets.value(row));
        let mut first = 0;
        while first < sizes.len() {
            let mut bytes = 0_u64;
            let fitting = sizes.iter().skip(first).take_while(|&&size| {
                bytes = bytes.saturating_add(size);
                bytes <= bytes_max && size <= record_bytes_max
            });
            let fitting = fitting.count();
            let size = sizes.get(first).copied().unwrap_or(0);
            let rows = fitting.max(1);
            let too_large = fitting == 0 && size > record_bytes_max;
            let end = first + rows;
            // A bad record goes with the valid records after it.
            let later = match end < sizes.len() {
                true => bad.iter().position(|bad| bad.offset > offset(end)).unwrap_or(bad.len()),
                false => bad.len(),
            };
            let mut with: Vec<BadRecord> = bad.drain(..later).collect();
            let piece = match too_large {
                false => batch.window(first, rows)?,
                true => {
                    let (message, bytes) = (fill.too_large(size), abridged(&batch.window(first, 1)?.to_arrow()?));
                    with.push(BadRecord { offset: offset(first), line: None, bytes, message });
                    with.sort_by_key(|bad| bad.offset);
                    batch.window(first, 0)?
                }
            };
            cut.push_back(Decoded { batch: piece, bad: with, bytes_read: std::mem::take(&mut bytes_read) });
            first = end;
        }
        Ok(cut)
    }
}

/// Like [`open_decoder`], for a CSV file with options.
///
/// # Errors
///
/// Options that [`CsvOptions::validate`] refuses, and the errors of [`open_decoder`].
pub fn open_csv_decoder(
    input: impl Into<DecoderInput>,
    schema: &Arc<Schema>,
    fill: impl Into<Fill>,
    options: &CsvOptions,
) -> Result<Box<dyn Decoder>, FormatError> {
    let fill = fill.into().for_schema(schema);
    let input = input.into();
    refuse_foreign(Format::Csv, &input)?;
    let input = Input::new(input, fill.delay_max);
    let decoder = Box::new(csv::CsvDecoder::new(input, Arc::clone(schema), &fill, options)?);
    Ok(Box::new(Cut { decoder, fill, cut: VecDeque::new(), begin: None }))
}

/// Refuses a file whose first bytes belong to another format.
fn refuse_foreign(format: Format, input: &DecoderInput) -> Result<(), FormatError> {
    match input {
        DecoderInput::File(file) => foreign::refuse_file(format, file),
        DecoderInput::Feed(feed) => foreign::refuse(format, &feed.beginning(foreign::TELLING_BYTES)),
    }
}
