//! What is written as a letter reads back as the record that it was.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use weir_batch::arrow::array::{
    ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    StringArray, TimestampMicrosecondArray,
};
use weir_batch::arrow::datatypes::Float64Type;
use weir_batch::{Batch, DataType, Field, Schema, SystemColumns};

use super::system::system_columns;
use super::{Entrance, Letter};
use crate::run::{Sender, Why, of_row};

/// A value of each type.
#[derive(Clone, Debug)]
struct Values {
    b: Option<bool>,
    i8: Option<i8>,
    i16: Option<i16>,
    i32: Option<i32>,
    i64: Option<i64>,
    f: Option<f64>,
    s: Option<String>,
    y: Option<Vec<u8>>,
    t: Option<i64>,
}

/// Numbers with their ends more often than chance would have it.
fn integer() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), -5_i64..5, Just(9_007_199_254_740_993)]
}

fn double() -> impl Strategy<Value = f64> {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::MIN, 0.1];
    prop_oneof![any::<f64>(), proptest::sample::select(odd.to_vec())]
}

/// Years of four digits and beyond.
fn time() -> impl Strategy<Value = i64> {
    prop_oneof![integer(), -70_000_000_000_000_000_i64..260_000_000_000_000_000]
}

fn values() -> impl Strategy<Value = Values> {
    let numbers = (
        option::of(any::<bool>()),
        option::of(any::<i8>()),
        option::of(any::<i16>()),
        option::of(any::<i32>()),
        option::of(integer()),
    );
    let others =
        (option::of(double()), option::of(any::<String>()), option::of(vec(any::<u8>(), 0..20)), option::of(time()));
    (numbers, others).prop_map(|((b, i8, i16, i32, i64), (f, s, y, t))| Values { b, i8, i16, i32, i64, f, s, y, t })
}

/// Names that JSON has to escape, and one that stands for another in it.
const NAMES: [&str; 9] = ["b\"", "i\\8", "é", "i32", "a b", "{", "u0041", "null", "t'"];

fn batch_of(rows: &[Values]) -> Batch {
    let fields = NAMES.iter().zip(DataType::ALL).map(|(name, data_type)| Field::nullable(*name, data_type));
    let schema = Arc::new(Schema::new(fields.collect()).unwrap());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(BooleanArray::from_iter(rows.iter().map(|row| row.b))),
        Arc::new(Int8Array::from_iter(rows.iter().map(|row| row.i8))),
        Arc::new(Int16Array::from_iter(rows.iter().map(|row| row.i16))),
        Arc::new(Int32Array::from_iter(rows.iter().map(|row| row.i32))),
        Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.i64))),
        Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.f))),
        Arc::new(StringArray::from_iter(rows.iter().map(|row| row.s.as_deref()))),
        Arc::new(BinaryArray::from_iter(rows.iter().map(|row| row.y.as_deref()))),
        Arc::new(TimestampMicrosecondArray::from_iter(rows.iter().map(|row| row.t))),
    ];
    Batch::new(schema, columns).unwrap()
}

/// Writes each row as a letter, and reads them back.
fn letters_of(batch: &Arc<Batch>) -> Vec<Letter> {
    let sender = Sender {
        query: "q".into(),
        tenant: "t".into(),
        place: "p".into(),
        guest: Some(("digest".into(), "function".into())),
    };
    let letters = (0..batch.rows()).map(|row| {
        let mut text = Vec::new();
        of_row(&sender, batch, row, Why { code: "c\u{1b}", message: "m\n\"" }, &mut text).unwrap();
        assert_eq!(text.iter().filter(|&&byte| byte == b'\n').count(), 1);
        let letter = Letter::parse(&text).unwrap();
        assert_eq!((letter.code.as_str(), letter.message.as_str()), ("c\u{1b}", "m\n\""));
        letter
    });
    letters.collect()
}

fn restore(letters: &[Letter], schema: &Arc<Schema>) -> Batch {
    let restored = Entrance::of_stage(schema).unwrap().decode(&letters.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(restored.bad, []);
    restored.batch
}

proptest! {
    #[test]
    fn records_of_every_type_come_back(rows in vec(values(), 1..5)) {
        let batch = Arc::new(batch_of(&rows));
        let restored = restore(&letters_of(&batch), batch.schema());
        for (index, (before, after)) in batch.columns().iter().zip(restored.columns()).enumerate() {
            if let (Some(before), Some(after)) =
                (before.as_primitive_opt::<Float64Type>(), after.as_primitive_opt::<Float64Type>())
            {
                // By their bits, but for what a NaN carries.
                let bits = |value: Option<f64>| value.map(|value| if value.is_nan() { 1 } else { value.to_bits() });
                let (before, after): (Vec<_>, Vec<_>) = (before.iter().map(bits).collect(), after.iter().map(bits).collect());
                prop_assert_eq!(before, after);
            } else {
                prop_assert_eq!(before, after, "column {}", NAMES[index]);
            }
        }
    }

    #[test]
    fn system_columns_come_back(
        rows in vec((option::of(vec(any::<u8>(), 0..9)), option::of(time()), option::of(any::<i32>()),
            option::of(integer()), option::of(vec(any::<u8>(), 0..9)),
            vec((any::<String>(), option::of(vec(any::<u8>(), 0..9))), 0..3)), 1..5),
        origin in option::of(any::<String>()),
    ) {
        let letters: Vec<Letter> = rows.into_iter().map(|(key, timestamp_us, partition, offset, bytes, headers)| {
            let (origin, mut letter) = (origin.clone(), Letter::parse(
                br#"{"query":"q","tenant":"t","place":"p","code":"c","message":"m"}"#).unwrap());
            (letter.key, letter.timestamp_us, letter.partition) = (key, timestamp_us, partition);
            (letter.offset, letter.bytes, letter.headers, letter.origin) = (offset, bytes, headers, origin);
            letter
        }).collect();
        let schema = Arc::new(Schema::new(vec![]).unwrap());
        let system: SystemColumns = system_columns(&letters.iter().collect::<Vec<_>>()).unwrap();
        let batch = Batch::with_rows(Arc::clone(&schema), vec![], letters.len()).unwrap().with_system(system).unwrap();
        for (before, after) in letters.iter().zip(letters_of(&Arc::new(batch))) {
            let known = |letter: &Letter| (
                letter.key.clone(), letter.timestamp_us, letter.partition, letter.offset, letter.bytes.clone(),
                letter.headers.clone(), letter.origin.clone(),
            );
            prop_assert_eq!(known(before), known(&after));
        }
    }
}

#[test]
fn records_without_fields_come_back() {
    let schema = Arc::new(Schema::new(vec![]).unwrap());
    let batch = Arc::new(Batch::with_rows(Arc::clone(&schema), vec![], 2).unwrap());
    assert_eq!(restore(&letters_of(&batch), &schema).rows(), 2);
}

#[test]
fn what_does_not_fit_is_told_by_row() {
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::I64)]).unwrap());
    let letters = ["{\"id\":1}", "{\"id\":null}", "{\"id\":\"x\"}", "[]", "{\"id\":9223372036854775808}"].map(|record| {
        let text = format!(
            "{{\"query\":\"q\",\"tenant\":\"t\",\"place\":\"p\",\"code\":\"c\",\"message\":\"m\",\"record\":{record}}}"
        );
        Letter::parse(text.as_bytes()).unwrap()
    });
    let restored = Entrance::of_stage(&schema).unwrap().decode(&letters.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(restored.batch.rows(), 1);
    assert_eq!(restored.bad.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [1, 2, 3, 4]);
}
