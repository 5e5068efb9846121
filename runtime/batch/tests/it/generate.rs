//! Schemas and batches of any kind, for the tests of this crate and of the formats.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use weir_batch::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use weir_batch::arrow::buffer::BooleanBuffer;
use weir_batch::{Batch, DataType, Field, Schema};

/// A schema as it is displayed: `delay i64, origin utf8?`.
pub(crate) fn schema(text: &str) -> Arc<Schema> {
    let fields = text.split(", ").filter(|field| !field.is_empty()).map(|field| {
        let (name, data_type) = field.split_once(' ').unwrap();
        Field::with_nulls(name, data_type.trim_end_matches('?').parse().unwrap(), data_type.ends_with('?'))
    });
    Arc::new(Schema::new(fields.collect()).unwrap())
}

/// The rows that count, as text.
pub(crate) fn texts(batch: &Batch) -> Vec<String> {
    let columns = batch.to_arrow().unwrap();
    (0..columns.num_rows()).map(|row| format!("{:?}", columns.slice(row, 1).columns())).collect()
}

/// Any number, and the ones at whose edges mistakes are made.
fn any_i64() -> impl Strategy<Value = i64> {
    let edges = vec![i64::MIN, i64::MIN + 1, -1, 0, 1, (1 << 53) - 1, (1 << 53) + 1, i64::MAX - 1, i64::MAX];
    prop_oneof![any::<i64>(), prop::sample::select(edges)]
}

/// Columns of any values with any nulls, a field of every type with and without nulls.
pub(crate) fn any_batch() -> impl Strategy<Value = Arc<Batch>> {
    let row = (
        (any::<bool>(), any::<i8>(), any::<i16>(), any::<i32>(), any_i64()),
        prop_oneof![
            any::<f64>(),
            any::<u64>().prop_map(f64::from_bits).prop_filter("one NaN is like another", |value| !value.is_nan()),
            prop::sample::select(vec![
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                -0.0,
                f64::MAX,
                f64::MIN,
                f64::MIN_POSITIVE,
                5e-324,
                9_007_199_254_740_993.0,
                0.1 + 0.2,
            ]),
        ],
        prop_oneof![
            any::<String>(),
            "[\u{0}-\u{20}\"\\\\/,\u{7f}-\u{a0}\u{2028}\u{d7ff}\u{e000}\u{ffff}\u{1f600}\u{10ffff}]{0,9}"
        ],
        vec(any::<u8>(), 0..9),
        any_i64(),
        vec(option::weighted(0.8, Just(())), 9),
    );
    (vec(row, 0..40), any::<u64>(), any::<bool>()).prop_map(|(rows, selection, select)| {
        let fields = DataType::ALL.into_iter().flat_map(|data_type| {
            [Field::new(format!("n_{data_type}"), data_type), Field::nullable(format!("o_{data_type}"), data_type)]
        });
        let schema = Arc::new(Schema::new(fields.collect()).unwrap());
        let valid = |column: usize| rows.iter().map(move |row| row.5[column].is_some());
        macro_rules! columns {
            ($array:ty, $index:expr, $value:expr) => {{
                let values: Vec<_> = rows.iter().map($value).collect();
                let full: $array = values.iter().cloned().map(Some).collect();
                let holes: $array =
                    values.into_iter().zip(valid($index)).map(|(value, valid)| valid.then_some(value)).collect();
                [Arc::new(full) as ArrayRef, Arc::new(holes) as ArrayRef]
            }};
        }
        let columns = [
            columns!(BooleanArray, 0, |row| row.0.0),
            columns!(Int8Array, 1, |row| row.0.1),
            columns!(Int16Array, 2, |row| row.0.2),
            columns!(Int32Array, 3, |row| row.0.3),
            columns!(Int64Array, 4, |row| row.0.4),
            columns!(Float64Array, 5, |row| row.1),
            columns!(StringArray, 6, |row| row.2.clone()),
            columns!(BinaryArray, 7, |row| row.3.clone()),
            columns!(TimestampMicrosecondArray, 8, |row| row.4),
        ];
        let batch = Arc::new(Batch::new(schema, columns.into_iter().flatten().collect()).unwrap());
        match select {
            false => batch,
            true => batch
                .filter(&BooleanBuffer::collect_bool(batch.rows(), |row| selection >> (row % 64) & 1 == 1))
                .unwrap(),
        }
    })
}
