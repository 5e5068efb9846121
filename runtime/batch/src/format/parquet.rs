//! Apache Parquet. Read a page at a time, so memory does not grow with the file; written in row groups of about 16 MiB, Snappy
//! compressed.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::reader::{ChunkReader, Length};
use arrow::datatypes::SchemaRef;

use super::encoder::{ByteCounter, CountingWriter};
use super::guard::guarded;
use super::narrow::decoded_columns;
use super::projection::Projection;
use super::{Decoded, Decoder, Encoder, Format, FormatError};
use crate::{Batch, Schema};

/// An open row group is closed at this size: what a writer holds in memory, and what a reader can skip.
const ROW_GROUP_BYTES: usize = 16 * 1024 * 1024;

pub(super) struct ParquetDecoder {
    reader: ParquetRecordBatchReader,
    projection: Projection,
    next_offset: i64,
    read: ByteCounter,
    reported: u64,
}

impl ParquetDecoder {
    pub(super) fn new(file: File, declared: Option<&Arc<Schema>>, records_max: usize) -> Result<Self, FormatError> {
        let read = ByteCounter::default();
        let file = CountedFile { length: file.metadata()?.len(), file, read: read.clone() };
        guarded(Format::Parquet, || {
            let metadata = metadata(&file)?;
            let projection = Projection::new(metadata.schema(), declared)?;
            let descriptor = metadata.parquet_schema();
            let mask = ProjectionMask::roots(descriptor, projection.positions().iter().copied());
            let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
                .with_batch_size(records_max)
                .with_projection(mask)
                .build()
                .map_err(FormatError::read_parquet)?;
            Ok(ParquetDecoder { reader, projection, next_offset: 0, read, reported: 0 })
        })
    }
}

/// The schema that a Parquet file carries.
pub(super) fn schema_of(file: File) -> Result<SchemaRef, FormatError> {
    let file = CountedFile { length: file.metadata()?.len(), file, read: ByteCounter::default() };
    guarded(Format::Parquet, || Ok(Arc::clone(metadata(&file)?.schema())))
}

/// The file's metadata. (Asking the reader for carried text, where the file has the large variant, was measured on three
/// million flights and saves nothing: the conversion rewrites offsets and shares the text.)
fn metadata(file: &CountedFile) -> Result<ArrowReaderMetadata, FormatError> {
    ArrowReaderMetadata::load(file, ArrowReaderOptions::new()).map_err(FormatError::read_parquet)
}

impl Decoder for ParquetDecoder {
    fn schema(&self) -> &Arc<Schema> {
        self.projection.schema()
    }

    fn next(&mut self) -> Result<Option<Decoded>, FormatError> {
        let batch = guarded(Format::Parquet, || {
            self.reader.next().transpose().map_err(|error| FormatError::read(Format::Parquet, error))
        })?;
        let Some(batch) = batch else { return Ok(None) };
        let batch = self.projection.apply(Format::Parquet, &batch)?;
        let first = self.next_offset;
        self.next_offset = first.saturating_add(batch.num_rows() as i64);
        let read = self.read.get();
        let bytes_read = read - std::mem::replace(&mut self.reported, read);
        decoded_columns(self.projection.schema(), &batch, first, bytes_read).map(Some)
    }
}

/// A file of which every read is counted, and none is attempted beyond the end: a damaged file may ask for any length.
struct CountedFile {
    file: File,
    length: u64,
    read: ByteCounter,
}

impl Length for CountedFile {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for CountedFile {
    type T = CountedRead;

    fn get_read(&self, start: u64) -> Result<CountedRead, ParquetError> {
        Ok(CountedRead { inner: self.file.get_read(start)?, read: self.read.clone() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<bytes::Bytes, ParquetError> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            let text = format!("{length} bytes at {start} of a file of {} bytes", self.length);
            return Err(ParquetError::EOF(text));
        }
        self.read.add(length);
        self.file.get_bytes(start, length)
    }
}

/// Reads on in a [`CountedFile`].
struct CountedRead {
    inner: BufReader<File>,
    read: ByteCounter,
}

impl Read for CountedRead {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.read.add(read);
        Ok(read)
    }
}

pub(super) struct ParquetEncoder<W: Write + Send> {
    writer: ArrowWriter<CountingWriter<W>>,
}

impl<W: Write + Send> ParquetEncoder<W> {
    pub(super) fn new(schema: &Schema, writer: CountingWriter<W>) -> Result<Self, FormatError> {
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = ArrowWriter::try_new(writer, schema.to_arrow(), Some(properties));
        Ok(ParquetEncoder { writer: writer.map_err(FormatError::write_parquet)? })
    }
}

impl<W: Write + Send> Encoder for ParquetEncoder<W> {
    fn write(&mut self, batch: &Batch) -> Result<(), FormatError> {
        if batch.columns().is_empty() {
            let reason = "records without fields cannot be counted in it".to_owned();
            return Err(FormatError::Encode { format: Format::Parquet, reason });
        }
        self.writer.write(&batch.to_arrow()?).map_err(FormatError::write_parquet)?;
        if self.writer.in_progress_size() >= ROW_GROUP_BYTES {
            self.writer.flush().map_err(FormatError::write_parquet)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), FormatError> {
        self.writer.flush().map_err(FormatError::write_parquet)?;
        Ok(self.writer.inner_mut().flush()?)
    }

    fn bytes_written(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    fn finish(mut self: Box<Self>) -> Result<(), FormatError> {
        self.writer.finish().map_err(FormatError::write_parquet)?;
        Ok(self.writer.inner_mut().flush()?)
    }
}
