//! Letters read back as the record that was written.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use weir_batch::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    StringArray, TimestampMicrosecondArray,
};
use weir_batch::arrow::datatypes::Float64Type;
use weir_batch::{Batch, DataType, Field, Schema, SystemColumns};
use weir_formats::BadRecord;

use super::entrance::Entrance;
use super::letter::{Sender, Why, of_bad, of_row};
use super::system::system_columns;
use weir_plan::Origins;
use weir_state::{Letter, LetterMessage, LetterValue};

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

/// Integers, with extreme values more often than by chance.
fn integer() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), -5_i64..5, Just(9_007_199_254_740_993)]
}

fn double() -> impl Strategy<Value = f64> {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::MIN, 0.1];
    prop_oneof![any::<f64>(), proptest::sample::select(odd.to_vec())]
}

/// Years of four digits and more.
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

/// Names that JSON has to escape, and one that looks like an escape.
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
        origins: Origins::default(),
    };
    let letters = (0..batch.rows()).map(|row| {
        let letter = of_row(&sender, batch, row, Why { code: "c\u{1b}", message: "m\n\"" }).unwrap();
        let letter = read_back(&letter);
        assert_eq!((letter.code.as_str(), letter.message.as_str()), ("c\u{1b}", "m\n\""));
        letter
    });
    letters.collect()
}

/// Writes and reads a letter, in both forms.
fn read_back(letter: &Letter) -> Letter {
    let mut text = Vec::new();
    letter.write_line(&mut text).unwrap();
    assert_eq!(text.iter().filter(|&&byte| byte == b'\n').count(), 1);
    let of_line = Letter::parse(&text).unwrap();
    let of_message = LetterMessage::of(letter.clone()).read().unwrap().unwrap();
    assert_eq!((&of_line, &of_message), (letter, letter));
    of_line
}

