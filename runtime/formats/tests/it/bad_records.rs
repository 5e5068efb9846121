//! Bad records, and the good ones beside them.

use expect_test::{Expect, expect};
use weir_batch::arrow::array::Array;
use weir_formats::{Fill, Format, open_decoder};

use crate::support::{decode, drain, encode, file, schema};

const FIELDS: &str = "delay i64, ratio f64?, origin utf8, late bool?, at timestamp?, raw binary?";

/// Good records' numbers, then one line a bad record.
fn check(format: Format, text: &[u8], expect: Expect) {
    let read = decode(format, text, Some(&schema(FIELDS)), 1000).unwrap();
    let good: Vec<String> = read.rows().iter().map(|(offset, _)| offset.to_string()).collect();
    let mut report = format!("good: {}\n", good.join(" "));
    for bad in &read.bad {
        let line = bad.line.map_or("-".to_owned(), |line| line.to_string());
        let bytes: String = String::from_utf8_lossy(&bad.bytes).chars().take(70).collect();
        report.push_str(&format!("{} line {line}: {}\n    {}\n", bad.offset, bad.message, bytes.escape_debug()));
    }
    expect.assert_eq(&report);
    // However it is cut into chunks, the same comes of it.
    for records_max in [1, 2, 3] {
        let again = decode(format, text, Some(&schema(FIELDS)), records_max).unwrap();
        assert_eq!((again.rows(), &again.bad), (read.rows(), &read.bad));
        assert_eq!(again.bytes_read, text.len() as u64);
    }
}

