//! The batches that admitted functions are called with.

use std::sync::Arc;

use weir_batch::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use weir_batch::{Batch, BatchError, DataType, Field, Schema, SystemColumn};
use weir_sandbox::Function;

/// Rows of a batch.
pub const ROWS: usize = 1_000;

/// A batch that has what `function` reads, and nothing else. Every seventh value of a nullable field is missing.
///
/// # Errors
///
/// Fields that make no schema.
pub fn batch_for(function: &Function) -> Result<Arc<Batch>, BatchError> {
    let own = function.input.iter().filter(|field| SystemColumn::from_name(&field.name).is_none());
    batch_of(own.cloned().collect(), ROWS)
}

/// A batch of these fields.
///
/// # Errors
///
/// Fields that make no schema.
pub fn batch_of(fields: Vec<Field>, rows: usize) -> Result<Arc<Batch>, BatchError> {
    let columns = fields.iter().map(|field| column(field, rows)).collect();
    let schema = Arc::new(Schema::new(fields)?);
    Ok(Arc::new(Batch::with_rows(schema, columns, rows)?))
}

fn column(field: &Field, rows: usize) -> ArrayRef {
    // Fields of one type differ by their names. None is -1, at which the functions of `faulty` fail.
    let shift = field.name.len();
    let numbers = (0..rows).map(|row| (!field.nullable || row % 7 != 3).then_some((row + shift) as i64 * 3 - 500));
    // The number as it fits.
    let (i8s, i16s, i32s) = (|n: i64| (n % 100) as i8, |n: i64| (n % 10_000) as i16, |n: i64| n as i32);
    let text = |n: i64| match n % 4 {
        0 => String::new(),
        1 => format!("SEA{n}"),
        2 => format!("https://example.org/ä/{n}?channel_id={n}"),
        _ => "x".repeat(n.unsigned_abs() as usize % 50),
    };
    match field.data_type {
        DataType::Bool => Arc::new(numbers.map(|n| n.map(|n| n % 5 == 0)).collect::<BooleanArray>()),
        DataType::I8 => Arc::new(numbers.map(|n| n.map(i8s)).collect::<Int8Array>()),
        DataType::I16 => Arc::new(numbers.map(|n| n.map(i16s)).collect::<Int16Array>()),
        DataType::I32 => Arc::new(numbers.map(|n| n.map(i32s)).collect::<Int32Array>()),
        DataType::I64 => Arc::new(numbers.collect::<Int64Array>()),
        DataType::F64 => Arc::new(numbers.map(|n| n.map(|n| n as f64 * 1.5)).collect::<Float64Array>()),
        DataType::Utf8 => Arc::new(numbers.map(|n| n.map(text)).collect::<StringArray>()),
        DataType::Binary => Arc::new(numbers.map(|n| n.map(|n| text(n).into_bytes())).collect::<BinaryArray>()),
        DataType::Timestamp => {
            Arc::new(numbers.map(|n| n.map(|n| n * 3_600_000_000)).collect::<TimestampMicrosecondArray>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_batch_of_every_type() {
        let fields =
            |nullable| DataType::ALL.map(|data_type| Field::with_nulls(data_type.name(), data_type, nullable)).to_vec();
        for (nullable, nulls) in [(false, 0), (true, (ROWS - 3).div_ceil(7))] {
            let batch = batch_of(fields(nullable), ROWS).unwrap();
            assert_eq!(batch.rows(), ROWS);
            assert!(batch.columns().iter().all(|column| column.null_count() == nulls));
        }
    }
}
