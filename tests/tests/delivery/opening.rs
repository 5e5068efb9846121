//! Sinks whose first opening fails, and which are to be tried again.

use std::fs;

use weir_tests::{Broker, Isolation, wait_until};

use crate::kafka::Topics;
use crate::support::{AT_LEAST_ONCE, EXACTLY_ONCE, PATIENCE, assert_once, input, query, start, summary, written};

#[test]
fn a_folder_that_cannot_be_opened_at_first_is_waited_for() {
    for delivery in [EXACTLY_ONCE, AT_LEAST_ONCE] {
        let folder = tempfile::tempdir().expect("a folder");
        input(folder.path(), 1_000);
        query(folder.path(), delivery);
        let path = folder.path().join("numbers.toml");
        let text = fs::read_to_string(&path).expect("the query");
        let retry = "on_error = \"retry\"\nretry = { times_max = 1000, backoff_ms = 20 }\n[batching]";
        fs::write(&path, text.replace("[batching]", retry)).expect("the query");
        // A file where the folder is to be.
        fs::write(folder.path().join("out"), "in the way").expect("a file");
        let mut weir = start(folder.path());
        wait_until("it has tried again", PATIENCE, || weir.stderr().contains("retrying from the last commit"));
        assert!(weir.is_running(), "{}", weir.stderr());
        assert!(weir.stderr().contains("sinks.out: cannot create the folder"), "{}", weir.stderr());
        fs::remove_file(folder.path().join("out")).expect("the file to go");
        assert!(weir.wait(PATIENCE).success(), "{}", weir.stderr());
        assert_once(&written(folder.path()), 1_000);
        assert!(summary(&weir)["restarts"].as_u64() >= Some(1), "{}", weir.stderr());
    }
}

#[test]
fn a_stop_between_two_openings_is_a_stop_and_the_next_run_reads_everything() {
    for delivery in [EXACTLY_ONCE, AT_LEAST_ONCE] {
        let folder = tempfile::tempdir().expect("a folder");
        input(folder.path(), 1_000);
        query(folder.path(), delivery);
        let path = folder.path().join("numbers.toml");
        let text = fs::read_to_string(&path).expect("the query");
        let retry = "on_error = \"retry\"\nretry = { times_max = 1000, backoff_ms = 30000 }\n[batching]";
        fs::write(&path, text.replace("[batching]", retry)).expect("the query");
        fs::write(folder.path().join("out"), "in the way").expect("a file");
        let mut weir = start(folder.path());
        wait_until("it has tried again", PATIENCE, || weir.stderr().contains("retrying from the last commit"));
        weir.term();
        assert_eq!(weir.wait(PATIENCE).code(), Some(0), "{}", weir.stderr());
        assert_eq!(summary(&weir)["ending"], "stopped", "{}", weir.stderr());
        fs::remove_file(folder.path().join("out")).expect("the file to go");
        let mut weir = start(folder.path());
        assert!(weir.wait(PATIENCE).success(), "{}", weir.stderr());
        assert_once(&written(folder.path()), 1_000);
    }
}

#[test]
fn without_a_policy_the_first_opening_fails_the_query() {
    let folder = tempfile::tempdir().expect("a folder");
    input(folder.path(), 10);
    query(folder.path(), EXACTLY_ONCE);
    fs::write(folder.path().join("out"), "in the way").expect("a file");
    let mut weir = start(folder.path());
    assert_eq!(weir.wait(PATIENCE).code(), Some(2), "{}", weir.stderr());
    assert!(weir.stderr().contains("cannot create the folder"), "{}", weir.stderr());
}

#[test]
fn a_broker_that_comes_after_the_query_is_waited_for() {
    if Broker::only_a_cluster() {
        return;
    }
    let broker = Broker::own();
    for (round, delivery) in ["commit_ms = 50", "guarantee = \"exactly_once\"\ncommit_ms = 50"].into_iter().enumerate()
    {
        let topics = Topics::new(&broker, &format!("late-{round}"), 2);
        topics.produce(0..200);
        let folder = tempfile::tempdir().expect("a folder");
        let sink = format!("{}\non_error = \"retry\"\nretry = {{ times_max = 1000, backoff_ms = 100 }}", topics.sink());
        topics.query(folder.path(), "until = \"end\"", &sink, &format!("[delivery]\n{delivery}"));
        broker.kill();
        let mut weir = start(folder.path());
        wait_until("it has met nobody", PATIENCE, || {
            let said = weir.stderr();
            said.contains("Connection refused") || said.contains("retrying")
        });
        assert!(weir.is_running(), "{}", weir.stderr());
        broker.start();
        assert!(weir.wait(PATIENCE).success(), "{}", weir.stderr());
        assert_eq!(broker.read_all(&topics.to, Isolation::Committed).len(), 200);
        topics.assert_exact(0..200);
    }
}