#[test]
fn json_lines() {
    let mut text = br#"{"delay":1,"ratio":0.5,"origin":"SEA","late":true,"at":"2001-01-01T00:00:00Z","raw":"00ff"}
{"delay":2,"origin":"SEA"}
{"delay":"3","origin":"SEA","unknown":{"deep":[1,2]}}
{"delay":4.0,"origin":"SEA"}

{"origin":"SEA"}
{"delay":null,"origin":"SEA"}
{"delay":1.5,"origin":"SEA"}
{"delay":9223372036854775808,"origin":"SEA"}
{"delay":"soon","origin":"SEA"}
{"delay":true,"origin":"SEA"}
{"delay":[1],"origin":"SEA"}
{"delay":1,"origin":7}
{"delay":1,"origin":"SEA","late":"yes"}
{"delay":1,"origin":"SEA","ratio":"half"}
{"delay":1,"origin":"SEA","at":"yesterday"}
{"delay":1,"origin":"SEA","raw":"0g"}
{"delay":1,"origin":"SEA"
{"delay":1,"origin":"SEA"} {"delay":2,"origin":"SEA"}
{"delay":1,"origin":"SEA"} trailing
[1,2]
5
null
"#
    .to_vec();
    text.extend(b"{\"delay\":1,\"origin\":\"\xff\"}\r\n{\"delay\":6,\"origin\":\"last\"}");
    check(
        Format::JsonLines,
        &text,
        expect![[r#"
            good: 0 1 2 3 11 23
            4 line 6: field `delay` is missing, but is not nullable
                {\"origin\":\"SEA\"}
            5 line 7: field `delay` is null, but is not nullable
                {\"delay\":null,\"origin\":\"SEA\"}
            6 line 8: field `delay`: `1.5` is not an i64
                {\"delay\":1.5,\"origin\":\"SEA\"}
            7 line 9: field `delay`: `9223372036854775808` is not an i64
                {\"delay\":9223372036854775808,\"origin\":\"SEA\"}
            8 line 10: field `delay`: `soon` is not an i64
                {\"delay\":\"soon\",\"origin\":\"SEA\"}
            9 line 11: field `delay`: `true` is not an i64
                {\"delay\":true,\"origin\":\"SEA\"}
            10 line 12: field `delay`: a list is not an i64
                {\"delay\":[1],\"origin\":\"SEA\"}
            12 line 14: field `late`: `yes` is not true or false
                {\"delay\":1,\"origin\":\"SEA\",\"late\":\"yes\"}
            13 line 15: field `ratio`: `half` is not an f64
                {\"delay\":1,\"origin\":\"SEA\",\"ratio\":\"half\"}
            14 line 16: field `at`: `yesterday` is not a timestamp
                {\"delay\":1,\"origin\":\"SEA\",\"at\":\"yesterday\"}
            15 line 17: field `raw`: `0g` is not a text of hex digits in pairs
                {\"delay\":1,\"origin\":\"SEA\",\"raw\":\"0g\"}
            16 line 18: not JSON: it ends at byte 25, expected `,` or `}`
                {\"delay\":1,\"origin\":\"SEA\"
            17 line 19: not JSON: expected the end of the record at byte 28, found `{`
                {\"delay\":1,\"origin\":\"SEA\"} {\"delay\":2,\"origin\":\"SEA\"}
            18 line 20: not JSON: expected the end of the record at byte 28, found `t`
                {\"delay\":1,\"origin\":\"SEA\"} trailing
            19 line 21: not an object: a record must be a JSON object
                [1,2]
            20 line 22: not an object: a record must be a JSON object
                5
            21 line 23: not an object: a record must be a JSON object
                null
            22 line 24: not UTF-8 from byte 22 on
                {\"delay\":1,\"origin\":\"�\"}
        "#]],
    );
}

#[test]
fn csv() {
    let mut text = b"origin,delay,ratio,extra,late,at,raw
SEA,1,0.5,x,true,2001-01-01T00:00:00Z,00ff
,2,,,,,
\"a \"\"b\"\",
c\",3,inf,,FALSE,2001-01-01,
SEA,,,,,,
SEA,1.5,,,,,
SEA,9223372036854775808,,,,,
SEA,1,half,,,,
SEA,1,,,yes,,
SEA,1,,,,yesterday,
SEA,1,,,,,0

SEA,1,,,,
SEA,1,,,,,,more
SEA,1,\r,,,,
SEA,5,,,,,\r
"
    .to_vec();
    text.extend(b"\xff,1,,,,,\n\"open,1,,,,,\nSEA,7,,,,,");
    check(
        Format::Csv,
        &text,
        expect![[r#"
        good: 0 1 2 13 16
        3 line 6: field `delay`: it is empty, but the field is not nullable
            SEA,,,,,,
        4 line 7: field `delay`: `1.5` is not an i64
            SEA,1.5,,,,,
        5 line 8: field `delay`: `9223372036854775808` is not an i64
            SEA,9223372036854775808,,,,,
        6 line 9: field `ratio`: `half` is not an f64
            SEA,1,half,,,,
        7 line 10: field `late`: `yes` is not true or false
            SEA,1,,,yes,,
        8 line 11: field `at`: `yesterday` is not a timestamp such as 2001-01-31T23:59:59Z
            SEA,1,,,,yesterday,
        9 line 12: field `raw`: `0` is not hex digits in pairs
            SEA,1,,,,,0
        10 line 14: found 6 fields, but the header has 7
            SEA,1,,,,
        11 line 15: found 8 fields, but the header has 7
            SEA,1,,,,,,more
        12 line 16: a carriage return without a newline outside quotes
            SEA,1,\r,,,,
        14 line 18: field `origin`: it is not UTF-8
            �,1,,,,,
        15 line 19: a quote opens on this line and is never closed
            \"open,1,,,,,
    "#]],
    );
}

#[test]
fn overlong_records_are_bad_ones() {
    let long = "x".repeat(2 * 1024 * 1024);
    let json = format!("{{\"delay\":1,\"origin\":\"{long}\"}}\n{{\"delay\":2,\"origin\":\"SEA\"}}\n");
    let csv = format!("delay,origin,ratio,late,at,raw\n1,{long},,,,\n2,SEA,,,,\n");
    for (format, text) in [(Format::JsonLines, json), (Format::Csv, csv)] {
        let read = |record_bytes_max: usize| {
            let fill = Fill::from(10).with(|it| it.record_bytes_max = record_bytes_max);
            drain(open_decoder(format, file(text.as_bytes()), Some(&schema(FIELDS)), fill).unwrap(), 10).unwrap()
        };
        // However short a record may be, its text may have 1 MiB.
        for (record_bytes_max, least) in [(1 << 16, 1 << 20), (1 << 20, 1 << 20), (2_000_000, 2_000_000)] {
            let read = read(record_bytes_max);
            assert_eq!(read.rows().len(), 1);
            assert_eq!((read.bad[0].offset, read.bad[0].bytes.len()), (0, 1024 * 1024));
            let expected = format!("bytes: the maximum is {least}; raise `batching.record_bytes_max`");
            assert!(read.bad[0].message.ends_with(&expected), "{}", read.bad[0].message);
            assert_eq!(read.bytes_read, text.len() as u64);
        }
        let whole = read(Fill::RECORD_BYTES_MAX);
        assert_eq!((whole.rows().len(), whole.bad.len(), whole.bytes_read), (2, 0, text.len() as u64));
    }
}

#[test]
fn every_record_may_be_bad() {
    let text = "not json\n".repeat(3000);
    let read = decode(Format::JsonLines, text.as_bytes(), Some(&schema(FIELDS)), 1000).unwrap();
    assert_eq!((read.rows().len(), read.bad.len()), (0, 3000));
    assert_eq!(read.bad[2999].offset, 2999);
}

/// A null where the declaration admits none; the record is kept as JSON.
#[test]
fn nulls_in_files_that_carry_their_schema() {
    let text =
        b"{\"delay\":1,\"origin\":\"SEA\"}\n{\"delay\":2}\n{\"origin\":\"LAX\"}\n{\"delay\":4,\"origin\":\"JFK\"}\n";
    let written = schema("delay i64?, origin utf8?");
    let batches = decode(Format::JsonLines, text, Some(&written), 1000).unwrap().batches;
    let batches: Vec<_> = batches.into_iter().map(std::sync::Arc::new).collect();
    for format in [Format::Parquet, Format::ArrowIpc, Format::Bincode] {
        let bytes = encode(format, &written, &batches).unwrap();
        let read = decode(format, &bytes, Some(&schema("origin utf8, delay i64")), 3).unwrap();
        let offsets: Vec<i64> = read.rows().iter().map(|(offset, _)| *offset).collect();
        assert_eq!(offsets, [0, 3], "{format}");
        let bad: Vec<String> = read
            .bad
            .iter()
            .map(|bad| format!("{}: {} in {}", bad.offset, bad.message, String::from_utf8_lossy(&bad.bytes)))
            .collect();
        assert_eq!(
            bad,
            [
                r#"1: field `origin` is null, but is not nullable in {"origin":null,"delay":2}"#,
                r#"2: field `delay` is null, but is not nullable in {"origin":"LAX","delay":null}"#,
            ],
            "{format}"
        );
    }
}

/// A wider type reads the same values. One that a double does not hold is a bad record.
#[test]
fn numbers_of_narrower_types() {
    let written = schema("a i8, b i32?, c i64?, d i16");
    let text = b"{\"a\":1,\"b\":2,\"c\":3,\"d\":4}\n{\"a\":1,\"c\":9007199254740993,\"d\":4}\n{\"a\":-1,\"c\":9007199254740992,\"d\":5}\n";
    let batches = decode(Format::JsonLines, text, Some(&written), 1000).unwrap().batches;
    let batches: Vec<_> = batches.into_iter().map(std::sync::Arc::new).collect();
    for format in [Format::Parquet, Format::ArrowIpc] {
        let bytes = encode(format, &written, &batches).unwrap();
        let read = decode(format, &bytes, Some(&schema("a i64, b i64?, c f64?, d f64")), 10).unwrap();
        let rows: Vec<String> = read.batches.iter().map(|batch| format!("{batch}")).collect();
        expect![[r#"
            +----+---+--------------------+-----+
            | a  | b | c                  | d   |
            +----+---+--------------------+-----+
            | 1  | 2 | 3.0                | 4.0 |
            | -1 |   | 9007199254740992.0 | 5.0 |
            +----+---+--------------------+-----+"#]]
        .assert_eq(&rows.join("\n"));
        let bad: Vec<String> = read.bad.iter().map(|bad| format!("{}: {}", bad.offset, bad.message)).collect();
        expect!["1: column `c`: Cast error: 9007199254740993 cannot be represented exactly as an f64"]
            .assert_eq(&bad.join("\n"));
        check_open(format, &bytes, "c i32", expect!["field `c` is declared as i32, but is i64 in the file"]);
        check_open(format, &bytes, "a utf8", expect!["field `a` is declared as utf8, but is i8 in the file"]);
    }
}

/// A value that the carried type cannot hold: a date beyond what microseconds reach.
#[test]
fn values_that_do_not_fit() {
    use std::sync::Arc;
    use weir_batch::arrow::array::{RecordBatch, TimestampSecondArray};
    use weir_batch::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
    use weir_batch::arrow::ipc::writer::FileWriter;

    let seconds = TimestampSecondArray::from(vec![Some(1), Some(i64::MAX), None, Some(3)]);
    let arrow_schema = Schema::new(vec![Field::new("at", DataType::Timestamp(TimeUnit::Second, None), true)]);
    let batch = RecordBatch::try_new(Arc::new(arrow_schema), vec![Arc::new(seconds)]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);

    let read = decode(Format::ArrowIpc, &bytes, None, 100).unwrap();
    let offsets: Vec<i64> = read.rows().iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, [0, 2, 3]);
    assert_eq!(read.batches[0].column(0).null_count(), 1);
    assert_eq!(read.bad.len(), 1);
    assert_eq!(read.bad[0].offset, 1);
}

fn check_open(format: Format, text: &[u8], fields: &str, expect: Expect) {
    expect.assert_eq(&decode(format, text, Some(&schema(fields)), 10).map(|_| ()).unwrap_err().to_string());
}

#[test]
fn files_that_do_not_fit_their_declaration() {
    check_open(Format::Csv, b"a,b\n1,2\n", "c i64", expect!["the file has no field `c`; its fields are a, b"]);
    check_open(Format::Csv, b"a,a\n1,2\n", "a i64", expect!["invalid header row: it contains `a` twice"]);
    check_open(Format::Csv, b"\xff\n", "a i64", expect!["invalid header row: it is not UTF-8"]);
    check_open(
        Format::Csv,
        b"\"a\n",
        "a i64",
        expect!["invalid header row: a quote opens on this line and is never closed"],
    );
    let written = schema("a i64, b utf8");
    let parquet = encode(Format::Parquet, &written, &[]).unwrap();
    check_open(Format::Parquet, &parquet, "c i64", expect!["the file has no field `c`; its fields are a, b"]);
    check_open(Format::Parquet, &parquet, "a utf8", expect!["field `a` is declared as utf8, but is i64 in the file"]);
    check_open(Format::Parquet, b"{\"a\":1}\n", "a i64", expect!["invalid parquet file: 8 bytes are too few"]);
    check_open(
        Format::ArrowIpc,
        b"{\"a\":1}\n",
        "a i64",
        expect!["invalid arrow_ipc file: it ends early: expected 576791163 bytes, but only 4 are left"],
    );
    check_open(Format::ArrowIpc, b"", "a i64", expect!["invalid arrow_ipc file: it is empty"]);
    check_open(
        Format::Bincode,
        b"{\"a\":1}\n",
        "a i64",
        expect!["invalid bincode file: a frame has 576791163 bytes: the maximum is 16777216"],
    );
    check_open(Format::Bincode, b"", "a i64", expect!["invalid bincode file: it ends without its last frame"]);
}

#[test]
fn formats_without_schema_need_one() {
    for format in [Format::JsonLines, Format::Csv] {
        let error = decode(format, b"", None, 10).map(|_| ()).unwrap_err().to_string();
        assert_eq!(error, format!("{format} has no schema: declare the fields in `schema`, or set `infer = true`"));
    }
}
