//! What a person reads when a query file or its data is wrong.

use std::fs;

use crate::common::{run, said, weir};

#[test]
fn every_mistake_is_named_with_its_line_and_nothing_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = r#"name = "wrong"
[sources.flights]
kind = "file"
path = "missing.parquet"
[[stages]]
name = "late"
module = "missing.wasm"
functoin = "late"
[sinks.table]
kind = "stdouT"
"#;
    fs::write(folder.path().join("wrong.toml"), text).expect("the query file");
    for command in ["check", "run"] {
        let said = run(folder.path(), &[command, "wrong.toml"]);
        assert_eq!(said.code, Some(2), "{command}");
        for line in [4, 7, 8, 10] {
            assert!(said.err.contains(&format!("wrong.toml:{line}")), "no error on line {line}:\n{}", said.err);
        }
        assert_eq!(said.out, "");
    }
}

#[test]
fn mistakes_are_told_to_machines_too() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("wrong.toml"), "name = \"wrong\"\nnmae = 1\n").expect("the query file");
    let said = run(folder.path(), &["--json", "check", "wrong.toml"]);
    assert_eq!((said.code, said.err.as_str()), (Some(2), ""));
    let told: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    let problems = told["problems"].as_array().expect("problems");
    assert!(problems.iter().any(|problem| problem["line"] == 2 && problem["key"] == "nmae"), "{told}");
}

fn bad_line_query(policy: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut lines = String::new();
    for id in 0..1000 {
        if id == 500 {
            lines.push_str("{\"id\": \"not a number\"}\n");
        } else {
            lines.push_str(&format!("{{\"id\": {id}}}\n"));
        }
    }
    fs::write(folder.path().join("in.jsonl"), lines).expect("the input");
    let text = format!(
        r#"name = "bad"
[sources.ids]
kind = "file"
path = "in.jsonl"
schema = {{ id = "i64" }}
on_error = "{policy}"
[sinks.out]
kind = "file"
path = "out.jsonl"
[dead_letters]
path = "dead.jsonl"
"#
    );
    fs::write(folder.path().join("q.toml"), &text).expect("the query file");
    (folder, text)
}

#[test]
fn one_bad_record_in_a_thousand_fails_the_query_by_default_and_publishes_nothing() {
    let (folder, _) = bad_line_query("fail");
    let said = run(folder.path(), &["run", "q.toml"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("record 500 (line 501) cannot be decoded"), "{}", said.err);
    assert!(!folder.path().join("out.jsonl").exists());
}

#[test]
fn one_bad_record_in_a_thousand_is_skipped_and_counted() {
    let (folder, _) = bad_line_query("skip");
    let said = run(folder.path(), &["--json", "run", "q.toml"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let out = fs::read_to_string(folder.path().join("out.jsonl")).expect("the output");
    assert_eq!(out.lines().count(), 999);
    let summary = crate::common::summary(&said);
    assert_eq!((&summary["sources"][0]["records"], &summary["sources"][0]["failed"]), (&1000.into(), &1.into()));
}

#[test]
fn one_bad_record_in_a_thousand_becomes_a_dead_letter_with_its_bytes() {
    let (folder, _) = bad_line_query("dead_letter");
    let said = run(folder.path(), &["--json", "run", "q.toml"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let out = fs::read_to_string(folder.path().join("out.jsonl")).expect("the output");
    assert_eq!(out.lines().count(), 999);
    let letters = fs::read_to_string(folder.path().join("dead.jsonl")).expect("the dead letters");
    let letters: Vec<serde_json::Value> =
        letters.lines().map(|line| serde_json::from_str(line).expect("a letter")).collect();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (&letters[0]["offset"], &letters[0]["line"], &letters[0]["place"]),
        (&500.into(), &501.into(), &"ids".into())
    );
    // `{"id": "not a number"}` in base64.
    assert_eq!(
        (&letters[0]["value"], &letters[0]["bytes"]),
        (&"original".into(), &"eyJpZCI6ICJub3QgYSBudW1iZXIifQ==".into())
    );
}

#[test]
fn a_sink_without_room_is_tried_again_as_often_as_it_is_to_be_and_says_why_it_failed() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("in.jsonl"), "{\"id\":1}\n").expect("the input");
    let text = r#"name = "full"
[sources.ids]
kind = "file"
path = "in.jsonl"
format = "json_lines"
schema = { id = "i64" }
[sinks.out]
kind = "stdout"
format = "json_lines"
on_error = "retry"
retry = { times_max = 9, backoff_ms = 1 }
"#;
    fs::write(folder.path().join("q.toml"), text).expect("the query file");
    // Whether the query waits for the sink's answer just when it fails is a matter of chance.
    for _ in 0..5 {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a full disk");
        let mut command = weir(folder.path(), &["--json", "run", "q.toml"]);
        let said = said(command.stdout(full).output().expect("the weir command"));
        assert_eq!(said.code, Some(1), "{}", said.err);
        assert_eq!(crate::common::summary(&said)["restarts"], 9, "{}", said.err);
        assert!(said.err.contains("No space left on device"), "{}", said.err);
    }
}

#[test]
fn a_hundred_thousand_bad_records_are_a_few_lines_and_a_count_by_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines: String = (0..100_000).map(|_| "{\"id\": \"no number\"}\n").collect();
    fs::write(folder.path().join("in.jsonl"), lines).expect("the input");
    let module = weir_tests::guest_path("faulty").expect("the faulty guest");
    let text = format!(
        r#"name = "q"
[sources.ids]
kind = "file"
path = "in.jsonl"
schema = {{ id = "i64" }}
on_error = "skip"
[sources.seed]
kind = "generator"
batches = 20
[[stages]]
name = "odd"
input = "seed"
module = {module:?}
function = "refuses"
params = {{ at = 500 }}
on_error = "skip"
[sinks.out]
kind = "count"
[sinks.good]
kind = "count"
input = "ids"
"#
    );
    fs::write(folder.path().join("q.toml"), text).expect("the query file");
    let said = run(folder.path(), &["run", "q.toml"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let shown = |part: &str| said.err.lines().filter(|line| line.contains(part)).count();
    let of_source = shown("skipped: the record at offset");
    assert!((10..1000).contains(&of_source), "{of_source} lines");
    for part in ["in.jsonl (source `ids`) (line 1): ", "more records failed; the summary counts them by code"] {
        assert!(said.err.contains(part), "{part}\n{}", &said.err[..said.err.len().min(4000)]);
    }
    let of_stage = "skipped: the record at offset 500 of partition 0 of source `seed`: record 500 is not wanted";
    assert!(shown(of_stage) >= 1, "{}", &said.err[said.err.len().saturating_sub(4000)..]);
    for part in ["100,000 undecodable and skipped; failed on 100,000 undecodable", "; failed on 20 guest:"] {
        assert!(said.err.contains(part), "{part}\n{}", &said.err[said.err.len().saturating_sub(2000)..]);
    }
}
