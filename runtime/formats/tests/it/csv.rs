//! The grammar of CSV and its options, the same for files and for records.

use std::sync::Arc;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use weir_batch::arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Float64Array, Int64Array, StringArray};
use weir_batch::{Batch, Schema};
use weir_formats::{
    CsvOptions, FormatError, RecordDecoder, RecordEncoder, csv_header, infer_csv, open_csv_decoder, open_csv_encoder,
};

use crate::support::{Read, Shared, drain, file, schema, texts};

fn read(options: &CsvOptions, text: &[u8], schema: &Arc<Schema>, records_max: usize) -> Result<Read, FormatError> {
    drain(open_csv_decoder(file(text), schema, records_max, options)?, records_max)
}

/// A row's values: text in marks, so that an empty one differs from a null.
fn row(batch: &Batch, row: usize) -> String {
    let value = |column: &ArrayRef| match column.as_string_opt::<i32>() {
        _ if column.is_null(row) => "null".to_owned(),
        Some(texts) => format!("<{}>", texts.value(row).escape_debug()),
        None => format!("{}", column.as_primitive::<weir_batch::arrow::datatypes::Int64Type>().value(row)),
    };
    batch.columns().iter().map(value).collect::<Vec<_>>().join(" ")
}

/// Every record by its number: its values, or its line, bytes and fault.
fn report(read: &Read) -> String {
    let mut lines: Vec<(i64, String)> = Vec::new();
    for batch in &read.batches {
        let offsets = batch.system().offset.as_ref().unwrap();
        lines.extend(offsets.values().iter().enumerate().map(|(index, &offset)| (offset, row(batch, index))));
    }
    for bad in &read.bad {
        let bytes: String = String::from_utf8_lossy(&bad.bytes).escape_debug().collect();
        lines.push((bad.offset, format!("line {}: `{bytes}`: {}", bad.line.unwrap(), bad.message)));
    }
    lines.sort();
    let numbers: Vec<i64> = lines.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (0..lines.len() as i64).collect::<Vec<_>>(), "every record has a number of its own");
    lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
}

fn check_options(options: &CsvOptions, text: &str, fields: &str, expect: Expect) {
    let schema = schema(fields);
    let found = match read(options, text.as_bytes(), &schema, 1000) {
        Ok(whole) => {
            for records_max in [1, 2] {
                let again = read(options, text.as_bytes(), &schema, records_max).unwrap();
                assert_eq!(report(&again), report(&whole), "{text:?}");
                assert_eq!(again.bytes_read, text.len() as u64, "{text:?}");
            }
            report(&whole)
        }
        Err(error) => format!("error: {error}"),
    };
    expect.assert_eq(&found);
}

fn check(text: &str, expect: Expect) {
    check_options(&CsvOptions::default(), text, "n i64?, m utf8?", expect);
}

