//! Creates letters from records that failed.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use weir_batch::arrow::array::{Array, AsArray};
use weir_batch::{Batch, SystemColumns};
use weir_formats::{BadRecord, Format, FormatError, open_encoder};

use super::error::DeadLetterError;
use weir_plan::Origins;
use weir_state::{Header, Letter, LetterValue};

/// The common facts of all letters of a source, stage or sink.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The query.
    pub query: Arc<str>,
    /// Its tenant.
    pub tenant: Arc<str>,
    /// The source, stage or sink.
    pub place: Arc<str>,
    /// The digest of the module and the name of the function, if a guest failed.
    pub guest: Option<(Arc<str>, Arc<str>)>,
    /// The known facts about the sources of its records.
    pub origins: Origins,
}

/// Why a record failed.
#[derive(Clone, Copy)]
pub struct Why<'a> {
    /// The error's code.
    pub code: &'a str,
    /// What happened.
    pub message: &'a str,
}

/// The letter for a record that a stage or sink received.
pub(super) fn of_row(sender: &Sender, batch: &Arc<Batch>, row: usize, why: Why<'_>) -> Result<Letter, DeadLetterError> {
    let (partition, offset) = position(batch, row);
    let system = batch.system();
    let origin = system.origin.as_deref();
    let source = sender.origins.source(origin);
    let physical = batch.physical_row(row);
    // The original value, if no stage has changed the record.
    let original = system.raw.as_ref().zip(physical).filter(|_| sender.origins.direct && source.is_some());
    let value = match original {
        Some((column, row)) => LetterValue::Original(column.is_valid(row).then(|| column.value(row).to_vec())),
        None => {
            let record = String::from_utf8(record_json(batch, row)?);
            let record = record.map_err(|error| FormatError::Io(io::Error::other(error)))?;
            LetterValue::Record { record, bytes: None }
        }
    };
    Ok(Letter {
        source: source.map(|source| source.to_string()),
        origin: origin.map(str::to_owned),
        partition,
        offset,
        timestamp_us: physical.and_then(|row| timestamp(system, row)),
        key: physical.and_then(|row| key(system, row)).map(<[u8]>::to_vec),
        headers: physical.map(|row| headers(system, row)).unwrap_or_default(),
        ..sender.letter(why, value)
    })
}

/// The letter for a record that a source could not decode. `system` has a row with what the source knows besides the bytes.
pub(super) fn of_bad(
    sender: &Sender,
    origin: Option<&str>,
    partition: Option<i32>,
    bad: &BadRecord,
    (system, row): (&SystemColumns, usize),
) -> Letter {
    let is_null = system.raw.as_ref().is_some_and(|column| row < column.len() && column.is_null(row));
    let value = LetterValue::Original((!is_null).then(|| bad.bytes.clone()));
    Letter {
        source: Some(sender.place.to_string()),
        origin: origin.map(str::to_owned),
        partition,
        offset: Some(bad.offset),
        timestamp_us: timestamp(system, row),
        line: bad.line,
        key: key(system, row).map(<[u8]>::to_vec),
        headers: headers(system, row),
        ..sender.letter(Why { code: "undecodable", message: &bad.message }, value)
    }
}

impl Sender {
    fn letter(&self, why: Why<'_>, value: LetterValue) -> Letter {
        Letter {
            query: self.query.to_string(),
            tenant: self.tenant.to_string(),
            place: self.place.to_string(),
            module: self.guest.as_ref().map(|(module, _)| module.to_string()),
            function: self.guest.as_ref().map(|(_, function)| function.to_string()),
            code: why.code.to_owned(),
            message: why.message.to_owned(),
            value,
            ..Letter::default()
        }
    }
}

/// The partition and offset of a row, if its source sets them.
pub fn position(batch: &Batch, row: usize) -> (Option<i32>, Option<i64>) {
    let Some(row) = batch.physical_row(row) else { return (None, None) };
    let system = batch.system();
    let partition = system.partition.as_ref().filter(|column| column.is_valid(row)).map(|column| column.value(row));
    let offset = system.offset.as_ref().filter(|column| column.is_valid(row)).map(|column| column.value(row));
    (partition, offset)
}

fn key(system: &SystemColumns, row: usize) -> Option<&[u8]> {
    let column = system.key.as_ref().filter(|column| row < column.len() && column.is_valid(row))?;
    Some(column.value(row))
}

fn timestamp(system: &SystemColumns, row: usize) -> Option<i64> {
    let column = system.timestamp.as_ref().filter(|column| row < column.len() && column.is_valid(row))?;
    Some(column.value(row))
}

/// Names and values.
fn headers(system: &SystemColumns, row: usize) -> Vec<Header> {
    let list = system.headers.as_ref().filter(|list| row < list.len() && list.is_valid(row));
    let Some(list) = list else { return Vec::new() };
    let headers = list.value(row);
    let Some(headers) = headers.as_struct_opt() else { return Vec::new() };
    let columns = (headers.columns().first(), headers.columns().get(1));
    let (Some(names), Some(values)) = columns else { return Vec::new() };
    let (Some(names), Some(values)) = (names.as_string_opt::<i32>(), values.as_binary_opt::<i32>()) else {
        return Vec::new();
    };
    let owned =
        |(name, value): (Option<&str>, Option<&[u8]>)| (name.unwrap_or_default().to_owned(), value.map(<[u8]>::to_vec));
    names.iter().zip(values.iter()).map(owned).collect()
}

/// One row as a JSON object, as the JSON-lines format writes it.
fn record_json(batch: &Arc<Batch>, row: usize) -> Result<Vec<u8>, DeadLetterError> {
    let one = batch.slice(row, 1).map_err(FormatError::from)?;
    let buffer = SharedBuffer::default();
    let mut encoder = open_encoder(Format::JsonLines, batch.schema(), buffer.clone())?;
    encoder.write(&one)?;
    encoder.finish()?;
    Ok(buffer.take().trim_ascii().to_vec())
}

/// The encoder owns its writer, so the bytes are read through a second handle.
#[derive(Clone, Default)]
struct SharedBuffer(Arc<Mutex<Vec<u8>>>);

impl SharedBuffer {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for SharedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
