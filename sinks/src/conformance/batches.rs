//! Batches for the conformance check.

use std::sync::Arc;

use weir_batch::arrow::array::{
    ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    StringArray, TimestampMicrosecondArray,
};
use weir_batch::arrow::buffer::BooleanBuffer;
use weir_batch::{Batch, BatchError, DataType, Field, Schema};

/// Fields of every type, most of them nullable.
pub(super) fn schema() -> Arc<Schema> {
    let mut fields = vec![Field::new("id", DataType::I64)];
    fields.extend(DataType::ALL.map(|data_type| Field::nullable(format!("a_{data_type}"), data_type)));
    Arc::new(sound(Schema::new(fields)))
}

/// A schema without fields.
pub(super) fn no_fields() -> Schema {
    sound(Schema::new(vec![]))
}

/// The values here are valid by construction; the tests of this module build all of them.
fn sound<T>(built: Result<T, BatchError>) -> T {
    match built {
        Ok(built) => built,
        Err(error) => unreachable!("the conformance check builds sound batches: {error}"),
    }
}

/// Rows with these numbers.
pub(super) fn batch(schema: &Arc<Schema>, first: i64, rows: usize) -> Arc<Batch> {
    let ids: Vec<i64> = (first..).take(rows).collect();
    // Every seventh value of a column is null, at different rows for each column.
    fn values<T>(ids: &[i64], column: i64, value: impl Fn(i64) -> T) -> impl Iterator<Item = Option<T>> {
        ids.iter().map(move |&id| ((id + column) % 7 != 0).then(|| value(id)))
    }
    let low = |id: i64| i8::try_from(id % 128).unwrap_or_default();
    let text = |id: i64| match id % 4 {
        0 => "plain".to_owned(),
        1 => format!("with \"quotes\", commas\nand lines {id}"),
        2 => "ümläut \u{1f600}\t".to_owned(),
        _ => format!("record_{id}"),
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(ids.clone())),
        Arc::new(values(&ids, 1, |id| id % 2 == 0).collect::<BooleanArray>()),
        Arc::new(values(&ids, 2, low).collect::<Int8Array>()),
        Arc::new(values(&ids, 3, |id| i16::from(low(id)) * 256).collect::<Int16Array>()),
        Arc::new(values(&ids, 4, |id| i32::from(low(id)) * 16_777_216).collect::<Int32Array>()),
        Arc::new(values(&ids, 5, |id| id.wrapping_mul(0x0123_4567_89ab_cdef)).collect::<Int64Array>()),
        Arc::new(values(&ids, 6, |id| id as f64 / 3.0).collect::<Float64Array>()),
        Arc::new(values(&ids, 7, text).collect::<StringArray>()),
        Arc::new(values(&ids, 8, |id| id.to_le_bytes()).collect::<BinaryArray>()),
        Arc::new(values(&ids, 9, |id| 1_640_995_200_000_000 + id * 999).collect::<TimestampMicrosecondArray>()),
    ];
    Arc::new(sound(Batch::new(Arc::clone(schema), columns)))
}

/// Rows with these numbers; those at `long` have a text of this many bytes.
pub(super) fn with_long_text(
    schema: &Arc<Schema>,
    first: i64,
    rows: usize,
    long: &[usize],
    text_bytes: usize,
) -> Arc<Batch> {
    let batch = batch(schema, first, rows);
    let text = "x".repeat(text_bytes);
    let columns = batch.columns().iter().map(|column| match column.as_string_opt::<i32>() {
        None => Arc::clone(column),
        Some(texts) => {
            let of_row = |(row, short)| if long.contains(&row) { Some(text.as_str()) } else { short };
            Arc::new(StringArray::from_iter(texts.iter().enumerate().map(of_row))) as ArrayRef
        }
    });
    Arc::new(sound(Batch::new(Arc::clone(schema), columns.collect())))
}

/// The batch without these rows.
pub(super) fn without(batch: &Arc<Batch>, rows: &[usize]) -> Arc<Batch> {
    sound(batch.filter(&BooleanBuffer::collect_bool(batch.rows(), |row| !rows.contains(&row))))
}

/// The batch with a selection that keeps its first row and every second after it.
pub(super) fn every_second(batch: &Arc<Batch>) -> Arc<Batch> {
    sound(batch.filter(&BooleanBuffer::collect_bool(batch.rows(), |row| row % 2 == 0)))
}

/// The batch with a selection that keeps no row.
pub(super) fn none_of(batch: &Arc<Batch>) -> Arc<Batch> {
    sound(batch.filter(&BooleanBuffer::new_unset(batch.rows())))
}

/// A batch of another schema.
pub(super) fn foreign() -> Arc<Batch> {
    let schema = sound(Schema::new(vec![Field::new("foreign", DataType::I64)]));
    Arc::new(sound(Batch::new(Arc::new(schema), vec![Arc::new(Int64Array::from(vec![1]))])))
}

/// The rows that count, one text each.
pub(super) fn rows(batches: &[Arc<Batch>]) -> Vec<String> {
    let mut rows = Vec::new();
    for batch in batches {
        let columns = sound(batch.to_arrow());
        rows.extend((0..columns.num_rows()).map(|row| format!("{:?}", columns.slice(row, 1).columns())));
    }
    rows
}
