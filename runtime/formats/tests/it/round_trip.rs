//! What is written reads back.

use std::sync::Arc;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use weir_batch::arrow::array::{Array, AsArray, StringArray};
use weir_batch::{Batch, Schema};
use weir_formats::Format;

use crate::support::{any_batch, decode, encode, schema, texts};

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_value_of_every_type(one in any_batch(), two in any_batch(), records_max in 1_usize..50) {
        for format in Format::ALL {
            let bytes = encode(format, one.schema(), &[Arc::clone(&one), Arc::clone(&two)]).unwrap();
            let read = decode(format, &bytes, Some(one.schema()), records_max).unwrap();
            prop_assert_eq!(&read.bad, &[]);
            let expected: Vec<String> = [&one, &two].iter().flat_map(|batch| texts(batch)).collect();
            let found = read.rows();
            prop_assert_eq!(found.len(), expected.len(), "{}", format);
            for (row, (found, expected)) in found.into_iter().zip(expected).enumerate() {
                prop_assert_eq!(found, (row as i64, expected), "{}", format);
            }
            if matches!(format, Format::JsonLines | Format::Csv | Format::Bincode) {
                prop_assert_eq!(read.bytes_read, bytes.len() as u64, "{}", format);
            }
        }
    }
}

#[test]
fn a_file_that_carries_its_schema_needs_none() {
    let schema = schema("delay i64, origin utf8?");
    let batch = sample(&schema);
    for format in Format::ALL.into_iter().filter(|format| format.carries_schema()) {
        let bytes = encode(format, &schema, std::slice::from_ref(&batch)).unwrap();
        let read = decode(format, &bytes, None, 100).unwrap();
        assert_eq!(read.schema, schema, "{format}");
        assert_eq!(read.rows().len(), 3, "{format}");
    }
}

#[test]
fn only_declared_columns_are_read_in_the_declared_order() {
    let all = schema("delay i64, origin utf8?");
    for format in Format::ALL {
        let bytes = encode(format, &all, &[sample(&all)]).unwrap();
        let read = decode(format, &bytes, Some(&schema("origin utf8?")), 100).unwrap();
        assert_eq!(read.batches[0].columns().len(), 1, "{format}");
        let read = decode(format, &bytes, Some(&schema("origin utf8?, delay i64?")), 2).unwrap();
        assert_eq!(read.batches[0].column(0).as_string::<i32>().value(0), "SEA", "{format}");
        assert_eq!(read.rows().len(), 3, "{format}");
    }
}

#[test]
fn an_empty_file_is_no_records() {
    let schema = schema("delay i64, origin utf8?");
    for format in Format::ALL {
        let bytes = encode(format, &schema, &[]).unwrap();
        let read = decode(format, &bytes, Some(&schema), 100).unwrap();
        assert_eq!((read.rows().len(), read.bad.len()), (0, 0), "{format}");
    }
}

#[test]
fn a_batch_of_another_schema_is_refused() {
    let batch = sample(&schema("delay i64, origin utf8?"));
    for format in Format::ALL {
        let error = encode(format, &schema("delay i64"), &[Arc::clone(&batch)]).unwrap_err().to_string();
        assert_eq!(error, "a batch with the schema (delay i64, origin utf8?) was passed to an encoder for (delay i64)");
    }
}

fn sample(schema: &Arc<Schema>) -> Arc<Batch> {
    let delay = weir_batch::arrow::array::Int64Array::from(vec![61, -5, 0]);
    let origin = StringArray::from(vec![Some("SEA"), None, Some("with \"quotes\", and\nlines")]);
    assert_eq!(origin.null_count(), 1);
    Arc::new(Batch::new(Arc::clone(schema), vec![Arc::new(delay), Arc::new(origin)]).unwrap())
}

fn check_text(format: Format, expect: Expect) {
    let bytes = decode(
        Format::JsonLines,
        br#"{"b":true,"i":-1,"f":0.1,"s":"a\"b, c\n\u001b","x":"00ff","t":"2001-02-03T04:05:06.5+01:00"}
{"b":null,"i":9223372036854775807,"f":1e300,"s":"","x":"","t":-1}
{"i":-9223372036854775808,"f":"NaN","t":"10000-01-01"}
{"i":1,"f":"-Infinity","t":253402300800000000}
"#,
        Some(&schema("b bool?, i i64, f f64, s utf8?, x binary?, t timestamp?")),
        100,
    );
    let read = bytes.unwrap();
    let batches: Vec<_> = read.batches.into_iter().map(Arc::new).collect();
    let text = String::from_utf8(encode(format, &read.schema, &batches).unwrap()).unwrap();
    expect.assert_eq(&text);
    assert_eq!(read.bad.len(), 1, "a year of five digits is not RFC 3339: {:?}", read.bad);
}

#[test]
fn json_lines_look_like_this() {
    check_text(
        Format::JsonLines,
        expect![[r#"
        {"b":true,"i":-1,"f":0.1,"s":"a\"b, c\n\u001b","x":"00ff","t":"2001-02-03T03:05:06.500000Z"}
        {"b":null,"i":9223372036854775807,"f":1e300,"s":"","x":"","t":"1969-12-31T23:59:59.999999Z"}
        {"b":null,"i":1,"f":"-Infinity","s":null,"x":null,"t":253402300800000000}
    "#]],
    );
}

#[test]
fn csv_looks_like_this() {
    check_text(
        Format::Csv,
        expect![[r#"
            b,i,f,s,x,t
            true,-1,0.1,"a""b, c
            ",00ff,2001-02-03T03:05:06.500000Z
            ,9223372036854775807,1e300,"","",1969-12-31T23:59:59.999999Z
            ,1,-inf,,,253402300800000000
        "#]],
    );
}
