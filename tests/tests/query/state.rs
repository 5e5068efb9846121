//! What functions keep in their memory: its loss is never silent, and neither is keeping it in secret.

use std::path::Path;

use expect_test::{Expect, expect};
use weir_plan::Plan;
use weir_query::Query;

use crate::support::{Text, engine, ids, memory, run};

/// The seed workload three times over through a function: each number comes three times.
fn query(function: &str, rest: &str) -> Text {
    Text::new()
        .seed("seed", 3)
        .stage("state", "faulty", function, rest)
        .sink("out", "")
        .add("[dead_letters]\npath = \"dead.jsonl\"")
}

/// What came of it: the records that arrived and the losses by cause, or the error.
async fn outcome(text: &Text) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let (out, sinks) = memory(text, folder.path(), "out");
    match run(text, folder.path(), sinks).await {
        Ok(summary) => {
            assert!(summary.adds_up(), "{summary}");
            let stage = &summary.progress.stages[0];
            format!("{} records, losses {:?}", ids(&out.batches()).len(), stage.state_losses)
        }
        Err(error) => {
            assert_eq!(error.summary.progress.committed_records, 0, "{error}");
            // The module's digest is the build's.
            let message = error.to_string();
            let (before, after) = message.split_once(", module ").unwrap_or((&message, ""));
            let after = after.split_once(", function").map(|(_, after)| format!(", function{after}"));
            let message = format!("{before}{}", after.unwrap_or_default());
            // Nor is the place of a panic in the guest's source.
            match message
                .split_once(" (faulty/src")
                .and_then(|(before, place)| Some((before, place.split_once(')')?.1)))
            {
                Some((before, after)) => format!("{before}{after}"),
                None => message,
            }
        }
    }
}

async fn check(function: &str, rest: &str, expect: Expect) {
    expect.assert_eq(&outcome(&query(function, rest)).await);
}

#[tokio::test]
async fn state_that_is_kept_goes_on_from_batch_to_batch() {
    check("fresh", "", expect!["1000 records, losses {}"]).await;
    // A new instance for each batch keeps nothing, as the file says.
    check("fresh", "isolation = \"fresh\"", expect!["3000 records, losses {}"]).await;
}

