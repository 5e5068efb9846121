//! Bincode frames: records for consumers written in Rust.
//!
//! A file is a sequence of frames. A frame is its length in bytes as a little-endian `u32`, followed by one [`Frame`] in bincode
//! 2's standard configuration (little-endian, variable-length integers). The first frame is the header, followed by one frame per
//! record. The last frame has the number of records: a file without it is incomplete.
//!
//! Only this module reads and writes bincode. It never decodes without a limit.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::sync::Arc;

use ::bincode::config::{self, Config};
use ::bincode::{BorrowDecode, Encode};
use arrow::array::cast::AsArray;
use arrow::array::types::{Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::array::{Array, RecordBatch, RecordBatchOptions};

use super::counting_writer::{ByteCounter, CountingWriter};
use super::csv_values::ColumnBuilder;
use super::narrow::{decoded_columns, null_message};
use super::projection::{FileField, Projection};
use super::{Decoded, Decoder, Encoder, Fill, Format, FormatError};
use weir_batch::{Batch, DataType, Field, Schema};
use weir_text::brief;

/// The maximum length of a frame.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The version in headers.
pub const VERSION: u8 = 1;

/// The content of a frame.
#[derive(Debug, PartialEq, Encode, BorrowDecode)]
pub enum Frame<'a> {
    /// The first frame.
    Header {
        /// [`VERSION`].
        version: u8,
        /// The fields of every record, in order.
        fields: Vec<FrameField<'a>>,
    },
    /// One record: one value per field.
    Record(Vec<Value<'a>>),
    /// The last frame.
    End {
        /// The number of records in the file.
        records: u64,
    },
}

/// A field in the header.
#[derive(Debug, PartialEq, Encode, BorrowDecode)]
#[non_exhaustive]
pub struct FrameField<'a> {
    /// The field's name.
    pub name: &'a str,
    /// The name of its type, as in query files.
    pub data_type: &'a str,
    /// Whether its values may be [`Value::Null`].
    pub nullable: bool,
}

/// One value of a record.
#[derive(Debug, PartialEq, Encode, BorrowDecode)]
pub enum Value<'a> {
    /// No value.
    Null,
    /// A bool.
    Bool(bool),
    /// An i8.
    I8(i8),
    /// An i16.
    I16(i16),
    /// An i32.
    I32(i32),
    /// An i64.
    I64(i64),
    /// An f64.
    F64(f64),
    /// Text.
    Utf8(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
    /// Microseconds since the Unix epoch.
    Timestamp(i64),
}

fn limited() -> impl Config {
    config::standard().with_limit::<FRAME_BYTES_MAX>()
}

/// Writes frames.
pub(super) struct BincodeEncoder<W: Write> {
    schema: Arc<Schema>,
    writer: CountingWriter<W>,
    written: ByteCounter,
    records: u64,
}

impl<W: Write + Send> BincodeEncoder<W> {
    pub(super) fn new(schema: &Arc<Schema>, mut writer: CountingWriter<W>) -> Result<Self, FormatError> {
        let fields = schema.fields().iter().map(|field| FrameField {
            name: &field.name,
            data_type: field.data_type.name(),
            nullable: field.nullable,
        });
        write_frame(&mut writer, &Frame::Header { version: VERSION, fields: fields.collect() })?;
        let written = writer.counter();
        Ok(BincodeEncoder { schema: Arc::clone(schema), writer, written, records: 0 })
    }
}

fn write_frame<W: Write>(writer: &mut W, frame: &Frame<'_>) -> Result<(), FormatError> {
    let encode =
        |error: ::bincode::error::EncodeError| FormatError::Encode { format: Format::Bincode, reason: brief(&error) };
    let bytes = ::bincode::encode_to_vec(frame, config::standard()).map_err(encode)?;
    let length = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= FRAME_BYTES_MAX);
    let length = length.ok_or(FormatError::RecordTooLarge {
        format: Format::Bincode,
        bytes: bytes.len() as u64,
        bytes_max: FRAME_BYTES_MAX as u64,
    })?;
    writer.write_all(&length.to_le_bytes())?;
    Ok(writer.write_all(&bytes)?)
}

