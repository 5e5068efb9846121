//! What JSON reads as, and what it is refused for.

use std::time::Duration;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use weir_batch::format::{DEPTH_MAX, Format, infer, infer_schema, open_decoder};
use weir_batch::{DataType, Schema, TimestampUnit};

use crate::support::{decode, drain, file, schema, texts};

/// The records of a file as text, then one line a bad record. However it is cut into chunks, they are the same.
fn check(fields: &str, text: &[u8], expect: Expect) {
    let mut reports = [1000, 1, 2, 3].map(|records_max| {
        let read = decode(Format::JsonLines, text, Some(&schema(fields)), records_max).unwrap();
        assert_eq!(read.bytes_read, text.len() as u64);
        let mut report = String::new();
        for batch in &read.batches {
            let columns = batch.columns();
            for row in 0..batch.rows() {
                let values = columns.iter().map(|column| {
                    weir_batch::arrow::util::display::array_value_to_string(column, row)
                        .unwrap()
                        .escape_debug()
                        .to_string()
                });
                report.push_str(&format!("{}\n", values.collect::<Vec<_>>().join(" ")));
            }
        }
        for bad in &read.bad {
            let bytes: String = String::from_utf8_lossy(&bad.bytes).chars().take(50).collect();
            let bytes = bytes.escape_debug();
            report.push_str(&format!("{} line {}: {}: {bytes}\n", bad.offset, bad.line.unwrap(), bad.message));
        }
        report
    });
    let first = std::mem::take(&mut reports[0]);
    for other in &reports[1..] {
        assert_eq!(*other, first);
    }
    expect.assert_eq(&first);
}

