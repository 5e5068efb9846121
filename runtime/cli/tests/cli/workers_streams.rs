//! Rows on standard output and from standard input, of queries in workers.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use expect_test::expect;

use crate::common::{Said, said, weir};
use crate::lifecycle::send;
use crate::workers::{RUN, check, children, seed, tenants, until};

const STDIN: &str = "[sources.ids]\nkind = \"file\"\npath = \"/dev/stdin\"\nformat = \"json_lines\"\n\
                     schema = { id = \"i64\" }\n[batching]\ndelay_ms_max = 10\n";
const STDOUT: &str = "[sinks.out]\nkind = \"stdout\"\nformat = \"json_lines\"\n";

/// Lets a tenant read the standard input.
fn allow_input(folder: &Path, tenant: &str) {
    let limits = fs::read_to_string(folder.join("limits.toml")).expect("the limits file");
    let table = format!("[tenants.{tenant}]\n");
    fs::write(folder.join("limits.toml"), limits.replace(&table, &format!("{table}standard_input = true\n")))
        .expect("the limits file");
}

fn start(folder: &Path, arguments: &[&str]) -> (Child, ChildStdin, BufReader<ChildStdout>) {
    let mut command = weir(folder, &[&RUN[..], arguments].concat());
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command");
    let stdin = child.stdin.take().expect("standard input");
    let stdout = BufReader::new(child.stdout.take().expect("standard output"));
    (child, stdin, stdout)
}

fn ended(child: Child) -> Said {
    said(child.wait_with_output().expect("an end"))
}

fn kill(worker: u32) {
    // SAFETY: `kill` takes two integers and touches no memory of ours; the process is the child's, which has not waited for it.
    #[expect(unsafe_code, reason = "the process is not this one's child")]
    let sent = unsafe { libc::kill(i32::try_from(worker).expect("a process id"), libc::SIGKILL) };
    assert_eq!(sent, 0);
}

#[test]
fn rows_go_from_standard_input_to_standard_output_as_they_come() {
    let folder = tempfile::tempdir().expect("a folder");
    tenants(folder.path(), &[("acme", &format!("{STDIN}{STDOUT}")), ("beta", &seed(3))]);
    allow_input(folder.path(), "acme");
    let (child, mut stdin, mut stdout) = start(folder.path(), &["acme/q.toml", "beta/q.toml"]);
    let mut line = String::new();
    for id in 0..3 {
        writeln!(stdin, "{{\"id\":{id}}}").expect("a record");
        line.clear();
        stdout.read_line(&mut line).expect("a row");
        assert_eq!(line, format!("{{\"id\":{id}}}\n"));
    }
    drop(stdin);
    stdout.read_to_string(&mut line).expect("the rest");
    let told = ended(child);
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.contains("query q of tenant acme: end of input"), "{}", told.err);
}

#[test]
fn a_regular_file_as_standard_input_is_read_from_its_beginning() {
    let folder = tempfile::tempdir().expect("a folder");
    tenants(folder.path(), &[("acme", &format!("{STDIN}{STDOUT}"))]);
    allow_input(folder.path(), "acme");
    fs::write(folder.path().join("in.jsonl"), "{\"id\":7}\n".repeat(5_000)).expect("the input");
    let mut command = weir(folder.path(), &[&RUN[..], &["acme/q.toml"]].concat());
    let input = fs::File::open(folder.path().join("in.jsonl")).expect("the input");
    let told = said(command.stdin(input).output().expect("the command"));
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert_eq!(told.out, "{\"id\":7}\n".repeat(5_000));
}

