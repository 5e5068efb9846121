//! Files that change while a query keeps a position in them: read on behind it, read anew or refused, and never passed over.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};
use serde_json::Value;
use tempfile::TempDir;
use weir_formats::{PlaceAt, TextLayout};
use weir_state::{FileMark, StateManifest};
use weir_tests::{Weir, WeirProcess};

use crate::support::{PATIENCE, run_to, start, summary, written};

/// A folder with a query from these files, which has no stage.
struct Case(TempDir);

impl Case {
    fn new(files: &[&str], keys: &str) -> Case {
        Case::with(files, keys, "[delivery]\nguarantee = \"exactly_once\"\nstate = \"state\"\n")
    }

    fn with(files: &[&str], keys: &str, rest: &str) -> Case {
        let case = Case(tempfile::tempdir().expect("a folder"));
        case.query(files, keys, rest);
        case
    }

    fn query(&self, files: &[&str], keys: &str, rest: &str) {
        let text = format!(
            "name = \"numbers\"\n[sources.ids]\nkind = \"file\"\npaths = {files:?}\nschema = {{ id = \"i64\" }}\n{keys}\n\
             [sinks.out]\nkind = \"file\"\npath = \"out/ids.csv\"\n{rest}"
        );
        fs::write(self.path("numbers.toml"), text).expect("the query");
    }

    /// The same files are followed from now on.
    fn follow(&self) {
        let text = fs::read_to_string(self.path("numbers.toml")).expect("the query");
        let text = text.replace("[sinks.out]", "on_change = \"follow\"\n[sinks.out]");
        fs::write(self.path("numbers.toml"), text).expect("the query");
    }

    fn folder(&self) -> &Path {
        self.0.path()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("an input");
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = fs::OpenOptions::new().append(true).open(self.path(name)).expect("an input");
        file.write_all(text.as_bytes()).expect("more input");
    }

    fn start(&self) -> WeirProcess {
        start(self.folder())
    }

    /// Runs it, and says what came of it: the error, or the ids that came out so far, the bytes read, and what was warned of.
    fn run(&self) -> String {
        let mut weir = Weir::in_folder(self.folder()).run(&["run", "numbers.toml"]);
        let status = weir.wait(PATIENCE);
        let said = weir.stderr().replace(&format!("{}/", self.folder().display()), "");
        let lines = said.lines().filter(|line| line.contains("WARN") || line.contains("rror"));
        let mut shown: Vec<String> = lines.map(without_time).collect();
        if status.success() {
            shown.push(format!("{:?}", written(self.folder())));
        } else {
            shown.push(format!("code {:?}", status.code()));
        }
        shown.join("\n")
    }

    fn check(&self, expect: &Expect) {
        expect.assert_eq(&self.run());
    }

    /// Runs it to its end, which has to be well, and gives its summary.
    fn summary(&self) -> Value {
        let mut weir = self.start();
        let status = weir.wait(PATIENCE);
        assert!(status.success(), "{status}\n{}", weir.stderr());
        summary(&weir)
    }

    fn manifest(&self) -> StateManifest {
        weir_query::read_manifest(&self.path("state")).expect("a state").expect("a manifest")
    }

    fn mark(&self) -> FileMark {
        self.manifest().sources[0].partitions[0].file.clone().expect("a mark")
    }

    /// Changes what is kept of the first file.
    fn forge(&self, change: impl FnOnce(&mut FileMark)) {
        let mut manifest = self.manifest();
        change(manifest.sources[0].partitions[0].file.as_mut().expect("a mark"));
        fs::write(self.path("state/manifest"), manifest.to_bytes().expect("bytes")).expect("the manifest");
    }
}

fn without_time(line: &str) -> String {
    match line.split_once("WARN") {
        Some((_, rest)) => format!("WARN{rest}"),
        None => line.to_owned(),
    }
}

fn ids(from: u64, to: u64) -> String {
    (from..to).fold(String::new(), |mut text, id| {
        writeln!(text, "{id}").expect("a string");
        text
    })
}