fn restore(letters: &[Letter], schema: &Arc<Schema>) -> Batch {
    let restored = Entrance::of_input(schema, &[]).unwrap().decode(&letters.iter().collect::<Vec<_>>()).unwrap();
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
                // Compares bits, except for the payload of NaNs.
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
            (letter.offset, letter.headers, letter.origin) = (offset, headers, origin);
            letter.value = LetterValue::Original(bytes);
            read_back(&letter)
        }).collect();
        let schema = Arc::new(Schema::new(vec![]).unwrap());
        let system: SystemColumns = system_columns(&letters.iter().collect::<Vec<_>>()).unwrap();
        let batch = Batch::with_rows(Arc::clone(&schema), vec![], letters.len()).unwrap().with_system(system).unwrap();
        let batch = Arc::new(batch);
        for (row, (before, after)) in letters.iter().zip(letters_of(&batch)).enumerate() {
            let known = |letter: &Letter| (
                letter.key.clone(), letter.timestamp_us, letter.partition, letter.offset,
                letter.headers.clone(), letter.origin.clone(),
            );
            let raw = batch.system().raw.as_ref().unwrap();
            prop_assert_eq!(before.bytes(), raw.is_valid(row).then(|| raw.value(row)));
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
    let restored = Entrance::of_input(&schema, &[]).unwrap().decode(&letters.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(restored.batch.rows(), 1);
    assert_eq!(restored.bad.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn what_a_topic_says_of_a_record_that_does_not_decode_is_kept() {
    let mut known = Letter::parse(br#"{"query":"q","tenant":"t","place":"p","code":"c","message":"m"}"#).unwrap();
    (known.key, known.timestamp_us) = (Some(b"k\xff".to_vec()), Some(17));
    known.headers = vec![("h".to_owned(), Some(vec![0])), ("n".to_owned(), None)];
    let nothing = Letter { key: None, timestamp_us: None, headers: Vec::new(), ..known.clone() };
    let system = system_columns(&[&nothing, &known]).unwrap();
    let bad = BadRecord::new(9, b"\x00".to_vec(), "no");
    let origins = Origins::default();
    let sender = Sender { query: "q".into(), tenant: "t".into(), place: "p".into(), guest: None, origins };
    let letter = |system: &SystemColumns, row| read_back(&of_bad(&sender, Some("topic"), Some(3), &bad, (system, row)));
    let same = |letter: &Letter| (letter.key.clone(), letter.timestamp_us, letter.headers.clone());
    assert_eq!(same(&letter(&system, 1)), same(&known));
    assert_eq!(same(&letter(&system, 0)), same(&nothing));
    // Files have no other facts.
    assert_eq!(same(&letter(&SystemColumns::default(), 0)), same(&nothing));
    assert_eq!(letter(&system, 1).bytes(), Some(&[0][..]));
    // A null value is not an empty one.
    let system = SystemColumns::default().with(|it| it.raw = Some(BinaryArray::from_iter([None::<&[u8]>])));
    assert_eq!(letter(&system, 0).value, LetterValue::Original(None));
}

/// Header names with which a record could try to forge facts of its letter, and others.
fn header_name() -> impl Strategy<Value = String> {
    let ours =
        ["weir.", "weir.error.code", "weir.error.query", "weir.letter.version", "weir.original.x", "weir", "WEIR.x"];
    prop_oneof![any::<String>(), proptest::sample::select(ours.to_vec()).prop_map(str::to_owned)]
}

fn bytes() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop_oneof![option::of(vec(any::<u8>(), 0..40)), Just(Some(Vec::new())), Just(None)]
}

fn letter() -> impl Strategy<Value = Letter> {
    let value = prop_oneof![
        bytes().prop_map(LetterValue::Original),
        Just(LetterValue::Omitted),
        any::<f64>()
            .prop_filter("JSON has no other", |it| it.is_finite())
            .prop_map(|it| { LetterValue::Record { record: format!("{{\"n\": {it:?}}}"), bytes: None } }),
    ];
    let texts = (any::<String>(), any::<String>(), any::<String>(), any::<String>(), any::<String>());
    let known = (option::of(any::<String>()), option::of(any::<String>()), option::of(any::<i32>()));
    let numbers = (option::of(any::<i64>()), option::of(any::<i64>()), option::of(any::<u64>()));
    let bytes = (bytes(), vec((header_name(), bytes()), 0..6), value);
    (texts, known, numbers, bytes).prop_map(|(texts, known, numbers, bytes)| Letter {
        query: texts.0,
        tenant: texts.1,
        place: texts.2,
        code: texts.3,
        message: texts.4,
        module: known.0.clone(),
        function: known.0,
        source: known.1.clone(),
        origin: known.1,
        partition: known.2,
        offset: numbers.0,
        timestamp_us: numbers.1,
        line: numbers.2,
        key: bytes.0,
        headers: bytes.1,
        value: bytes.2,
    })
}

proptest! {
    #[test]
    fn letters_come_back_in_both_forms(letter in letter()) {
        read_back(&letter);
        // A letter in a topic contains the record as it was read.
        let message = LetterMessage::of(letter.clone());
        prop_assert_eq!(&message.key, &letter.key);
        if let LetterValue::Original(value) = &letter.value {
            prop_assert_eq!(&message.value, value);
        }
    }

    #[test]
    fn whatever_a_topic_holds_is_a_letter_or_refused(
        headers in vec((header_name(), bytes()), 0..20), key in bytes(), value in bytes(),
    ) {
        let message = LetterMessage { key, value, headers };
        // A record alone is never a letter: its headers with `weir.` are not taken for facts.
        if let Some(Ok(letter)) = message.read() {
            prop_assert!(message.headers.iter().any(|(name, _)| name == "weir.error.query"), "{letter:?}");
        }
    }
}

fn good_message() -> LetterMessage {
    let mut letter = Letter::parse(br#"{"query":"q","tenant":"t","place":"p","code":"c","message":"m"}"#).unwrap();
    letter.value = LetterValue::Original(Some(b"v".to_vec()));
    LetterMessage::of(letter)
}

#[test]
fn forged_and_damaged_messages_are_refused_with_the_header() {
    let check = |change: &dyn Fn(&mut LetterMessage), expect: &str| {
        let mut message = good_message();
        change(&mut message);
        assert_eq!(message.read().unwrap().unwrap_err(), expect);
    };
    let set = |message: &mut LetterMessage, name: &str, value: Option<&[u8]>| {
        message.headers.retain(|(other, _)| other != name);
        message.headers.push((name.to_owned(), value.map(<[u8]>::to_vec)));
    };
    assert!(good_message().read().unwrap().is_ok());
    check(&|it| it.headers.push(("weir.error.code".to_owned(), None)), "header `weir.error.code` occurs twice");
    check(&|it| it.headers.push(("weir.letter.version".to_owned(), None)), "header `weir.letter.version` occurs twice");
    check(&|it| set(it, "weir.error.query", None), "header `weir.error.query` has no value");
    check(&|it| set(it, "weir.error.query", Some(b"\xff")), "header `weir.error.query` is not UTF-8");
    check(&|it| it.headers.retain(|(name, _)| name != "weir.error.tenant"), "header `weir.error.tenant` is missing");
    check(&|it| set(it, "weir.error.offset", Some(b"1e3")), "header `weir.error.offset` is not a valid number");
    let beyond = "header `weir.error.partition` is not a valid number";
    check(&|it| set(it, "weir.error.partition", Some(b"2147483648")), beyond);
    let values = "header `weir.letter.value` must be `original`, `record` or `omitted`";
    check(&|it| set(it, "weir.letter.value", Some(b"other")), values);
    check(&|it| it.headers.retain(|(name, _)| name != "weir.letter.value"), values);
    check(
        &|it| set(it, "weir.letter.version", Some(b"1")),
        "header `weir.letter.version` is not a version of dead letters",
    );
    check(
        &|it| set(it, "weir.letter.version", Some(b"3")),
        "the dead letter has version 3, but this program reads versions up to 2: use a newer `weir`",
    );
    check(
        &|it| set(it, "weir.letter.value", Some(b"record")),
        "the record is not JSON: expected value at line 1 column 1",
    );
    // A foreign message is never a letter, whatever its headers.
    let foreign = LetterMessage { headers: vec![("weir.error.code".to_owned(), None)], ..LetterMessage::default() };
    assert_eq!(foreign.read(), None);
}

/// Letters that version 0.1.0 wrote to a topic: JSON values, with bytes in hexadecimal digits.
#[test]
fn letters_that_0_1_0_wrote_to_a_topic_are_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/0.1.0/topic/letters.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let mut read = Vec::new();
    for line in text.lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        let value = message["value"].as_str().unwrap().as_bytes().to_vec();
        assert_eq!(LetterMessage { value: Some(value.clone()), ..LetterMessage::default() }.read(), None);
        read.push(Letter::parse(&value).unwrap());
    }
    let said =
        |letter: &Letter| format!("{} {} {:?} {}", letter.place, letter.code, letter.offset, letter.value.name());
    let said: Vec<String> = read.iter().map(said).collect();
    assert_eq!(
        said,
        [
            "ids undecodable Some(3) original",
            "ids undecodable Some(7) original",
            "ids undecodable Some(11) original",
            "check guest:1 Some(5) record",
        ]
    );
    let headers = [
        ("trace".to_owned(), Some(vec![0x61, 0xff])),
        ("empty".to_owned(), Some(Vec::new())),
        ("none".to_owned(), None),
        ("weir.error.code".to_owned(), Some(b"forged".to_vec())),
    ];
    assert_eq!((read[0].key.as_deref(), &read[0].headers[..]), (Some(&b"k\x003"[..]), &headers[..]));
    assert_eq!((read[3].record(), read[3].bytes()), (Some("{\"id\":5}"), Some(&b"{\"id\": 5}"[..])));
}
