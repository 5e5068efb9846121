//! A disk that is full.

use std::fs;
use std::time::Duration;

use weir_tests::{Weir, wait_until};

use crate::support::{EXACTLY_ONCE, PATIENCE, assert_once, input, query, summary, written};

/// The query's folders on a disk of its own that holds less than its output.
fn start(folder: &std::path::Path, kib: u64) -> weir_tests::WeirProcess {
    let disk = folder.join("disk");
    fs::create_dir_all(&disk).expect("a folder");
    let text = fs::read_to_string(folder.join("numbers.toml")).expect("the query");
    let moved = text.replace("\"out/ids.csv\"", "\"disk/out/ids.csv\"").replace("\"state\"", "\"disk/state\"");
    fs::write(folder.join("numbers.toml"), moved).expect("the query");
    Weir::in_folder(folder).with_disk(&disk, kib).run(&["--json", "run", "numbers.toml"])
}

#[test]
fn a_full_disk_ends_the_query_with_its_name_and_no_torn_file() {
    let folder = tempfile::tempdir().expect("a folder");
    input(folder.path(), 300_000);
    query(folder.path(), EXACTLY_ONCE);
    // What is on the disk is gone with the process: a file keeps it from ending before it was looked at.
    let text = fs::read_to_string(folder.path().join("numbers.toml")).expect("the query");
    let retried = text.replace(
        "path = \"out/ids.csv\"",
        "path = \"out/ids.csv\"\non_error = \"retry\"\nretry = { times_max = 1, backoff_ms = 3000 }",
    );
    fs::write(folder.path().join("numbers.toml"), retried).expect("the query");
    let mut weir = start(folder.path(), 600);
    wait_until("the disk is full", PATIENCE, || weir.stderr().contains("retrying from the last commit"));
    let found = written(&weir.path(&folder.path().join("disk")));
    assert!(!found.is_empty() && found.len() < 300_000, "{} records", found.len());
    assert_once(&found, found.len() as u64);
    assert_eq!(weir.wait(PATIENCE).code(), Some(1), "{}", weir.stderr());
    assert!(weir.stderr().contains("no space left for"), "{}", weir.stderr());
}

#[test]
fn a_stop_while_a_sink_waits_to_be_tried_again_is_a_stop() {
    let folder = tempfile::tempdir().expect("a folder");
    input(folder.path(), 300_000);
    query(folder.path(), EXACTLY_ONCE);
    let text = fs::read_to_string(folder.path().join("numbers.toml")).expect("the query");
    let retried = text.replace(
        "path = \"out/ids.csv\"",
        "path = \"out/ids.csv\"\non_error = \"retry\"\nretry = { times_max = 1000, backoff_ms = 30000 }",
    );
    fs::write(folder.path().join("numbers.toml"), retried).expect("the query");
    let mut weir = start(folder.path(), 600);
    wait_until("the disk is full", PATIENCE, || weir.stderr().contains("retrying from the last commit"));
    let found = written(&weir.path(&folder.path().join("disk")));
    weir.term();
    assert_eq!(weir.wait(PATIENCE).code(), Some(0), "{}", weir.stderr());
    assert!(weir.stderr().contains("stopped before the retry"), "{}", weir.stderr());
    // What was committed is committed, and the rest is not.
    let summary = summary(&weir);
    assert_eq!(summary["ending"], "stopped", "{summary}");
    assert_eq!(summary["committed_records"], found.len(), "{summary}");
    assert!(found.len() < 300_000 && summary["uncommitted_records"].as_u64() > Some(0), "{summary}");
}

#[test]
fn a_query_that_tries_again_goes_on_when_there_is_room_and_commits_everything_once() {
    // With a state and without one: what was committed is remembered by the process as well.
    for delivery in [EXACTLY_ONCE, "[delivery]\ncommit_ms = 10"] {
        let folder = tempfile::tempdir().expect("a folder");
        input(folder.path(), 100_000);
        query(folder.path(), delivery);
        let text = fs::read_to_string(folder.path().join("numbers.toml")).expect("the query");
        let retried = text.replace(
            "path = \"out/ids.csv\"",
            "path = \"out/ids.csv\"\non_error = \"retry\"\nretry = { times_max = 1000, backoff_ms = 20 }",
        );
        fs::write(folder.path().join("numbers.toml"), retried).expect("the query");
        let mut weir = start(folder.path(), 300);
        let out = weir.path(&folder.path().join("disk/out"));
        // Whoever reads the files takes them away, which makes room.
        let collected = folder.path().join("out");
        fs::create_dir_all(&collected).expect("a folder");
        while weir.is_running() {
            for entry in fs::read_dir(&out).into_iter().flatten().flatten() {
                let name = entry.file_name();
                if !name.as_encoded_bytes().starts_with(b".") && fs::copy(entry.path(), collected.join(&name)).is_ok() {
                    // The process may have ended meanwhile, and its disk with it.
                    fs::remove_file(entry.path()).unwrap_or_default();
                }
            }
            // Long enough for the disk to be full by then.
            std::thread::sleep(Duration::from_millis(500));
        }
        let status = weir.wait(PATIENCE);
        assert!(status.success(), "{status}\n{}", weir.stderr());
        let summary = summary(&weir);
        assert!(summary["restarts"].as_u64().is_some_and(|restarts| restarts > 0), "{summary}");
        assert_eq!(summary["committed_records"], 100_000, "{delivery}");
        assert_eq!(crate::support::counted(&summary), 100_000, "{delivery}");
        let found = written(folder.path());
        let different: std::collections::HashSet<_> = found.iter().collect();
        assert!(!found.is_empty() && different.len() == found.len(), "{delivery}: {} records", found.len());
    }
}
