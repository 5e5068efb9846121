//! Writing records to a file or pipe.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{CsvOptions, Format, FormatError, arrow_ipc, bincode, csv_write, json_lines, parquet};
use weir_batch::{Batch, Schema};

/// Writes batches of one schema to one writer. Owned by one sink. Only rows that count are written, and only fields:
/// system columns stay behind. After an error nothing more is to be written.
pub trait Encoder: Send {
    /// Writes the rows of a batch that count. Some may stay buffered.
    ///
    /// # Errors
    ///
    /// A batch of another schema, or what the writer answers.
    fn write(&mut self, batch: &Batch) -> Result<(), FormatError>;

    /// Hands what is buffered to the writer and flushes that. (Parquet closes its row group.)
    ///
    /// # Errors
    ///
    /// What the writer answers.
    fn flush(&mut self) -> Result<(), FormatError>;

    /// Bytes written so far, with an estimate of those that are still buffered.
    fn bytes_written(&self) -> u64;

    /// Writes what the format puts last, flushes the writer and drops it. Without this a file is torn. To sync a
    /// `File` afterwards, keep a clone of its handle.
    ///
    /// # Errors
    ///
    /// What the writer answers.
    fn finish(self: Box<Self>) -> Result<(), FormatError>;
}

/// An encoder of batches of this schema. Writes are buffered: the writer needs no buffer of its own.
///
/// # Errors
///
/// What the writer answers to the header, where the format has one.
pub fn open_encoder<W: Write + Send + 'static>(
    format: Format,
    schema: &Arc<Schema>,
    writer: W,
) -> Result<Box<dyn Encoder>, FormatError> {
    let writer = CountingWriter::new(writer);
    let inner: Box<dyn Encoder> = match format {
        Format::JsonLines => Box::new(json_lines::JsonLinesEncoder::new(writer)),
        Format::Csv => Box::new(csv_write::CsvEncoder::new(schema, writer, &CsvOptions::default())?),
        Format::Parquet => Box::new(parquet::ParquetEncoder::new(schema, writer)?),
        Format::ArrowIpc => Box::new(arrow_ipc::IpcEncoder::new(schema, writer)?),
        Format::Bincode => Box::new(bincode::BincodeEncoder::new(schema, writer)?),
    };
    Ok(Box::new(Fused { inner, schema: Arc::clone(schema), failed: false }))
}

/// As [`open_encoder`], of a CSV file that is written in its own way. A decoder with the same options reads back what was
/// written.
///
/// # Errors
///
/// Options that [`CsvOptions::validate`] refuses, and what the writer answers to the header.
pub fn open_csv_encoder<W: Write + Send + 'static>(
    schema: &Arc<Schema>,
    writer: W,
    options: &CsvOptions,
) -> Result<Box<dyn Encoder>, FormatError> {
    let inner = Box::new(csv_write::CsvEncoder::new(schema, CountingWriter::new(writer), options)?);
    Ok(Box::new(Fused { inner, schema: Arc::clone(schema), failed: false }))
}

/// What all encoders have in common: one schema, and nothing after an error, which may have come in the middle of a
/// record.
struct Fused {
    inner: Box<dyn Encoder>,
    schema: Arc<Schema>,
    failed: bool,
}

impl Fused {
    fn step(&mut self, step: impl FnOnce(&mut dyn Encoder) -> Result<(), FormatError>) -> Result<(), FormatError> {
        if self.failed {
            return Err(FormatError::Failed);
        }
        let done = step(&mut *self.inner);
        self.failed = done.is_err();
        done
    }
}

impl Encoder for Fused {
    fn write(&mut self, batch: &Batch) -> Result<(), FormatError> {
        let same = Arc::ptr_eq(&self.schema, batch.schema()) || *self.schema == **batch.schema();
        let (expected, found) = (Arc::clone(&self.schema), batch.schema());
        self.step(|inner| match same {
            true if batch.is_empty() => Ok(()),
            true => inner.write(batch),
            false => Err(FormatError::SchemaMismatch { expected: expected.to_string(), found: found.to_string() }),
        })
    }

    fn flush(&mut self) -> Result<(), FormatError> {
        self.step(|inner| inner.flush())
    }

    fn bytes_written(&self) -> u64 {
        self.inner.bytes_written()
    }

    fn finish(self: Box<Self>) -> Result<(), FormatError> {
        if self.failed {
            return Err(FormatError::Failed);
        }
        self.inner.finish()
    }
}

/// Buffers in pieces of 64 KiB, and counts the bytes.
pub(super) struct CountingWriter<W: Write> {
    inner: io::BufWriter<W>,
    written: Arc<AtomicU64>,
}

impl<W: Write> CountingWriter<W> {
    fn new(writer: W) -> CountingWriter<W> {
        CountingWriter { inner: io::BufWriter::with_capacity(64 * 1024, writer), written: Arc::default() }
    }

    /// The count, which stays readable when an encoder owns the writer.
    pub(super) fn counter(&self) -> ByteCounter {
        ByteCounter(Arc::clone(&self.written))
    }
}

impl<W: Write> Write for CountingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.written.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Reads the count of a [`CountingWriter`] or counting reader.
#[derive(Clone, Default)]
pub(super) struct ByteCounter(pub(super) Arc<AtomicU64>);

impl ByteCounter {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
