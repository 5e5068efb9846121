//! Arrow IPC: written as an uncompressed file (also known as Feather 2); read as a file or a stream, with or without compression.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::ipc::writer::FileWriter;

use super::counting_writer::{ByteCounter, CountingWriter};
use super::guard::guarded;
use super::ipc_reader::IpcReader;
use super::narrow::decoded_piece;
use super::pieces::Pieces;
use super::place::{self, PlaceAt, ResumePlace};
use super::projection::{FileField, Projection};
use super::{Decoded, Decoder, Encoder, Fill, Format, FormatError, utc};
use weir_batch::{Batch, Schema};

pub(super) struct IpcDecoder {
    reader: IpcReader,
    projection: Projection,
    fill: Fill,
    // The rest of a record batch of the file that is larger than the batch limit.
    pieces: Option<Pieces>,
    // The number of its first record.
    block_record: i64,
    next_offset: i64,
    reported: u64,
}

impl IpcDecoder {
    pub(super) fn new(file: File, declared: Option<&Arc<Schema>>, fill: Fill) -> Result<Self, FormatError> {
        guarded(Format::ArrowIpc, || {
            let mut reader = IpcReader::open(file)?;
            let projection = Projection::new(&FileField::of_arrow(reader.schema()), declared)?;
            reader.project(projection.positions());
            Ok(IpcDecoder { reader, projection, fill, pieces: None, block_record: 0, next_offset: 0, reported: 0 })
        })
    }
}

/// The columns of an Arrow IPC file.
pub(super) fn fields_of(file: File) -> Result<Vec<FileField>, FormatError> {
    guarded(Format::ArrowIpc, || Ok(FileField::of_arrow(IpcReader::open(file)?.schema())))
}

impl Decoder for IpcDecoder {
    fn schema(&self) -> &Arc<Schema> {
        self.projection.schema()
    }

    fn place(&self) -> Option<ResumePlace> {
        let blocks = self.reader.blocks_given();
        Some(match self.pieces.as_ref().is_some_and(|pieces| !pieces.is_empty()) {
            true => ResumePlace { record: self.block_record, at: PlaceAt::Block(blocks.saturating_sub(1)) },
            false => ResumePlace { record: self.next_offset, at: PlaceAt::Block(blocks) },
        })
    }

    fn resume(&mut self, place: &ResumePlace, _next: i64) -> Result<(), FormatError> {
        let PlaceAt::Block(block) = place.at else {
            return Err(place::refused(Format::ArrowIpc, "it belongs to another format"));
        };
        let records = guarded(Format::ArrowIpc, || self.reader.pass_blocks(block))?;
        if u64::try_from(place.record) != Ok(records) {
            let reason = format!("record batch {block} begins with record {records}, not {}", place.record);
            return Err(place::refused(Format::ArrowIpc, reason));
        }
        (self.block_record, self.next_offset) = (place.record, place.record);
        self.reported = self.reader.position();
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Decoded>, FormatError> {
        let piece = loop {
            if let Some(piece) = self.pieces.as_mut().and_then(|pieces| pieces.next(&self.fill)) {
                break piece;
            }
            self.pieces = None;
            let rows: Option<RecordBatch> = guarded(Format::ArrowIpc, || self.reader.next())?;
            let Some(rows) = rows else { return Ok(None) };
            self.block_record = self.next_offset;
            self.pieces = Some(Pieces::new(rows));
        };
        let first = self.next_offset;
        self.next_offset = first.saturating_add(piece.rows() as i64);
        let position = self.reader.position();
        let bytes_read = position.saturating_sub(self.reported);
        self.reported = self.reported.max(position);
        let schema = self.projection.schema();
        guarded(Format::ArrowIpc, || decoded_piece(schema, piece, first, bytes_read, &self.fill)).map(Some)
    }
}

pub(super) struct IpcEncoder<W: Write> {
    writer: FileWriter<CountingWriter<W>>,
    written: ByteCounter,
}

impl<W: Write + Send> IpcEncoder<W> {
    pub(super) fn new(schema: &Schema, writer: CountingWriter<W>) -> Result<Self, FormatError> {
        let written = writer.counter();
        let writer = FileWriter::try_new(writer, &utc::schema(schema));
        let writer = writer.map_err(|error| FormatError::write(Format::ArrowIpc, error))?;
        Ok(IpcEncoder { writer, written })
    }
}

impl<W: Write + Send> Encoder for IpcEncoder<W> {
    fn write(&mut self, batch: &Batch) -> Result<(), FormatError> {
        self.writer.write(&utc::batch(batch)?).map_err(|error| FormatError::write(Format::ArrowIpc, error))
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
