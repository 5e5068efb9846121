//! Timestamps from numbers, which have a declared unit.

use expect_test::expect;
use weir_batch::{Schema, TimestampUnit};
use weir_formats::{Format, open_decoder};

use crate::support::{drain, file, schema, texts};

#[test]
fn numbers_are_timestamps_in_the_declared_unit() {
    let fields = schema("s timestamp?, m timestamp?, u timestamp?, n timestamp?, plain timestamp?");
    let units = TimestampUnit::ALL.into_iter().enumerate();
    let fields = std::sync::Arc::new(Schema::clone(&fields).with_number_units(units));
    let text = br#"{"s":1640995200.25,"m":1640995200001,"u":1640995200000001,"n":-1,"plain":1640995200000000}
{"s":"2022-01-01 00:00:00,5 UTC","m":"2022-01-01T02:00+0200","plain":"5"}
{"s":9223372036855}
{"m":1e30}
{"plain":0.5}
{"plain":"2022-01-01 and more"}
"#;
    let read = drain(open_decoder(Format::JsonLines, file(text), Some(&fields), 10).unwrap(), 10).unwrap();
    let bad: Vec<String> = read.bad.iter().map(|bad| bad.message.clone()).collect();
    expect![[r#"
        [PrimitiveArray<Timestamp(µs)>
        [
          2022-01-01T00:00:00.250,
        ], PrimitiveArray<Timestamp(µs)>
        [
          2022-01-01T00:00:00.001,
        ], PrimitiveArray<Timestamp(µs)>
        [
          2022-01-01T00:00:00.000001,
        ], PrimitiveArray<Timestamp(µs)>
        [
          1969-12-31T23:59:59.999999,
        ], PrimitiveArray<Timestamp(µs)>
        [
          2022-01-01T00:00:00,
        ]]
        [PrimitiveArray<Timestamp(µs)>
        [
          2022-01-01T00:00:00.500,
        ], PrimitiveArray<Timestamp(µs)>
        [
          2022-01-01T00:00:00,
        ], PrimitiveArray<Timestamp(µs)>
        [
          null,
        ], PrimitiveArray<Timestamp(µs)>
        [
          null,
        ], PrimitiveArray<Timestamp(µs)>
        [
          1970-01-01T00:00:00.000005,
        ]]
        field `s`: `9223372036855` is not a timestamp
        field `m`: `1e30` is not a timestamp
        field `plain`: `0.5` is not a timestamp
        field `plain`: `2022-01-01 and more` is not a timestamp"#]]
    .assert_eq(&format!("{}\n{}", texts(&read.batches[0]).join("\n"), bad.join("\n")));
}

#[test]
fn numbers_in_csv_have_their_units_too() {
    let fields = schema("s timestamp?, plain timestamp?");
    let fields = std::sync::Arc::new(Schema::clone(&fields).with_number_units([(0, TimestampUnit::Seconds)]));
    let text = b"plain,s\n5,1640995200.25\n,2022-01-01 00:00 UTC\n0.5,1\n,1e30\n";
    let read = drain(open_decoder(Format::Csv, file(text), Some(&fields), 10).unwrap(), 10).unwrap();
    let bad: Vec<String> = read.bad.iter().map(|bad| bad.message.clone()).collect();
    expect![[r#"
        [PrimitiveArray<Timestamp(µs)>
        [
          2022-01-01T00:00:00.250,
        ], PrimitiveArray<Timestamp(µs)>
        [
          1970-01-01T00:00:00.000005,
        ]]
        [PrimitiveArray<Timestamp(µs)>
        [
          2022-01-01T00:00:00,
        ], PrimitiveArray<Timestamp(µs)>
        [
          null,
        ]]
        field `plain`: `0.5` is not a timestamp such as 2001-01-31T23:59:59Z
        field `s`: `1e30` is not a timestamp such as 2001-01-31T23:59:59Z"#]]
    .assert_eq(&format!("{}\n{}", texts(&read.batches[0]).join("\n"), bad.join("\n")));
}
