//! Processes of one query file: each has a slot among those of its host, which names its transactions.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use weir_tests::{Broker, Isolation, Record, Weir, WeirProcess, wait_for, wait_until};

use crate::kafka::{Topics, partitions};
use crate::share::{SESSION, committed};
use crate::support::{PATIENCE, start};

/// One file, without a transactional id, whose query has a name that no other test's has. Says which.
pub(crate) fn one_file(topics: &Topics<'_>, folder: &Path, commit_ms: u32, round: &str) -> String {
    let delivery = format!("[delivery]\nguarantee = \"exactly_once\"\ncommit_ms = {commit_ms}");
    let sink = format!("{}\non_error = \"retry\"\nretry = {{ times_max = 1000, backoff_ms = 100 }}", topics.sink());
    topics.query(folder, SESSION, &sink, &delivery);
    let path = folder.join("numbers.toml");
    let text = fs::read_to_string(&path).expect("the query");
    let name = topics.broker.name(round);
    fs::write(path, text.replace("name = \"numbers\"", &format!("name = {name:?}"))).expect("the query");
    name
}

/// The lock file of a slot, in the runtime folder that the tests' `weir` has.
fn lock(folder: &Path, name: &str, slot: u32) -> PathBuf {
    folder.join(format!("run/slots/default/{name}/{slot}"))
}

fn noted(folder: &Path, name: &str, slot: u32) -> String {
    fs::read_to_string(lock(folder, name, slot)).unwrap_or_default()
}

/// A record outside of transactions behind each partition's open transaction: nobody sees it who reads committed records, until
/// the transaction is ended.
fn mark(topics: &Topics<'_>, partitions: i32, text: &str) {
    topics.broker.produce(&topics.to, (0..partitions).map(|number| Record::of(text).to(number)));
}

fn marks(topics: &Topics<'_>, text: &str) -> usize {
    let records = topics.broker.read_all(&topics.to, Isolation::Committed);
    records.iter().filter(|record| record.value() == text.as_bytes()).count()
}

/// Two processes of the folder's file, each with half of four partitions.
fn two(folder: &Path) -> [WeirProcess; 2] {
    let one = start(folder);
    wait_until("the first process has all", PATIENCE, || partitions(&one) == 4);
    let other = start(folder);
    wait_until("the partitions are shared", PATIENCE, || partitions(&one) == 2 && partitions(&other) == 2);
    [one, other]
}

#[test]
fn two_processes_of_one_file_share_its_partitions_exactly_once() {
    let broker = Broker::shared();
    let topics = Topics::new(&broker, "one-file", 4);
    let folder = tempfile::tempdir().expect("a folder");
    let name = one_file(&topics, folder.path(), 50, "one-file");
    topics.produce(0..500);
    let mut both = two(folder.path());
    topics.produce(500..1_000);
    wait_until("all is written", PATIENCE, || committed(&topics) >= 1_000);
    for (slot, id) in [noted(folder.path(), &name, 0), noted(folder.path(), &name, 1)].iter().enumerate() {
        let (begin, end) = (format!("default.{name}."), format!(".{slot}\n"));
        assert!(id.starts_with(&begin) && id.ends_with(&end) && id.lines().count() == 1, "{id:?}");
    }
    for process in &mut both {
        process.term();
        assert!(process.wait(PATIENCE).success(), "{}", process.stderr());
        assert!(!process.stderr().contains("uses the same transactional id"), "{}", process.stderr());
    }
    topics.assert_exact(0..1_000);
    // Nothing is left open, and both say so.
    assert_eq!([noted(folder.path(), &name, 0), noted(folder.path(), &name, 1)], ["", ""]);
}

