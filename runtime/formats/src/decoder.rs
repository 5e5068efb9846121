//! Reading records from a file.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::input::{DecoderInput, Input};
use super::narrow::abridged;
use super::pieces::{bytes_at_most, carried_bytes, fixed_bytes};
use super::{CsvOptions, Format, FormatError, NewKey, Place, arrow_ipc, bincode, csv, foreign, json_lines, parquet};
use weir_batch::{Batch, Schema};

/// Reads one file from its beginning, a batch at a time. Owned by one source; holds one chunk of the file.
pub trait Decoder: Send {
    /// The schema of every batch.
    fn schema(&self) -> &Arc<Schema>;

    /// The next records, or `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// The file as a whole cannot be read on; nothing is to be read from this decoder afterwards. But for
    /// [`FormatError::is_waiting`], of a decoder over a [`super::Feed`]: that can be asked again when more was fed, and
    /// nothing is lost.
    fn next(&mut self) -> Result<Option<Decoded>, FormatError>;

    /// Where another decoder of the same file goes on behind what was given so far. Where a batch is a part of what the format
    /// decodes at once, that is the beginning of this: records are passed over by their numbers then. `None` in a format
    /// that has no such places.
    fn place(&self) -> Option<Place> {
        None
    }

    /// Goes to a place that a decoder of the same file named, before anything is asked for. Records before `next` are not
    /// needed: what of them lies behind the place may be left out, or come.
    ///
    /// # Errors
    ///
    /// A place that this file does not have, and [`FormatError::Continued`].
    fn resume(&mut self, place: &Place, next: i64) -> Result<(), FormatError> {
        let _ = (place, next);
        Err(FormatError::Place { format: Format::Bincode, reason: "the format has no places".to_owned() })
    }

    /// Says that the file may grow: where it ends within a record, that record is neither given nor passed, and
    /// [`Decoder::place`] is before it. Formats that are written as a whole end with it.
    fn leave_open_end(&mut self) {}

    /// From now on, remembers keys that are not declared and first appear behind this many records: those that the schema
    /// was inferred from. Only JSON has such keys.
    fn watch_new_keys(&mut self, _sample: u64) {}

    /// The keys that were found so since this was last asked.
    fn take_new_keys(&mut self) -> Vec<NewKey> {
        Vec::new()
    }
}

/// What one call of [`Decoder::next`] took from the file: never nothing, though the batch may be empty.
#[derive(Debug)]
pub struct Decoded {
    /// The good records. `_offset` holds each one's number within the file, counted from 0; a bad record keeps its
    /// number, so the good ones skip over it.
    pub batch: Batch,
    /// The records that could not be read, ascending by offset.
    pub bad: Vec<BadRecord>,
    /// Bytes of the file that this call consumed.
    pub bytes_read: u64,
}

/// One record that could not be read. The others of its chunk arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRecord {
    /// The record's number within the file, counted from 0.
    pub offset: i64,
    /// The line that it begins on, counted from 1, in formats of lines.
    pub line: Option<u64>,
    /// The record as the file has it, without its line end; the first MiB of an overlong one. In binary formats, the
    /// record as a line of JSON.
    pub bytes: Vec<u8>,
    /// Why it could not be read.
    pub message: String,
}

/// When a batch goes on, and which records are too large for any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// With this many records; at least one.
    pub records_max: usize,
    /// Before its records take more bytes than this: values at their width, texts and bytes written out. A record that
    /// is larger is a batch alone.
    pub bytes_max: usize,
    /// A record of more bytes than this is a bad record: by its values that are read, and in CSV and JSON by its text, which
    /// may have 1 MiB in any case.
    pub record_bytes_max: usize,
    /// This long after its first record, where the file is a pipe or terminal and of lines. Without it, when it is full.
    pub delay_max: Option<Duration>,
}

impl From<usize> for Fill {
    fn from(records_max: usize) -> Fill {
        let (bytes_max, record_bytes_max) = (Fill::BYTES_MAX, Fill::RECORD_BYTES_MAX);
        Fill { records_max, bytes_max, record_bytes_max, delay_max: None }
    }
}

impl Fill {
    /// How many bytes a batch has at most where nothing else is said.
    pub const BYTES_MAX: usize = 16 * 1024 * 1024;
    /// How many bytes a record has at most where nothing else is said.
    pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;

    /// What is wrong with a record of so many bytes.
    pub fn too_large(&self, bytes: u64) -> String {
        let bytes_max = self.record_bytes_max;
        format!("the record has {bytes} bytes: at most {bytes_max} are read; raise `batching.record_bytes_max`")
    }

    /// The same, with no more records than fit into a batch of this schema if every text is empty.
    #[must_use]
    pub fn for_schema(self, schema: &Schema) -> Fill {
        let fitting = self.bytes_max as u64 / fixed_bytes(schema).max(1);
        let records_max = usize::try_from(fitting).unwrap_or(usize::MAX).clamp(1, self.records_max.max(1));
        Fill { records_max, ..self }
    }
}

/// A decoder of this file or feed, from its current beginning to its end. `fill` says when a batch is full; a number is the most
/// records of a batch.
///
/// `schema` is the declared one. JSON lines and CSV need it; the formats that carry a schema take it as the choice of
/// columns, each of which the file must have with the same type, and read all columns without it. Fields that are not
/// declared are passed over. Where a declared field admits no nulls, a record that holds one is a bad record.
///
/// # Errors
///
/// A file that is not of this format, that lacks a declared field or has it with another type, or that cannot be read;
/// a feed of a format other than JSON lines and CSV. [`FormatError::is_waiting`] where a feed has not enough bytes yet:
/// open it again, rewound, when there are more.
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
        // These two cut a batch before they make it.
        Format::Parquet => return Ok(Box::new(parquet::ParquetDecoder::new(input.file()?, schema, fill)?)),
        Format::ArrowIpc => return Ok(Box::new(arrow_ipc::IpcDecoder::new(input.file()?, schema, fill)?)),
        Format::Bincode => Box::new(bincode::BincodeDecoder::new(input.file()?, schema, fill)?),
    };
    Ok(Box::new(Cut { decoder, fill, cut: VecDeque::new(), begin: None }))
}

/// Cuts what a decoder of whole records made by its bytes.
struct Cut {
    decoder: Box<dyn Decoder>,
    fill: Fill,
    cut: VecDeque<Decoded>,
    // Where what is being cut begins.
    begin: Option<Place>,
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

    fn place(&self) -> Option<Place> {
        if self.cut.is_empty() { self.decoder.place() } else { self.begin }
    }

    fn resume(&mut self, place: &Place, next: i64) -> Result<(), FormatError> {
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
    /// The same records in batches that keep to the limits, in order.
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
            // Bad records go with the good ones before which they stand.
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

/// As [`open_decoder`], of a CSV file that is written in its own way.
///
/// # Errors
///
/// Options that [`CsvOptions::validate`] refuses, and those of [`open_decoder`].
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

/// Refuses what its first bytes show to be something else.
fn refuse_foreign(format: Format, input: &DecoderInput) -> Result<(), FormatError> {
    match input {
        DecoderInput::File(file) => foreign::refuse_file(format, file),
        DecoderInput::Feed(feed) => foreign::refuse(format, &feed.beginning(foreign::TELLING_BYTES)),
    }
}
