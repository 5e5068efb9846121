//! Reading records from a file.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use super::input::Input;
use super::{CsvOptions, Format, FormatError, NewKey, arrow_ipc, bincode, csv, foreign, json_lines, parquet};
use crate::{Batch, Schema};

/// Reads one file from its beginning, a batch at a time. Owned by one source; holds one chunk of the file.
pub trait Decoder: Send {
    /// The schema of every batch.
    fn schema(&self) -> &Arc<Schema>;

    /// The next records, or `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// The file as a whole cannot be read on; nothing is to be read from this decoder afterwards.
    fn next(&mut self) -> Result<Option<Decoded>, FormatError>;

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

/// When a batch goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// With this many records; at least one.
    pub records_max: usize,
    /// This long after its first record, where the file is a pipe or terminal and of lines. Without it, when it is full.
    pub delay_max: Option<Duration>,
}

impl From<usize> for Fill {
    fn from(records_max: usize) -> Fill {
        Fill { records_max, delay_max: None }
    }
}

/// A decoder of this file, from its current beginning to its end. `fill` says when a batch is full; a number is the most
/// records of a batch.
///
/// `schema` is the declared one. JSON lines and CSV need it; the formats that carry a schema take it as the choice of
/// columns, each of which the file must have with the same type, and read all columns without it. Fields that are not
/// declared are passed over. Where a declared field admits no nulls, a record that holds one is a bad record.
///
/// # Errors
///
/// A file that is not of this format, that lacks a declared field or has it with another type, or that cannot be read.
pub fn open_decoder(
    format: Format,
    file: File,
    schema: Option<&Arc<Schema>>,
    fill: impl Into<Fill>,
) -> Result<Box<dyn Decoder>, FormatError> {
    let Fill { records_max, delay_max } = fill.into();
    let records_max = records_max.max(1);
    foreign::refuse_file(format, &file)?;
    let declared = || schema.map(Arc::clone).ok_or(FormatError::SchemaRequired { format });
    Ok(match format {
        Format::JsonLines => {
            Box::new(json_lines::JsonLinesDecoder::new(Input::new(file, delay_max), declared()?, records_max))
        }
        Format::Csv => {
            return open_csv_decoder(file, &declared()?, Fill { records_max, delay_max }, &CsvOptions::default());
        }
        Format::Parquet => Box::new(parquet::ParquetDecoder::new(file, schema, records_max)?),
        Format::ArrowIpc => Box::new(arrow_ipc::IpcDecoder::new(file, schema, records_max)?),
        Format::Bincode => Box::new(bincode::BincodeDecoder::new(file, schema, records_max)?),
    })
}

/// As [`open_decoder`], of a CSV file that is written in its own way.
///
/// # Errors
///
/// Options that [`CsvOptions::validate`] refuses, and those of [`open_decoder`].
pub fn open_csv_decoder(
    file: File,
    schema: &Arc<Schema>,
    fill: impl Into<Fill>,
    options: &CsvOptions,
) -> Result<Box<dyn Decoder>, FormatError> {
    let Fill { records_max, delay_max } = fill.into();
    foreign::refuse_file(Format::Csv, &file)?;
    let input = Input::new(file, delay_max);
    Ok(Box::new(csv::CsvDecoder::new(input, Arc::clone(schema), records_max.max(1), options)?))
}