#[test]
fn a_line_that_breaks_the_grammar_is_one_bad_record() {
    check(
        "n,m\n1,\"oops\n2,ok\n3,\"fine\"\n",
        expect![[r#"
            line 2: `1,\"oops`: a quote opens on this line and closes 2 lines later, where text follows it
            2 <ok>
            3 <fine>"#]],
    );
    check(
        "n,m\n1,\"a\"b\n2,\"a\" \n3,a\"b\"\n4, \"b\"\n5,\"a\"\"b\"\"\"\n6,ok\n",
        expect![[r#"
            line 2: `1,\"a\"b`: text follows a closing quote: write a quote inside quotes twice
            line 3: `2,\"a\" `: text follows a closing quote: write a quote inside quotes twice
            line 4: `3,a\"b\"`: a quote inside an unquoted field: put the field in quotes, and write the quote twice
            line 5: `4, \"b\"`: a quote inside an unquoted field: put the field in quotes, and write the quote twice
            5 <a\"b\">
            6 <ok>"#]],
    );
    check(
        "n,m\n1,\"two\nlines\"\n2,\"open\n3,ok\n4,\"x\ny\"\n",
        expect![[r#"
            1 <two\nlines>
            line 4: `2,\"open`: a quote opens on this line and closes 2 lines later, where text follows it
            3 <ok>
            4 <x\ny>"#]],
    );
    check(
        "n,m\n1,ok\n2,\"never closed\n3,ok\n4,ok",
        expect![[r#"
            1 <ok>
            line 3: `2,\"never closed`: a quote opens on this line and is never closed
            3 <ok>
            4 <ok>"#]],
    );
}

#[test]
fn line_ends() {
    // CRLF, LF and a last line without any; a carriage return in quotes is text, and one alone is not an end.
    check(
        "n,m\r\n1,a\r\n2,\"b\r\nc\"\r\n\r\n3,\"d\re\"\n4,f\rg\n5,h\r\r\n6,i",
        expect![[r#"
            1 <a>
            2 <b\r\nc>
            3 <d\re>
            line 7: `4,f\rg`: a carriage return without a newline outside quotes
            line 8: `5,h\r`: a carriage return without a newline outside quotes
            6 <i>"#]],
    );
    check(
        "n,m\r\n1,a\r\n2,b\r",
        expect![[r#"
        1 <a>
        line 3: `2,b\r`: a carriage return without a newline outside quotes"#]],
    );
    check("n,m\r1,a\r2,b\r", expect!["error: invalid header row: a carriage return without a newline outside quotes"]);
    check("n,m\r\r\n1,a\n", expect!["error: invalid header row: a carriage return without a newline outside quotes"]);
}

#[test]
fn what_else_a_record_may_hold() {
    check(
        "\u{feff}n,m\n1,\0\n2,\"\0\"\n3,\u{feff}\n4\n5,a,b\n6,\n7,\"\"\n,\n\"\",x\n61.0,x\n6.1e1,x\n61.5,x\n9007199254740993.0,x\n",
        expect![[r#"
            1 <\0>
            2 <\0>
            3 <\u{feff}>
            line 5: `4`: found 1 fields, but the header has 2
            line 6: `5,a,b`: found 3 fields, but the header has 2
            6 null
            7 <>
            null null
            null <x>
            61 <x>
            61 <x>
            line 13: `61.5,x`: field `n`: `61.5` is not an i64
            9007199254740993 <x>"#]],
    );
    let utf16: Vec<u8> = "\u{feff}n,m\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let error = read(&CsvOptions::default(), &utf16, &schema("n i64"), 10).map(drop).unwrap_err().to_string();
    assert_eq!(error, "the file is UTF-16 and cannot be read as csv: save it as UTF-8");
}

#[test]
fn a_file_without_records_is_empty() {
    for text in ["", "\u{feff}", "\n\r\n\n", "\u{feff}\n", "n,m", "n,m\n", "\u{feff}n,m\r\n\n", "\n\nm,n\n\n"] {
        check(text, expect![""]);
        for records_max in [1, 10] {
            let read = read(&CsvOptions::default(), text.as_bytes(), &schema("n i64"), records_max).unwrap();
            assert_eq!(read.bytes_read, text.len() as u64, "{text:?}");
        }
    }
    let inferred = infer_csv(file(b"\xef\xbb\xbf\n"), 10, &CsvOptions::default()).unwrap_err().to_string();
    assert_eq!(inferred, "cannot infer a schema from this csv file: it is empty");
}

#[test]
fn columns_that_are_not_declared_are_not_looked_at() {
    let text = "n,,_x,a\u{7},twice,twice,\"with\nline\",m\n1,\u{7},,,x,y,z,b\n2,\"\",,,,,,c\n";
    check(text, expect!["1 <b>\n2 <c>"]);
    let schema = schema("n i64, m utf8");
    let mut bytes = text.as_bytes().to_vec();
    bytes.extend(b"3,\xff,\xff,,,,,d\n");
    assert_eq!(read(&CsvOptions::default(), &bytes, &schema, 10).unwrap().rows().len(), 3);
    check_options(
        &CsvOptions::default(),
        text,
        "twice utf8",
        expect!["error: invalid header row: it contains `twice` twice"],
    );
    check_options(
        &CsvOptions::default(),
        text,
        "k utf8",
        expect![[r#"error: the file has no field `k`; its fields are n, , _x, a\u{7}, twice, twice, with\nline, m"#]],
    );
    let header = csv_header(file(text.as_bytes()), &CsvOptions::default()).unwrap().unwrap();
    assert_eq!(header, ["n", "", "_x", "a\u{7}", "twice", "twice", "with\nline", "m"]);
    assert_eq!(csv_header(file(b"\n"), &CsvOptions::default()).unwrap(), None);
}

/// A header of very many names costs what it is long, and its message is short.
#[test]
fn a_header_of_very_many_names() {
    let text = format!("n,{}m\n", "x,".repeat(300_000));
    let error = read(&CsvOptions::default(), text.as_bytes(), &schema("k utf8"), 10).map(drop).unwrap_err().to_string();
    assert!(error.ends_with("x, x, x and 299972 more"), "{error}");
    let read = read(&CsvOptions::default(), text.as_bytes(), &schema("n i64, m utf8"), 10).unwrap();
    assert_eq!((read.rows().len(), read.bad.len()), (0, 0));
}

#[test]
fn options_of_files() {
    let default = CsvOptions::default;
    check_options(
        &default().with(|it| {
            it.delimiter = b';';
            it.quote = Some(b'\'');
        }),
        "n;m\n1;a,\"b\n2;'c;''d'\n3;'e'f\n",
        "n i64, m utf8",
        expect![[r#"
            1 <a,\"b>
            2 <c;\'d>
            line 4: `3;\'e\'f`: text follows a closing quote: write a quote inside quotes twice"#]],
    );
    check_options(
        &default().with(|it| {
            it.delimiter = b'\t';
            it.quote = None;
        }),
        "n\tm\n1\t5\" pipe\n2\t\"\n3\t\n",
        "n i64, m utf8?",
        expect![[r#"
            1 <5\" pipe>
            2 <\">
            3 null"#]],
    );
    check_options(
        &default().with(|it| it.header = false),
        "\u{feff}1,a\n2,b,c\n\n3,d\n",
        "n i64, m utf8?",
        expect![[r#"
            1 <a>
            line 2: `2,b,c`: found 3 fields, but the schema has 2
            3 <d>"#]],
    );
    check_options(
        &default().with(|it| it.comment = Some(b'#')),
        "# \"made by hand\n#\nn,m\n#,\n1,#a\n#2,b\n3,\"\n#c\"\n\"#\",x\n",
        "n utf8, m utf8?",
        expect![[r##"
            <1> <#a>
            <3> <\n#c>
            <#> <x>"##]],
    );
    let nulls = default().with(|it| it.nulls = ["", "NULL", "\\N"].map(str::to_owned).to_vec());
    check_options(
        &nulls,
        "n,m\n1,NULL\nNULL,\\N\n\\N,\n,\"NULL\"\n\"NULL\",a\n\"\",\"\"\n",
        "n i64?, m utf8?",
        expect![[r#"
            1 null
            null null
            null null
            null <NULL>
            line 6: `\"NULL\",a`: field `n`: `NULL` is not an i64
            null <>"#]],
    );
    check_options(
        &nulls,
        "n,m\n1,NULL\n2,\n3,\"\"\n4,\"NULL\"\nNULL,a\n,b\n",
        "n i64, m utf8",
        expect![[r#"
            line 2: `1,NULL`: field `m`: it is null (`NULL`), but the field is not nullable
            2 <>
            3 <>
            4 <NULL>
            line 6: `NULL,a`: field `n`: it is null (`NULL`), but the field is not nullable
            line 7: `,b`: field `n`: it is empty, but the field is not nullable"#]],
    );
    check_options(
        &default().with(|it| it.nulls = vec!["-".to_owned()]),
        "n,m\n-,-\n1,\n,a\n",
        "n i64?, m utf8?",
        expect![[r#"
            null null
            1 <>
            line 4: `,a`: field `n`: it is empty, but `nulls` does not contain the empty text"#]],
    );
    check_options(
        &default().with(|it| it.delimiter = b'"'),
        "n\n",
        "n i64",
        expect![[r#"error: quote: `"` is also the delimiter"#]],
    );
}

/// With one column that admits nulls, a blank line is a null; else it is no record.
#[test]
fn one_column() {
    check_options(
        &CsvOptions::default(),
        "\n\nm\na\n\n\"\"\nb\n\n",
        "m utf8?",
        expect![[r#"
            <a>
            null
            <>
            <b>
            null"#]],
    );
    check_options(&CsvOptions::default(), "m\na\n\n\"\"\nb\n\n", "m utf8", expect!["<a>\n<>\n<b>"]);
    check_options(
        &CsvOptions::default().with(|it| it.nulls = vec!["-".to_owned()]),
        "m\na\n\n-\n",
        "m utf8?",
        expect!["<a>\nnull"],
    );
}

fn check_records(values: &[&str], header: Option<&[&str]>, fields: &str, expect: Expect) {
    let header: Option<Vec<String>> = header.map(|names| names.iter().map(|&name| name.to_owned()).collect());
    let decoder = RecordDecoder::csv(schema(fields), &CsvOptions::default(), header.as_deref()).unwrap();
    let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
    let decoded = decoder.decode(&BinaryArray::from_vec(values.clone())).unwrap();
    assert_eq!(decoded.batch.rows() + decoded.bad.len(), values.len());
    let mut rows = 0..decoded.batch.rows();
    let mut lines = Vec::new();
    for number in 0..values.len() {
        lines.push(match decoded.bad.iter().find(|(row, _)| *row == number) {
            Some((_, message)) => format!("bad: {message}"),
            None => row(&decoded.batch, rows.next().unwrap()),
        });
    }
    expect.assert_eq(&lines.join("\n"));
}

/// One value is one record: not none, not several, no header, no comment.
#[test]
fn records() {
    check_records(
        &[
            "1,a",
            "1,a\r\n",
            "1,a\n",
            "1,a\r",
            "1,\"a\nb\"",
            "",
            "\n",
            "1,a\n2,b",
            "1,a\n\n",
            "\n1,a",
            "n,m",
            "#1,a",
            "\u{feff}1,a",
            "1,\"oops",
            "1,\"a\"b",
            "1,a\"b",
            "1,a\rb",
            "1",
            "1,a,b",
            ",",
        ],
        None,
        "n i64?, m utf8?",
        expect![[r#"
            1 <a>
            1 <a>
            1 <a>
            bad: a carriage return without a newline outside quotes
            1 <a\nb>
            bad: found 1 fields, but the schema has 2
            bad: found 1 fields, but the schema has 2
            bad: the value must be one CSV record, but contains more
            bad: the value must be one CSV record, but contains more
            bad: the value must be one CSV record, but contains more
            bad: field `n`: `n` is not an i64
            bad: field `n`: `#1` is not an i64
            bad: field `n`: `\u{feff}1` is not an i64
            bad: a quote opens on this line and is never closed
            bad: text follows a closing quote: write a quote inside quotes twice
            bad: a quote inside an unquoted field: put the field in quotes, and write the quote twice
            bad: a carriage return without a newline outside quotes
            bad: found 1 fields, but the schema has 2
            bad: found 3 fields, but the schema has 2
            null null"#]],
    );
    check_records(&["", "\"\"", "\n", "a"], None, "m utf8?", expect!["null\n<>\nnull\n<a>"]);
    check_records(&["a,b,\"\"\"\",d"], Some(&["x", "n", "_", "_"]), "n utf8", expect!["<b>"]);
}

/// What breaks a record in a file breaks it alone, and the other way about.
fn agree(text: &str) {
    let schema = schema("n utf8?, m utf8?");
    let options = CsvOptions::default().with(|it| it.header = false);
    let read = read(&options, text.as_bytes(), &schema, 1000).unwrap();
    let decoder = RecordDecoder::csv(Arc::clone(&schema), &options, None).unwrap();
    for bad in &read.bad {
        let decoded = decoder.decode(&BinaryArray::from_vec(vec![&bad.bytes])).unwrap();
        assert_eq!(decoded.bad.len(), 1, "{text:?}: {bad:?}");
    }
    if let [batch] = &*read.batches
        && read.bad.is_empty()
    {
        let mut encoder = RecordEncoder::csv(&schema, &options).unwrap();
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        encoder.encode(batch, &mut bytes, &mut ends).unwrap();
        let mut begin = 0;
        let values: Vec<&[u8]> = ends.iter().map(|&end| &bytes[std::mem::replace(&mut begin, end)..end]).collect();
        let decoded = decoder.decode(&BinaryArray::from_vec(values)).unwrap();
        assert_eq!(decoded.bad, []);
        assert_eq!(texts(&decoded.batch), texts(batch));
    }
}

/// What is well-formed is read as the csv crate reads it; what is not is bad here.
fn differs_from_the_csv_crate(text: &str) {
    let options = CsvOptions::default().with(|it| {
        it.header = false;
        it.nulls = vec![];
    });
    let read = read(&options, text.as_bytes(), &schema("n utf8, m utf8"), 1000).unwrap();
    if !read.bad.is_empty() {
        return;
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let theirs: Vec<Vec<String>> =
        reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
    let mut ours: Vec<Vec<String>> = Vec::new();
    for batch in &read.batches {
        let columns: Vec<_> = batch.columns().iter().map(|column| column.as_string::<i32>()).collect();
        ours.extend((0..batch.rows()).map(|row| columns.iter().map(|column| column.value(row).to_owned()).collect()));
    }
    assert_eq!(ours, theirs, "{text:?}");
}

fn any_options() -> impl Strategy<Value = CsvOptions> {
    let byte = || {
        prop_oneof![
            Just(b','),
            Just(b';'),
            Just(b'\t'),
            Just(b'"'),
            Just(b'\''),
            Just(b'#'),
            Just(b'a'),
            Just(b'1'),
            Just(b'-')
        ]
    };
    let null = prop_oneof![Just(""), Just("NULL"), Just("\\N"), Just("1"), Just("a"), Just("#"), Just(" ")];
    (
        byte(),
        proptest::option::of(byte()),
        any::<bool>(),
        proptest::collection::vec(null, 1..4),
        proptest::option::of(byte()),
    )
        .prop_map(|(delimiter, quote, header, nulls, comment)| {
            let mut options = CsvOptions::default();
            options.delimiter = delimiter;
            options.quote = quote;
            options.header = header;
            options.nulls = nulls.into_iter().map(str::to_owned).collect();
            options.comment = comment;
            options
        })
        .prop_filter("options that can be", |options| options.validate().is_ok())
}

fn any_text() -> impl Strategy<Value = Option<String>> {
    let hostile = "[a1 ,;\t\"'#\\\\N\n\r\0\u{feff}-]{0,5}";
    proptest::option::weighted(0.8, prop_oneof![hostile, Just("NULL".to_owned()), Just(String::new()), any::<String>()])
}

proptest! {
    /// With the same options everything that is written is read as it was, or is refused.
    #[test]
    fn what_is_written_is_read(
        options in any_options(),
        columns in prop_oneof![Just("m utf8?"), Just("m utf8?, o utf8"), Just("n i64?, m utf8?, o utf8, f f64?")],
        rows in proptest::collection::vec((any_text(), any_text(), proptest::option::of(any::<i64>()), proptest::option::of(any::<f64>())), 1..6),
        records_max in 1_usize..4,
    ) {
        let schema = schema(columns);
        let column = |name: &str| -> ArrayRef {
            match name {
                "m" => Arc::new(rows.iter().map(|row| row.0.clone()).collect::<StringArray>()),
                "o" => Arc::new(rows.iter().map(|row| Some(row.1.clone().unwrap_or_default())).collect::<StringArray>()),
                "n" => Arc::new(rows.iter().map(|row| row.2).collect::<Int64Array>()),
                _ => Arc::new(rows.iter().map(|row| row.3).collect::<Float64Array>()),
            }
        };
        let arrays = schema.fields().iter().map(|field| column(&field.name)).collect();
        let batch = Arc::new(Batch::new(Arc::clone(&schema), arrays).unwrap());
        let shared = Shared::default();
        let written = open_csv_encoder(&schema, shared.clone(), &options).and_then(|mut encoder| {
            encoder.write(&batch)?;
            encoder.finish()
        });
        match written {
            Ok(()) => {
                let bytes = shared.0.lock().unwrap().clone();
                let read = read(&options, &bytes, &schema, records_max).unwrap();
                prop_assert_eq!(&read.bad, &[], "{:?} {:?}", options, String::from_utf8_lossy(&bytes));
                let found: Vec<String> = read.rows().into_iter().map(|(_, text)| text).collect();
                prop_assert_eq!(found, texts(&batch), "{:?} {:?}", options, String::from_utf8_lossy(&bytes));
                prop_assert_eq!(read.bytes_read, bytes.len() as u64);
            }
            Err(error) => {
                prop_assert!(options.quote.is_none(), "{}", error);
                prop_assert!(error.to_string().ends_with("cannot be written without quotes"), "{}", error);
            }
        }
    }

    #[test]
    fn files_and_records_agree(text in "[ab,\"\n\r]{0,40}") {
        agree(&text);
        differs_from_the_csv_crate(&text);
    }
}

#[test]
fn inference_proposes_what_the_decoder_takes() {
    let check = |values: &[&str], expect: &str| {
        let text = format!("c,other\n{}", values.iter().map(|value| format!("{value},\n")).collect::<String>());
        let inferred = infer_csv(file(text.as_bytes()), 1000, &CsvOptions::default()).unwrap().schema;
        assert_eq!(inferred.fields()[0].data_type.to_string(), expect, "{values:?}");
        let read = read(&CsvOptions::default(), text.as_bytes(), &Arc::new(inferred), 1000).unwrap();
        assert_eq!(read.bad, [], "{values:?}");
    };
    check(&["1", "-2", "", "0"], "i64");
    check(&["9223372036854775807", "-9223372036854775808"], "i64");
    check(&["9223372036854775808"], "utf8");
    check(&["01", "2"], "utf8");
    check(&["-01"], "utf8");
    check(&["+1"], "utf8");
    check(&["1", "0.5"], "f64");
    check(&["9007199254740992", "0.5"], "f64");
    check(&["9007199254740993", "0.5"], "utf8");
    check(&["9007199254740993", "1"], "i64");
    check(&["1.0", "2"], "f64");
    check(&["007.5"], "utf8");
    check(&["1e3", "-1E-7"], "f64");
    check(&["1e999"], "utf8");
    check(&["1", "NaN", "-inf"], "f64");
    check(&["NaN", "nan"], "utf8");
    check(&["Inf"], "utf8");
    check(&["true", "FALSE", ""], "bool");
    check(&["true", "1"], "utf8");
    check(&["2001-01-01", "2001-01-01T00:00:00Z"], "timestamp");
    check(&["2001-01-01 and more"], "utf8");
    check(&["2001-01-01", "5"], "utf8");
    check(&["2001-13-01"], "utf8");
    check(&["", "\"\""], "utf8");
    check(&["\"1\"", "2"], "i64");
    check(&["0x10"], "utf8");
    check(&["1_000"], "utf8");
    check(&[" 1"], "utf8");
    check(&["1", "x"], "utf8");
}
