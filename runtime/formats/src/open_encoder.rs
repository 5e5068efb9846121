//! Opens encoders.

use std::io::Write;
use std::sync::Arc;

use super::counting_writer::CountingWriter;
use super::{CsvOptions, Encoder, Format, FormatError, arrow_ipc, bincode, csv_write, json_lines, parquet};
use weir_batch::{Batch, Schema};

/// An encoder for batches of this schema. Writes are buffered, so the writer needs no buffer.
///
/// # Errors
///
/// An error of the writer when the header is written, if the format has one.
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

/// Like [`open_encoder`], for CSV with options. A decoder with the same options reads the same values.
///
/// # Errors
///
/// Options that [`CsvOptions::validate`] refuses, and errors of the writer when the header is written.
pub fn open_csv_encoder<W: Write + Send + 'static>(
    schema: &Arc<Schema>,
    writer: W,
    options: &CsvOptions,
) -> Result<Box<dyn Encoder>, FormatError> {
    let inner = Box::new(csv_write::CsvEncoder::new(schema, CountingWriter::new(writer), options)?);
    Ok(Box::new(Fused { inner, schema: Arc::clone(schema), failed: false }))
}

/// The common part of all encoders: checks the schema, and refuses everything after an error, which may have left half a record.
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
