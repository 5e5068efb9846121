//! A column's values as the bytes of a key, header or value.

use std::io::Write;

use weir_batch::BatchError;
use weir_batch::arrow::array::cast::AsArray;
use weir_batch::arrow::array::types::{ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type};
use weir_batch::arrow::array::{Array, ArrayRef, BinaryArray, PrimitiveArray, StringArray};
use weir_batch::arrow::datatypes::DataType;
use weir_formats::FormatError;

/// A column that was looked at once, so that its values need not be.
pub(super) enum Bytes<'a> {
    Binary(&'a BinaryArray),
    Utf8(&'a StringArray),
    I8(&'a PrimitiveArray<Int8Type>),
    I16(&'a PrimitiveArray<Int16Type>),
    I32(&'a PrimitiveArray<Int32Type>),
    I64(&'a PrimitiveArray<Int64Type>),
}

impl<'a> Bytes<'a> {
    /// Text, bytes and integers; `validate` admitted no other.
    pub(super) fn of(column: &'a ArrayRef) -> Result<Bytes<'a>, FormatError> {
        Ok(match column.data_type() {
            DataType::Binary => Bytes::Binary(column.as_binary::<i32>()),
            DataType::Utf8 => Bytes::Utf8(column.as_string::<i32>()),
            DataType::Int8 => Bytes::I8(column.as_primitive()),
            DataType::Int16 => Bytes::I16(column.as_primitive()),
            DataType::Int32 => Bytes::I32(column.as_primitive()),
            DataType::Int64 => Bytes::I64(column.as_primitive()),
            other => {
                let (name, found) = ("a key, value or header".to_owned(), other.to_string());
                return Err(FormatError::Batch(BatchError::UnsupportedType { name, found }));
            }
        })
    }

    /// The value of a physical row, unless it is null. Integers are written to `digits`.
    pub(super) fn get<'b>(&'b self, row: usize, digits: &'b mut Vec<u8>) -> Option<&'b [u8]> {
        fn decimal<'b, P: ArrowPrimitiveType<Native: std::fmt::Display>>(
            column: &PrimitiveArray<P>,
            row: usize,
            digits: &'b mut Vec<u8>,
        ) -> Option<&'b [u8]> {
            if column.is_null(row) {
                return None;
            }
            digits.clear();
            // Writing to a `Vec` cannot fail.
            write!(digits, "{}", column.value(row)).ok()?;
            Some(digits)
        }
        match self {
            Bytes::Binary(column) => column.is_valid(row).then(|| column.value(row)),
            Bytes::Utf8(column) => column.is_valid(row).then(|| column.value(row).as_bytes()),
            Bytes::I8(column) => decimal(column, row, digits),
            Bytes::I16(column) => decimal(column, row, digits),
            Bytes::I32(column) => decimal(column, row, digits),
            Bytes::I64(column) => decimal(column, row, digits),
        }
    }
}
