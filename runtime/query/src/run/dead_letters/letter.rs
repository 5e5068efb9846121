//! One dead letter as a line of JSON.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use weir_batch::arrow::array::{Array, AsArray};
use weir_batch::format::{BadRecord, Format, FormatError, open_encoder};
use weir_batch::{Batch, SystemColumns};

use super::DeadLetterError;

/// What every letter of a place says alike.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) query: Arc<str>,
    pub(crate) tenant: Arc<str>,
    /// The source or stage.
    pub(crate) place: Arc<str>,
    /// Digest of the module and name of the function, where a guest was at work.
    pub(crate) guest: Option<(Arc<str>, Arc<str>)>,
}

/// Why a record is dead.
#[derive(Clone, Copy)]
pub(crate) struct Why<'a> {
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
}

#[derive(Serialize)]
struct Letter<'a> {
    query: &'a str,
    tenant: &'a str,
    place: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<&'a str>,
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a str>,
    partition: Option<i32>,
    offset: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp_us: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_hex: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(String, Option<String>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_hex: Option<String>,
}

/// Appends the letter of a record that a stage received, with its line end.
pub(crate) fn of_row(
    sender: &Sender,
    batch: &Arc<Batch>,
    row: usize,
    why: Why<'_>,
    into: &mut Vec<u8>,
) -> Result<(), DeadLetterError> {
    let (partition, offset) = position(batch, row);
    let record = record_json(batch, row)?;
    let system = batch.system();
    let row = batch.physical_row(row);
    let letter = Letter {
        origin: system.origin.as_deref(),
        partition,
        offset,
        timestamp_us: row.and_then(|row| timestamp(system, row)),
        key_hex: row.and_then(|row| key(system, row)).map(hex),
        headers: row.map(|row| headers(system, row)).unwrap_or_default(),
        bytes_hex: system
            .raw
            .as_ref()
            .zip(row)
            .filter(|(column, row)| column.is_valid(*row))
            .map(|(column, row)| hex(column.value(row))),
        ..Letter::of(sender, why)
    };
    add(&letter, Some(&record), into)
}

/// Appends the letter of what a source could not decode, of which it knows beside the bytes what stands in a row of
/// `system`.
pub(crate) fn of_bad(
    sender: &Sender,
    origin: Option<&str>,
    partition: Option<i32>,
    bad: &BadRecord,
    (system, row): (&SystemColumns, usize),
    into: &mut Vec<u8>,
) -> Result<(), DeadLetterError> {
    let letter = Letter {
        origin,
        partition,
        offset: Some(bad.offset),
        timestamp_us: timestamp(system, row),
        line: bad.line,
        key_hex: key(system, row).map(hex),
        headers: headers(system, row),
        bytes_hex: Some(hex(&bad.bytes)),
        ..Letter::of(sender, Why { code: "undecodable", message: &bad.message })
    };
    add(&letter, None, into)
}

/// Writes a letter, with `record`, which is JSON already, as its last key.
fn add(letter: &Letter<'_>, record: Option<&[u8]>, into: &mut Vec<u8>) -> Result<(), DeadLetterError> {
    serde_json::to_writer(&mut *into, letter)?;
    if let Some(record) = record {
        // The letter is an object with keys, so that it ends in the brace that is taken off here.
        into.pop();
        into.extend_from_slice(b",\"record\":");
        into.extend_from_slice(record);
        into.push(b'}');
    }
    into.push(b'\n');
    Ok(())
}

impl<'a> Letter<'a> {
    fn of(sender: &'a Sender, why: Why<'a>) -> Letter<'a> {
        Letter {
            query: &sender.query,
            tenant: &sender.tenant,
            place: &sender.place,
            module: sender.guest.as_ref().map(|(module, _)| &**module),
            function: sender.guest.as_ref().map(|(_, function)| &**function),
            code: why.code,
            message: why.message,
            origin: None,
            partition: None,
            offset: None,
            timestamp_us: None,
            line: None,
            key_hex: None,
            headers: Vec::new(),
            bytes_hex: None,
        }
    }
}

/// Where a row came from, where its source said so.
pub(crate) fn position(batch: &Batch, row: usize) -> (Option<i32>, Option<i64>) {
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

/// Names, and values in hexadecimal digits.
fn headers(system: &SystemColumns, row: usize) -> Vec<(String, Option<String>)> {
    let list = system.headers.as_ref().filter(|list| row < list.len() && list.is_valid(row));
    let Some(list) = list else { return Vec::new() };
    let headers = list.value(row);
    let Some(headers) = headers.as_struct_opt() else { return Vec::new() };
    let columns = (headers.columns().first(), headers.columns().get(1));
    let (Some(names), Some(values)) = columns else { return Vec::new() };
    let (Some(names), Some(values)) = (names.as_string_opt::<i32>(), values.as_binary_opt::<i32>()) else {
        return Vec::new();
    };
    names.iter().zip(values.iter()).map(|(name, value)| (name.unwrap_or_default().to_owned(), value.map(hex))).collect()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
    }
    text
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

/// The encoder owns its writer, so the bytes come back through a second handle.
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
