//! Converts foreign Arrow columns to the types that Weir supports.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, GenericByteViewArray, PrimitiveArray, StringArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    ByteViewType, DataType as ArrowType, Date32Type, Date64Type, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::error::ArrowError;

use crate::{BatchError, DataType};

const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// The type for a column of this Arrow type: the same type, or one that holds all its values. (A nanosecond timestamp loses its
/// last three digits.)
pub fn carried_as(name: &str, arrow_type: &ArrowType) -> Result<DataType, BatchError> {
    Ok(match arrow_type {
        ArrowType::Boolean => DataType::Bool,
        ArrowType::Int8 => DataType::I8,
        ArrowType::Int16 | ArrowType::UInt8 => DataType::I16,
        ArrowType::Int32 | ArrowType::UInt16 => DataType::I32,
        ArrowType::Int64 | ArrowType::UInt32 => DataType::I64,
        ArrowType::Float16 | ArrowType::Float32 | ArrowType::Float64 => DataType::F64,
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => DataType::Utf8,
        ArrowType::Binary | ArrowType::LargeBinary | ArrowType::BinaryView | ArrowType::FixedSizeBinary(_) => {
            DataType::Binary
        }
        ArrowType::Timestamp(_, _) | ArrowType::Date32 | ArrowType::Date64 => DataType::Timestamp,
        ArrowType::Dictionary(_, values) => return carried_as(name, values),
        other => {
            return Err(BatchError::UnsupportedType { name: weir_text::escape(name), found: other.to_string() });
        }
    })
}

/// Converts a column, or shares it if it already has the type.
pub(crate) fn to_carried(name: &str, column: &ArrayRef, to: DataType) -> Result<ArrayRef, BatchError> {
    if *column.data_type() == to.to_arrow() {
        return Ok(Arc::clone(column));
    }
    convert(column, to).map_err(|source| BatchError::Convert { name: name.to_owned(), source })
}

fn convert(column: &ArrayRef, to: DataType) -> Result<ArrayRef, ArrowError> {
    match (column.data_type(), to) {
        (ArrowType::Dictionary(_, values), to) => {
            // Converts only the values that rows refer to: others may be many, or out of range.
            let rows = cast_with_options(column, values, &STRICT)?;
            match *rows.data_type() == to.to_arrow() {
                true => Ok(rows),
                false => convert(&rows, to),
            }
        }
        // Text columns of other programs may contain bytes that are not UTF-8: check them.
        (ArrowType::Utf8View, DataType::Utf8) => written_text(column.as_string_view()),
        (ArrowType::BinaryView, DataType::Utf8) => written_text(column.as_binary_view()),
        (ArrowType::BinaryView, DataType::Binary) => {
            let (ends, values) = written(column.as_binary_view())?;
            Ok(Arc::new(BinaryArray::try_new(ends, values, column.nulls().cloned())?))
        }
        (ArrowType::Timestamp(unit, _), DataType::Timestamp) => match unit {
            TimeUnit::Second => micros::<TimestampSecondType>(column, |seconds| seconds.checked_mul(1_000_000)),
            TimeUnit::Millisecond => micros::<TimestampMillisecondType>(column, |millis| millis.checked_mul(1_000)),
            TimeUnit::Microsecond => micros::<TimestampMicrosecondType>(column, Some),
            // Round down, also before 1970.
            TimeUnit::Nanosecond => micros::<TimestampNanosecondType>(column, |nanos| Some(nanos.div_euclid(1_000))),
        },
        (ArrowType::Date32, DataType::Timestamp) => {
            micros::<Date32Type>(column, |days| i64::from(days).checked_mul(DAY_MICROS))
        }
        (ArrowType::Date64, DataType::Timestamp) => micros::<Date64Type>(column, |millis| millis.checked_mul(1_000)),
        // The cast would round integers that a double cannot hold.
        (ArrowType::Int64, DataType::F64) => {
            let exact = |value: i64| {
                let double = value as f64;
                let text = || ArrowError::CastError(format!("{value} cannot be represented exactly as an f64"));
                (double as i128 == i128::from(value)).then_some(double).ok_or_else(text)
            };
            Ok(Arc::new(column.as_primitive::<Int64Type>().try_unary::<_, Float64Type, _>(exact)?))
        }
        (_, to) => cast_with_options(column, &to.to_arrow(), &STRICT),
    }
}

/// A value that does not fit is an error. By default, Arrow would make it null.
const STRICT: CastOptions<'static> =
    CastOptions { safe: false, format_options: arrow::util::display::FormatOptions::new() };

/// Converts a timestamp of any unit to microseconds. A value that does not fit is an error.
fn micros<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    convert: impl Fn(T::Native) -> Option<i64>,
) -> Result<ArrayRef, ArrowError>
where
    T::Native: std::fmt::Display,
{
    let column: &PrimitiveArray<T> = column.as_primitive();
    let converted: TimestampMicrosecondArray = column.try_unary(|value| {
        convert(value).ok_or_else(|| {
            let text = format!("{value} ({}) is out of the range of microseconds since 1970", T::DATA_TYPE);
            ArrowError::CastError(text)
        })
    })?;
    Ok(Arc::new(converted))
}

/// A column of text views, copied to one buffer.
fn written_text<T: ByteViewType>(column: &GenericByteViewArray<T>) -> Result<ArrayRef, ArrowError> {
    let (ends, values) = written(column)?;
    Ok(Arc::new(StringArray::try_new(ends, values, column.nulls().cloned())?))
}

/// The values of a column of views in one buffer, and the offsets of each.
fn written<T: ByteViewType>(column: &GenericByteViewArray<T>) -> Result<(OffsetBuffer<i32>, Buffer), ArrowError> {
    let rows = 0..column.len();
    let bytes = |row: usize| -> &[u8] { if column.is_valid(row) { column.value(row).as_ref() } else { &[] } };
    let total = rows.clone().map(|row| bytes(row).len()).fold(0, usize::saturating_add);
    fits(total)?;
    let mut values = Vec::with_capacity(total);
    let mut offsets = Vec::with_capacity(column.len() + 1);
    offsets.push(0_i32);
    for row in rows {
        values.extend_from_slice(bytes(row));
        offsets.push(values.len() as i32); // at most `total`, which fits
    }
    Ok((OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(values)))
}

/// Whether a column can hold this many bytes.
fn fits(bytes: usize) -> Result<(), ArrowError> {
    match i32::try_from(bytes) {
        Ok(_) => Ok(()),
        Err(_) => Err(ArrowError::CastError(format!("{bytes} bytes in one column of one batch: the maximum is 2 GiB"))),
    }
}
