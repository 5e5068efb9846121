//! Foreign Arrow columns become columns of the types that Weir carries.

use arrow::array::{Array, ArrayRef};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType as ArrowType;

use crate::{BatchError, DataType};

/// The type under which a column of this Arrow type is carried: the same, or one that holds all its values.
/// (A nanosecond timestamp loses its last three digits.)
pub(crate) fn carried_as(name: &str, arrow_type: &ArrowType) -> Result<DataType, BatchError> {
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
            return Err(BatchError::UnsupportedType {
                name: name.escape_debug().to_string(),
                found: other.to_string(),
            });
        }
    })
}

/// The column as the carried type, shared where it already is.
pub(crate) fn to_carried(name: &str, column: &ArrayRef, to: DataType) -> Result<ArrayRef, BatchError> {
    let to = to.to_arrow();
    if *column.data_type() == to {
        return Ok(std::sync::Arc::clone(column));
    }
    // `safe: false`: a value that does not fit is an error, where the default would make it null.
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(column, &to, &options).map_err(|source| BatchError::Convert { name: name.to_owned(), source })
}
