//! What values of JSON read as, and what they are refused for.

use expect_test::{Expect, expect};
use weir_formats::{DEPTH_MAX, Format, infer_schema};

use crate::support::{decode, file, schema};

/// The records of a file as text, then one line a bad record. However it is cut into chunks, they are the same.
pub(crate) fn check(fields: &str, text: &[u8], expect: Expect) {
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
            1 line 2: key `b` occurs twice in the record: {\"a\":1,\"b\":2,\"b\":3}
            2 line 3: key `a` occurs twice in the record: {\"a\":1,\"\\u0061\":2}
            4 line 5: key `b` occurs twice in the record: {\"b\":0,\"a\":1,\"b\":0}
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
    assert_eq!(bad, [(3, "key `k0` occurs twice in the record"), (4, "key `k60` occurs twice in the record")]);
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
            4 line 5: the escape at byte 7 is a lone surrogate, which is not a character: {\"a\":\"\\ud800\"}
            5 line 6: the escape at byte 7 is a lone surrogate, which is not a character: {\"b\":\"\\udc00\"}
            6 line 7: the escape at byte 13 is a lone surrogate, which is not a character: {\"b\":[{\"c\":\"\\ud800\\ud800\"}]}
            7 line 8: the escape at byte 3 is a lone surrogate, which is not a character: {\"\\ud800\":1}
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
    assert!(error.ends_with("`name`: it contains lists or objects"), "{error}");
}
