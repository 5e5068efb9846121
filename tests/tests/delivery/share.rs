//! Processes that share a query's partitions exactly once: stopped in a rebalance, suspended for too long, killed again and again, and their
//! broker with them.

use std::path::Path;
use std::time::Duration;

use weir_tests::{Broker, Isolation, WeirProcess, wait_until};

use crate::kafka::{Topics, partitions};
use crate::slots::one_file;
use crate::support::{PATIENCE, number, start, summary};

/// The shortest session that the tests' broker allows is a second.
pub(crate) const SESSION: &str = "options = { \"session.timeout.ms\" = \"3000\", \"heartbeat.interval.ms\" = \"300\" }";

/// The query of one process: with a transactional id of its own.
fn query(topics: &Topics<'_>, folder: &Path, process: usize, commit_ms: u32, sink: &str) {
    let id = topics.broker.name(&format!("process-{process}"));
    let delivery =
        format!("[delivery]\nguarantee = \"exactly_once\"\ncommit_ms = {commit_ms}\ntransactional_id = {id:?}");
    let sink =
        format!("{}\non_error = \"retry\"\nretry = {{ times_max = 1000, backoff_ms = 100 }}\n{sink}", topics.sink());
    topics.query(folder, SESSION, &sink, &delivery);
}

pub(crate) fn committed(topics: &Topics<'_>) -> usize {
    topics.broker.read_all(&topics.to, Isolation::Committed).len()
}

/// What was read more than once when the second of two processes joined the first, and when it left. It is nothing, unless a commit meets
/// the moment at which the broker has begun a generation of the group and the process has not heard of it.
#[test]
fn an_ordinary_rebalance_redoes_one_commit_at_most() {
    let broker = Broker::shared();
    let topics = Topics::new(&broker, "joined", 4);
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    for (process, folder) in folders.iter().enumerate() {
        query(&topics, folder.path(), process, 500, "");
    }
    topics.produce(0..4_000);
    let mut one = start(folders[0].path());
    wait_until("the first process has all", PATIENCE, || partitions(&one) == 4);
    let mut other = start(folders[1].path());
    let mut ids = 4_000..4_000;
    // Something is always on its way.
    wait_until("they share", PATIENCE, || {
        ids = ids.end..ids.end + 400;
        topics.produce(ids.clone());
        partitions(&one) == 2 && partitions(&other) == 2
    });
    wait_until("all is copied", PATIENCE, || committed(&topics) as u64 == ids.end);
    other.term();
    assert!(other.wait(PATIENCE).success(), "{}", other.stderr());
    wait_until("the first process has all again", PATIENCE, || partitions(&one) == 4);
    one.term();
    assert!(one.wait(PATIENCE).success(), "{}", one.stderr());
    let read = |weir: &WeirProcess| summary(weir)["sources"][0]["records"].as_u64().expect("a number");
    let restarts = |weir: &WeirProcess| summary(weir)["restarts"].as_u64().expect("a number");
    let (read, returns) = (read(&one) + read(&other), restarts(&one) + restarts(&other));
    println!("{} records, {} read again, {returns} returns to the last commit", ids.end, read - ids.end);
    // Two rebalances, of two members.
    assert!(returns <= 4, "{returns} returns");
    assert!(returns > 0 || read == ids.end, "{read} of {}", ids.end);
    topics.assert_exact(0..ids.end);
}

#[test]
fn a_stop_in_the_middle_of_a_rebalance_is_a_stop() {
    let broker = Broker::shared();
    let topics = Topics::new(&broker, "stopped", 4);
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    for (process, folder) in folders.iter().enumerate() {
        query(&topics, folder.path(), process, 20, "");
    }
    let mut ids = 0..0;
    let mut produce = |count| {
        ids = ids.end..ids.end + count;
        topics.produce(ids.clone());
    };
    for pause_ms in [0, 20, 60, 120, 200] {
        produce(200);
        let mut one = start(folders[0].path());
        wait_until("the first process has all", PATIENCE, || partitions(&one) == 4);
        produce(200);
        // It joins the group, for which the first one gives partitions away, and is asked to end meanwhile.
        let mut other = start(folders[1].path());
        wait_until("the second process has begun", PATIENCE, || {
            other.stderr().contains("started") || partitions(&other) > 0
        });
        std::thread::sleep(Duration::from_millis(pause_ms));
        one.term();
        assert!(one.wait(PATIENCE).success(), "{}", one.stderr());
        other.term();
        assert!(other.wait(PATIENCE).success(), "{}", other.stderr());
        for weir in [&one, &other] {
            let said = weir.stderr();
            assert!(!said.contains("ERROR"), "{said}");
        }
    }
    produce(1);
    let mut last = start(folders[0].path());
    let all = usize::try_from(ids.end).expect("a number");
    wait_until("all is written", PATIENCE, || committed(&topics) >= all);
    last.term();
    assert!(last.wait(PATIENCE).success(), "{}", last.stderr());
    topics.assert_exact(0..ids.end);
}

