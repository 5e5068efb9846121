//! Log records: guests' lines, and the runtime's own warnings.

use std::fmt::Write;
use std::path::Path;

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use weir_tests::{ECHO_SCHEMA, Receiver, guest_path, number_of, said, text_of};

use crate::support::{run, talker, weir, write};

/// A query of JSON lines `n` through `guest.wasm`, in batches of this number of records.
fn query(folder: &Path, records: usize, records_max: usize, more: &str) {
    let mut lines = String::new();
    for n in 0..records {
        writeln!(lines, "{{\"n\":{n}}}").expect("a text");
    }
    write(folder, "in.jsonl", lines);
    let text = format!(
        "name = \"talk\"\ntenant = \"acme\"\n\
         [sources.in]\nkind = \"file\"\npath = \"in.jsonl\"\nschema = {{ n = \"i64\" }}\n{more}\
         [[stages]]\nname = \"say\"\nmodule = \"guest.wasm\"\nfunction = \"f\"\n\
         [sinks.out]\nkind = \"count\"\n\
         [batching]\nrecords_max = {records_max}\n"
    );
    write(folder, "q.toml", text);
}

/// The records of guests, and the digest of the module that each is of.
fn of_guests(receiver: &Receiver) -> Vec<LogRecord> {
    let records = receiver.logs().into_iter().filter(|(scope, _)| scope == "weir.guest");
    records.map(|(_, record)| record).collect()
}

