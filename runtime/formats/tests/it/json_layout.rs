//! The layouts of JSON records in a file: one a line, over several lines, or in an array.

use expect_test::expect;
use proptest::prelude::*;
use weir_formats::{Fill, Format, infer, open_decoder};

use crate::json::check;
use crate::support::{decode, drain, file, schema};

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
        3 line 1: not JSON: the number at byte 6 has a leading zero: {\"a\":01}
        4 line 1: not an object: a record must be a JSON object: [{\"a\":2}]
    "#]],
    );
    check(
        "a i64?",
        b"[{\"a\":1},,{\"a\":2},]",
        expect![[r#"
        1
        2
        1 line 1: not JSON: an element of the array is missing here: ,
        3 line 1: not JSON: an element of the array is missing here: ]
    "#]],
    );
    check(
        "a i64?",
        b"[{\"a\":1} {\"a\":2},{\"a\":3}]",
        expect![[r#"
        1
        3
        1 line 1: not JSON: expected `,` or `]` after the previous element: {\"a\":2}
    "#]],
    );
    check(
        "a i64?",
        b"[\n{\"a\":1},\n{\"a\":2",
        expect![[r#"
        1
        1 line 3: not JSON: it ends at byte 6, expected `,` or `}`: {\"a\":2
    "#]],
    );
    check(
        "a i64?",
        b"[\n{\"a\":1},\n{\"a\":2}\n",
        expect![[r#"
        1
        2
        2 line 4: not JSON: the file ends before its array is closed; it may be truncated: 
    "#]],
    );
    check(
        "a i64?",
        b"[\n{\"a\":1}\n]\n{\"a\":2}\n]",
        expect![[r#"
        1
        1 line 4: not JSON: data after the end of the array: {\"a\":2}
        2 line 5: not JSON: data after the end of the array: ]
    "#]],
    );
    check(
        "a i64?",
        b"[\n  {\"a\": 1,\n   \"b\": \"no end\n  },\n  {\"a\": 2,\n  {\"a\": 3},\n  {\"a\": 4, \"b\": [1, 2},\n  {\"a\": 5}\n]\n",
        expect![[r#"
            3
            5
            0 line 2: not JSON: the control character 0x0a at byte 25 is not escaped: {\"a\": 1,\n   \"b\": \"no end\n  }
            1 line 5: not JSON: it ends at byte 8, expected a key in double quotes: {\"a\": 2,
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
            1 line 4: not JSON: it ends at byte 10, expected `,` or `}`: {\n  \"a\": 2
            2 line 6: not JSON: expected a key in double quotes at byte 13, found `}`: {\n  \"a\": 3,\n}
            3 line 9: not JSON: the control character 0x0a at byte 17 is not escaped: {\n  \"a\": \"no end\n}
            4 line 12: not JSON: expected a value at byte 1, found `n`: noise
            5 line 13: not JSON: expected a value at byte 1, found `}`: }
            7 line 17: not JSON: it ends at byte 10, expected `,` or `}`: {\n  \"a\": 5
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
        0 line 1: not JSON: it ends at byte 7, expected a key in double quotes: {\"a\":1,
    "#]],
    );
    check(
        "a i64?",
        b"{\"a\":\"x\n{\"a\":2}\n",
        expect![[r#"
        2
        0 line 1: not JSON: the text that begins at byte 6 is not closed: {\"a\":\"x
    "#]],
    );
    check(
        "a i64?",
        b"{\"a\":1\n",
        expect![[r#"
        0 line 1: not JSON: it ends at byte 6, expected `,` or `}`: {\"a\":1
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
        0 line 1: not JSON: the text that begins at byte 2 is not closed: [\"x
    "#]],
    );
    check(
        "a i64?",
        b"[1\n{\"a\":2}\n",
        expect![[r#"
        2
        0 line 1: not JSON: it ends at byte 2, expected `,` or `]`: [1
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
        let fill = Fill::from(1000).with(|it| it.record_bytes_max = 1024 * 1024);
        let decoder = open_decoder(Format::JsonLines, file(text.as_bytes()), Some(&schema("a i64?")), fill).unwrap();
        let read = drain(decoder, 1000).unwrap();
        let rows: Vec<i64> = read.rows().iter().map(|(offset, _)| *offset).collect();
        assert_eq!(rows, [0, 2]);
        assert_eq!((read.bad.len(), read.bad[0].offset, read.bad[0].bytes.len()), (1, 1, 1024 * 1024));
        assert!(
            read.bad[0].message.starts_with(&format!("the record has {} bytes", long.len() + 8)),
            "{}",
            read.bad[0].message
        );
        assert_eq!(read.bytes_read, text.len() as u64);
    }
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

    /// Every layout of the same records gives the same records, and the inferred schema reads all of them.
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