#[test]
fn a_process_that_was_suspended_beyond_its_transaction_goes_on_with_a_new_producer() {
    let broker = Broker::shared();
    let topics = Topics::new(&broker, "suspended", 2);
    let folder = tempfile::tempdir().expect("a folder");
    // Long enough for a look at both kinds of records while a transaction is open.
    query(&topics, folder.path(), 0, 4_000, "options = { \"transaction.timeout.ms\" = \"5000\" }");
    // The group waits longer than the broker's transaction coordinator: it is the transaction that is lost, not the partitions.
    let path = folder.path().join("numbers.toml");
    let text = std::fs::read_to_string(&path).expect("the query").replace("\"3000\"", "\"30000\"");
    std::fs::write(path, text).expect("the query");
    let mut weir = start(folder.path());
    let mut end = 0;
    let is_open = || broker.read_all(&topics.to, Isolation::Uncommitted).len() > committed(&topics);
    // On a busy machine a commit may come between the look and the pause: then it is for the next one.
    wait_until("it is paused while a transaction is open", 2 * PATIENCE, || {
        topics.produce(end..end + 10);
        end += 10;
        if !is_open() {
            return false;
        }
        weir.pause();
        let caught = is_open();
        if !caught {
            weir.resume();
        }
        caught
    });
    // The broker looks for such twice a second.
    std::thread::sleep(Duration::from_millis(6_500));
    weir.resume();
    topics.produce(end..end + 10);
    wait_until("all is written", PATIENCE, || committed(&topics) as u64 >= end + 10);
    weir.term();
    assert!(weir.wait(PATIENCE).success(), "{}", weir.stderr());
    assert!(summary(&weir)["restarts"].as_u64() >= Some(1), "{}", weir.stderr());
    let id = broker.name("process-0");
    let said = format!(
        "retrying from the last commit: delivery: the broker has aborted a transaction of `{id}` that was open for "
    );
    assert!(weir.stderr().contains(&said), "{}", weir.stderr());
    topics.assert_exact(0..end + 10);
}

/// The processes, each started again where it has ended.
fn see_to(processes: &mut [Option<WeirProcess>; 2], folder: &Path) {
    for process in processes {
        let running = process.as_mut().is_some_and(WeirProcess::is_running);
        if let (Some(ended), false) = (process.as_ref(), running) {
            println!("a process ended by itself:\n{}", ended.stderr());
        }
        if !running {
            *process = Some(start(folder));
        }
    }
}

#[test]
fn exactly_once_by_two_processes_of_one_file_though_they_and_the_broker_are_killed_again_and_again() {
    if Broker::only_a_cluster() {
        return;
    }
    let kills = number("WEIR_CRASHES", 5);
    let broker = Broker::own();
    let topics = Topics::new(&broker, "killed", 4);
    let folder = tempfile::tempdir().expect("a folder");
    one_file(&topics, folder.path(), 20, "killed");
    let mut processes = [None, None];
    let mut of_broker = 0;
    for kill in 0..kills {
        see_to(&mut processes, folder.path());
        topics.produce(kill * 200..(kill + 1) * 200);
        // Some time within the reading, the writing, the commits, and the rebalance that the last kill has made.
        std::thread::sleep(Duration::from_millis(300 + kill * 7919 % 1700));
        if let Some(process) = processes.get_mut(usize::try_from(kill % 2).expect("a place")) {
            process.take().expect("a process").kill_9();
        }
        if kill % 5 == 4 {
            broker.kill();
            broker.start();
            of_broker += 1;
        }
    }
    see_to(&mut processes, folder.path());
    let all = usize::try_from(kills * 200).expect("a number");
    wait_until("all is written", PATIENCE, || committed(&topics) >= all);
    for process in processes.iter_mut().flatten() {
        process.term();
        assert!(process.wait(PATIENCE).success(), "{}", process.stderr());
    }
    topics.assert_exact(0..kills * 200);
    println!("{kills} kills of a process and {of_broker} of the broker");
}
