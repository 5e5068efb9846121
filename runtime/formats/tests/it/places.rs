//! Places from which another decoder goes on: nothing comes twice, and nothing is decoded again.

use std::sync::Arc;

use expect_test::{Expect, expect};
use parquet::file::properties::WriterProperties;
use weir_batch::Schema;
use weir_batch::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use weir_formats::{Decoder, Fill, Format, PlaceAt, ResumePlace, TextLayout, TextPlace, open_decoder};

use crate::seeds::{ipc, parquet};
use crate::support::{file, schema};

/// Offset, value and message of each record, good or bad.
type Records = Vec<(i64, String)>;

/// What a decoder gives at once: records, bytes read, and the place behind.
fn next(decoder: &mut dyn Decoder) -> Option<(Records, u64, ResumePlace)> {
    let decoded = decoder.next().unwrap()?;
    let offsets = decoded.batch.system().offset.as_ref().unwrap().values().to_vec();
    let good = offsets.into_iter().zip(crate::support::texts(&decoded.batch));
    let bad = decoded.bad.into_iter().map(|bad| (bad.offset, format!("{:?}: {}", bad.line, bad.message)));
    let mut records: Records = good.chain(bad).collect();
    records.sort();
    Some((records, decoded.bytes_read, decoder.place().unwrap()))
}

fn open(format: Format, bytes: &[u8], schema: &Arc<Schema>, fill: Fill) -> Box<dyn Decoder> {
    open_decoder(format, file(bytes), Some(schema), fill).unwrap()
}

/// From each place that a decoder names, another one gives exactly what was not given yet, and reads no byte of text again.
/// Says what the places are.
fn check(format: Format, bytes: &[u8], schema: &Arc<Schema>, fill: Fill, expect: &Expect) {
    let mut first = open(format, bytes, schema, fill);
    let mut given = vec![(Records::new(), 0, first.place().unwrap())];
    while let Some(batch) = next(&mut *first) {
        given.push(batch);
    }
    let mut places: Vec<ResumePlace> = given.iter().map(|(_, _, place)| *place).collect();
    // At the end it may be another one, behind what is no record.
    places.push(first.place().unwrap());
    let all: Records = given.iter().flat_map(|(records, _, _)| records.clone()).collect();
    for (index, place) in places.iter().enumerate() {
        let before: usize = given.iter().take(index + 1).map(|(records, _, _)| records.len()).sum();
        let needed = all.get(before).map_or(all.len() as i64, |(offset, _)| *offset);
        let mut again = open(format, bytes, schema, fill);
        again.resume(place, needed).unwrap();
        let (mut found, mut read) = (Records::new(), 0);
        while let Some((records, bytes, _)) = next(&mut *again) {
            found.extend(records.into_iter().filter(|(offset, _)| *offset >= needed));
            read += bytes;
        }
        assert_eq!(found, all[before..], "from {place:?}");
        if let PlaceAt::Text(at) = place.at {
            let whole = if place.record == 0 { bytes.len() as u64 } else { bytes.len() as u64 - at.byte };
            assert_eq!(read, whole, "from {place:?}");
        }
    }
    let shown = places.iter().map(|place| match place.at {
        PlaceAt::Text(at) if at.layout == TextLayout::Lines => format!("{}:{}@{}", place.record, at.byte, at.line),
        PlaceAt::Text(at) => format!("{}:{}@{}.{} {:?}", place.record, at.byte, at.line, at.column, at.layout),
        PlaceAt::RowGroup(group) => format!("{}:group {group}", place.record),
        PlaceAt::Block(block) => format!("{}:block {block}", place.record),
    });
    expect.assert_eq(&shown.collect::<Vec<_>>().join(", "));
}

fn check_text(format: Format, text: &str, expect: &Expect) {
    check(format, text.as_bytes(), &schema("id i64"), Fill::from(2), expect);
}

#[test]
fn of_csv() {
    let expect = expect!["0:3@2, 2:7@4, 4:13@6, 5:16@8, 5:16@8"];
    check_text(Format::Csv, "id\n1\n2\nx\n\"4\"\n\n5\n", &expect);
    let expect = expect!["0:8@2, 2:12@4, 3:14@5, 3:14@5"];
    check_text(Format::Csv, "\u{feff}\"id\"\n1\n2\n3\n", &expect);
    // Lines within quotes.
    let expect = expect!["0:8@2, 2:22@5, 3:27@6, 3:27@6"];
    check(Format::Csv, b"text,id\n\"a\nb\",1\nb,\"2\"\nc,3\r\n", &schema("text utf8, id i64"), Fill::from(2), &expect);
}

