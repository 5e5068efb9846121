//! Limits are a call's, and the runtime chooses how many records a call has: only a record that is too much alone fails.

use std::path::Path;

use weir_query::Summary;

use crate::support::{Text, ids, memory, run};

/// The seed workload through `function`, under the default policy, which is `fail`.
fn seed(function: &str, batches: u64, rest: &str) -> Text {
    Text::new().seed("seed", batches).stage("dear", "faulty", function, rest).sink("out", "")
}

async fn done(text: &Text) -> Summary {
    let (out, sinks) = memory(text, Path::new("."), "out");
    let summary = run(text, Path::new("."), sinks).await.expect("a run");
    let batches = usize::try_from(summary.progress.sources[0].batches).expect("a number");
    let expected: Vec<i64> = (0..batches).flat_map(|_| 0..1000).collect();
    assert_eq!(ids(&out.batches()), expected);
    assert!(summary.adds_up(), "{summary}");
    summary
}

/// The fuel of a record of the seed workload.
async fn fuel_a_record(function: &str) -> u64 {
    let summary = done(&seed(function, 1, "")).await;
    summary.progress.stages[0].fuel / 1000
}

#[tokio::test]
async fn records_that_are_dear_together_pass_under_fail_and_what_fits_is_remembered() {
    let fuel = fuel_a_record("panics").await;
    let rest = |records: u64| format!("[stages.limits]\nfuel_batch_max = {}", fuel * records + 500);
    let first = done(&seed("panics", 1, &rest(190))).await.progress.stages.remove(0);
    // 1000, 500, 250: then 125 fit.
    assert_eq!((first.traps, first.failed), (3, 0), "{first:?}");
    let stage = done(&seed("panics", 200, &rest(190))).await.progress.stages.remove(0);
    assert_eq!((stage.records_out, stage.failed), (200_000, 0));
    // With 125 records a call it would be 1,600 calls; a trial now and then finds out whether more fit.
    assert!((1100..1700).contains(&stage.calls) && stage.traps < 12, "{stage:?}");
}

#[tokio::test]
async fn a_record_that_is_too_much_alone_fails_the_query_and_is_named() {
    let text = seed("loops", 3, "params = { at = 500 }\n[stages.limits]\nfuel_batch_max = 200000");
    let error = run(&text, Path::new("."), Default::default()).await.expect_err("a failure");
    let message = error.to_string();
    let place = "stages.dear: the record at offset 500 of partition 0 of source `seed` ends the function: ";
    assert!(message.starts_with(place) && message.contains("out of fuel: limit 200000"), "{message}");
    // Nothing of the batch counts: the account adds up.
    assert!(error.summary.adds_up(), "{}", error.summary);
    let (source, stage) = (&error.summary.progress.sources[0], &error.summary.progress.stages[0]);
    assert_eq!((source.records, source.unfinished, stage.records_in), (1000, 1000, 0));
    assert_eq!(error.summary.progress.state, weir_query::QueryState::Failed);
}

#[tokio::test]
async fn one_dear_record_makes_the_calls_of_later_batches_no_smaller() {
    let text =
        seed("loops", 50, "params = { at = 500 }\non_error = \"skip\"\n[stages.limits]\nfuel_batch_max = 2000000");
    let summary = run(&text, Path::new("."), Default::default()).await.expect("a run");
    let stage = &summary.progress.stages[0];
    assert_eq!((stage.failed, stage.records_out), (50, 49_950));
    // Halving a thousand ten times makes some twenty calls.
    assert!(stage.calls <= 50 * 22, "{stage:?}");
    assert_eq!(stage.errors.get("out_of_fuel"), Some(&50));
}

#[tokio::test]
async fn what_one_record_may_become_does_not_depend_on_its_batch() {
    // Of a thousand records the even ones become two and the others none: a thousand of a thousand.
    let rest = "on_error = \"skip\"\ntrapped_percent_max = 100\n[stages.limits]\noutput_rows_per_input_max = 1";
    let summary = run(&seed("doubles", 1, rest), Path::new("."), Default::default()).await.expect("a run");
    let stage = &summary.progress.stages[0];
    assert_eq!((stage.failed, stage.filtered, stage.records_out), (500, 500, 0), "{stage:?}");
    assert_eq!(stage.errors.get("output_rows_limit"), Some(&500));
    assert!(summary.adds_up());
    let rest = "[stages.limits]\noutput_rows_per_input_max = 2";
    let summary = run(&seed("doubles", 1, rest), Path::new("."), Default::default()).await.expect("a run");
    assert_eq!(summary.progress.stages[0].records_out, 1000);
}

