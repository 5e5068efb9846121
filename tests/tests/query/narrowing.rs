//! A batch whose records end the guest: what it may cost, what a stop does to it, and when the function is to blame.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use weir_query::{Ending, Query, QueryHandle, Summary};

use crate::support::{Text, counter, engine, run};

/// A file of 8,192 records of which every `nth` one is number 7, and ends the guest.
fn input(folder: &Path, nth: usize) {
    let mut lines = String::new();
    for record in 0..8192 {
        let id = if record % nth == nth - 1 { 7 } else { 100_000 + record };
        writeln!(lines, "{{\"id\": {id}}}").expect("a line");
    }
    fs::write(folder.join("in.jsonl"), lines).expect("the input");
}

const SOURCE: &str = "[sources.ids]\nkind = \"file\"\npath = \"in.jsonl\"\nschema = { id = \"i64\" }";

fn query(function: &str, rest: &str) -> Text {
    let rest = format!("{rest}\n[stages.limits]\nfuel_batch_max = 1000000000");
    Text::new().add(SOURCE).stage("faulty", "faulty", function, &rest)
}

async fn run_in(text: &Text, folder: &Path) -> Summary {
    run(text, folder, Default::default()).await.unwrap_or_else(|error| panic!("{error}\n{}", error.summary))
}

#[tokio::test]
async fn a_hundred_poison_records_of_a_batch_are_dead_letters() {
    let folder = tempfile::tempdir().expect("a folder");
    input(folder.path(), 80);
    let text = query("panics", "params = { at = 7 }\non_error = \"dead_letter\"");
    let summary = run_in(&text.sink("out", "").add("[dead_letters]\npath = \"dead.jsonl\""), folder.path()).await;
    let stage = &summary.progress.stages[0];
    assert_eq!((stage.dead, stage.records_out, stage.held_back), (102, 8090, 0), "{stage:?}");
    assert_eq!(stage.errors.get("unreachable"), Some(&102));
    let letters = fs::read_to_string(folder.path().join("dead.jsonl")).expect("the letters");
    assert_eq!(letters.lines().count(), 102);
    assert!(summary.adds_up());
}

