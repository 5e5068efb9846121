//! One bad record in a thousand: what becomes of it, and of the other 999.

use expect_test::expect;
use serde_json::Value;

use crate::support::{Text, counter, ids, memory, numbers, run};

/// The seed workload three times over, with one record in each thousand that the function fails on.
fn query(function: &str, policy: &str) -> Text {
    // A short deadline, so that the endless loop ends soon; fuel ends it sooner still.
    let rest = format!("params = {{ at = 500 }}\non_error = \"{policy}\"\n[stages.limits]\nfuel_batch_max = 20000000");
    Text::new()
        .seed("seed", 3)
        .stage("faulty", "faulty", function, &rest)
        .stage("seen", "faulty", "seen", "")
        .sink("out", "")
        .add("[dead_letters]\npath = \"dead.jsonl\"")
}

fn all_but_the_bad_one() -> Vec<i64> {
    (0..3).flat_map(|_| (0..1000).filter(|id| *id != 500)).collect()
}

#[tokio::test]
async fn skipped_or_dead_lettered_exactly_999_of_a_thousand_arrive_once_and_in_order() {
    for function in ["panics", "loops", "refuses"] {
        for policy in ["skip", "dead_letter"] {
            let folder = tempfile::tempdir().expect("a folder");
            let text = query(function, policy);
            let (out, sinks) = memory(&text, folder.path(), "out");
            let summary = run(&text, folder.path(), sinks).await.expect("a run");
            assert_eq!(ids(&out.batches()), all_but_the_bad_one(), "{function}, {policy}");
            assert!(summary.adds_up(), "{function}, {policy}: {summary}");
            let stage = &summary.progress.stages[0];
            let (failed, dead) = if policy == "skip" { (3, 0) } else { (0, 3) };
            assert_eq!((stage.failed, stage.dead, stage.records_out), (failed, dead, 2997), "{function}, {policy}");
            // What the guest recorded counts once for each record that went on, however often its batch was divided.
            assert_eq!(counter(&summary, "records"), 2997.0, "{function}, {policy}");
        }
    }
}

#[tokio::test]
async fn a_dead_letter_says_what_failed_where_and_why_and_keeps_the_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = query("panics", "dead_letter");
    run(&text, folder.path(), Default::default()).await.expect("a run");
    let letters = std::fs::read_to_string(folder.path().join("dead.jsonl")).expect("dead letters");
    let letters: Vec<Value> = letters.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(letters.len(), 3);
    let mut letter = letters[0].clone();
    let digest = letter["module"].take();
    assert_eq!(digest.as_str().map(str::len), Some(64));
    let message = letter["message"].take();
    assert!(message.as_str().is_some_and(|message| message.contains("record 500 is the one")), "{message}");
    expect![[r#"
        {
          "code": "unreachable",
          "function": "panics",
          "headers": {
            "base64": []
          },
          "message": null,
          "module": null,
          "offset": 500,
          "partition": 0,
          "place": "faulty",
          "query": "test",
          "record": {
            "id": 500,
            "name": "record_500",
            "value": 750.0
          },
          "source": "seed",
          "tenant": "default",
          "timestamp_us": 1640995700000000,
          "value": "record",
          "version": 2
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&letter).expect("JSON"));
}

#[tokio::test]
async fn failing_is_the_default_and_names_stage_record_and_cause() {
    for (function, said) in [("panics", "record 500 is the one"), ("loops", "out of fuel"), ("refuses", "offset 500")] {
        let folder = tempfile::tempdir().expect("a folder");
        let text = query(function, "fail");
        let (out, sinks) = memory(&text, folder.path(), "out");
        let error = run(&text, folder.path(), sinks).await.expect_err("a failure");
        let message = error.to_string();
        assert!(message.starts_with("stages.faulty: ") && message.contains(said), "{message}");
        assert_eq!(error.summary.progress.committed_records, 0);
        assert!(error.summary.metrics.is_empty(), "what was not committed does not count");
        assert!(ids(&out.batches()).is_empty());
    }
}

#[tokio::test]
async fn a_function_that_fails_on_everything_fails_the_query_and_not_record_by_record() {
    let folder = tempfile::tempdir().expect("a folder");
    // Every record of the second batch of this stage has `copy` 0 or 1; `panics` reads `id`, which none has.
    let rest = "on_error = \"skip\"\n[stages.limits]\nfuel_batch_max = 10";
    let text = Text::new().seed("seed", 1).stage("starved", "faulty", "panics", rest).sink("out", "");
    let error = run(&text, folder.path(), Default::default()).await.expect_err("a failure");
    let message = error.to_string();
    assert!(message.contains("allows only 500") && message.contains("out of fuel"), "{message}");
}

#[tokio::test]
async fn a_flat_map_is_narrowed_as_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let rest = "params = { at = 501 }\non_error = \"skip\"\ncarry = [\"id\"]";
    let text = Text::new().seed("seed", 1).stage("twice", "faulty", "doubles", rest).sink("out", "");
    let (out, sinks) = memory(&text, folder.path(), "out");
    let summary = run(&text, folder.path(), sinks).await.expect("a run");
    let batches = out.batches();
    assert_eq!(ids(&batches), (0..1000).step_by(2).flat_map(|id| [id, id]).collect::<Vec<_>>());
    assert!(numbers(&batches, "copy").chunks(2).all(|pair| pair == [0, 1]));
    let stage = &summary.progress.stages[0];
    assert_eq!((stage.records_out, stage.expanded, stage.filtered, stage.failed), (1000, 500, 499, 1));
    assert!(summary.adds_up());
}
