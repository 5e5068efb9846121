//! Several queries and tenants in one process: instances that have to do for all, and folders that each keeps to.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use weir_plan::LimitsFile;
use weir_query::{Ending, Query, QueryHandle};
use weir_sandbox::{Engine, EngineConfig};

use crate::support::Text;

fn engine_of_one() -> Engine {
    Engine::new(&EngineConfig::default().with(|it| it.instances_max = 1)).expect("an engine")
}

fn passing(batches: u64) -> Text {
    Text::new().seed("seed", batches).stage("pass", "seed", "pass", "").sink("out", "")
}

/// Two queries of which the second waits for the one instance that the first has.
async fn one_waits(
    engine: &Engine,
) -> [(QueryHandle, tokio::task::JoinHandle<Result<weir_query::Summary, String>>); 2] {
    let mut started = Vec::new();
    for batches in [1_000_000_000, 3] {
        let query = Query::build(passing(batches).plan(Path::new(".")), engine).await.expect("a query");
        let handle = query.handle();
        let running = tokio::spawn(async { query.run().await.map_err(|error| error.to_string()) });
        let begun = |handle: &QueryHandle| {
            let stage = handle.progress().stages.remove(0);
            stage.calls > 0 || stage.instance_waits > 0
        };
        while !begun(&handle) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        started.push((handle, running));
    }
    started.try_into().unwrap_or_else(|_| panic!("two"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_query_waits_for_an_instance_and_goes_on_when_one_is_free() {
    let engine = engine_of_one();
    let [(first, first_runs), (second, second_runs)] = one_waits(&engine).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let stage = second.progress().stages.remove(0);
    assert_eq!((stage.calls, stage.traps, stage.instance_waits), (0, 0, 1), "it waits, and has not failed");
    first.stop();
    let summary = first_runs.await.expect("no panic").expect("the first");
    assert_eq!((summary.ending, summary.progress.stages[0].instance_waits), (Ending::Stopped, 0));
    let summary = second_runs.await.expect("no panic").expect("the second");
    let stage = &summary.progress.stages[0];
    assert_eq!((summary.ending, stage.records_out, stage.traps), (Ending::EndOfInput, 3000, 0));
    assert!(stage.instance_waits == 1 && stage.instance_wait_ms >= 200, "{stage:?}");
    assert!(summary.to_string().contains("waited for an instance 1 times"), "{summary}");
    assert!(summary.adds_up());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn queries_that_are_stopped_together_all_drain() {
    let engine = engine_of_one();
    let [(first, first_runs), (second, second_runs)] = one_waits(&engine).await;
    second.stop();
    first.stop();
    for running in [first_runs, second_runs] {
        let summary = running.await.expect("no panic").expect("a drained query");
        assert_eq!(summary.ending, Ending::Stopped);
        assert_eq!(summary.progress.committed_records, summary.records_read());
        assert!(summary.adds_up());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_query_that_is_stopped_while_it_waits_in_vain_says_what_for() {
    let engine = engine_of_one();
    let [(first, first_runs), (second, second_runs)] = one_waits(&engine).await;
    let stopped = Instant::now();
    second.stop();
    let error = second_runs.await.expect("no panic").expect_err("it has records that it could not run");
    assert!(error.contains("stages.pass: ") && error.contains("no instance is free: all 1 are in use"), "{error}");
    assert!(stopped.elapsed() < Duration::from_secs(20));
    first.stop();
    first_runs.await.expect("no panic").expect("the first");
}

const ACME: &str = "[tenants.default]\nfolders = [\"acme\"]";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["acme/out", "beta"] {
        fs::create_dir_all(folder.path().join(name)).expect("a folder");
    }
    fs::write(folder.path().join("acme/in.jsonl"), "{\"id\":1}\n").expect("the input");
    fs::write(folder.path().join("beta/in.jsonl"), "{\"id\":666}\n").expect("the input");
    folder
}

fn copying() -> Text {
    Text::new()
        .add("[sources.ids]\nkind = \"file\"\npath = \"acme/in.jsonl\"\nschema = { id = \"i64\" }\non_error = \"dead_letter\"")
        .add("[sinks.out]\nkind = \"file\"\npath = \"acme/out/out.jsonl\"")
        .add("[dead_letters]\npath = \"acme/out/dead.jsonl\"")
}

#[tokio::test]
async fn what_lies_within_a_tenants_folders_is_read_and_written() {
    let folder = folder();
    let query = Query::build(copying().plan_within(folder.path(), ACME), &crate::support::engine()).await;
    query.expect("a query").run().await.expect("a run");
    let written = fs::read_to_string(folder.path().join("acme/out/out.jsonl")).expect("the output");
    assert_eq!(written, "{\"id\":1}\n");
}

#[tokio::test]
async fn a_folder_that_is_swapped_for_a_link_after_the_check_is_not_written_to() {
    let folder = folder();
    let plan = copying().plan_within(folder.path(), ACME);
    fs::remove_dir(folder.path().join("acme/out")).expect("the folder");
    symlink("../beta", folder.path().join("acme/out")).expect("a link");
    let error = Query::build(plan, &crate::support::engine()).await.err().expect("a refusal").to_string();
    assert!(error.contains("dead_letters: its file is outside of the tenant's folders"), "{error}");
    // Without dead letters it is the sink that notices.
    let text = Text::new().seed("seed", 1).add("[sinks.out]\nkind = \"file\"\npath = \"acme/out/out.jsonl\"");
    fs::remove_file(folder.path().join("acme/out")).expect("the link");
    let plan = text.plan_within(folder.path(), ACME);
    symlink("../beta", folder.path().join("acme/out")).expect("a link");
    let error = Query::build(plan, &crate::support::engine()).await.err().expect("a refusal").to_string();
    assert!(error.contains("sinks.out: its file is outside of the tenant's folders"), "{error}");
    for entry in fs::read_dir(folder.path().join("beta")).expect("the folder") {
        assert_eq!(entry.expect("an entry").file_name(), "in.jsonl");
    }
}

#[tokio::test]
async fn a_source_that_is_swapped_for_a_link_after_the_check_is_not_read() {
    let folder = folder();
    let plan = copying().plan_within(folder.path(), ACME);
    let query = Query::build(plan, &crate::support::engine()).await.expect("a query");
    fs::remove_file(folder.path().join("acme/in.jsonl")).expect("the input");
    symlink("../beta/in.jsonl", folder.path().join("acme/in.jsonl")).expect("a link");
    let error = query.run().await.expect_err("a refusal").to_string();
    assert!(error.starts_with("sources.ids: ") && error.contains("outside of the tenant's folders"), "{error}");
    assert!(!folder.path().join("acme/out/out.jsonl").exists());
}

#[test]
fn the_example_is_a_right_limits_file() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/limits.toml");
    let limits = LimitsFile::load(path).unwrap_or_else(|error| panic!("{error}"));
    let of = |tenant: &str| limits.of(&tenant.parse().expect("a tenant"));
    let (demo, trial) = (of("demo").expect("named"), of("trial").expect("named"));
    assert_eq!((demo.limits.cpu_weight, demo.limits.cpu_percent_max), (200, None));
    assert_eq!((trial.limits.cpu_percent_max, trial.limits.hardened), (Some(50), true));
    assert_eq!(demo.limits.memory_bytes_max, trial.limits.memory_bytes_max, "both from the defaults");
    assert_eq!(demo.folders.paths().map(<[_]>::len), Some(2));
    assert!(of("stranger").is_none());
}
