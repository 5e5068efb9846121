//! Single values written as JSON, where Arrow's own way would lose some.

use arrow::array::cast::AsArray;
use arrow::array::{Array, PrimitiveArray};
use arrow::datatypes::{DataType as ArrowType, FieldRef, Float64Type, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, NullableEncoder};

use super::timestamp;

/// Timestamps in RFC 3339 with their `Z`; numbers that JSON has not, as text.
#[derive(Debug)]
pub(super) struct WrittenValues;

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

/// The shortest text that reads back as the same number, with an exponent where that is shorter.
pub(super) fn write_f64(value: f64, out: &mut Vec<u8>) {
    use std::io::Write;
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