#[test]
fn of_json() {
    let line = |id: i64| format!("{{\"id\":{id}}}\n");
    let lines: String = (0..5).map(line).collect();
    let expect = expect!["0:0@1, 2:18@3, 4:36@5, 5:45@6, 5:45@6"];
    check_text(Format::JsonLines, &lines, &expect);
    let expect = expect!["0:0@1, 2:23@5, 4:41@7, 5:50@8, 5:50@8"];
    check_text(Format::JsonLines, &format!("\u{feff}\n\n{}{{\"id\":x}}\n{}", &lines[..18], &lines[27..]), &expect);
    let expect = expect!["0:0@1, 2:20@3.8 Objects, 4:40@6.1 Objects, 5:49@7.8 Objects, 5:49@7.8 Objects"];
    check_text(Format::JsonLines, "{\n \"id\": 0}\n{\"id\":1} {\"id\":2}\n\n{\"id\":3\n}\n{\"id\":4}", &expect);
    let expect = expect![
        "0:0@1, 2:24@3.10 ArrayElement, 4:44@4.8 ArrayElement, 6:57@5.9 ArrayElement, 6:57@5.9 ArrayElement, 6:57@5.9 ArrayElement"
    ];
    check_text(
        Format::JsonLines,
        "[\n {\"id\": 0},\n {\"id\": 1} ,{\"id\":2},\n{\"id\":3},4,\n {\"id\":5}\n]\n",
        &expect,
    );
    let expect = expect![
        "0:0@1, 2:18@1.18 ArrayElement, 4:36@1.36 ArrayElement, 4:36@1.36 ArrayElement, 4:36@1.36 ArrayElement"
    ];
    check_text(Format::JsonLines, "[{\"id\":0},{\"id\":1},{\"id\":2},{\"id\":3}]", &expect);
}

/// Records of 100 bytes and more, in three parts of ten.
fn parts() -> Vec<RecordBatch> {
    let part = |part: i64| {
        let ids = part * 10..part * 10 + 10;
        let text = StringArray::from_iter_values(ids.clone().map(|id| format!("{id:0100}")));
        let columns: [(&str, ArrayRef); 2] =
            [("id", Arc::new(Int64Array::from_iter_values(ids))), ("text", Arc::new(text))];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    (0..3).map(part).collect()
}

/// As `check`, where each part of the file is read once: what a decoder reads from a place on is what the first one read behind
/// it.
fn check_parts(format: Format, bytes: &[u8], expect: &Expect) {
    let schema = schema("id i64, text utf8");
    check(format, bytes, &schema, Fill::from(4), expect);
    // By bytes, too: two records are a batch.
    let fill = Fill::from(4).with(|it| it.bytes_max = 250);
    let mut first = open(format, bytes, &schema, fill);
    let mut count = 0;
    while let Some((records, _, place)) = next(&mut *first) {
        assert_eq!(records.len(), 2);
        count += 2;
        assert!(place.record <= count && count - place.record < 10, "{place:?} behind {count} records");
    }
    let read_from = |place: Option<ResumePlace>| {
        let mut decoder = open(format, bytes, &schema, Fill::from(10));
        place.into_iter().for_each(|place| decoder.resume(&place, place.record).unwrap());
        std::iter::from_fn(|| next(&mut *decoder))
            .map(|(records, read, place)| (records.len(), read, place))
            .collect::<Vec<_>>()
    };
    let whole = read_from(None);
    assert_eq!(whole.len(), 3);
    for (index, (_, _, place)) in whole.iter().enumerate() {
        let rest = read_from(Some(*place));
        assert_eq!(rest.len(), 2 - index, "from {place:?}");
        let bytes = |batches: &[(usize, u64, ResumePlace)]| batches.iter().map(|(_, read, _)| read).sum::<u64>();
        let (rest, needed) = (bytes(&rest), bytes(&whole[index + 1..]));
        assert!(rest <= needed, "{rest} bytes from {place:?}, of which {needed} are needed");
    }
}

#[test]
fn of_parquet() {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(10)).build();
    let parts = parts();
    let expect = expect![
        "0:group 0, 0:group 0, 0:group 0, 10:group 1, 10:group 1, 10:group 1, 20:group 2, 20:group 2, 20:group 2, 30:group 3, 30:group 3"
    ];
    check_parts(Format::Parquet, &parquet(&parts, properties), &expect);
}

#[test]
fn of_arrow() {
    for stream in [false, true] {
        let expect = expect![
            "0:block 0, 0:block 0, 0:block 0, 10:block 1, 10:block 1, 10:block 1, 20:block 2, 20:block 2, 20:block 2, 30:block 3, 30:block 3"
        ];
        check_parts(Format::ArrowIpc, &ipc(&parts(), None, stream), &expect);
    }
}

