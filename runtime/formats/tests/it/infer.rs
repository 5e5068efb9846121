//! Schemas that files carry or let guess.

use expect_test::{Expect, expect};
use weir_formats::{Format, infer, infer_schema, open_decoder};

use crate::support::{decode, encode, file, schema};

fn check(format: Format, bytes: &[u8], rows_max: usize, expect: Expect) {
    expect.assert_eq(&match infer_schema(format, file(bytes), rows_max) {
        Ok(schema) => schema.to_string(),
        Err(error) => format!("error: {error}"),
    });
}

#[test]
fn json_lines() {
    let text =
        b"{\"i\":1,\"f\":1,\"s\":\"2001-01-01\",\"b\":true,\"n\":null}\nnot json\n\n{\"i\":2,\"f\":0.5,\"later\":1}\n";
    check(Format::JsonLines, text, 100, expect!["i i64?, f f64?, s utf8?, b bool?, n utf8?, later i64?"]);
    check(Format::JsonLines, text, 1, expect!["i i64?, f i64?, s utf8?, b bool?, n utf8?"]);
    check(
        Format::JsonLines,
        b"",
        1,
        expect!["error: cannot infer a schema from this json_lines file: it contains no JSON object"],
    );
    check(
        Format::JsonLines,
        b"[1]\n",
        1,
        expect!["error: cannot infer a schema from this json_lines file: it contains no JSON object"],
    );
    check(
        Format::JsonLines,
        b"{\"a\":[1]}",
        1,
        expect![
            "error: cannot infer a schema from this json_lines file: none of its fields can be read: `a`: it contains lists or objects"
        ],
    );
    check(Format::JsonLines, b"{\"a\":1}\n{\"a\":\"x\"}", 2, expect!["a utf8?"]);
    check(
        Format::JsonLines,
        b"{\"_a\":1}",
        2,
        expect![
            "error: cannot infer a schema from this json_lines file: none of its fields can be read: `_a`: invalid field name `_a`: names that begin with `_` are reserved"
        ],
    );
}

#[test]
fn csv() {
    let text = b"i,f,s,b,d,t,n\n1,1,x,true,2001-01-01,2001-01-01T00:00:00,\n2,0.5,\"y,\nz\",false,,,\n3\n";
    check(Format::Csv, text, 100, expect!["i i64?, f f64?, s utf8?, b bool?, d timestamp?, t timestamp?, n utf8?"]);
    check(Format::Csv, text, 1, expect!["i i64?, f i64?, s utf8?, b bool?, d timestamp?, t timestamp?, n utf8?"]);
    check(Format::Csv, b"a,b\n", 10, expect!["a utf8?, b utf8?"]);
    check(Format::Csv, b"", 10, expect!["error: cannot infer a schema from this csv file: it is empty"]);
    check(
        Format::Csv,
        b"a,a\n1,2\n",
        10,
        expect!["error: cannot infer a schema from this csv file: none of its columns has a valid field name"],
    );
}

#[test]
fn formats_that_carry_one() {
    let written = schema("b bool?, i i8, j i16, k i32, l i64?, f f64, s utf8?, x binary, t timestamp");
    for format in [Format::Parquet, Format::ArrowIpc, Format::Bincode] {
        let bytes = encode(format, &written, &[]).unwrap();
        assert_eq!(infer_schema(format, file(&bytes), 10).unwrap(), *written, "{format}");
        assert!(infer_schema(format, file(b"something else"), 10).is_err(), "{format}");
    }
}

#[test]
fn names_and_suffixes() {
    for format in Format::ALL {
        assert_eq!(format.name().parse::<Format>().unwrap(), format);
        assert_eq!(Format::from_suffix(format!("a.b/c.{}", format.suffix()).as_ref()), Some(format));
    }
    assert_eq!(Format::from_suffix("A.NDJSON".as_ref()), Some(Format::JsonLines));
    assert_eq!(Format::from_suffix("a.tsv".as_ref()), Some(Format::Csv));
    assert_eq!(Format::from_suffix("csv".as_ref()), None);
    let error = "xml".parse::<Format>().unwrap_err().to_string();
    assert_eq!(error, "unknown format `xml`: use one of json_lines, csv, parquet, arrow_ipc, bincode");
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
                reason: "invalid field name `_x`: names that begin with `_` are reserved",
            },
            LeftOut {
                name: "",
                reason: "invalid field name ``: it is empty",
            },
            LeftOut {
                name: "nested",
                reason: "it contains lists or objects",
            },
        ]"#]].assert_eq(&format!("{}\n{:#?}", inferred.schema, inferred.left_out));
    let read = decode(Format::JsonLines, text, Some(&std::sync::Arc::new(inferred.schema)), 100).unwrap();
    assert_eq!((read.rows().len(), read.bad.len()), (2, 2));
    let error = infer(Format::JsonLines, file(b"{\"a\":[1],\"_b\":1}"), 9).unwrap_err().to_string();
    expect!["cannot infer a schema from this json_lines file: none of its fields can be read: `a`: it contains lists or objects; `_b`: invalid field name `_b`: names that begin with `_` are reserved"].assert_eq(&error);
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