#[test]
fn who_may_not_read_standard_input_and_who_comes_second_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let both = format!("{STDIN}{STDOUT}");
    tenants(folder.path(), &[("acme", &both), ("beta", &both), ("evil", &both)]);
    allow_input(folder.path(), "acme");
    allow_input(folder.path(), "beta");
    check(
        folder.path(),
        &["acme/q.toml", "beta/q.toml", "evil/q.toml"],
        1,
        expect![[r#"
            error: beta/q.toml:5: sources.ids.path: a query of another tenant in this run also reads this, but it can be read only once; read it in one query
            beta/q.toml:10: sinks.out: a query of another tenant in this run also writes to standard output; write one of them to a file
            error: evil/q.toml:5: sources.ids.path: `/dev/stdin` is outside of the folders of tenant `evil`; the operator can allow it with `standard_input = true` under `[tenants.evil]` in the limits file"#]],
    );
}

#[test]
fn a_reader_that_goes_away_ends_the_query_quietly() {
    let folder = tempfile::tempdir().expect("a folder");
    let endless = seed(1_000_000_000);
    let source = endless.split("[sinks.out]").next().expect("the source");
    tenants(folder.path(), &[("acme", &format!("{source}{STDOUT}"))]);
    let (child, _stdin, mut stdout) = start(folder.path(), &["acme/q.toml"]);
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a row");
    assert!(line.starts_with('{'), "{line}");
    drop(stdout);
    let told = ended(child);
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.contains("reader gone") && !told.err.contains("error"), "{}", told.err);
}

#[test]
fn a_standard_output_that_nobody_reads_stops_the_query_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let endless = seed(1_000_000_000);
    let source = endless.split("[sinks.out]").next().expect("the source");
    tenants(folder.path(), &[("acme", &format!("{source}{STDOUT}")), ("beta", &seed(20))]);
    let (child, _stdin, _stdout) = start(folder.path(), &["--grace-ms", "2000", "acme/q.toml", "beta/q.toml"]);
    until("the other query's file", || folder.path().join("beta/out/rows.csv").exists());
    let started = Instant::now();
    send(&child, libc::SIGTERM);
    let told = ended(child);
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert_eq!(told.code, Some(3), "{}", told.err);
    let forced = "error: query q of tenant acme: ended by force 1620 ms after the stop: ";
    assert!(told.err.contains(forced) && !told.err.contains("release"), "{}", told.err);
}

#[test]
fn a_worker_that_is_killed_leaves_no_row_in_part_and_writes_every_record_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = seed(300).replace("[sinks.out]", "[delivery]\nstate = \"out/state\"\ncommit_ms = 20\n[sinks.out]");
    let source = text.split("[sinks.out]").next().expect("the source");
    tenants(folder.path(), &[("acme", &format!("{source}{STDOUT}"))]);
    let (child, _stdin, mut stdout) = start(folder.path(), &["acme/q.toml"]);
    let mut out = vec![0; 1 << 20];
    stdout.read_exact(&mut out).expect("the first rows");
    for worker in children(child.id()) {
        kill(worker);
    }
    stdout.read_to_end(&mut out).expect("the rest");
    let told = ended(child);
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.contains("ended by signal 9"), "{}", told.err);
    let mut batches = 0;
    for line in String::from_utf8(out).expect("text").lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        batches += u64::from(row["id"] == 7);
    }
    assert!(batches >= 300, "{batches} of 300 batches");
}

#[test]
fn a_query_whose_input_cannot_be_read_again_is_not_started_again() {
    let folder = tempfile::tempdir().expect("a folder");
    tenants(folder.path(), &[("acme", &format!("{STDIN}{STDOUT}"))]);
    allow_input(folder.path(), "acme");
    let (child, mut stdin, mut stdout) = start(folder.path(), &["acme/q.toml"]);
    writeln!(stdin, "{{\"id\":1}}").expect("a record");
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a row");
    for worker in children(child.id()) {
        kill(worker);
    }
    let told = ended(child);
    assert_eq!(told.code, Some(1), "{}", told.err);
    let why = "error: the worker of tenant acme ended by signal 9 (KILL); the query is not started again because its input, a pipe, a terminal or the standard input, cannot be read again: records that it had read and not committed are lost";
    assert!(told.err.contains(why), "{}", told.err);
}