/// A file of this number of batches of 8,192 records, with ascending numbers.
fn dear_input(folder: &Path, batches: usize) -> usize {
    let records = batches * 8192;
    let lines: String = (0..records).map(|id| format!("{{\"id\":{id}}}\n")).collect();
    std::fs::write(folder.join("in.jsonl"), lines).expect("the input");
    records
}

fn dear(function: &str, rest: &str) -> Text {
    Text::new()
        .add("[sources.in]\nkind = \"file\"\npath = \"in.jsonl\"\nschema = { id = \"i64\" }")
        .stage("dear", "faulty", function, rest)
        .sink("out", "")
        .add("[dead_letters]\npath = \"dead.jsonl\"")
}

/// All records come through whatever the policy, since none is too large alone; in this number of calls, of which this number fails.
async fn check_dear(function: &str, rest: &str, batches: usize, calls_max: u64, in_vain_max: u64) {
    for policy in ["fail", "dead_letter"] {
        let folder = tempfile::tempdir().expect("a folder");
        let records = dear_input(folder.path(), batches);
        let text = dear(function, &format!("on_error = \"{policy}\"\n{rest}"));
        let (out, sinks) = memory(&text, folder.path(), "out");
        let summary = run(&text, folder.path(), sinks).await.expect("a run");
        assert!(ids(&out.batches()).into_iter().eq(0..records as i64), "{policy}: {summary}");
        let stage = &summary.progress.stages[0];
        assert_eq!((stage.failed, stage.dead), (0, 0), "{policy}: {stage:?}");
        assert!(stage.calls <= calls_max && stage.traps <= in_vain_max, "{function}, {policy}: {stage:?}");
        assert!(stage.traps > 0, "{function}, {policy}: nothing exceeded its limit: {stage:?}");
        assert!(summary.adds_up(), "{summary}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_dear_records_come_through_and_are_not_divided_anew_each_time() {
    let fuel = fuel_a_record("panics").await;
    // 128 records fit, so that 256 calls would do; at first 8192, 4096, … 256 do not.
    let limits = format!("[stages.limits]\nfuel_batch_max = {}", fuel * 190 + 500);
    check_dear("panics", &limits, 4, 400, 16).await;
    // Some 0.3 ms a record: 2.5 s a batch, and a tenth of a second a call.
    let limits = "params = { rounds = 300000 }\n[stages.limits]\nfuel_batch_max = \"none\"\ndeadline_ms_max = 100";
    check_dear("dear", limits, 2, 1_000, 40).await;
    // Bytes of a call's output, which filters have none of: a flat-map's.
    let folder = tempfile::tempdir().expect("a folder");
    let records = dear_input(folder.path(), 4);
    let text =
        dear("doubles", "carry = [\"id\"]\n[stages.limits]\noutput_rows_max = 500\noutput_rows_per_input_max = 2");
    let (out, sinks) = memory(&text, folder.path(), "out");
    let summary = run(&text, folder.path(), sinks).await.expect("a run");
    let expected: Vec<i64> = (0..records as i64).filter(|id| id % 2 == 0).flat_map(|id| [id, id]).collect();
    assert_eq!(ids(&out.batches()), expected);
    let stage = &summary.progress.stages[0];
    assert!(stage.traps > 0 && stage.traps <= 16 && stage.calls <= 200, "{stage:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_records_that_are_each_too_much_every_one_is_found_and_no_other() {
    // Each even record becomes two, and may become one.
    let limits = "trapped_percent_max = 100\n[stages.limits]\noutput_rows_per_input_max = 1";
    let folder = tempfile::tempdir().expect("a folder");
    let records = dear_input(folder.path(), 1) as u64;
    let text = dear("doubles", &format!("on_error = \"dead_letter\"\n{limits}"));
    let summary = run(&text, folder.path(), Default::default()).await.expect("a run");
    let stage = &summary.progress.stages[0];
    assert_eq!((stage.dead, stage.filtered, stage.records_out), (records / 2, records / 2, 0), "{stage:?}");
    assert_eq!(stage.errors.get("output_rows_limit"), Some(&(records / 2)));
    // Two calls a record at most, and one more for each that is found guilty on an instance that had seen others.
    assert!(stage.calls <= records * 5 / 2, "{stage:?}");
    let letters = std::fs::read_to_string(folder.path().join("dead.jsonl")).expect("the letters");
    assert_eq!(letters.lines().count() as u64, records / 2);
    let error = run(&dear("doubles", limits), folder.path(), Default::default()).await.expect_err("a failure");
    assert!(error.to_string().contains("the record at offset 0 of partition 0 of "), "{error}");
    assert!(error.summary.adds_up(), "{}", error.summary);
}
