//! Single values in JSON, where Arrow's own way would lose some.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray, PrimitiveBuilder};
use arrow::datatypes::{
    DataType as ArrowType, FieldRef, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use arrow::json::reader::{ArrayDecoder, DecoderContext, DecoderFactory, Tape, TapeElement};
use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, NullableEncoder};

use super::timestamp;

/// Integers that are integers: Arrow would cut 1.5 to 1.
#[derive(Debug)]
pub(super) struct StrictValues;

impl DecoderFactory for StrictValues {
    fn make_default_decoder(
        &self,
        _: &DecoderContext,
        field: &FieldRef,
        _: bool,
    ) -> Result<Option<Box<dyn ArrayDecoder>>, ArrowError> {
        Ok(match field.data_type() {
            ArrowType::Int8 => Some(Values::<Int8Type>::boxed("an i8", integer)),
            ArrowType::Int16 => Some(Values::<Int16Type>::boxed("an i16", integer)),
            ArrowType::Int32 => Some(Values::<Int32Type>::boxed("an i32", integer)),
            ArrowType::Int64 => Some(Values::<Int64Type>::boxed("an i64", integer)),
            ArrowType::Float64 => Some(Values::<Float64Type>::boxed("an f64", |text| text.parse().ok())),
            ArrowType::Timestamp(TimeUnit::Microsecond, None) => {
                Some(Values::<TimestampMicrosecondType>::boxed("a timestamp", |text| timestamp::parse(text).ok()))
            }
            _ => None,
        })
    }
}

/// An integer, also one written with a zero fraction or an exponent, as some writers of JSON do.
fn integer<N: TryFrom<i64>>(text: &str) -> Option<N> {
    // Beyond 2^53 a double is no longer sure of its units.
    let whole = |value: f64| (value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0).then_some(value as i64);
    let value = text.parse().ok().or_else(|| text.parse().ok().and_then(whole))?;
    N::try_from(value).ok()
}

/// Decodes a column of numbers, in quotes or not.
struct Values<P: ArrowPrimitiveType> {
    expected: &'static str,
    parse: fn(&str) -> Option<P::Native>,
}

impl<P: ArrowPrimitiveType> Values<P> {
    fn boxed(expected: &'static str, parse: fn(&str) -> Option<P::Native>) -> Box<dyn ArrayDecoder> {
        Box::new(Values::<P> { expected, parse })
    }
}

impl<P: ArrowPrimitiveType> ArrayDecoder for Values<P> {
    fn decode(&mut self, tape: &Tape<'_>, positions: &[u32]) -> Result<ArrayRef, ArrowError> {
        let mut builder = PrimitiveBuilder::<P>::with_capacity(positions.len());
        for &position in positions {
            let not = |found: &str| ArrowError::JsonError(format!("{found} is not {}", self.expected));
            let text = match tape.get(position) {
                TapeElement::Null => {
                    builder.append_null();
                    continue;
                }
                TapeElement::Number(index) | TapeElement::String(index) => tape.get_string(index),
                TapeElement::True => return Err(not("`true`")),
                TapeElement::False => return Err(not("`false`")),
                TapeElement::StartList(_) => return Err(not("a list")),
                _ => return Err(not("an object")),
            };
            let value = (self.parse)(text).ok_or_else(|| {
                let found: String = text.escape_debug().take(60).collect();
                not(&format!("`{found}`"))
            });
            builder.append_value(value?);
        }
        Ok(Arc::new(builder.finish()))
    }
}

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