fn text_place(byte: u64, line: u64) -> PlaceAt {
    PlaceAt::Text(TextPlace { byte, line, column: 0, layout: TextLayout::Lines, cut_off: false })
}

#[test]
fn a_place_that_a_file_does_not_have_is_refused() {
    let csv = "id\n1\n22\n3\n".as_bytes();
    let json = b"{\"id\":1}\n{\"id\":2}\n".as_slice();
    let groups = WriterProperties::builder().set_max_row_group_row_count(Some(10)).build();
    let parts = parts();
    let (parquet, file, stream) = (parquet(&parts, groups), ipc(&parts, None, false), ipc(&parts, None, true));
    let check = |format: Format, bytes: &[u8], record: i64, at: PlaceAt, expect: &Expect| {
        let mut decoder = open(format, bytes, &schema("id i64"), Fill::from(2));
        expect.assert_eq(&decoder.resume(&ResumePlace { record, at }, record).unwrap_err().to_string());
    };
    let prefix = "the stored position cannot be used: ";
    for (format, bytes) in [(Format::Csv, csv), (Format::JsonLines, json)] {
        for at in [PlaceAt::RowGroup(0), PlaceAt::Block(1)] {
            check(format, bytes, 1, at, &expect!["the stored position cannot be used: it belongs to another format"]);
        }
        check(
            format,
            bytes,
            -1,
            text_place(9, 2),
            &expect!["the stored position cannot be used: record -1 cannot be on line 2"],
        );
        check(
            format,
            bytes,
            1,
            text_place(9, 0),
            &expect!["the stored position cannot be used: record 1 cannot be on line 0"],
        );
        for byte in [100, u64::MAX] {
            let mut decoder = open(format, bytes, &schema("id i64"), Fill::from(2));
            let said = decoder.resume(&ResumePlace { record: 1, at: text_place(byte, 2) }, 1).unwrap_err().to_string();
            assert_eq!(said, format!("{prefix}byte {byte} is beyond the {} bytes of the file", bytes.len()));
        }
    }
    check(
        Format::Csv,
        csv,
        1,
        text_place(2, 1),
        &expect!["the stored position cannot be used: byte 2 is within the header"],
    );
    check(
        Format::Csv,
        csv,
        1,
        text_place(6, 3),
        &expect!["the stored position cannot be used: byte 6 is within a line"],
    );
    check(
        Format::JsonLines,
        json,
        1,
        text_place(8, 1),
        &expect!["the stored position cannot be used: byte 8 is within a line"],
    );
    let binary = [(Format::Parquet, &parquet), (Format::ArrowIpc, &file), (Format::ArrowIpc, &stream)];
    for (format, bytes) in binary {
        let at =
            |number: u64| if format == Format::Parquet { PlaceAt::RowGroup(number) } else { PlaceAt::Block(number) };
        let refused = |record: i64, at: PlaceAt| {
            let mut decoder = open(format, bytes, &schema("id i64"), Fill::from(2));
            decoder.resume(&ResumePlace { record, at }, record).unwrap_err().to_string()
        };
        for number in [4, u64::MAX] {
            let said = refused(30, at(number));
            assert!(said.starts_with(prefix) && said.ends_with(" is beyond the 3 of the file"), "{said}");
        }
        for record in [-1, 9, i64::MAX] {
            let said = refused(record, at(1));
            assert!(
                said.starts_with(prefix) && said.ends_with(&format!("begins with record 10, not {record}")),
                "{said}"
            );
        }
        assert!(refused(1, text_place(3, 2)).ends_with("it belongs to another format"));
    }
}

/// The ids that a decoder gives which leaves an open end alone, and how many bytes are left.
fn given(text: &str) -> (Vec<String>, u64) {
    let format = if text.starts_with("id") { Format::Csv } else { Format::JsonLines };
    let fill = Fill::from(2).with(|it| it.record_bytes_max = 1 << 20);
    let mut decoder = open(format, text.as_bytes(), &schema("id i64"), fill);
    decoder.leave_open_end();
    let mut ids = Vec::new();
    while let Some((records, _, _)) = next(&mut *decoder) {
        ids.extend(records.into_iter().map(|(_, text)| match text.split_once("[\n  ") {
            Some((_, id)) => id.split(',').next().unwrap().to_owned(),
            None => text,
        }));
    }
    let place = decoder.place().unwrap();
    assert!(!place.at.text().unwrap().cut_off);
    (ids, text.len() as u64 - place.at.text().unwrap().byte)
}

