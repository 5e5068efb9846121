//! The process ends at random, and at every step of a commit.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::{
    AT_LEAST_ONCE, EXACTLY_ONCE, assert_all, assert_once, counted, input, number, query, run_to, run_to_end, start,
    summary, written,
};

/// Kills the query at random until it comes to its end. Says how often it was killed, and its last summary.
fn killed_at_random(folder: &std::path::Path, kills: u64) -> (u64, serde_json::Value) {
    // Seeded by the time: a run that fails says where it stood by what it finds, and every run is another.
    let mut random = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.subsec_nanos().into()) | 1_u64;
    let mut done = 0;
    loop {
        let mut weir = start(folder);
        if done < kills {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            std::thread::sleep(Duration::from_millis(60 + (random >> 33) % 250));
            if weir.is_running() {
                weir.kill_9();
                done += 1;
                continue;
            }
        }
        let status = weir.wait(crate::support::PATIENCE);
        assert!(status.success(), "{status}\n{}", weir.stderr());
        return (done, summary(&weir));
    }
}

#[test]
fn a_file_is_written_exactly_once_though_the_process_is_killed_again_and_again() {
    let (records, kills) = (number("WEIR_CRASH_RECORDS", 300_000), number("WEIR_CRASHES", 6));
    let folder = tempfile::tempdir().expect("a folder");
    input(folder.path(), records);
    query(folder.path(), EXACTLY_ONCE);
    let (done, summary) = killed_at_random(folder.path(), kills);
    let found = written(folder.path());
    println!("{done} kills, {} records in files, {} commits in the last run", found.len(), summary["commits"]);
    assert!(done > 0, "the query came to its end before it was killed");
    assert_once(&found, records);
    assert!(found.is_sorted(), "in the order of the input");
    assert_eq!(counted(&summary), records, "the guest's metrics count each record once, in all runs together");
}

#[test]
fn nothing_is_missing_at_least_once_though_the_process_is_killed() {
    let (records, kills) = (number("WEIR_CRASH_RECORDS", 300_000), number("WEIR_CRASHES", 4));
    let folder = tempfile::tempdir().expect("a folder");
    input(folder.path(), records);
    query(folder.path(), AT_LEAST_ONCE);
    let (done, _) = killed_at_random(folder.path(), kills);
    assert!(done > 0, "the query came to its end before it was killed");
    assert_all(&written(folder.path()), records);
}

const STEPS: [&str; 9] = [
    "commit.begin",
    "commit.letters",
    "commit.sinks",
    "commit.positions",
    "commit.prepared",
    "manifest.written",
    "manifest.renamed",
    "commit.saved",
    "commit.published",
];

/// Ends the query at each step of its first and of its third commit, and runs it to its end after each.
fn ended_at_each_step(delivery: &str, steps: &[&str], check: impl Fn(&[u64], u64, &str)) {
    let records = 60_000;
    for step in steps {
        for count in [1, 3] {
            let folder = tempfile::tempdir().expect("a folder");
            input(folder.path(), records);
            query(folder.path(), &delivery.replace("commit_ms = 10", "commit_ms = 1"));
            let failpoint = format!("{step}:{count}");
            let status = run_to(folder.path(), &failpoint);
            assert_eq!(status.signal(), Some(6), "{failpoint} was not reached: {status}");
            let summary = run_to_end(folder.path());
            check(&written(folder.path()), records, &failpoint);
            if delivery == EXACTLY_ONCE {
                assert_eq!(counted(&summary), records, "{failpoint}");
            }
        }
    }
}

#[test]
fn files_are_exact_whichever_step_of_a_commit_was_the_last() {
    let steps: Vec<_> =
        STEPS.into_iter().filter(|step| !matches!(*step, "commit.sinks" | "commit.positions")).collect();
    ended_at_each_step(EXACTLY_ONCE, &steps, |found, records, step| {
        println!("{step}: {} records", found.len());
        assert_once(found, records);
        assert!(found.is_sorted(), "{step}");
    });
}

#[test]
fn nothing_is_missing_whichever_step_of_a_commit_was_the_last() {
    let steps: Vec<_> = STEPS
        .into_iter()
        .filter(|step| !matches!(*step, "commit.prepared" | "commit.saved" | "commit.published"))
        .collect();
    ended_at_each_step(AT_LEAST_ONCE, &steps, |found, records, step| {
        println!("{step}: {} records", found.len());
        assert_all(found, records);
    });
}
