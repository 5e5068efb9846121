//! How many bytes a batch's records have, without a look at each of them.

use weir_batch::arrow::array::{Array, AsArray};
use weir_batch::{Batch, DataType};

/// If at most this many rows are selected, the sizes of texts and bytes are added up.
const EXACT_ROWS: usize = 16;

/// Bytes of the values of the rows that count: a fixed width each, null or not, a byte for a boolean, and the data of
/// text and bytes. Costs a few steps a column, whatever the rows: where a selection leaves rows out, text and bytes are
/// taken to be spread evenly over all of them.
pub(super) fn record_bytes(batch: &Batch) -> u64 {
    let fields = batch.schema().fields().iter().map(|field| field.data_type);
    fields.zip(batch.columns()).map(|(data_type, column)| column_bytes(batch, data_type, column)).sum()
}

fn column_bytes(batch: &Batch, data_type: DataType, column: &dyn Array) -> u64 {
    let rows = batch.rows();
    if let Some(width) = data_type.width() {
        return (rows as u64).saturating_mul(width as u64);
    }
    let offsets: &[i32] = if let Some(strings) = column.as_string_opt::<i32>() {
        strings.offsets()
    } else if let Some(binary) = column.as_binary_opt::<i32>() {
        binary.offsets()
    } else {
        return 0;
    };
    let Some(selection) = batch.selection() else { return between(offsets, 0, rows) };
    if rows <= EXACT_ROWS {
        return selection.rows().iter().map(|&row| between(offsets, row as usize, row as usize + 1)).sum();
    }
    let physical = batch.physical_rows();
    let all = u128::from(between(offsets, 0, physical)).saturating_mul(rows as u128);
    all.checked_div(physical as u128).and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0)
}

/// Bytes between two offsets, which ascend from 0 or more.
fn between(offsets: &[i32], first: usize, end: usize) -> u64 {
    match (offsets.get(first), offsets.get(end)) {
        (Some(first), Some(end)) => u64::try_from(end.saturating_sub(*first)).unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weir_batch::arrow::array::{ArrayRef, BinaryArray, BooleanArray, Int16Array, Int64Array, StringArray};
    use weir_batch::arrow::buffer::BooleanBuffer;
    use weir_batch::{Field, Schema};

    use super::*;

    fn batch(columns: Vec<(Field, ArrayRef)>) -> Arc<Batch> {
        let (fields, columns) = columns.into_iter().unzip();
        Arc::new(Batch::new(Arc::new(Schema::new(fields).unwrap()), columns).unwrap())
    }

    #[test]
    fn widths_and_the_data_of_text_count() {
        let all = batch(vec![
            (Field::new("n", DataType::I64), Arc::new(Int64Array::from(vec![1, 2, 3]))),
            (Field::new("h", DataType::I16), Arc::new(Int16Array::from(vec![1, 2, 3]))),
            (Field::new("b", DataType::Bool), Arc::new(BooleanArray::from(vec![true, false, true]))),
            (Field::new("s", DataType::Utf8), Arc::new(StringArray::from(vec!["four", "", "four"]))),
            (Field::new("y", DataType::Binary), Arc::new(BinaryArray::from(vec![b"12".as_slice(), b"3", b""]))),
        ]);
        assert_eq!(record_bytes(&all), 3 * (8 + 2 + 1) + 8 + 3);
        // Few of them are added up.
        assert_eq!(record_bytes(&all.slice(1, 2).unwrap()), 2 * (8 + 2 + 1) + 4 + 1);
        assert_eq!(record_bytes(&all.slice(0, 0).unwrap()), 0);
    }

    #[test]
    fn a_slice_of_a_column_is_not_its_buffer() {
        let column = StringArray::from(vec!["a long one at the front", "of", "", "and one behind"]).slice(1, 2);
        assert_eq!(record_bytes(&batch(vec![(Field::new("s", DataType::Utf8), Arc::new(column))])), 2);
    }

    #[test]
    fn of_many_selected_rows_text_is_estimated() {
        let column: ArrayRef = Arc::new(StringArray::from_iter_values((0..1_000).map(|row| "x".repeat(row % 10))));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1_000));
        let all = batch(vec![(Field::new("s", DataType::Utf8), column), (Field::new("n", DataType::I64), numbers)]);
        assert_eq!(record_bytes(&all), 4_500 + 8_000);
        let third = all.filter(&BooleanBuffer::collect_bool(1_000, |row| row % 3 == 0)).unwrap();
        assert_eq!(record_bytes(&third), 4_500 * 334 / 1_000 + 334 * 8);
    }
}