#[test]
fn a_restart_aborts_what_all_dead_processes_left_open_long_before_its_time_out() {
    let broker = Broker::shared();
    let topics = Topics::new(&broker, "left-open", 4);
    let folder = tempfile::tempdir().expect("a folder");
    // Long enough for both to be killed in the middle of a transaction.
    let name = one_file(&topics, folder.path(), 30_000, "left-open");
    let mut fastest = Duration::MAX;
    for round in 0..3_u64 {
        let mut both = two(folder.path());
        let written = broker.read_all(&topics.to, Isolation::Uncommitted).len() as u64;
        let ids = round * 400..(round + 1) * 400;
        topics.produce(ids);
        wait_until("all is written, and not committed", PATIENCE, || {
            broker.read_all(&topics.to, Isolation::Uncommitted).len() as u64 >= written + 400
        });
        for process in &mut both {
            process.kill_9();
        }
        let text = format!("mark-{round}");
        mark(&topics, 4, &text);
        assert_eq!(marks(&topics, &text), 0, "transactions are open in all partitions");
        assert!(!noted(folder.path(), &name, 0).is_empty() && !noted(folder.path(), &name, 1).is_empty());
        let begun = Instant::now();
        // One alone: the other slot's transaction is nobody's any more.
        let mut one = start(folder.path());
        wait_until("readers of committed records go on", PATIENCE, || marks(&topics, &text) == 4);
        fastest = fastest.min(begun.elapsed());
        wait_until("the other slot is clean", PATIENCE, || noted(folder.path(), &name, 1).is_empty());
        one.kill_9();
    }
    println!("readers went on after {fastest:?}");
    // The fastest of three: on a machine that does other things as well, each may take longer.
    // The broker would do it after a minute.
    assert!(fastest < Duration::from_secs(15), "{fastest:?}");
}

#[test]
fn a_process_that_was_stopped_while_its_partitions_moved_writes_nothing_twice() {
    let broker = Broker::shared();
    let topics = Topics::new(&broker, "moved", 4);
    let folder = tempfile::tempdir().expect("a folder");
    // Long enough for a look at both kinds of records while a transaction is open.
    one_file(&topics, folder.path(), 4_000, "moved");
    let [mut one, mut other] = two(folder.path());
    let mut end = 0;
    for _ in 0..2 {
        // Something is in its hands: read, written, and not committed.
        wait_until("a transaction is open", PATIENCE, || {
            topics.produce(end..end + 20);
            end += 20;
            broker.read_all(&topics.to, Isolation::Uncommitted).len() > committed(&topics)
        });
        one.pause();
        wait_until("the partitions have moved", PATIENCE, || partitions(&other) == 4);
        topics.produce(end..end + 200);
        end += 200;
        one.resume();
        wait_until("it is a member again, or has ended", PATIENCE, || {
            !one.is_running() || partitions(&one) == 2 && partitions(&other) == 2
        });
        assert!(one.is_running(), "nothing is wrong with it:\n{}", one.stderr());
    }
    topics.produce(end..end + 200);
    end += 200;
    wait_until("all is written", PATIENCE, || committed(&topics) as u64 >= end);
    for process in [&mut one, &mut other] {
        process.term();
        assert!(process.wait(PATIENCE).success(), "{}", process.stderr());
        assert!(!process.stderr().contains("uses the same transactional id"), "{}", process.stderr());
    }
    topics.assert_exact(0..end);
}

#[test]
fn processes_that_do_not_see_each_others_locks_part_ways() {
    let broker = Broker::shared();
    let topics = Topics::new(&broker, "blind", 4);
    let folder = tempfile::tempdir().expect("a folder");
    one_file(&topics, folder.path(), 50, "blind");
    let run = |runtime: &Path| {
        Weir::in_folder(folder.path()).env("WEIR_RUNTIME_DIR", runtime).run(&["--json", "run", "numbers.toml"])
    };
    let mut one = run(&folder.path().join("run-1"));
    topics.produce(0..200);
    wait_until("the first process has written", PATIENCE, || committed(&topics) >= 200);
    // A folder that cannot be used, since it is a file: this one has no lock at all.
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    let mut other = run(&file);
    topics.produce(200..400);
    wait_until("both have a part", PATIENCE, || partitions(&one) == 2 && partitions(&other) == 2);
    topics.produce(400..1_000);
    let said = wait_for("the first has met the second", PATIENCE, || {
        let said = one.stderr();
        said.contains("this process continues with another slot").then_some(said)
    });
    assert!(other.stderr().contains("cannot lock a slot"), "{}", other.stderr());
    wait_until(&format!("all is written\n{said}"), PATIENCE, || committed(&topics) >= 1_000);
    for process in [&mut one, &mut other] {
        process.term();
        assert!(process.wait(PATIENCE).success(), "{}", process.stderr());
    }
    topics.assert_exact(0..1_000);
}
