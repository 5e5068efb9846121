//! The batch against a plain model of it: a list of rows.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use weir_batch::arrow::array::{
    ArrayRef, AsArray, DictionaryArray, Float32Array, Int64Array, LargeStringArray, RecordBatch, StringArray,
    UInt32Array, UInt64Array,
};
use weir_batch::arrow::datatypes::{Int32Type, Int64Type};
use weir_batch::{Batch, BatchError, CopyOnWrite, DataType, Field, Schema, SystemColumns, TraceContext};

use crate::generate::{any_batch, schema, texts};

fn numbered(rows: usize) -> Arc<Batch> {
    let ids: Vec<i64> = (0..rows as i64).collect();
    let names: StringArray = ids.iter().map(|id| Some(format!("record_{id}"))).collect();
    let offset = Int64Array::from_iter_values(ids.iter().map(|id| id + 1000));
    let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(ids)), Arc::new(names)];
    let batch = Batch::new(schema("id i64, name utf8"), columns).unwrap();
    Arc::new(batch.with_system(SystemColumns::default().with(|it| it.offset = Some(offset))).unwrap())
}

/// The ids of the rows that count, and the offsets that belong to them.
fn ids(batch: &Batch) -> Vec<i64> {
    let column = batch.column(0).as_primitive::<Int64Type>();
    let offsets = batch.system().offset.as_ref().unwrap();
    (0..batch.rows())
        .map(|row| {
            let row = batch.physical_row(row).unwrap();
            assert_eq!(offsets.value(row), column.value(row) + 1000, "system columns stay with their rows");
            column.value(row)
        })
        .collect()
}

proptest! {
    #[test]
    fn selections_of_selections(rows in 0_usize..100, steps in vec((any::<u128>(), 0_usize..100, 0_usize..100), 0..5)) {
        let mut batch = numbered(rows);
        let original = Arc::clone(&batch);
        let mut model: Vec<i64> = (0..rows as i64).collect();
        for (bits, first, length) in steps {
            let keep: Vec<bool> = (0..model.len()).map(|row| bits >> (row % 128) & 1 == 1).collect();
            batch = batch.filter(&keep.clone().into()).unwrap();
            let mut kept = keep.iter();
            model.retain(|_| *kept.next().unwrap());
            prop_assert_eq!(ids(&batch), &model[..]);
            prop_assert!(batch.filter(&vec![true; model.len() + 1].into()).is_err());

            match model.get(first..first.saturating_add(length)) {
                Some(slice) => {
                    batch = batch.slice(first, length).unwrap();
                    model = slice.to_vec();
                }
                None => prop_assert!(batch.slice(first, length).is_err()),
            }
            prop_assert_eq!(ids(&batch), &model[..]);
            prop_assert_eq!(batch.rows(), model.len());
            prop_assert!(Arc::ptr_eq(batch.column(0), original.column(0)), "no column is copied");
            prop_assert_eq!(batch.physical_row(model.len()), None);
        }
        prop_assert_eq!(batch.to_arrow().unwrap().column(0).as_primitive::<Int64Type>().values().to_vec(), model);
    }

    #[test]
    fn derived_rows_take_after_their_parents(
        rows in 1_usize..60,
        bits in any::<u64>(),
        parents in vec(any::<proptest::sample::Index>(), 0..80),
    ) {
        let keep: Vec<bool> = (0..rows).map(|row| row == 0 || bits >> (row % 64) & 1 == 1).collect();
        let batch = numbered(rows).filter(&keep.into()).unwrap();
        let of = ids(&batch);
        let parents: Vec<u32> = parents.iter().map(|parent| parent.index(of.len()) as u32).collect();
        let new: ArrayRef = Arc::new(Int64Array::from_iter_values(0..parents.len() as i64));
        let derived = batch.derive(schema("id i64, new i64"), &[0], vec![new], parents.len(), Some(&parents)).unwrap();
        prop_assert_eq!(ids(&derived), parents.iter().map(|&parent| of[parent as usize]).collect::<Vec<_>>());
        prop_assert!(derived.selection().is_none());

        let beyond = [of.len() as u32];
        let new: ArrayRef = Arc::new(Int64Array::from(vec![0]));
        let refused = batch.derive(schema("id i64, new i64"), &[0], vec![new], 1, Some(&beyond));
        prop_assert!(matches!(refused, Err(BatchError::RowRange { .. })), "{:?}", refused);

        let new: ArrayRef = Arc::new(Int64Array::from_iter_values(0..of.len() as i64));
        let derived = batch.derive(schema("id i64, new i64"), &[0], vec![new], of.len(), None).unwrap();
        prop_assert_eq!(ids(&derived), of);
    }

    #[test]
    fn arrow_and_back(batch in any_batch()) {
        let again = Batch::from_arrow(batch.schema(), &batch.to_arrow().unwrap()).unwrap();
        prop_assert_eq!(texts(&again), texts(&batch));
        prop_assert_eq!(&Schema::from_arrow(&batch.schema().to_arrow()).unwrap(), &**batch.schema());
    }
}

