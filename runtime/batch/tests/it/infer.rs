//! Schemas that files carry or let guess.

use expect_test::{Expect, expect};
use weir_batch::format::{Format, infer_schema};

use crate::support::{encode, file, schema};

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
        expect!["error: no schema can be inferred from this json_lines file: it holds no JSON object"],
    );
    check(
        Format::JsonLines,
        b"[1]\n",
        1,
        expect!["error: no schema can be inferred from this json_lines file: it holds no JSON object"],
    );
    check(
        Format::JsonLines,
        b"{\"a\":[1]}",
        1,
        expect![
            "error: no schema can be inferred from this json_lines file: none of its fields can be read: `a`: it holds lists or objects"
        ],
    );
    check(Format::JsonLines, b"{\"a\":1}\n{\"a\":\"x\"}", 2, expect!["a utf8?"]);
    check(
        Format::JsonLines,
        b"{\"_a\":1}",
        2,
        expect![
            "error: no schema can be inferred from this json_lines file: none of its fields can be read: `_a`: `_a` cannot be a field's name: names that begin with `_` are the system's"
        ],
    );
}

#[test]
fn csv() {
    let text = b"i,f,s,b,d,t,n\n1,1,x,true,2001-01-01,2001-01-01T00:00:00,\n2,0.5,\"y,\nz\",false,,,\n3\n";
    check(Format::Csv, text, 100, expect!["i i64?, f f64?, s utf8?, b bool?, d timestamp?, t timestamp?, n utf8?"]);
    check(Format::Csv, text, 1, expect!["i i64?, f i64?, s utf8?, b bool?, d timestamp?, t timestamp?, n utf8?"]);
    check(Format::Csv, b"a,b\n", 10, expect!["a utf8?, b utf8?"]);
    check(Format::Csv, b"", 10, expect!["error: no schema can be inferred from this csv file: it is empty"]);
    check(
        Format::Csv,
        b"a,a\n1,2\n",
        10,
        expect![
            "error: no schema can be inferred from this csv file: none of its columns has a name that a field may have"
        ],
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
    assert_eq!(error, "`xml` is not a format: use one of json_lines, csv, parquet, arrow_ipc, bincode");
}