#[test]
fn a_record_that_may_go_on_is_left_alone() {
    let mut shown = String::new();
    for text in [
        "id\n1\n2",
        "id\n1\n\"2\"",
        "id\n1\n\"2\r",
        "id\n1\n2\r",
        "id\n1\n\"2\n3\n4\n",
        "id\n1\nx\"2",
        "id\n1\n2\n",
        "id\n",
        "{\"id\":1}\n{\"id\":2}",
        "{\"id\":1}\n{\"i",
        "{\"id\":1}",
        "  \n",
        "{\n\"id\":1}\n{\"id\":2}",
        "{\n\"id\":1}\n{\"id\":",
        "{\n\"id\":1",
        "[\n{\"id\":1},\n{\"id\":2},",
        "[\n{\"id\":1},\n{\"id\":2",
        "[\n{\"id\":1},\n2",
        "[{\"id\":1},{\"id\":2}]",
        "[{\"id\":1},{\"id\":2}",
    ] {
        let (ids, left) = given(text);
        shown.push_str(&format!("{text:?}: {}, {left} left\n", ids.join(" ")));
    }
    expect![[r#"
        "id\n1\n2": 1, 1 left
        "id\n1\n\"2\"": 1, 3 left
        "id\n1\n\"2\r": 1, 3 left
        "id\n1\n2\r": 1, 2 left
        "id\n1\n\"2\n3\n4\n": 1, 7 left
        "id\n1\nx\"2": 1, 3 left
        "id\n1\n2\n": 1 2, 0 left
        "id\n": , 0 left
        "{\"id\":1}\n{\"id\":2}": 1, 8 left
        "{\"id\":1}\n{\"i": 1, 3 left
        "{\"id\":1}": , 8 left
        "  \n": , 3 left
        "{\n\"id\":1}\n{\"id\":2}": 1 2, 0 left
        "{\n\"id\":1}\n{\"id\":": 1, 6 left
        "{\n\"id\":1": , 8 left
        "[\n{\"id\":1},\n{\"id\":2},": 1 2, 0 left
        "[\n{\"id\":1},\n{\"id\":2": 1, 7 left
        "[\n{\"id\":1},\n2": 1, 1 left
        "[{\"id\":1},{\"id\":2}]": 1 2, 1 left
        "[{\"id\":1},{\"id\":2}": , 18 left
    "#]]
    .assert_eq(&shown);
    // Of any length, with bounded memory.
    for long in ["id\n1\n".to_owned() + &"x".repeat(3 << 20), "{\"id\":1}\n".to_owned() + &"x".repeat(3 << 20)] {
        assert_eq!(given(&long), (vec!["1".to_owned()], 3 << 20));
    }
}

#[test]
fn a_record_that_was_cut_off_is_gone_on_behind_only_if_it_does_not_go_on() {
    let check = |before: &str, more: &str, expect: &Expect| {
        let format = if before.starts_with("id") { Format::Csv } else { Format::JsonLines };
        let schema = schema("id i64");
        let mut first = open(format, before.as_bytes(), &schema, Fill::from(10));
        while next(&mut *first).is_some() {}
        let place = first.place().unwrap();
        assert!(place.at.text().unwrap().cut_off);
        let mut second = open(format, format!("{before}{more}").as_bytes(), &schema, Fill::from(10));
        let resumed = second.resume(&place, place.record);
        let records = resumed.map(|()| std::iter::from_fn(|| next(&mut *second)).flat_map(|(records, _, _)| records));
        expect.assert_eq(&match records {
            Ok(records) => records.map(|(offset, _)| offset.to_string()).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        });
    };
    check("id\n1\n2", "", &expect![""]);
    check("id\n1\n2", "\n", &expect![""]);
    check("id\n1\n2", "\r\n3\n", &expect!["2"]);
    check("id\n1\n2", "\n3\n4", &expect!["2 3"]);
    check(
        "id\n1\n2",
        "3\n",
        &expect![
            "the last record was taken up to byte 6, where the file ended without a line end, but the record now continues there"
        ],
    );
    check("{\"id\":1}", "\n{\"id\":2}", &expect!["1"]);
    check(
        "{\"id\":1}",
        "{\"id\":2}\n",
        &expect![
            "the last record was taken up to byte 8, where the file ended without a line end, but the record now continues there"
        ],
    );
    check(
        "[\n{\"id\":1},",
        "{\"id\":2}\n]",
        &expect![
            "the last record was taken up to byte 11, where the file ended without a line end, but the record now continues there"
        ],
    );
}