#[test]
fn a_file_that_was_written_on_is_refused_or_read_on() {
    let case = Case::new(&["in.csv"], "");
    case.write("in.csv", "id\n1\n2\n");
    case.check(&expect!["[1, 2]"]);
    // Nothing has changed, nothing is read.
    case.check(&expect!["[1, 2]"]);
    case.append("in.csv", "3\n4\n");
    case.check(&expect![[r#"
        error: sources.ids: ./in.csv: the file has grown since its position was stored (from 7 to 11 bytes): set `on_change = "follow"` to continue at that position, or remove the folder of the query's `state` to read everything again
        code Some(2)"#]]);
    case.check(&expect![[r#"
        error: sources.ids: ./in.csv: the file has grown since its position was stored (from 7 to 11 bytes): set `on_change = "follow"` to continue at that position, or remove the folder of the query's `state` to read everything again
        code Some(2)"#]]);
    case.follow();
    case.check(&expect!["[1, 2, 3, 4]"]);
    case.append("in.csv", "5\n");
    let summary = case.summary();
    assert_eq!((&summary["committed_records"], &summary["sources"][0]["bytes"]), (&1.into(), &2.into()), "{summary}");
    case.check(&expect!["[1, 2, 3, 4, 5]"]);
}

#[test]
fn a_file_of_other_contents_is_refused_or_read_from_its_beginning() {
    for keys in ["", "on_change = \"follow\""] {
        let mut shown = format!("{keys}\n");
        for now in ["id\n7\n8\n9\n", "id\n7\n8\n", "id\n7\n", "id\n1\n", ""] {
            let case = Case::new(&["in.csv"], keys);
            case.write("in.csv", "id\n1\n2\n");
            case.run();
            case.write("in.csv", now);
            writeln!(shown, "{now:?}\n{}", case.run()).expect("a string");
        }
        // Another file of this name; the first one put back under it is a copy, which is the same file.
        let case = Case::new(&["in.csv"], keys);
        case.write("in.csv", "id\n1\n2\n");
        case.run();
        fs::rename(case.path("in.csv"), case.path("old.csv")).expect("the old file");
        case.write("in.csv", "id\n3\n4\n5\n");
        writeln!(shown, "replaced\n{}", case.run()).expect("a string");
        fs::copy(case.path("old.csv"), case.path("in.csv")).expect("a copy");
        if keys.is_empty() {
            writeln!(shown, "put back\n{}", case.run()).expect("a string");
        }
        fs::remove_file(case.path("in.csv")).expect("the file");
        writeln!(shown, "removed\n{}", case.run()).expect("a string");
        match keys {
            "" => expect![[r#"

                "id\n7\n8\n9\n"
                error: sources.ids: ./in.csv: the file was rewritten since its position was stored (from 7 to 9 bytes): restore the old file, or set `on_change = "follow"` to read the new one from the beginning, or remove the folder of the query's `state` to read everything again
                code Some(2)
                "id\n7\n8\n"
                error: sources.ids: ./in.csv: the file was rewritten since its position was stored (from 7 to 7 bytes): restore the old file, or set `on_change = "follow"` to read the new one from the beginning, or remove the folder of the query's `state` to read everything again
                code Some(2)
                "id\n7\n"
                error: sources.ids: ./in.csv: the file has shrunk since its position was stored (from 7 to 5 bytes): restore the old file, or set `on_change = "follow"` to read the new one from the beginning, or remove the folder of the query's `state` to read everything again
                code Some(2)
                "id\n1\n"
                error: sources.ids: ./in.csv: the file has shrunk since its position was stored (from 7 to 5 bytes): restore the old file, or set `on_change = "follow"` to read the new one from the beginning, or remove the folder of the query's `state` to read everything again
                code Some(2)
                ""
                error: sources.ids: ./in.csv: the file has shrunk since its position was stored (from 7 to 0 bytes): restore the old file, or set `on_change = "follow"` to read the new one from the beginning, or remove the folder of the query's `state` to read everything again
                code Some(2)
                replaced
                error: sources.ids: ./in.csv: the file was replaced by another file since its position was stored (from 7 to 9 bytes): restore the old file, or set `on_change = "follow"` to read the new one from the beginning, or remove the folder of the query's `state` to read everything again
                code Some(2)
                put back
                [1, 2]
                removed
                error: numbers.toml:4: sources.ids.paths[0]: file `in.csv` does not exist; paths are relative to the folder of the query file
                code Some(2)
            "#]].assert_eq(&shown),
            _ => expect![[r#"
                on_change = "follow"
                "id\n7\n8\n9\n"
                WARN weir_sources::file::files: ./in.csv: the file was rewritten since its position was stored (from 7 to 9 bytes): reading it from the beginning
                [1, 2, 7, 8, 9]
                "id\n7\n8\n"
                WARN weir_sources::file::files: ./in.csv: the file was rewritten since its position was stored (from 7 to 7 bytes): reading it from the beginning
                [1, 2, 7, 8]
                "id\n7\n"
                WARN weir_sources::file::files: ./in.csv: the file has shrunk since its position was stored (from 7 to 5 bytes): reading it from the beginning
                [1, 2, 7]
                "id\n1\n"
                WARN weir_sources::file::files: ./in.csv: the file has shrunk since its position was stored (from 7 to 5 bytes): reading it from the beginning
                [1, 2, 1]
                ""
                WARN weir_sources::file::files: ./in.csv: the file has shrunk since its position was stored (from 7 to 0 bytes): reading it from the beginning
                [1, 2]
                replaced
                WARN weir_sources::file::files: ./in.csv: the file was replaced by another file since its position was stored (from 7 to 9 bytes): reading it from the beginning
                [1, 2, 3, 4, 5]
                removed
                error: numbers.toml:4: sources.ids.paths[0]: file `in.csv` does not exist; paths are relative to the folder of the query file
                code Some(2)
            "#]].assert_eq(&shown),
        }
    }
}

#[test]
fn every_file_of_a_list_is_looked_at() {
    let case = Case::new(&["a.csv", "b.csv", "c.csv"], "");
    case.write("a.csv", "id\n1\n");
    case.write("b.csv", "id\n2\n");
    case.write("c.csv", "id\n3\n");
    case.check(&expect!["[1, 2, 3]"]);
    case.append("a.csv", "4\n");
    case.append("b.csv", "5\n");
    case.check(&expect![[r#"
        error: sources.ids: ./a.csv: the file has grown since its position was stored (from 5 to 7 bytes): set `on_change = "follow"` to continue at that position, or remove the folder of the query's `state` to read everything again
        code Some(2)"#]]);
    case.follow();
    case.check(&expect!["[1, 2, 3, 4, 5]"]);
    case.check(&expect!["[1, 2, 3, 4, 5]"]);
    case.append("b.csv", "6\n");
    case.write("c.csv", "id\n33\n");
    case.check(&expect![[r#"
        WARN weir_sources::file::files: ./c.csv: the file was rewritten since its position was stored (from 5 to 6 bytes): reading it from the beginning
        [1, 2, 3, 4, 5, 6, 33]"#]]);
}

/// A file whose last line has no end, which gets more in two steps: not followed, followed later, and followed.
fn last_line(name: &str, begin: &str, last: &str, more: [&str; 2]) -> String {
    let mut shown = String::new();
    let mut run = |case: &Case| writeln!(shown, "{}", case.run()).expect("a string");
    let case = Case::new(&[name], "");
    case.write(name, &format!("{begin}{last}"));
    run(&case);
    // The last line was taken, and goes on: what came out is wrong, and cannot be taken back.
    case.append(name, more[0]);
    run(&case);
    case.follow();
    run(&case);

    let case = Case::new(&[name], "on_change = \"follow\"");
    case.write(name, &format!("{begin}{last}"));
    run(&case);
    run(&case);
    case.append(name, more[0]);
    run(&case);
    case.append(name, more[1]);
    run(&case);
    shown
}

#[test]
fn a_last_line_without_its_end_is_never_taken_twice_or_in_part() {
    expect![[r#"
        [1, 2]
        error: sources.ids: ./in.csv: the file has grown since its position was stored (from 6 to 9 bytes): set `on_change = "follow"` to continue at that position, or remove the folder of the query's `state` to read everything again
        code Some(2)
        error: sources.ids: ./in.csv: the last record was taken up to byte 6, where the file ended without a line end, but the record now continues there: restore the file, or remove the folder of the query's `state` to read everything again
        code Some(1)
        WARN weir_sources::file::files: ./in.csv: the last record has no line end yet: a later run will read it bytes=1
        [1]
        WARN weir_sources::file::files: ./in.csv: the last record has no line end yet: a later run will read it bytes=1
        [1]
        WARN weir_sources::file::files: ./in.csv: the last record has no line end yet: a later run will read it bytes=1
        [1, 22]
        [1, 22, 3]
    "#]].assert_eq(&last_line("in.csv", "id\n1\n", "2", ["2\n3", "\n"]));
    let json = last_line("in.jsonl", "{\"id\":1}\n", "{\"id\":2}", [" \n{\"id\":3", "}\n"]);
    expect![[r#"
        [1, 2]
        error: sources.ids: ./in.jsonl: the file has grown since its position was stored (from 17 to 26 bytes): set `on_change = "follow"` to continue at that position, or remove the folder of the query's `state` to read everything again
        code Some(2)
        error: sources.ids: ./in.jsonl: the last record was taken up to byte 17, where the file ended without a line end, but the record now continues there: restore the file, or remove the folder of the query's `state` to read everything again
        code Some(1)
        WARN weir_sources::file::files: ./in.jsonl: the last record has no line end yet: a later run will read it bytes=8
        [1]
        WARN weir_sources::file::files: ./in.jsonl: the last record has no line end yet: a later run will read it bytes=8
        [1]
        WARN weir_sources::file::files: ./in.jsonl: the last record has no line end yet: a later run will read it bytes=7
        [1, 2]
        [1, 2, 3]
    "#]].assert_eq(&json);
    // What was taken and only got its line end is whole.
    let case = Case::new(&["in.csv"], "");
    case.write("in.csv", "id\n1\n2");
    case.run();
    case.append("in.csv", "\n3\n");
    case.follow();
    case.check(&expect!["[1, 2, 3]"]);
}

#[test]
fn a_file_that_nobody_follows_any_more_is_read_to_its_end() {
    let case = Case::new(&["in.csv"], "on_change = \"follow\"");
    case.write("in.csv", "id\n1\n2");
    case.run();
    case.query(&["in.csv"], "", "[delivery]\nguarantee = \"exactly_once\"\nstate = \"state\"\n");
    case.check(&expect!["[1, 2]"]);
    case.check(&expect!["[1, 2]"]);
}

#[test]
fn an_array_grows_before_its_end() {
    let array = |ids: &[u64], end: &str| {
        let elements: Vec<String> = ids.iter().map(|id| format!("  {{\"id\": {id}}}")).collect();
        format!("[\n{}{end}", elements.join(",\n"))
    };
    let case = Case::new(&["in.json"], "on_change = \"follow\"");
    case.write("in.json", &array(&[1, 2], "\n]\n"));
    case.check(&expect!["[1, 2]"]);
    case.check(&expect!["[1, 2]"]);
    case.write("in.json", &array(&[1, 2, 3], "\n]"));
    case.check(&expect!["[1, 2, 3]"]);
    // Open, and closed again.
    case.write("in.json", &array(&[1, 2, 3, 4], ",\n"));
    case.check(&expect!["[1, 2, 3, 4]"]);
    case.write("in.json", &array(&[1, 2, 3, 4, 5], "\n]\n"));
    case.check(&expect!["[1, 2, 3, 4, 5]"]);
    case.write("in.json", &array(&[1, 7], "\n]\n"));
    case.check(&expect![[r#"
        WARN weir_sources::file::files: ./in.json: the file has shrunk since its position was stored (from 68 to 29 bytes): reading it from the beginning
        [1, 2, 3, 4, 5, 1, 7]"#]]);
    let refused = Case::new(&["in.json"], "");
    refused.write("in.json", &array(&[1, 2], "\n]\n"));
    refused.check(&expect!["[1, 2]"]);
    refused.check(&expect!["[1, 2]"]);
    refused.write("in.json", &array(&[1, 2, 3], "\n]\n"));
    refused.check(&expect![[r#"
        error: sources.ids: ./in.json: the file has grown since its position was stored (from 29 to 42 bytes): set `on_change = "follow"` to continue at that position, or remove the folder of the query's `state` to read everything again
        code Some(2)"#]]);
}

const OFTEN: &str =
    "[batching]\nrecords_max = 100\n[delivery]\nguarantee = \"exactly_once\"\nstate = \"state\"\ncommit_ms = 1\n";

/// Runs a query until it ends itself behind a commit, and then to its end. No record comes twice, and what was committed is
/// not read again.
fn interrupted(case: &Case, name: &str, records: u64) {
    assert!(!run_to(case.folder(), "commit.published:3").success());
    let manifest = case.manifest();
    let mark = case.mark();
    assert!(manifest.records > 0 && manifest.records < records, "{manifest:?}");
    assert_eq!(mark.place.record as u64, manifest.records, "{manifest:?}");
    let summary = case.summary();
    assert_eq!(summary["committed_records"], records - manifest.records, "{summary}");
    crate::support::assert_once(&written(case.folder()), records);
    if let PlaceAt::Text(place) = mark.place.at {
        let length = fs::metadata(case.path(name)).expect("the file").len();
        assert_eq!(summary["sources"][0]["bytes"], length - place.byte, "{summary}");
    }
}

#[test]
fn a_restart_reads_no_byte_again_of_what_was_committed() {
    let records = 20_000;
    let case = Case::with(&["in.csv"], "", OFTEN);
    case.write("in.csv", &format!("id\n{}", ids(0, records)));
    interrupted(&case, "in.csv", records);

    let json = |id: u64, end: &str| format!("{{\"id\": {id}}}{end}");
    let case = Case::with(&["in.jsonl"], "", OFTEN);
    case.write("in.jsonl", &(0..records).map(|id| json(id, "\n")).collect::<String>());
    interrupted(&case, "in.jsonl", records);

    let case = Case::with(&["in.json"], "", OFTEN);
    let elements: Vec<String> = (0..records).map(|id| json(id, "")).collect();
    case.write("in.json", &format!("[\n{}\n]\n", elements.join(",\n")));
    interrupted(&case, "in.json", records);

    let case = Case::with(&["in.json"], "", OFTEN);
    case.write("in.json", &(0..records).map(|id| format!("{{\n  \"id\": {id}\n}}\n")).collect::<String>());
    assert!(!run_to(case.folder(), "commit.published:3").success());
    let layout = case.mark().place.at.text().map(|place| place.layout);
    assert_eq!(layout, Some(TextLayout::Objects));
    case.summary();
    crate::support::assert_once(&written(case.folder()), records);
}

#[test]
fn what_was_kept_of_a_file_is_believed_in_nothing() {
    let case = Case::new(&["in.csv"], "on_change = \"follow\"");
    case.write("in.csv", &format!("id\n{}", ids(100, 200)));
    case.run();
    let whole = fs::read(case.path("state/manifest")).expect("the manifest");
    case.append("in.csv", "200\n");
    let mut shown = String::new();
    let mut check = |what: &str, change: &dyn Fn(&mut FileMark)| {
        fs::write(case.path("state/manifest"), &whole).expect("the manifest");
        case.forge(change);
        let run = case.run();
        let said: Vec<&str> = run.lines().filter(|line| !line.starts_with('[')).collect();
        let ids = written(case.folder()).len();
        writeln!(shown, "{what}: {}\n{ids} ids", said.join("\n")).expect("a string");
    };
    let text = |mark: &mut FileMark, byte: u64, line: u64| {
        let PlaceAt::Text(place) = &mut mark.place.at else { panic!("{mark:?}") };
        (place.byte, place.line) = (byte, line);
    };
    check("beyond the file", &|mark| text(mark, 1 << 40, 3));
    check("within a line", &|mark| text(mark, 100, 3));
    check("line 0", &|mark| text(mark, 103, 0));
    check("no record", &|mark| mark.place.record = -1);
    check("many records", &|mark| mark.place.record = i64::MAX);
    check("a row group", &|mark| mark.place.at = PlaceAt::RowGroup(u64::MAX));
    check("a block", &|mark| mark.place.at = PlaceAt::Block(3));
    check("a short hash", &|mark| mark.seen.head.truncate(9));
    check("no hash", &|mark| mark.seen.tail = "x".repeat(64));
    check("a long tail", &|mark| mark.seen.tail_bytes = u64::MAX);
    check("more read than there is", &|mark| mark.seen.bytes = u64::MAX);
    check("a huge file", &|mark| {
        (mark.seen.size, mark.seen.bytes, mark.seen.tail_bytes) = (u64::MAX, u64::MAX, 65_536)
    });
    expect![[r#"
        beyond the file: error: sources.ids: ./in.csv: the data stored with its position is invalid: byte 1099511627776 is beyond the 403 bytes that were read: remove the folder of the query's `state` to read everything again
        code Some(2)
        100 ids
        within a line: error: sources.ids: ./in.csv: the stored position cannot be used: byte 100 is within a line: restore the file, or remove the folder of the query's `state` to read everything again
        code Some(1)
        100 ids
        line 0: error: sources.ids: ./in.csv: the stored position cannot be used: record 100 cannot be on line 0: restore the file, or remove the folder of the query's `state` to read everything again
        code Some(1)
        100 ids
        no record: error: sources.ids: ./in.csv: the data stored with its position is invalid: record -1 is not between 0 and the next one, 9223372036854775807: remove the folder of the query's `state` to read everything again
        code Some(2)
        100 ids
        many records: error: sources.ids: ./in.csv: the data stored with its position is invalid: record 9223372036854775807 is not between 0 and the next one, 9223372036854775807: remove the folder of the query's `state` to read everything again
        code Some(2)
        100 ids
        a row group: error: sources.ids: ./in.csv: the stored position cannot be used: it belongs to another format: restore the file, or remove the folder of the query's `state` to read everything again
        code Some(1)
        100 ids
        a block: error: sources.ids: ./in.csv: the stored position cannot be used: it belongs to another format: restore the file, or remove the folder of the query's `state` to read everything again
        code Some(1)
        100 ids
        a short hash: error: sources.ids: ./in.csv: the data stored with its position is invalid: its hashes are not 64 hex digits: remove the folder of the query's `state` to read everything again
        code Some(2)
        100 ids
        no hash: error: sources.ids: ./in.csv: the data stored with its position is invalid: its hashes are not 64 hex digits: remove the folder of the query's `state` to read everything again
        code Some(2)
        100 ids
        a long tail: error: sources.ids: ./in.csv: the data stored with its position is invalid: impossible sizes: 18446744073709551615 of 403 of 403 bytes: remove the folder of the query's `state` to read everything again
        code Some(2)
        100 ids
        more read than there is: error: sources.ids: ./in.csv: the data stored with its position is invalid: impossible sizes: 403 of 18446744073709551615 of 403 bytes: remove the folder of the query's `state` to read everything again
        code Some(2)
        100 ids
        a huge file: WARN weir_sources::file::files: ./in.csv: the file has shrunk since its position was stored (from 18446744073709551615 to 407 bytes): reading it from the beginning
        201 ids
    "#]].assert_eq(&shown);
}