#[tokio::test]
async fn a_function_that_most_records_end_is_broken_unless_the_stage_says_otherwise() {
    let folder = tempfile::tempdir().expect("a folder");
    input(folder.path(), 1);
    let text =
        |rest: &str| query("panics", &format!("params = {{ at = 7 }}\non_error = \"skip\"\n{rest}")).sink("out", "");
    let error = run(&text(""), folder.path(), Default::default()).await.expect_err("a failure");
    let message = error.to_string();
    for part in [
        "4097 of 8192 records in one batch ended the function",
        "`trapped_percent_max = 50`",
        "raise `trapped_percent_max` of the stage",
        "the record at offset 4096 of partition 0 of ",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    // What was settled before that counts, and the account adds up.
    assert!(error.summary.adds_up(), "{}", error.summary);
    let (source, stage) = (&error.summary.progress.sources[0], &error.summary.progress.stages[0]);
    assert_eq!(source.records, stage.records_in + source.unfinished, "{}", error.summary);

    let error = run(&text("trapped_percent_max = 0"), folder.path(), Default::default()).await.expect_err("a failure");
    assert!(error.to_string().contains("65 of 8192 records"), "{error}");

    let summary = run_in(&text("trapped_percent_max = 100"), folder.path()).await;
    assert_eq!(summary.progress.stages[0].failed, 8192);
}

/// Waits until the handle says so.
async fn until(what: &str, handle: &QueryHandle, holds: impl Fn(&weir_query::Progress) -> bool) {
    let started = Instant::now();
    while !holds(&handle.progress()) {
        assert!(started.elapsed() < Duration::from_secs(60), "waited in vain: {what}; {:?}", handle.progress());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A guest that works for a long time over each of its poison records, far below its deadline, and panics then: narrowing all
/// of them down would take minutes.
const BURNS: &str = "params = { at = 7, rounds = 50000000 }\non_error = \"skip\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_cuts_narrowing_short_and_nothing_is_lost_or_doubled() {
    for guarantee in ["at_least_once", "exactly_once"] {
        let folder = tempfile::tempdir().expect("a folder");
        input(folder.path(), 16);
        let rest = format!(
            "[sinks.out]\nkind = \"file\"\npath = \"out.jsonl\"\n\
             [delivery]\nguarantee = \"{guarantee}\"\nstate = \"state\"\ncommit_ms = 20"
        );
        // A metrics function before it is run again with what is left of a batch, and counts each record once.
        let text = Text::new()
            .add(SOURCE)
            .stage("seen", "faulty", "seen", "")
            .stage("faulty", "faulty", "burns", &format!("{BURNS}\n[stages.limits]\nfuel_batch_max = \"none\""))
            .add(&rest);
        let query = Query::build(text.plan(folder.path()), &engine()).await.expect("a query");
        let handle = query.handle();
        let running = tokio::spawn(query.run());
        // All records are one batch: commits come in the middle of it.
        until("a commit within the batch", &handle, |progress| progress.committed_records > 0).await;
        until("more narrowing", &handle, |progress| progress.stages[1].traps > 20).await;
        let stopped = Instant::now();
        handle.stop();
        let summary = running.await.expect("no panic").expect("a stopped query");
        // To narrow down all that is left would take minutes.
        assert!(stopped.elapsed() < Duration::from_secs(30), "{guarantee}: {:?}", stopped.elapsed());
        let committed = summary.progress.committed_records;
        assert_eq!(summary.ending, Ending::Stopped);
        assert!(committed < 8192, "{summary}");
        let (source, stages) = (&summary.progress.sources[0], &summary.progress.stages);
        assert_eq!((source.records, stages[0].records_in), (committed + source.unfinished, committed), "{summary}");
        assert_eq!(counter(&summary, "records"), committed as f64, "{guarantee}: {summary}");
        assert!(summary.adds_up(), "{summary}");

        // The rest, by a function that is cheap.
        let text = text.replace(BURNS, "params = { at = 7 }\non_error = \"skip\"");
        let summary = run_in(&text, folder.path()).await;
        assert_eq!(summary.progress.committed_records, 8192 - committed, "{summary}");
        assert_eq!(counter(&summary, "records"), 8192.0, "{guarantee}");
        let mut written = Vec::new();
        for entry in fs::read_dir(folder.path()).expect("the folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
            if name.starts_with("out-") {
                written.extend(fs::read_to_string(&path).expect("a file").lines().map(str::to_owned));
            }
        }
        let all = written.len();
        written.sort();
        written.dedup();
        assert_eq!((all, written.len()), (8192 - 512, 8192 - 512), "{guarantee}");
    }
}

#[tokio::test]
async fn a_null_is_not_tried_again() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("in.jsonl"), "{\"id\":1}\n{\"id\":null}\n{\"id\":2}\n").expect("the input");
    let text = Text::new()
        .add(&SOURCE.replace("\"i64\"", "\"i64?\""))
        .stage("faulty", "faulty", "refuses", "on_error = \"retry\"\nretry = { times_max = 3, then = \"skip\" }")
        .sink("out", "");
    let summary = run_in(&text, folder.path()).await;
    let stage = &summary.progress.stages[0];
    assert_eq!((stage.failed, stage.retries, stage.records_out), (1, 0, 2), "{stage:?}");
    assert_eq!(stage.errors.get("null_input"), Some(&1));
    assert!(summary.to_string().contains("; failed on 1 null_input"), "{summary}");
    // With nothing else to do under `fail`, it fails at once.
    let text = text.replace(", then = \"skip\"", "");
    let error = run(&text, folder.path(), Default::default()).await.expect_err("a failure");
    assert!(error.to_string().contains("the record at offset 1 of partition 0"), "{error}");
}

/// Of 16 numbers the last is refused, and tried again after half a minute.
const BACKS_OFF: &str = "params = { at = 15 }\non_error = \"retry\"\n\
    retry = { times_max = 3, backoff_ms = 30000, then = \"skip\" }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_pauses_and_the_stop_are_served_while_a_stage_waits_to_try_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines: String = (0..16).map(|id| format!("{{\"id\":{id}}}\n")).collect();
    fs::write(folder.path().join("in.jsonl"), lines).expect("the input");
    let text = Text::new()
        .add(SOURCE)
        .stage("refuses", "faulty", "refuses", BACKS_OFF)
        .add("[sinks.out]\nkind = \"file\"\npath = \"out.jsonl\"")
        .add("[batching]\nrecords_max = 4")
        .add("[delivery]\nguarantee = \"exactly_once\"\nstate = \"state\"\ncommit_ms = 200");
    let query = Query::build(text.plan(folder.path()), &engine()).await.expect("a query");
    let handle = query.handle();
    let running = tokio::spawn(query.run());
    until("the last batch", &handle, |progress| progress.sources[0].records == 16).await;
    // Its first batches are committed, though the last one waits.
    until("a commit", &handle, |progress| progress.committed_records == 12).await;
    assert_eq!(handle.progress().stages[0].retries, 0);
    handle.pause();
    let stopped = Instant::now();
    handle.stop();
    let summary = running.await.expect("no panic").expect("a stopped query");
    // It would have waited for half a minute.
    assert!(stopped.elapsed() < Duration::from_secs(25), "{:?}", stopped.elapsed());
    let source = &summary.progress.sources[0];
    assert_eq!((summary.ending, summary.progress.committed_records, source.unfinished), (Ending::Stopped, 12, 4));
    // What waited is read again, and what was committed is not.
    let text = text.replace(BACKS_OFF, "params = { at = 15 }\non_error = \"skip\"");
    let summary = run_in(&text, folder.path()).await;
    assert_eq!((summary.progress.committed_records, summary.progress.stages[0].failed), (4, 1), "{summary}");
}