#[tokio::test]
async fn state_that_is_lost_ends_the_query_or_is_counted() {
    let poison = |rest: &str| format!("params = {{ at = 500 }}\non_error = \"skip\"\n{rest}");
    check("fresh", &poison(""), expect![[r#"stages.state: state_lost: function `fresh` has lost its state from 1 batch (unreachable: default, function fresh, in a batch of 500 rows: unreachable code was reached: record 500 is the one); to continue without it, set `on_state_loss = "warn"`"#]]).await;
    check("fresh", &poison("on_state_loss = \"warn\""), expect![[r#"2997 records, losses {"unreachable": 5}"#]]).await;
    // What declares that it keeps nothing loses nothing.
    check("panics", &poison(""), expect!["2997 records, losses {}"]).await;
}

#[tokio::test]
async fn state_that_is_kept_in_secret_is_found_out() {
    check("secretly_fresh", "verify_every_batches = 1", expect![[r#"stages.state: hidden_state: function `secretly_fresh` gave another result for batch 2 on a new instance: one instance returned 0 rows, the other 1000; it keeps state that its module does not declare. Declare the state (`#[transform]` on an `impl`, or `"state":"kept"` in the manifest), or set `on_state_loss` for a module that declares nothing, or `verify_every_batches = 0`"#]]).await;
    check("secretly_fresh", "verify_every_batches = 2", expect![[r#"stages.state: hidden_state: function `secretly_fresh` gave another result for batch 2 on a new instance: one instance returned 0 rows, the other 1000; it keeps state that its module does not declare. Declare the state (`#[transform]` on an `impl`, or `"state":"kept"` in the manifest), or set `on_state_loss` for a module that declares nothing, or `verify_every_batches = 0`"#]]).await;
    check("secretly_fresh", "", expect!["1000 records, losses {}"]).await;
    check("secretly_fresh", "verify_every_batches = 0", expect!["1000 records, losses {}"]).await;
    for function in ["panics", "refuses"] {
        check(function, "verify_every_batches = 1", expect!["3000 records, losses {}"]).await;
    }
    check("fresh", "verify_every_batches = 1", expect!["1000 records, losses {}"]).await;
}

/// A filter whose manifest says nothing of state: it passes the first batch, and traps at a number where it is to.
fn made_by_hand(folder: &Path) -> String {
    let text = r#"(module
        (import "weir_v1" "emit_filter" (func $emit_filter (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (global $batch (mut i32) (i32.const 0))
        (func (export "weir_call_once") (param $rows i32) (result i32)
            (memory.fill (i32.const 0) (select (i32.const 0) (i32.const 255) (global.get $batch)) (i32.const 1024))
            (global.set $batch (i32.add (global.get $batch) (i32.const 1)))
            (call $emit_filter (i32.const 0) (local.get $rows)))
        (@custom "weir.manifest" "{\22abi\22:1,\22name\22:\22once\22,\22kind\22:\22transform\22,\22output_shape\22:\22filter\22}"))"#;
    let path = folder.join("once.wasm");
    std::fs::write(&path, wat::parse_str(text).expect("a module")).expect("a file");
    format!("[[stages]]\nname = \"once\"\nmodule = {path:?}\nfunction = \"once\"\n")
}

#[tokio::test]
async fn of_a_module_that_declares_nothing_state_is_looked_for_unless_it_is_known() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = async |rest: &str, expect: Expect| {
        let text = Text::new().seed("seed", 3).add(&format!("{}{rest}", made_by_hand(folder.path()))).sink("out", "");
        expect.assert_eq(&outcome(&text).await);
    };
    check("verify_every_batches = 2", expect![[r#"stages.once: hidden_state: function `once` gave another result for batch 2 on a new instance: one instance returned 0 rows, the other 1000; it keeps state that its module does not declare. Declare the state (`#[transform]` on an `impl`, or `"state":"kept"` in the manifest), or set `on_state_loss` for a module that declares nothing, or `verify_every_batches = 0`"#]]).await;
    check("", expect!["1000 records, losses {}"]).await;
    check("verify_every_batches = 2\non_state_loss = \"warn\"", expect!["1000 records, losses {}"]).await;
    check("verify_every_batches = 2\non_state_loss = \"fail\"", expect!["1000 records, losses {}"]).await;
}

/// A file of numbers through a function, with positions that are kept.
fn restartable(folder: &Path, rest: &str) -> Text {
    std::fs::write(folder.join("in.jsonl"), "{\"id\": 1}\n{\"id\": 2}\n").expect("a file");
    Text::new()
        .add("[sources.numbers]\nkind = \"file\"\npath = \"in.jsonl\"\nschema = { id = \"i64\" }")
        .stage("state", "faulty", "fresh", rest)
        .sink("out", "")
        .add("[delivery]\nstate = \"state\"")
}

#[tokio::test]
async fn a_query_that_would_go_on_without_its_state_says_so_before_and_refuses() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = restartable(folder.path(), "");
    let warnings = |plan: &Plan| plan.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    expect![[r#"stages.state: function `fresh` keeps state in memory, which is not stored with the positions: the query cannot continue after a restart; `on_state_loss = "warn"` continues with empty state"#]].assert_eq(&warnings(&text.plan(folder.path())));
    run(&text, folder.path(), Default::default()).await.expect("a first run");
    let refused = Query::build(text.plan(folder.path()), &engine()).await.err().expect("no second run");
    expect![[r#"stages.state: state_lost: function `fresh` has lost its state from an earlier run (restart: the state belonged to an earlier run); to continue without it, set `on_state_loss = "warn"`"#]].assert_eq(&refused.to_string());
    // With its policy it goes on, and counts.
    let text = restartable(folder.path(), "on_state_loss = \"warn\"");
    assert_eq!(warnings(&text.plan(folder.path())), "");
    let summary = run(&text, folder.path(), Default::default()).await.expect("a second run");
    expect![[r#"{"restart": 1}"#]].assert_eq(&format!("{:?}", summary.progress.stages[0].state_losses));
    assert!(summary.to_string().contains("; lost its state 1 times (restart 1)"), "{summary}");
}