/// `Batch` has checked that the columns have their fields' types.
fn value(column: &dyn Array, data_type: DataType, row: usize) -> Value<'_> {
    if column.is_null(row) {
        return Value::Null;
    }
    match data_type {
        DataType::Bool => Value::Bool(column.as_boolean().value(row)),
        DataType::I8 => Value::I8(column.as_primitive::<Int8Type>().value(row)),
        DataType::I16 => Value::I16(column.as_primitive::<Int16Type>().value(row)),
        DataType::I32 => Value::I32(column.as_primitive::<Int32Type>().value(row)),
        DataType::I64 => Value::I64(column.as_primitive::<Int64Type>().value(row)),
        DataType::F64 => Value::F64(column.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => Value::Utf8(column.as_string::<i32>().value(row)),
        DataType::Binary => Value::Binary(column.as_binary::<i32>().value(row)),
        DataType::Timestamp => Value::Timestamp(column.as_primitive::<TimestampMicrosecondType>().value(row)),
    }
}

impl<W: Write + Send> Encoder for BincodeEncoder<W> {
    fn write(&mut self, batch: &Batch) -> Result<(), FormatError> {
        let batch = batch.to_arrow()?;
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter().zip(self.schema.fields());
            let values = values.map(|(column, field)| value(column, field.data_type, row)).collect();
            write_frame(&mut self.writer, &Frame::Record(values))?;
            self.records += 1;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), FormatError> {
        Ok(self.writer.flush()?)
    }

    fn bytes_written(&self) -> u64 {
        self.written.get()
    }

    fn finish(mut self: Box<Self>) -> Result<(), FormatError> {
        write_frame(&mut self.writer, &Frame::End { records: self.records })?;
        self.flush()
    }
}

/// Reads frames.
pub(super) struct BincodeDecoder {
    frames: Frames,
    fields: Arc<Schema>,
    projection: Projection,
    fill: Fill,
    next_offset: i64,
    // The size of the header, until the first batch counts it.
    header_bytes: u64,
    ended: bool,
}

impl BincodeDecoder {
    pub(super) fn new(file: File, declared: Option<&Arc<Schema>>, fill: Fill) -> Result<Self, FormatError> {
        let mut frames = Frames { reader: BufReader::new(file), buffer: Vec::new() };
        let header_bytes = frames.read()?;
        let fields = Arc::new(header(frames.frame()?)?);
        let projection = Projection::new(&FileField::of_arrow(&fields.to_arrow()), declared)?;
        Ok(BincodeDecoder { frames, fields, projection, fill, next_offset: 0, header_bytes, ended: false })
    }
}

fn corrupt(reason: impl ToString) -> FormatError {
    super::budget::corrupt(Format::Bincode, reason)
}

fn header(frame: Frame<'_>) -> Result<Schema, FormatError> {
    let Frame::Header { version, fields } = frame else { return Err(corrupt("the first frame is not a header")) };
    if version != VERSION {
        return Err(corrupt(format!("unsupported version {version}: expected version {VERSION}")));
    }
    let fields = fields.into_iter().map(|field| {
        let data_type = field.data_type.parse().map_err(corrupt)?;
        Ok(Field::with_nulls(field.name, data_type, field.nullable))
    });
    Ok(Schema::new(fields.collect::<Result<_, FormatError>>()?)?)
}

/// The schema in a file of frames.
pub(super) fn schema_of(file: File) -> Result<Schema, FormatError> {
    let mut frames = Frames { reader: BufReader::new(file), buffer: Vec::new() };
    frames.read()?;
    header(frames.frame()?)
}

/// Reads frames.
struct Frames {
    reader: BufReader<File>,
    buffer: Vec<u8>,
}

impl Frames {
    /// Reads the bytes of the next frame. Returns the number of bytes read from the file.
    fn read(&mut self) -> Result<u64, FormatError> {
        let mut length = [0; 4];
        self.fill(&mut length)?;
        let length = u32::from_le_bytes(length);
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        if size > FRAME_BYTES_MAX {
            return Err(corrupt(format!("a frame has {size} bytes: the maximum is {FRAME_BYTES_MAX}")));
        }
        self.buffer.clear();
        // With `take`, the buffer grows with the actual bytes, not with the stated length.
        let read = (&mut self.reader).take(length.into()).read_to_end(&mut self.buffer)?;
        if read != size {
            return Err(corrupt("it ends within a frame"));
        }
        Ok(4 + u64::from(length))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), FormatError> {
        self.reader.read_exact(bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => corrupt("it ends without its last frame"),
            _ => FormatError::Io(error),
        })
    }

    fn frame(&self) -> Result<Frame<'_>, FormatError> {
        let (frame, used) = ::bincode::borrow_decode_from_slice(&self.buffer, limited()).map_err(corrupt)?;
        if used != self.buffer.len() {
            return Err(corrupt("a frame has bytes after its value"));
        }
        Ok(frame)
    }
}