#[test]
fn row_for_row_columns_are_shared() {
    let batch = numbered(3);
    let new: ArrayRef = Arc::new(Int64Array::from(vec![7, 8, 9]));
    let derived = batch.derive(schema("name utf8, new i64"), &[1], vec![Arc::clone(&new)], 3, None).unwrap();
    assert!(Arc::ptr_eq(derived.column(0), batch.column(1)));
    assert!(Arc::ptr_eq(derived.column(1), &new));
    let refused = batch.derive(schema("name utf8, new i64"), &[1], vec![new], 2, None);
    assert!(matches!(refused, Err(BatchError::RowCount { found: 2, rows: 3 })));
}

#[test]
fn mutation_counts_its_copies() {
    let counts = CopyOnWrite::default();
    let mut batch = numbered(3);
    let trace = TraceContext::new([1; 16], [2; 8], true);
    counts.make_mut(&mut batch).set_trace(trace);
    assert_eq!((counts.free(), counts.copied()), (1, 0));

    let other = Arc::clone(&batch);
    counts.make_mut(&mut batch).set_trace(None);
    assert_eq!((counts.free(), counts.copied()), (1, 1));
    assert_eq!((other.trace(), batch.trace()), (trace, None));
    assert!(Arc::ptr_eq(other.column(0), batch.column(0)), "columns are shared even then");

    counts.make_mut(&mut batch).set_trace(trace);
    assert_eq!((counts.free(), counts.copied()), (2, 1));
}

#[test]
fn foreign_columns_are_converted() {
    let check = |column: ArrayRef, data_type: DataType, text: &str| {
        let foreign = RecordBatch::try_from_iter([("c", column)]).unwrap();
        let schema = Arc::new(Schema::from_arrow(&foreign.schema()).unwrap());
        assert_eq!(schema.fields()[0].data_type, data_type);
        let batch = Batch::from_arrow(&schema, &foreign).unwrap();
        let column = weir_batch::arrow::util::display::array_value_to_string(batch.column(0), 0).unwrap();
        assert_eq!(column, text);
    };
    check(Arc::new(LargeStringArray::from(vec!["SEA"])), DataType::Utf8, "SEA");
    check(Arc::new(vec!["LAX"].into_iter().collect::<DictionaryArray<Int32Type>>()), DataType::Utf8, "LAX");
    check(Arc::new(Float32Array::from(vec![0.5])), DataType::F64, "0.5");
    check(Arc::new(UInt32Array::from(vec![u32::MAX])), DataType::I64, "4294967295");

    let foreign = RecordBatch::try_from_iter([("c", Arc::new(UInt64Array::from(vec![1])) as ArrayRef)]).unwrap();
    let error = Schema::from_arrow(&foreign.schema()).unwrap_err().to_string();
    assert!(error.starts_with("column `c` has type UInt64, which is not supported"), "{error}");
}

#[test]
fn what_does_not_hold_together_is_refused() {
    let id = || Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef;
    let check = |fields: &str, columns: Vec<ArrayRef>, expect: &str| {
        assert_eq!(Batch::new(schema(fields), columns).unwrap_err().to_string(), expect);
    };
    check("id i64, name utf8", vec![id()], "the schema has 2 fields, but the batch has 1 columns");
    check("id utf8", vec![id()], "column `id` is Int64, expected utf8");
    check(
        "id i64, other i64",
        vec![id(), Arc::new(Int64Array::from(vec![1]))],
        "column `other` has 1 rows, expected 2",
    );
    check(
        "id i64",
        vec![Arc::new(Int64Array::from(vec![Some(1), None]))],
        "column `id` has 1 nulls, but its field is not nullable",
    );
    let field = |name: &str| Field::new(name, DataType::I64);
    for fields in [vec![field("a"), field("a")], vec![field("")], vec![field("_a")], vec![field(&"a".repeat(65))]] {
        assert!(Schema::new(fields).is_err());
    }
    let offset = Some(Int64Array::from(vec![1]));
    let refused = Batch::clone(&numbered(2)).with_system(SystemColumns::default().with(|it| it.offset = offset));
    assert_eq!(refused.unwrap_err().to_string(), "column `_offset` has 1 rows, expected 2");
}
