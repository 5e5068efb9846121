//! A function that keeps ending badly is held back; one that fails on a record now and then is not.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use weir_query::{Ending, Query, Summary};

use crate::support::{Text, engine, ids, memory, run};

/// `batches` of ten records, of which every one ends `function`, or none: by `bad`, batch for batch.
fn query(folder: &Path, function: &str, batches: usize, bad: impl Fn(usize) -> bool) -> Text {
    let mut lines = String::new();
    for batch in 0..batches {
        for _ in 0..10 {
            writeln!(lines, "{{\"id\": {}}}", if bad(batch) { 7 } else { 1 }).expect("a line");
        }
    }
    std::fs::write(folder.join("in.jsonl"), lines).expect("the input");
    let rest = "params = { at = 7 }\non_error = \"skip\"\n[stages.limits]\nfuel_batch_max = 1000000";
    Text::new()
        .add("[sources.ids]\nkind = \"file\"\npath = \"in.jsonl\"\nschema = { id = \"i64\" }")
        .stage("faulty", "faulty", function, rest)
        .sink("out", "")
        .add("[batching]\nrecords_max = 10")
}

async fn run_within(text: &Text, folder: &Path, limits: &str) -> Summary {
    let query = Query::build(text.plan_within(folder, limits), &engine()).await.expect("a query");
    query.run().await.expect("a run")
}

#[tokio::test]
async fn batch_after_batch_that_ends_the_guest_waits_longer_and_the_account_says_so() {
    for function in ["panics", "loops"] {
        let folder = tempfile::tempdir().expect("a folder");
        let text = query(folder.path(), function, 6, |_| true);
        let summary = run_within(&text, folder.path(), "").await;
        let stage = &summary.progress.stages[0];
        assert_eq!((stage.records_in, stage.failed, stage.records_out), (60, 60, 0), "{function}");
        // Four pauses, of 10, 20, 40 and 80 ms from the end of one batch to the next; a machine under load may have
        // spent a short one on something else.
        assert!(summary.elapsed >= Duration::from_millis(150), "{function}: {:?}", summary.elapsed);
        assert!((1..=4).contains(&stage.held_back) && stage.held_back_ms > 0, "{function}: {stage:?}");
        assert!(stage.held_back_ms <= 150, "{function}: {stage:?}");
        let said = format!("; held back {} times, {} ms", stage.held_back, stage.held_back_ms);
        assert!(summary.to_string().contains(&said), "{summary}");
        assert!(summary.adds_up());
    }
}

#[tokio::test]
async fn a_good_batch_in_between_resets_and_the_limit_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = query(folder.path(), "panics", 12, |batch| batch % 2 == 0);
    let stage = run_within(&text, folder.path(), "").await.progress.stages.remove(0);
    assert_eq!((stage.failed, stage.records_out, stage.held_back), (60, 60, 0));

    // Of nine pauses the longest would be 2.5 s.
    let text = query(folder.path(), "panics", 11, |_| true);
    let stage = run_within(&text, folder.path(), "[tenants.default]\ntrap_pause_ms_max = 1").await;
    assert!(stage.progress.stages[0].held_back_ms < 1000, "{stage}");

    let stage = run_within(&text, folder.path(), "[tenants.default]\ntrap_pause_ms_max = 0").await;
    assert_eq!((stage.progress.stages[0].held_back, stage.progress.stages[0].failed), (0, 110), "{stage}");
}

#[tokio::test]
async fn one_poison_record_in_a_thousand_holds_nothing_back() {
    let text = Text::new()
        .seed("seed", 50)
        .stage("faulty", "faulty", "panics", "params = { at = 500 }\non_error = \"skip\"")
        .sink("out", "");
    let (out, sinks) = memory(&text, Path::new("."), "out");
    let summary = run(&text, Path::new("."), sinks).await.expect("a run");
    let stage = &summary.progress.stages[0];
    assert_eq!((stage.failed, stage.held_back, stage.held_back_ms), (50, 0, 0));
    assert_eq!(ids(&out.batches()).len(), 50 * 999);
}

#[tokio::test]
async fn a_pause_is_cut_short_by_a_stop_and_commits_go_on_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = query(folder.path(), "panics", 30, |_| true).add("[delivery]\ncommit_ms = 20");
    let query = Query::build(text.plan_within(folder.path(), ""), &engine()).await.expect("a query");
    let handle = query.handle();
    let running = tokio::spawn(query.run());
    let waits = |times| {
        let handle = handle.clone();
        async move {
            while handle.progress().stages[0].held_back < times {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    };
    // The ninth pause has 2,560 ms: what came before it is committed in it, however late this task is woken.
    waits(9).await;
    let mut asleep = handle.progress();
    while asleep.committed_records < asleep.stages[0].records_in && asleep.stages[0].held_back == 9 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        asleep = handle.progress();
    }
    assert_eq!(asleep.stages[0].held_back, 9, "the commit came within the pause");
    assert!(asleep.committed_records > 0);
    assert_eq!(asleep.committed_records, asleep.stages[0].records_in, "a pause does not hold back the commit");
    handle.stop();
    let summary = running.await.expect("no panic").expect("a run");
    assert_eq!(summary.ending, Ending::Stopped);
    assert!(summary.adds_up());
    // The nine pauses would have 5,110 ms together.
    assert!(summary.progress.stages[0].held_back_ms < 5_000, "{summary}");
}

#[tokio::test]
async fn what_does_not_come_to_the_stage_does_not_wait_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    // After two bad batches the stage is held back, and no third one comes to it; two hundred come past it.
    let text = query(folder.path(), "panics", 2, |_| true)
        .replace("function = \"panics\"", "function = \"panics\"\ninput = \"ids\"")
        .seed("good", 200)
        .sink("good-out", "input = \"good\"");
    let summary = run_within(&text, folder.path(), "").await;
    assert_eq!((summary.progress.sinks[1].records, summary.progress.stages[0].failed), (200_000, 20));
    assert_eq!(summary.progress.stages[0].held_back, 0);
}