impl Decoder for BincodeDecoder {
    fn schema(&self) -> &Arc<Schema> {
        self.projection.schema()
    }

    fn next(&mut self) -> Result<Option<Decoded>, FormatError> {
        if self.ended {
            return Ok(None);
        }
        let first = self.next_offset;
        let mut bytes_read = std::mem::take(&mut self.header_bytes);
        let mut columns: Vec<_> = ColumnBuilder::of_schema(&self.fields);
        let mut rows = 0;
        let bytes_max = self.fill.bytes_max as u64;
        while rows < self.fill.records_max && (rows == 0 || bytes_read < bytes_max) {
            bytes_read += self.frames.read()?;
            match self.frames.frame()? {
                Frame::Header { .. } => return Err(corrupt("a second header")),
                Frame::End { records } => {
                    let found = self.next_offset;
                    if i64::try_from(records) != Ok(found) {
                        return Err(corrupt(format!("found {found} records, but its last frame states {records}")));
                    }
                    if self.frames.reader.read(&mut [0])? > 0 {
                        return Err(corrupt("there are bytes after its last frame"));
                    }
                    self.ended = true;
                    break;
                }
                Frame::Record(values) => {
                    if values.len() != columns.len() {
                        return Err(corrupt(format!("a record of {} values", values.len())));
                    }
                    for (column, value) in columns.iter_mut().zip(values) {
                        push(column, value)?;
                    }
                    rows += 1;
                    self.next_offset += 1;
                }
            }
        }
        let arrow_schema = self.fields.to_arrow();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let columns = columns.iter_mut().map(ColumnBuilder::finish).collect();
        let batch = RecordBatch::try_new_with_options(arrow_schema, columns, &options).map_err(corrupt)?;
        let batch = batch.project(self.projection.positions()).map_err(corrupt)?;
        decoded_columns(self.projection.schema(), &batch, first, bytes_read).map(Some)
    }
}

fn push(column: &mut ColumnBuilder, value: Value<'_>) -> Result<(), FormatError> {
    match (column, value) {
        (column, Value::Null) => column.push_null(),
        (ColumnBuilder::Bool(builder), Value::Bool(value)) => builder.append_value(value),
        (ColumnBuilder::I8(builder), Value::I8(value)) => builder.append_value(value),
        (ColumnBuilder::I16(builder), Value::I16(value)) => builder.append_value(value),
        (ColumnBuilder::I32(builder), Value::I32(value)) => builder.append_value(value),
        (ColumnBuilder::I64(builder), Value::I64(value)) => builder.append_value(value),
        (ColumnBuilder::F64(builder), Value::F64(value)) => builder.append_value(value),
        (ColumnBuilder::Utf8(builder), Value::Utf8(value)) => builder.append_value(value),
        (ColumnBuilder::Binary(builder), Value::Binary(value)) => builder.append_value(value),
        (ColumnBuilder::Timestamp(builder, _), Value::Timestamp(value)) => builder.append_value(value),
        (_, value) => return Err(corrupt(format!("a value does not have the type of its field: {value:?}"))),
    }
    Ok(())
}

/// Appends the values of a single record. After an error, values of some of its first fields may have been appended.
pub(super) fn push_record(bytes: &[u8], schema: &Schema, columns: &mut [ColumnBuilder]) -> Result<(), String> {
    let (frame, used) = ::bincode::borrow_decode_from_slice(bytes, limited()).map_err(|error| brief(&error))?;
    let Frame::Record(values) = frame else { return Err("the value is a frame of a file, not a record".to_owned()) };
    if used != bytes.len() {
        return Err("the value contains more than one record".to_owned());
    }
    if values.len() != columns.len() {
        return Err(format!("found {} values, but {} fields are declared", values.len(), columns.len()));
    }
    for ((field, column), value) in schema.fields().iter().zip(columns).zip(values) {
        if value == Value::Null && !field.nullable {
            return Err(null_message(&field.name));
        }
        push(column, value).map_err(|error| match error {
            FormatError::Corrupt { reason, .. } => format!("field `{}`: {reason}", field.name),
            error => brief(&error),
        })?;
    }
    Ok(())
}
