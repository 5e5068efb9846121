//! State that was damaged, is in use, or is another query's.

use std::fs;

use weir_plan::Plan;
use weir_query::{BuildError, Query};
use weir_sandbox::{CacheConfig, Engine, EngineConfig};
use weir_state::StateManifest;

use crate::support::{EXACTLY_ONCE, assert_once, input, query, run_to, run_to_end, start, written};

fn build(engine: &Engine, folder: &std::path::Path) -> Result<Query, BuildError> {
    let plan = Plan::load(folder.join("numbers.toml")).expect("a plan");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(Query::build(plan, engine))
}

#[test]
fn a_manifest_that_is_torn_at_any_byte_is_refused_by_name_and_nothing_is_read_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    input(folder.path(), 2_000);
    query(folder.path(), EXACTLY_ONCE);
    run_to_end(folder.path());
    let path = folder.path().join("state/manifest");
    let whole = fs::read(&path).expect("the manifest");
    let engine = Engine::new(&EngineConfig::default()).expect("an engine");
    // Without the stage, whose compilation would take most of the time.
    let text = fs::read_to_string(folder.path().join("numbers.toml")).expect("the query");
    let (before, stage) = text.split_once("[[stages]]").expect("a stage");
    let after = stage.split_once("[sinks").expect("a sink").1;
    fs::write(folder.path().join("numbers.toml"), format!("{before}[sinks{after}")).expect("the query");
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).expect("a torn manifest");
        let error = build(&engine, folder.path()).err().unwrap_or_else(|| panic!("cut to {length} bytes, it was used"));
        let said = error.to_string();
        assert!(matches!(error, BuildError::State(_)), "{said}");
        assert!(said.contains("state/manifest cannot be used") && said.contains("remove the folder"), "{said}");
    }
    assert_once(&written(folder.path()), 2_000);
    fs::write(folder.path().join("numbers.toml"), text).expect("the query");
    fs::write(&path, &whole).expect("the whole manifest");
    run_to_end(folder.path());
    assert_once(&written(folder.path()), 2_000);
}

#[test]
fn a_manifest_that_was_being_written_is_of_no_account_however_much_of_it_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    input(folder.path(), 20_000);
    query(folder.path(), EXACTLY_ONCE);
    run_to(folder.path(), "manifest.written:2");
    let (path, beside) = (folder.path().join("state/manifest"), folder.path().join("state/manifest.new"));
    let (last, next) = (fs::read(&path).expect("the manifest"), fs::read(&beside).expect("the next one"));
    assert_ne!(last, next);
    // The stage is compiled once: it would take most of the time.
    let cache = CacheConfig::new(folder.path().join("code"), 64 << 20);
    let engine = Engine::new(&EngineConfig::default().with(|it| it.cache = Some(cache))).expect("an engine");
    for length in (0..next.len()).step_by(7) {
        fs::write(&beside, &next[..length]).expect("a torn manifest");
        build(&engine, folder.path()).map(drop).unwrap_or_else(|error| panic!("{length} bytes: {error}"));
        assert_eq!(fs::read(&path).expect("the manifest"), last);
    }
    run_to_end(folder.path());
    assert_once(&written(folder.path()), 20_000);
}

#[test]
fn a_state_folder_is_of_one_run_and_of_one_query() {
    let folder = tempfile::tempdir().expect("a folder");
    input(folder.path(), 1_000_000);
    query(folder.path(), EXACTLY_ONCE);
    let mut first = start(folder.path());
    weir_tests::wait_until("the first run commits", crate::support::PATIENCE, || {
        folder.path().join("state/manifest").exists()
    });
    let mut second = start(folder.path());
    assert_eq!(second.wait(crate::support::PATIENCE).code(), Some(2), "{}", second.stderr());
    assert!(second.stderr().contains("is in use: this query is already running"), "{}", second.stderr());
    first.kill_9();

    let text = fs::read_to_string(folder.path().join("numbers.toml")).expect("the query");
    fs::write(folder.path().join("numbers.toml"), text.replace("\"numbers\"", "\"other\"")).expect("the query");
    let mut other = start(folder.path());
    assert_eq!(other.wait(crate::support::PATIENCE).code(), Some(2), "{}", other.stderr());
    assert!(other.stderr().contains("belongs to query `numbers` of tenant `default`"), "{}", other.stderr());
}