#[test]
fn a_guest_s_line_is_a_record_that_says_whose_it_is_and_in_which_span() {
    let (folder, receiver) = (tempfile::tempdir().expect("a folder"), Receiver::start());
    let module = guest_path("echo").expect("the echo guest");
    write(folder.path(), "in.jsonl", "{\"s\":\"one\"}\n{\"s\":\"two\"}\n");
    let text = format!(
        r#"name = "talk"
tenant = "acme"
[sources.in]
kind = "file"
path = "in.jsonl"
schema = {ECHO_SCHEMA}
[[stages]]
name = "say"
module = {module:?}
function = "logged"
[sinks.out]
kind = "count"
"#
    );
    write(folder.path(), "q.toml", text);
    let weir = run(weir(folder.path(), &receiver), &["run", "q.toml"]);
    let records = of_guests(&receiver);
    assert_eq!(records.iter().map(|record| said(record.body.as_ref())).collect::<Vec<_>>(), ["one", "two"]);
    let spans = receiver.spans();
    let stage = spans.iter().find(|span| span.name == "weir.stage").expect("the stage's span");
    let digest = weir_sandbox::ModuleDigest::of(&std::fs::read(&module).expect("the guest")).to_string();
    for record in &records {
        for (name, value) in [
            ("weir.tenant", "acme"),
            ("weir.query", "talk"),
            ("weir.stage", "say"),
            ("weir.function", "logged"),
            ("weir.module", &digest),
        ] {
            assert_eq!(text_of(&record.attributes, name), Some(value), "{record:?}");
        }
        assert_eq!((record.severity_number, record.severity_text.as_str()), (9, "INFO"));
        assert_eq!((&record.trace_id, &record.span_id), (&stage.trace_id, &stage.span_id));
        assert!(record.time_unix_nano > stage.start_time_unix_nano, "{record:?}");
    }
    // And on the terminal.
    let told = weir.stderr();
    let line = told.lines().find(|line| line.contains("guest: one")).unwrap_or_else(|| panic!("{told}"));
    let short = format!("module=\"{}\"", &digest[..12]);
    for part in ["INFO guest: one", "stage=\"say\"", "tenant=\"acme\"", "function=\"logged\"", &short] {
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn a_worker_s_lines_and_spans_say_the_same_as_those_of_one_process() {
    let (folder, receiver) = (tempfile::tempdir().expect("a folder"), Receiver::start());
    write(
        folder.path(),
        "guest.wasm",
        talker("(data (i32.const 0) \"a line\")", "(drop (call $log (i32.const 3) (i32.const 0) (i32.const 6)))"),
    );
    query(folder.path(), 3, 1, "");
    write(folder.path(), "limits.toml", "[tenants.acme]\nfolders = [\".\"]\n");
    let arguments = ["run", "--workers", "--limits", "limits.toml", "q.toml"];
    let weir = run(weir(folder.path(), &receiver), &arguments);
    let records = of_guests(&receiver);
    assert_eq!(records.iter().map(|record| said(record.body.as_ref())).collect::<Vec<_>>(), ["a line"; 3]);
    let spans = receiver.spans();
    let of = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    assert_eq!((of("weir.batch").len(), of("weir.stage").len(), of("weir.sink").len()), (3, 3, 3), "{spans:?}");
    assert!(!of("weir.source").is_empty() && !of("weir.commit").is_empty(), "{spans:?}");
    for (record, stage) in records.iter().zip(of("weir.stage")) {
        for (name, value) in [("weir.tenant", "acme"), ("weir.query", "talk"), ("weir.stage", "say")] {
            assert_eq!(text_of(&record.attributes, name), Some(value), "{record:?}");
            assert_eq!(text_of(&stage.attributes, name), Some(value), "{stage:?}");
        }
        assert_eq!((&record.trace_id, &record.span_id), (&stage.trace_id, &stage.span_id));
        assert!(stage.end_time_unix_nano >= stage.start_time_unix_nano);
    }
    let told = weir.stderr();
    let line = told.lines().find(|line| line.contains("guest: a line")).unwrap_or_else(|| panic!("{told}"));
    for part in ["INFO guest: a line", "stage=\"say\"", "tenant=\"acme\"", "function=\"f\"", "module=\""] {
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(told.matches("guest: a line").count(), 3, "{told}");
}

#[test]
fn hostile_text_is_escaped_and_cut_in_records_and_on_the_terminal() {
    let (folder, receiver) = (tempfile::tempdir().expect("a folder"), Receiver::start());
    // What starts a line, ends one, colours it, names it, turns it, and is no character at all.
    let text = r#"ok\0a2026-01-01 ERROR forged\0d\0a\1b[31m\1b]0;title\07\e2\80\ae\00"#;
    let memory = format!("(data (i32.const 0) \"{text}\")");
    let says = "(drop (call $log (i32.const 1) (i32.const 0) (i32.const 47)))
                (memory.fill (i32.const 4096) (i32.const 120) (i32.const 1048576))
                (drop (call $log (i32.const 2) (i32.const 4096) (i32.const 1048576)))
                (memory.fill (i32.const 4096) (i32.const 10) (i32.const 1048576))
                (drop (call $log (i32.const 4) (i32.const 4096) (i32.const 1048576)))";
    write(folder.path(), "guest.wasm", talker(&memory, says));
    query(folder.path(), 1, 1, "");
    let weir = run(weir(folder.path(), &receiver), &["run", "q.toml"]);
    let records = of_guests(&receiver);
    let bodies: Vec<&str> = records.iter().map(|record| said(record.body.as_ref())).collect();
    let forged = "ok\\n2026-01-01 ERROR forged\\r\\n\\u{1b}[31m\\u{1b}]0;title\\u{7}\\u{202e}\\0";
    assert_eq!(bodies, [forged, &"x".repeat(1024), &"\\n".repeat(512)]);
    assert_eq!(records.iter().map(|record| record.severity_number).collect::<Vec<_>>(), [17, 13, 5]);
    let told = weir.stderr();
    assert!(told.contains(&format!("ERROR guest: {forged} ")), "{told}");
    assert!(!told.contains(['\u{1b}', '\0', '\u{202e}', '\r']), "{told}");
    assert!(told.lines().all(|line| !line.starts_with("2026-01-01") && line.len() < 2048), "{told}");
}

#[test]
fn lines_beyond_the_limits_are_dropped_counted_and_told() {
    const BATCHES: usize = 60;
    let (folder, receiver) = (tempfile::tempdir().expect("a folder"), Receiver::start());
    let says = "(local.set $left (i32.const 130))
                (loop $again
                  (drop (call $log (i32.const 3) (i32.const 0) (i32.const 6)))
                  (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))";
    write(folder.path(), "guest.wasm", talker("(data (i32.const 0) \"a line\")", says));
    query(folder.path(), BATCHES, 1, "");
    let mut weir = weir(folder.path(), &receiver).run(&["--json", "run", "q.toml"]);
    assert!(weir.wait(crate::support::SOON).success(), "{}", weir.stderr());
    let records = of_guests(&receiver);
    let dropped = |record: &LogRecord| number_of(&record.attributes, "weir.log.lines_dropped");
    let (told, lines): (Vec<_>, Vec<_>) = records.iter().partition(|record| dropped(record).is_some());
    let dropped: i64 = told.iter().filter_map(|record| dropped(record)).sum();
    // 100 of each batch's 130 at most, and 1,000 of each second's.
    assert_eq!(lines.len() as i64 + dropped, (130 * BATCHES) as i64);
    assert!((1000..130 * BATCHES / 2).contains(&lines.len()), "{} lines", lines.len());
    assert!(dropped >= 30 * BATCHES as i64 && told.iter().all(|record| record.severity_text == "WARN"), "{told:?}");
    assert!(said(told[0].body.as_ref()).contains(" lines of this function were dropped"), "{told:?}");
    let stderr = weir.stderr();
    let summary = stderr.lines().rev().find(|line| line.contains("\"summary\"")).expect("a summary");
    let summary: serde_json::Value = serde_json::from_str(summary).expect("JSON");
    assert_eq!(summary["summary"]["stages"][0]["logs_dropped"], dropped);
    let shown = stderr.lines().filter(|line| line.contains("\"a line\"")).count();
    assert_eq!(shown, lines.len(), "the terminal has the same limit");
}

#[test]
fn the_runtime_s_own_warnings_are_records_of_its_own_scope() {
    let (folder, receiver) = (tempfile::tempdir().expect("a folder"), Receiver::start());
    write(folder.path(), "guest.wasm", talker("", ""));
    query(folder.path(), 3, 1, "on_error = \"skip\"\n");
    write(folder.path(), "in.jsonl", "{\"n\":1}\n{\"n\":\"\\u001b[31mred\"}\n{\"n\":2}\n");
    run(weir(folder.path(), &receiver), &["run", "q.toml"]);
    let logs = receiver.logs();
    let own: Vec<_> = logs.iter().filter(|(scope, _)| scope == "weir").map(|(_, record)| record).collect();
    let skipped = own.iter().find(|record| said(record.body.as_ref()).starts_with("skipped: "));
    let skipped = skipped.unwrap_or_else(|| panic!("{own:?}"));
    assert_eq!((skipped.severity_number, skipped.severity_text.as_str()), (13, "WARN"));
    assert_eq!(text_of(&skipped.attributes, "source"), Some("in"), "{skipped:?}");
    assert!(own.iter().all(|record| !said(record.body.as_ref()).contains(['\u{1b}', '\n'])), "{own:?}");
}

#[test]
fn logs_alone_can_be_switched_off() {
    let (folder, receiver) = (tempfile::tempdir().expect("a folder"), Receiver::start());
    let says = "(drop (call $log (i32.const 3) (i32.const 0) (i32.const 6)))";
    write(folder.path(), "guest.wasm", talker("(data (i32.const 0) \"a line\")", says));
    query(folder.path(), 1, 1, "");
    let told = run(weir(folder.path(), &receiver).env("OTEL_LOGS_EXPORTER", "none"), &["run", "q.toml"]).stderr();
    assert_eq!(receiver.logs(), []);
    assert!(!receiver.metrics().is_empty() && !receiver.spans().is_empty());
    assert!(told.contains("guest: a line"), "{told}");
}
