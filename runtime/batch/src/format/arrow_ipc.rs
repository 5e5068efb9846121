//! Arrow IPC: written as a file (also known as Feather 2), uncompressed; read as a file or a stream, with or without
//! compression.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use arrow::ipc::writer::FileWriter;

use super::encoder::{ByteCounter, CountingWriter};
use super::guard::guarded;
use super::narrow::decoded_columns;
use super::projection::Projection;
use super::{Decoded, Decoder, Encoder, Format, FormatError};
use crate::{Batch, Schema};

const MAGIC: &[u8; 6] = b"ARROW1";

/// Either form of the format.
enum Reader {
    File(FileReader<BufReader<File>>),
    Stream(StreamReader<BufReader<File>>),
}

impl Reader {
    /// Only the file form begins with the magic bytes.
    fn open(mut file: File) -> Result<Reader, FormatError> {
        let mut magic = Vec::new();
        (&mut file).take(MAGIC.len() as u64).read_to_end(&mut magic)?;
        file.seek(SeekFrom::Start(0))?;
        let file = BufReader::new(file);
        let reader = match magic == MAGIC {
            true => FileReader::try_new(file, None).map(Reader::File),
            false => StreamReader::try_new(file, None).map(Reader::Stream),
        };
        reader.map_err(|error| FormatError::read(Format::ArrowIpc, error))
    }

    fn schema(&self) -> SchemaRef {
        match self {
            Reader::File(reader) => reader.schema(),
            Reader::Stream(reader) => reader.schema(),
        }
    }

    fn next(&mut self) -> Option<Result<RecordBatch, ArrowError>> {
        match self {
            Reader::File(reader) => reader.next(),
            Reader::Stream(reader) => reader.next(),
        }
    }

    fn position(&mut self) -> u64 {
        let file = match self {
            Reader::File(reader) => reader.get_mut(),
            Reader::Stream(reader) => reader.get_mut(),
        };
        // Only for progress: a pipe has no position.
        file.stream_position().unwrap_or(0)
    }
}

pub(super) struct IpcDecoder {
    reader: Reader,
    projection: Projection,
    // What is left of a batch of the file that is larger than a batch may be.
    pending: RecordBatch,
    records_max: usize,
    next_offset: i64,
    reported: u64,
}

impl IpcDecoder {
    pub(super) fn new(file: File, declared: Option<&Arc<Schema>>, records_max: usize) -> Result<Self, FormatError> {
        guarded(Format::ArrowIpc, || {
            let reader = Reader::open(file)?;
            let projection = Projection::new(&reader.schema(), declared)?;
            let pending = RecordBatch::new_empty(reader.schema());
            Ok(IpcDecoder { reader, projection, pending, records_max, next_offset: 0, reported: 0 })
        })
    }
}

/// The schema that an Arrow IPC file carries.
pub(super) fn schema_of(file: File) -> Result<SchemaRef, FormatError> {
    guarded(Format::ArrowIpc, || Ok(Reader::open(file)?.schema()))
}

impl Decoder for IpcDecoder {
    fn schema(&self) -> &Arc<Schema> {
        self.projection.schema()
    }

    fn next(&mut self) -> Result<Option<Decoded>, FormatError> {
        while self.pending.num_rows() == 0 {
            let next = guarded(Format::ArrowIpc, || {
                self.reader.next().transpose().map_err(|error| FormatError::read(Format::ArrowIpc, error))
            })?;
            let Some(next) = next else { return Ok(None) };
            self.pending = self.projection.apply(Format::ArrowIpc, &next)?;
        }
        let rows = self.pending.num_rows().min(self.records_max);
        let batch = self.pending.slice(0, rows);
        self.pending = self.pending.slice(rows, self.pending.num_rows() - rows);
        let first = self.next_offset;
        self.next_offset = first.saturating_add(rows as i64);
        let position = self.reader.position();
        let bytes_read = position.saturating_sub(self.reported);
        self.reported = self.reported.max(position);
        decoded_columns(self.projection.schema(), &batch, first, bytes_read).map(Some)
    }
}

pub(super) struct IpcEncoder<W: Write> {
    writer: FileWriter<CountingWriter<W>>,
    written: ByteCounter,
}

impl<W: Write + Send> IpcEncoder<W> {
    pub(super) fn new(schema: &Schema, writer: CountingWriter<W>) -> Result<Self, FormatError> {
        let written = writer.counter();
        let writer = FileWriter::try_new(writer, &schema.to_arrow());
        let writer = writer.map_err(|error| FormatError::write(Format::ArrowIpc, error))?;
        Ok(IpcEncoder { writer, written })
    }
}

impl<W: Write + Send> Encoder for IpcEncoder<W> {
    fn write(&mut self, batch: &Batch) -> Result<(), FormatError> {
        self.writer.write(&batch.to_arrow()?).map_err(|error| FormatError::write(Format::ArrowIpc, error))
    }

    fn flush(&mut self) -> Result<(), FormatError> {
        self.writer.flush().map_err(|error| FormatError::write(Format::ArrowIpc, error))
    }

    fn bytes_written(&self) -> u64 {
        self.written.get()
    }

    fn finish(mut self: Box<Self>) -> Result<(), FormatError> {
        self.writer.finish().map_err(|error| FormatError::write(Format::ArrowIpc, error))?;
        self.flush()
    }
}