#[test]
fn a_finished_query_that_is_run_again_does_nothing_and_one_with_more_input_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    input(folder.path(), 5_000);
    query(folder.path(), EXACTLY_ONCE);
    run_to_end(folder.path());
    let again = run_to_end(folder.path());
    assert_eq!(again["committed_records"], 0, "{again}");
    assert_eq!(crate::support::counted(&again), 5_000);
    assert_once(&written(folder.path()), 5_000);

    // A second file in the list is new; the first one is not opened again.
    fs::rename(folder.path().join("in.csv"), folder.path().join("first.csv")).expect("the first file");
    let rest: String = (5_000..6_000).map(|id| format!("{id}\n")).collect();
    fs::write(folder.path().join("in.csv"), format!("id\n{rest}")).expect("the second file");
    let text = fs::read_to_string(folder.path().join("numbers.toml")).expect("the query");
    let moved = text.replace("path = \"in.csv\"", "paths = [\"first.csv\", \"in.csv\"]");
    fs::write(folder.path().join("numbers.toml"), &moved).expect("the query");
    let mut refused = start(folder.path());
    assert_eq!(refused.wait(crate::support::PATIENCE).code(), Some(2), "{}", refused.stderr());
    assert!(refused.stderr().contains("stored positions refer to"), "{}", refused.stderr());

    fs::rename(folder.path().join("in.csv"), folder.path().join("second.csv")).expect("the second file");
    fs::rename(folder.path().join("first.csv"), folder.path().join("in.csv")).expect("the first file");
    let more = text.replace("path = \"in.csv\"", "paths = [\"in.csv\", \"second.csv\"]");
    fs::write(folder.path().join("numbers.toml"), more).expect("the query");
    let summary = run_to_end(folder.path());
    assert_eq!(summary["committed_records"], 1_000, "{summary}");
    assert_once(&written(folder.path()), 6_000);
    let manifest = weir_query::read_manifest(&folder.path().join("state")).expect("a state").expect("a manifest");
    assert_eq!(manifest.records, 6_000);
}

/// The manifest of a query that has ended, changed as somebody could who may write to its folder.
fn forge(folder: &std::path::Path, change: impl FnOnce(&mut StateManifest)) {
    let state = folder.join("state");
    let mut manifest = weir_query::read_manifest(&state).expect("a state").expect("a manifest");
    change(&mut manifest);
    fs::write(state.join("manifest"), manifest.to_bytes().expect("bytes")).expect("the manifest");
}

#[test]
fn a_forged_manifest_hurts_its_own_query_at_most() {
    let folder = tempfile::tempdir().expect("a folder");
    input(folder.path(), 1_000);
    query(folder.path(), EXACTLY_ONCE);
    run_to_end(folder.path());

    // Everything at its limit, and more series than the stage may have.
    forge(folder.path(), |manifest| {
        (manifest.commits, manifest.records) = (u64::MAX, u64::MAX);
        manifest.sources[0].partitions[0].next = i64::MIN;
        manifest.next_numbers[0].number = u64::MAX;
        let series = manifest.metrics.last().expect("a series").clone();
        for label in 0..5_000 {
            manifest
                .metrics
                .push(weir_state::StoredSeries { labels: vec![format!("forged-{label}")], ..series.clone() });
        }
    });
    let mut weir = start(folder.path());
    let status = weir.wait(crate::support::PATIENCE);
    assert!(status.code().is_some_and(|code| code < 3), "{status}\n{}", weir.stderr());
    assert!(!weir.stderr().contains("panicked"), "{}", weir.stderr());
    assert!(weir.stderr().contains("metric series are dropped"), "{}", weir.stderr());

    // A position beyond the end: nothing is read, and nothing is made up.
    forge(folder.path(), |manifest| manifest.sources[0].partitions[0].next = i64::MAX - 1);
    assert_eq!(run_to_end(folder.path())["committed_records"], 0);
}

#[test]
fn a_forged_manifest_publishes_nothing_outside_of_the_tenants_folders() {
    let folder = tempfile::tempdir().expect("a folder");
    input(folder.path(), 1_000);
    fs::create_dir(folder.path().join("out")).expect("a folder");
    query(folder.path(), EXACTLY_ONCE);
    let text = fs::read_to_string(folder.path().join("numbers.toml")).expect("the query");
    let text = text.replace("\"state\"", "\"out/state\"").replace("\"in.csv\"", "\"out/in.csv\"");
    let (before, stage) = text.split_once("[[stages]]").expect("a stage");
    let after = stage.split_once("[sinks").expect("a sink").1;
    fs::write(folder.path().join("numbers.toml"), format!("{before}[sinks{after}")).expect("the query");
    fs::rename(folder.path().join("in.csv"), folder.path().join("out/in.csv")).expect("the input");
    fs::write(folder.path().join("limits.toml"), "[tenants.default]\nfolders = [\"out\"]\n").expect("limits");
    let run = || {
        let args = ["--json", "run", "--limits", "limits.toml", "numbers.toml"];
        let mut weir = weir_tests::Weir::in_folder(folder.path()).run(&args);
        let status = weir.wait(crate::support::PATIENCE);
        (status.code(), weir.stderr())
    };
    let (code, said) = run();
    assert_eq!(code, Some(0), "{said}");
    let secret = folder.path().join("secret");
    fs::write(&secret, "of somebody else").expect("a file");
    let state = folder.path().join("out/state");
    for (hidden, path) in [("secret", "out/taken.csv"), ("out/in.csv", "planted.csv")] {
        let mut manifest = weir_query::read_manifest(&state).expect("a state").expect("a manifest");
        let (hidden, path) = (folder.path().join(hidden), folder.path().join(path));
        manifest.files = vec![weir_state::PreparedFile { hidden: hidden.clone(), path: path.clone(), number: 0 }];
        fs::write(state.join("manifest"), manifest.to_bytes().expect("bytes")).expect("the manifest");
        let (code, said) = run();
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("is outside of the tenant's folders"), "{said}");
        assert!(hidden.exists() && !path.exists(), "{said}");
    }
}
