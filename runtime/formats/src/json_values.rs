//! Writes rows as JSON lines, with special cases where Arrow's writer would lose information.

use std::io::Write;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, PrimitiveArray, RecordBatch};
use arrow::datatypes::{DataType as ArrowType, FieldRef, Float64Type, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::json::writer::{
    Encoder, EncoderFactory, EncoderOptions, LineDelimited, NullableEncoder, Writer, WriterBuilder,
};

use super::timestamp;
use weir_text::brief;

/// Writes batches as lines of JSON.
pub(super) fn arrow_writer<W: Write>(writer: W) -> Writer<W, LineDelimited> {
    WriterBuilder::new().with_explicit_nulls(true).with_encoder_factory(Arc::new(WrittenValues)).build(writer)
}

/// One row as a line of JSON without its line end: the form in which records of binary formats are shown and stored.
pub(super) fn row_as_json(batch: &RecordBatch, row: usize) -> Vec<u8> {
    let mut line = Vec::new();
    let written = arrow_writer(&mut line).write(&batch.slice(row, 1));
    if let Err(error) = written {
        // Types that JSON cannot represent are not supported, and never get here.
        line = brief(&error).into_bytes();
    }
    line.truncate(line.trim_ascii_end().len());
    line
}

/// Timestamps in RFC 3339 with `Z`; numbers that are not finite as text.
#[derive(Debug)]
struct WrittenValues;

impl EncoderFactory for WrittenValues {
    fn make_default_encoder<'a>(
        &self,
        _: &'a FieldRef,
        array: &'a dyn Array,
        _: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let nulls = array.nulls().cloned();
        let encoder: Box<dyn Encoder + 'a> = match array.data_type() {
            ArrowType::Float64 => Box::new(Doubles(array.as_primitive())),
            ArrowType::Timestamp(TimeUnit::Microsecond, None) => Box::new(Timestamps(array.as_primitive())),
            _ => return Ok(None),
        };
        Ok(Some(NullableEncoder::new(encoder, nulls)))
    }
}

struct Doubles<'a>(&'a PrimitiveArray<Float64Type>);

impl Encoder for Doubles<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let text = match self.0.value(row) {
            value if value.is_nan() => "\"NaN\"",
            f64::INFINITY => "\"Infinity\"",
            f64::NEG_INFINITY => "\"-Infinity\"",
            value => {
                write_f64(value, out);
                return;
            }
        };
        out.extend_from_slice(text.as_bytes());
    }
}

/// The shortest text that reads back as the same number, with an exponent if that is shorter.
pub(super) fn write_f64(value: f64, out: &mut Vec<u8>) {
    // Writing to a `Vec` cannot fail.
    write!(out, "{value:?}").unwrap_or_default();
}

struct Timestamps<'a>(&'a PrimitiveArray<TimestampMicrosecondType>);

impl Encoder for Timestamps<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let micros = self.0.value(row);
        let begin = out.len();
        out.push(b'"');
        if timestamp::write_rfc_3339(micros, out) {
            out.push(b'"');
        } else {
            out.truncate(begin);
            out.extend_from_slice(micros.to_string().as_bytes());
        }
    }
}