#[test]
fn integers_are_exact() {
    check(
        "i i64?, n i8?",
        br#"{"i":9007199254740993.0}
{"i":1e3,"n":1.27e2}
{"i":"9223372036854775807"}
{"i":-9223372036854775808.0}
{"i":1.5}
{"i":1.0000000000000001}
{"i":9223372036854775808}
{"i":1e999999999999}
{"n":128}
"#,
        expect![[r#"
            9007199254740993 
            1000 127
            9223372036854775807 
            -9223372036854775808 
            4 line 5: field `i`: `1.5` is not an i64: {\"i\":1.5}
            5 line 6: field `i`: `1.0000000000000001` is not an i64: {\"i\":1.0000000000000001}
            6 line 7: field `i`: `9223372036854775808` is not an i64: {\"i\":9223372036854775808}
            7 line 8: field `i`: `1e999999999999` is not an i64: {\"i\":1e999999999999}
            8 line 9: field `n`: `128` is not an i8: {\"n\":128}
        "#]],
    );
}

#[test]
fn doubles_are_finite_where_they_have_digits() {
    check(
        "f f64?",
        br#"{"f":1e308}
{"f":0.1}
{"f":"NaN"}
{"f":"-Infinity"}
{"f":1e-999}
{"f":1e999}
{"f":-1e999}
{"f":"1e999"}
{"f":true}
"#,
        expect![[r#"
            1e308
            0.1
            NaN
            -inf
            0.0
            5 line 6: field `f`: `1e999` is not an f64: {\"f\":1e999}
            6 line 7: field `f`: `-1e999` is not an f64: {\"f\":-1e999}
            7 line 8: field `f`: `1e999` is not an f64: {\"f\":\"1e999\"}
            8 line 9: field `f`: `true` is not an f64: {\"f\":true}
        "#]],
    );
}

#[test]
fn text_takes_numbers_and_truth_values_as_they_are_written() {
    check(
        "s utf8?",
        br#"{"s":"\ud834\udd1e \u0000 \"x\""}
{"s":1.50}
{"s":12345678901234567890}
{"s":true}
{"s":null}
{"s":[1]}
{"s":{}}
"#,
        expect![[r#"
            𝄞 \0 \"x\"
            1.50
            12345678901234567890
            true

            5 line 6: field `s`: a list is not a text: {\"s\":[1]}
            6 line 7: field `s`: an object is not a text: {\"s\":{}}
        "#]],
    );
}

#[test]
fn keys_stand_once_in_the_records_own_object() {
    check(
        "a i64?",
        br#"{"a":1,"b":{"c":1,"c":2},"c":3}
{"a":1,"b":2,"b":3}
{"a":1,"\u0061":2}
{"b":0,"a":1,"c":0}
{"b":0,"a":1,"b":0}
{"\u0061":7}
"#,
        expect![[r#"
            1
            1
            7
            1 line 2: key `b` stands twice in the record: {\"a\":1,\"b\":2,\"b\":3}
            2 line 3: key `a` stands twice in the record: {\"a\":1,\"\\u0061\":2}
            4 line 5: key `b` stands twice in the record: {\"b\":0,\"a\":1,\"b\":0}
        "#]],
    );
    // Many keys, in the order of the record before or not.
    let keys = |order: &dyn Fn(usize) -> usize| {
        let keys: Vec<String> = (0..100).map(|index| format!("\"k{}\":{index}", order(index))).collect();
        format!("{{{}}}\n", keys.join(","))
    };
    let text = [
        keys(&|index| index),
        keys(&|index| index),
        keys(&|index| 99 - index),
        keys(&|index| index % 99),
        keys(&|index| if index == 70 { 60 } else { index }),
        keys(&|index| index),
    ];
    let read = decode(Format::JsonLines, text.concat().as_bytes(), Some(&schema("k99 i64?")), 1000).unwrap();
    let bad: Vec<(i64, &str)> = read.bad.iter().map(|bad| (bad.offset, bad.message.as_str())).collect();
    assert_eq!(bad, [(3, "key `k0` stands twice in the record"), (4, "key `k60` stands twice in the record")]);
}

#[test]
fn text_that_is_no_unicode_is_refused_wherever_it_is() {
    check(
        "a utf8?",
        b"{\"a\":\"\xff\"}
{\"b\":\"\xc0\x80\"}
{\"b\":[\"\xed\xa0\x80\"]}
{\"\xf5\":1}
{\"a\":\"\\ud800\"}
{\"b\":\"\\udc00\"}
{\"b\":[{\"c\":\"\\ud800\\ud800\"}]}
{\"\\ud800\":1}
{\"a\":\"\xef\xbf\xbd\"}
",
        expect![[r#"
            �
            0 line 1: not UTF-8 from byte 7 on: {\"a\":\"�\"}
            1 line 2: not UTF-8 from byte 7 on: {\"b\":\"��\"}
            2 line 3: not UTF-8 from byte 8 on: {\"b\":[\"���\"]}
            3 line 4: not UTF-8 from byte 3 on: {\"�\":1}
            4 line 5: a lone surrogate is escaped at byte 7: it is no character: {\"a\":\"\\ud800\"}
            5 line 6: a lone surrogate is escaped at byte 7: it is no character: {\"b\":\"\\udc00\"}
            6 line 7: a lone surrogate is escaped at byte 13: it is no character: {\"b\":[{\"c\":\"\\ud800\\ud800\"}]}
            7 line 8: a lone surrogate is escaped at byte 3: it is no character: {\"\\ud800\":1}
        "#]],
    );
}

#[test]
fn a_record_that_is_nested_too_deep_is_a_bad_one() {
    let nested = |depth: usize| format!("{{\"name\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    let most = DEPTH_MAX as usize;
    let good = "{\"name\":\"good\"}".to_owned();
    let text = ["[".repeat(30_000), nested(most), nested(most + 1), nested(30_000), good].join("\n");
    for (fields, expected) in [("name utf8?", vec![0, 1, 2, 3]), ("other utf8?", vec![0, 2, 3])] {
        let read = decode(Format::JsonLines, text.as_bytes(), Some(&schema(fields)), 1000).unwrap();
        let bad: Vec<i64> = read.bad.iter().map(|bad| bad.offset).collect();
        assert_eq!(bad, expected);
        let too_deep = |offset: &&i64| {
            read.bad.iter().any(|bad| bad.offset == **offset && bad.message.starts_with("nested deeper than 128"))
        };
        assert_eq!(bad.iter().filter(too_deep).count(), 3);
    }
    let error = infer_schema(Format::JsonLines, file(text.as_bytes()), 4).unwrap_err().to_string();
    assert!(error.ends_with("`name`: it holds lists or objects"), "{error}");
}

#[test]
fn a_file_that_is_an_array() {
    let expected = || {
        expect![[r#"
        1
        2
        3
        2 line 1: field `a`: a list is not an i64: {\"a\":[{}]}
    "#]]
    };
    check("a i64?", b"[{\"a\":1},{\"a\":2},{\"a\":[{}]},{\"a\":3}]", expected());
    check(
        "a i64?",
        b"\xef\xbb\xbf [\n  {\"a\":1},\n  {\"a\":2},\n  {\"a\":[{}]},{\"a\":3}\n]\n\n",
        expect![[r#"
        1
        2
        3
        2 line 4: field `a`: a list is not an i64: {\"a\":[{}]}
    "#]],
    );
    check(
        "a i64?",
        b"[\n  {\n    \"a\": 1\n  },\n  {\n    \"b\": {\n    \"c\": [\n]\n}\n  }\n]\n",
        expect![[r#"
        1

    "#]],
    );
    check(
        "a i64?",
        b"[{\"a\":1}\n,{\"a\":2}\n]",
        expect![[r#"
        1
        2
    "#]],
    );
    check("a i64?", b"[]", expect![""]);
    check("a i64?", b"[\n]\n", expect![""]);
}

#[test]
fn an_array_with_faults() {
    check(
        "a i64?",
        b"[{\"a\":1},5,\"x,]\",{\"a\":01},[{\"a\":2}],{\"a\":3}]",
        expect![[r#"
        1
        3
        1 line 1: not an object: a record must be a JSON object: 5
        2 line 1: not an object: a record must be a JSON object: \"x,]\"
        3 line 1: not JSON: a number begins with `0` at byte 6: {\"a\":01}
        4 line 1: not an object: a record must be a JSON object: [{\"a\":2}]
    "#]],
    );
    check(
        "a i64?",
        b"[{\"a\":1},,{\"a\":2},]",
        expect![[r#"
        1
        2
        1 line 1: not JSON: an element of the file's array is missing here: ,
        3 line 1: not JSON: an element of the file's array is missing here: ]
    "#]],
    );
    check(
        "a i64?",
        b"[{\"a\":1} {\"a\":2},{\"a\":3}]",
        expect![[r#"
        1
        3
        1 line 1: not JSON: expected `,` or `]` behind the element before: {\"a\":2}
    "#]],
    );
    check(
        "a i64?",
        b"[\n{\"a\":1},\n{\"a\":2",
        expect![[r#"
        1
        1 line 3: not JSON: it ends at byte 6, where `,` or `}` was expected: {\"a\":2
    "#]],
    );
    check(
        "a i64?",
        b"[\n{\"a\":1},\n{\"a\":2}\n",
        expect![[r#"
        1
        2
        2 line 4: not JSON: the file ends before its array does: it may be cut off: 
    "#]],
    );
    check(
        "a i64?",
        b"[\n{\"a\":1}\n]\n{\"a\":2}\n]",
        expect![[r#"
        1
        1 line 4: not JSON: the file's array has ended before: {\"a\":2}
        2 line 5: not JSON: the file's array has ended before: ]
    "#]],
    );
    check(
        "a i64?",
        b"[\n  {\"a\": 1,\n   \"b\": \"no end\n  },\n  {\"a\": 2,\n  {\"a\": 3},\n  {\"a\": 4, \"b\": [1, 2},\n  {\"a\": 5}\n]\n",
        expect![[r#"
            3
            5
            0 line 2: not JSON: the control character 0x0a at byte 25 is not escaped: {\"a\": 1,\n   \"b\": \"no end\n  }
            1 line 5: not JSON: it ends at byte 8, where a key in double quotes was expected: {\"a\": 2,
            3 line 7: not JSON: expected `,` or `]` at byte 20, found `}`: {\"a\": 4, \"b\": [1, 2},
        "#]],
    );
}

#[test]
fn objects_over_several_lines() {
    check(
        "a i64?",
        b"{\n  \"a\": 1,\n  \"b\": {\n    \"c\": \"}\"\n  }\n}\n{\n  \"a\": 2\n}\n\n{\"a\":3} {\"a\":4}\n",
        expect![[r#"
            1
            2
            3
            4
        "#]],
    );
    check(
        "a i64?",
        b"{\n\"b\":\n{\n\"a\":9\n},\n\"a\":[\n{\n}\n]\n}\n{\"a\":\n2}\n",
        expect![[r#"
        2
        0 line 1: field `a`: a list is not an i64: {\n\"b\":\n{\n\"a\":9\n},\n\"a\":[\n{\n}\n]\n}
    "#]],
    );
    // Some that are not closed, or not JSON: the others are read.
    check(
        "a i64?",
        b"{\n  \"a\": 1\n}\n{\n  \"a\": 2\n{\n  \"a\": 3,\n}\n{\n  \"a\": \"no end\n}\nnoise\n}\n{\n  \"a\": 4\n}\n{\n  \"a\": 5",
        expect![[r#"
            1
            4
            1 line 4: not JSON: it ends at byte 10, where `,` or `}` was expected: {\n  \"a\": 2
            2 line 6: not JSON: expected a key in double quotes at byte 13, found `}`: {\n  \"a\": 3,\n}
            3 line 9: not JSON: the control character 0x0a at byte 17 is not escaped: {\n  \"a\": \"no end\n}
            4 line 12: not JSON: expected a value at byte 1, found `n`: noise
            5 line 13: not JSON: expected a value at byte 1, found `}`: }
            7 line 17: not JSON: it ends at byte 10, where `,` or `}` was expected: {\n  \"a\": 5
        "#]],
    );
}

#[test]
fn the_first_record_tells_how_the_others_are_cut() {
    // A first line that is broken is one bad record, however it looks.
    check(
        "a i64?",
        b"{\"a\":1,\n{\"a\":2}\n{\"a\":3}\n",
        expect![[r#"
        2
        3
        0 line 1: not JSON: it ends at byte 7, where a key in double quotes was expected: {\"a\":1,
    "#]],
    );
    check(
        "a i64?",
        b"{\"a\":\"x\n{\"a\":2}\n",
        expect![[r#"
        2
        0 line 1: not JSON: the text that begins at byte 6 has no end: {\"a\":\"x
    "#]],
    );
    check(
        "a i64?",
        b"{\"a\":1\n",
        expect![[r#"
        0 line 1: not JSON: it ends at byte 6, where `,` or `}` was expected: {\"a\":1
    "#]],
    );
    check(
        "a i64?",
        b"[1]\n{\"a\":2}\n",
        expect![[r#"
        2
        0 line 1: not an object: a record must be a JSON object: [1]
    "#]],
    );
    check(
        "a i64?",
        b"[\"x\n{\"a\":2}\n",
        expect![[r#"
        2
        0 line 1: not JSON: the text that begins at byte 2 has no end: [\"x
    "#]],
    );
    check(
        "a i64?",
        b"[1\n{\"a\":2}\n",
        expect![[r#"
        2
        0 line 1: not JSON: it ends at byte 2, where `,` or `]` was expected: [1
    "#]],
    );
    check(
        "a i64?",
        b"\n \n{\"a\":1} {\"a\":2}\n{\"a\":3}\n",
        expect![[r#"
        3
        0 line 3: not JSON: expected the end of the record at byte 9, found `{`: {\"a\":1} {\"a\":2}
    "#]],
    );
    check(
        "a i64?",
        b"\x0c\n{\"a\":3}\n",
        expect![[r#"
        3
        0 line 1: not JSON: expected a value at byte 1, found `\u{c}`: \u{c}
    "#]],
    );
}

#[test]
fn an_overlong_element_is_a_bad_record() {
    let long = "x".repeat(3 * 1024 * 1024);
    let texts = [
        format!("[{{\"a\":1}},{{\"a\":\"{long}\"}},{{\"a\":2}}]"),
        format!("[\n{{\"a\":1}},\n{{\"a\":\"{long}\"}},\n{{\"a\":2}}\n]"),
        format!("{{\n\"a\":1}}\n{{\"a\":\"{long}\"}}\n{{\"a\":2}}\n"),
        format!("{{\"a\":1}}\n{{\"a\":\"{long}\"}}\n{{\"a\":2}}\n"),
    ];
    for text in texts {
        let read = decode(Format::JsonLines, text.as_bytes(), Some(&schema("a i64?")), 1000).unwrap();
        let rows: Vec<i64> = read.rows().iter().map(|(offset, _)| *offset).collect();
        assert_eq!(rows, [0, 2]);
        assert_eq!((read.bad.len(), read.bad[0].offset, read.bad[0].bytes.len()), (1, 1, 1024 * 1024));
        assert!(
            read.bad[0].message.starts_with(&format!("the record is {} bytes", long.len() + 8)),
            "{}",
            read.bad[0].message
        );
        assert_eq!(read.bytes_read, text.len() as u64);
    }
}

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

#[test]
fn every_record_that_was_looked_at_reads_as_inferred() {
    let text = br#"{"big":9223372036854775808,"mixed":1,"exact":1,"inexact":9007199254740993,"flag":true,"either":true,"none":null,"bad-name ":1,"_x":1,"":2}
{"mixed":"x","exact":0.5,"inexact":0.5,"flag":false,"either":1,"nested":[1],"date":"2001-01-31"}
{"torn":1
{"twice":1,"twice":1}
"#;
    let inferred = infer(Format::JsonLines, file(text), 100).unwrap();
    expect![[r#"
        big utf8?, mixed utf8?, exact f64?, inexact utf8?, flag bool?, either utf8?, none utf8?, bad-name  i64?, date utf8?
        [
            LeftOut {
                name: "_x",
                reason: "`_x` cannot be a field's name: names that begin with `_` are the system's",
            },
            LeftOut {
                name: "",
                reason: "`` cannot be a field's name: it is empty",
            },
            LeftOut {
                name: "nested",
                reason: "it holds lists or objects",
            },
        ]"#]].assert_eq(&format!("{}\n{:#?}", inferred.schema, inferred.left_out));
    let read = decode(Format::JsonLines, text, Some(&std::sync::Arc::new(inferred.schema)), 100).unwrap();
    assert_eq!((read.rows().len(), read.bad.len()), (2, 2));
    let error = infer(Format::JsonLines, file(b"{\"a\":[1],\"_b\":1}"), 9).unwrap_err().to_string();
    expect!["no schema can be inferred from this json_lines file: none of its fields can be read: `a`: it holds lists or objects; `_b`: `_b` cannot be a field's name: names that begin with `_` are the system's"].assert_eq(&error);
}

#[test]
fn keys_behind_the_sample_are_reported() {
    let text = b"{\"a\":1,\"b\":[]}\n{\"a\":1,\"c\":{}}\n{\"a\":1,\"d\":1,\"d\":2}\n{\"b\":0,\"e\\n\":1,\"f\":1}\n{\"f\":1,\"g\":1}\n";
    for records_max in [1, 2, 100] {
        let mut decoder = open_decoder(Format::JsonLines, file(text), Some(&schema("a i64?")), records_max).unwrap();
        decoder.watch_new_keys(2);
        let mut found = Vec::new();
        while decoder.next().unwrap().is_some() {
            found.extend(decoder.take_new_keys().into_iter().map(|key| (key.offset, key.name)));
        }
        assert_eq!(found, [(3, "e\\n".to_owned()), (3, "f".to_owned()), (4, "g".to_owned())]);
    }
}

#[test]
fn files_of_another_kind_are_named() {
    let check = |format: Format, begin: &[u8], expect: Expect| {
        let text = [begin, b"and more, for sixteen bytes"].concat();
        let opened = decode(format, &text, Some(&schema("a i64?")), 10).map(|_| ()).unwrap_err().to_string();
        expect.assert_eq(&opened);
        assert_eq!(infer(format, file(&text), 10).unwrap_err().to_string(), opened);
    };
    check(
        Format::JsonLines,
        b"\x1f\x8b\x08",
        expect![
            "the file is compressed by gzip, and cannot be read as json_lines: unpack it first, for example with `gunzip`"
        ],
    );
    check(
        Format::Csv,
        b"\x28\xb5\x2f\xfd",
        expect![
            "the file is compressed by zstd, and cannot be read as csv: unpack it first, for example with `unzstd`"
        ],
    );
    check(
        Format::Parquet,
        b"\x1f\x8b\x08",
        expect![
            "the file is compressed by gzip, and cannot be read as parquet: unpack it first, for example with `gunzip`"
        ],
    );
    check(Format::Csv, b"\xff\xfea\0", expect!["the file is UTF-16, and cannot be read as csv: save it as UTF-8"]);
    check(
        Format::JsonLines,
        b"PAR1",
        expect!["the file is a Parquet file, and cannot be read as json_lines: set the format to `parquet`"],
    );
    check(
        Format::Csv,
        b"ARROW1",
        expect!["the file is an Arrow IPC file, and cannot be read as csv: set the format to `arrow_ipc`"],
    );
    check(
        Format::JsonLines,
        b"PK\x03\x04",
        expect![
            "the file is a zip archive, and cannot be read as json_lines: unpack it first, for example with `unzip`"
        ],
    );
}

/// The CPU time of this thread.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec.try_into().unwrap())
}

/// Eight times the size takes about eight times as long, by the best of some tries, and not sixty-four times.
fn assert_linear(what: &str, work: impl Fn(usize)) {
    let best = |size: usize| {
        let tries = (0..3).map(|_| {
            let before = cpu_time();
            work(size);
            cpu_time() - before
        });
        tries.min().unwrap().max(Duration::from_micros(50))
    };
    let (small, large) = (best(5_000), best(40_000));
    assert!(large < small * 24, "{what}: {small:?} became {large:?}");
}

#[test]
fn the_work_is_linear_in_the_text() {
    let many_keys = |keys: usize| {
        let keys: Vec<String> = (0..keys).map(|index| format!("\"key-{index}\":{index}")).collect();
        format!("{{{}}}\n{{}}\n", keys.join(","))
    };
    assert_linear("infer many keys", |size| {
        infer_schema(Format::JsonLines, file(many_keys(size).as_bytes()), 10).unwrap();
    });
    assert_linear("undeclared keys", |size| {
        decode(Format::JsonLines, many_keys(size).as_bytes(), Some(&schema("key-7 i64?")), 10).unwrap();
    });
    assert_linear("declared columns", |size| {
        let fields = (0..size).map(|index| weir_batch::Field::nullable(format!("key-{index}"), DataType::I64));
        let fields = std::sync::Arc::new(Schema::new(fields.collect()).unwrap());
        decode(Format::JsonLines, many_keys(size).as_bytes(), Some(&fields), 10).unwrap();
    });
    assert_linear("bad records", |size| {
        decode(Format::JsonLines, "{\"a\":}\n".repeat(size).as_bytes(), Some(&schema("a i64?")), 100_000).unwrap();
    });
    assert_linear("escapes", |size| {
        let text = format!("{{\"a\":\"{}\"}}\n", "\\n".repeat(size * 10));
        decode(Format::JsonLines, text.as_bytes(), Some(&schema("a utf8?")), 10).unwrap();
    });
    assert_linear("open brackets", |size| {
        let text = format!("{{\"a\":1}}\n{}", "{\n".repeat(size * 10));
        decode(Format::JsonLines, text.as_bytes(), Some(&schema("a utf8?")), 10_000).unwrap();
    });
    assert_linear("objects that are not closed", |size| {
        let text = format!("{{\n\"a\":1}}\n{}", "{\"a\":\n".repeat(size * 5));
        decode(Format::JsonLines, text.as_bytes(), Some(&schema("a utf8?")), 10_000).unwrap();
    });
    assert_linear("a long number", |size| {
        let text = format!("{{\"a\":{}e-{}}}\n", "1".repeat(size * 10), size * 10);
        decode(Format::JsonLines, text.as_bytes(), Some(&schema("a i64?")), 10).unwrap();
    });
}

/// Any JSON value, numbers of any size included.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
        "[0-9]{1,4}|20[0-9]{2}-0[1-9]-0[1-9].{0,3}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::hash_map(".{0,3}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_record() -> impl Strategy<Value = serde_json::Value> {
    let keys = proptest::sample::select(vec!["a", "b", "c\u{1}", "d\"", "é", "_f", ""]);
    proptest::collection::hash_map(keys, any_json(), 0..6).prop_map(|map| {
        serde_json::Value::Object(map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// However the same records stand in a file, they are the same; and what is inferred of them reads all of them.
    #[test]
    fn layouts_agree_and_what_is_inferred_reads(records in proptest::collection::vec(any_record(), 1..8), chunk in 1_usize..5) {
        let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
        let Ok(inferred) = infer(Format::JsonLines, file(lines.as_bytes()), 100) else {
            let nothing = records.iter().all(|record| {
                record.as_object().unwrap().iter().all(|(key, value)| {
                    key.is_empty() || key.starts_with('_') || key.contains('\u{1}') || value.is_object() || value.is_array()
                        || records.iter().any(|other| other.get(key).is_some_and(|other| other.is_object() || other.is_array()))
                })
            });
            prop_assert!(nothing, "{}", lines);
            return Ok(());
        };
        let schema = std::sync::Arc::new(inferred.schema);
        let expected = decode(Format::JsonLines, lines.as_bytes(), Some(&schema), chunk).unwrap();
        prop_assert_eq!(&expected.bad, &[]);
        prop_assert_eq!(expected.rows().len(), records.len());
        let array = serde_json::Value::Array(records.clone());
        let pretty = |value: &serde_json::Value| serde_json::to_string_pretty(value).unwrap();
        let objects: String = records.iter().map(|record| pretty(record) + "\n").collect();
        // Texts have no line ends of their own: those are escaped.
        let unindented = pretty(&array).split('\n').map(str::trim_start).collect::<Vec<_>>().join("\n");
        // The first record says how the others are cut.
        let several_lines = records[0].as_object().is_some_and(|record| !record.is_empty());
        let objects = if several_lines { objects } else { lines.clone() };
        for text in [array.to_string(), pretty(&array), unindented, objects] {
            let read = decode(Format::JsonLines, text.as_bytes(), Some(&schema), chunk).unwrap();
            prop_assert_eq!(&read.bad, &[], "{}", text);
            prop_assert_eq!(read.rows(), expected.rows(), "{}", text);
            prop_assert_eq!(read.bytes_read, text.len() as u64);
            let again = infer(Format::JsonLines, file(text.as_bytes()), 100).unwrap();
            prop_assert_eq!(&again.schema, &*schema);
        }
    }

    /// Noise in an array or among objects: no panic, no endless loop, and every byte is accounted for.
    #[test]
    fn noise_is_survived(text in r#"(\[|\{\n)?[\[\]{},:"\\ 1a\n]{0,40}"#, chunk in 1_usize..5) {
        let read = decode(Format::JsonLines, text.as_bytes(), Some(&schema("a i64?")), chunk).unwrap();
        prop_assert_eq!(read.bytes_read, text.len() as u64);
    }
}
