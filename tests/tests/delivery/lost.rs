//! A process that is stopped for longer than its session in the group lasts, and wakes up when another one has its partitions.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use weir_tests::{Broker, Isolation, WeirProcess, wait_until};

use crate::kafka::{Topics, partitions};
use crate::support::{PATIENCE, start, summary};

/// The shortest session that Kafka's brokers allow.
const SESSION: &str = "options = { \"session.timeout.ms\" = \"6000\", \"heartbeat.interval.ms\" = \"500\" }";

/// What is in the topic that is written.
fn values(topics: &Topics<'_>) -> BTreeSet<Vec<u8>> {
    topics.broker.read_all(&topics.to, Isolation::Uncommitted).iter().map(|record| record.value().to_vec()).collect()
}

/// Stops one process when it has read records, has another read everything, and wakes the first up. Gives both, the first
/// one again a member of the group that has its part of it.
fn lose(topics: &Topics<'_>, [one, other]: [&Path; 2]) -> [WeirProcess; 2] {
    topics.produce(0..2_000);
    let mut old = start(one);
    wait_until("the first process has read", PATIENCE, || !values(topics).is_empty());
    old.pause();
    let new = start(other);
    topics.produce(2_000..4_000);
    wait_until("the second process has everything", PATIENCE, || {
        partitions(&new) == 4 && values(topics).len() >= 4_000
    });
    old.resume();
    wait_until("the first process has a part again", PATIENCE, || partitions(&old) == 2 && partitions(&new) == 2);
    topics.produce(4_000..6_000);
    wait_until("all is written", PATIENCE, || values(topics).len() >= 6_000);
    [old, new]
}

#[test]
fn at_least_once_nothing_is_missing_after_a_loss() {
    let broker = Broker::shared();
    let topics = Topics::new(&broker, "silent", 4);
    let folder = tempfile::tempdir().expect("a folder");
    topics.query(folder.path(), SESSION, &topics.sink(), "[delivery]\ncommit_ms = 50");
    for mut weir in lose(&topics, [folder.path(); 2]) {
        weir.term();
        assert!(weir.wait(PATIENCE).success(), "{}", weir.stderr());
    }
    let committed: i64 = broker.committed(&topics.group(), &topics.from).values().sum();
    assert_eq!(committed, 6_000, "positions of all that was written are kept");
}

#[test]
fn exactly_once_the_one_that_wakes_up_throws_away_what_it_had_and_goes_on() {
    let broker = Broker::shared();
    let topics = Topics::new(&broker, "silent", 4);
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    for (name, folder) in ["one", "other"].into_iter().zip(&folders) {
        let id = broker.name(name);
        let delivery = format!("guarantee = \"exactly_once\"\ncommit_ms = 100\ntransactional_id = {id:?}");
        topics.query(folder.path(), SESSION, &topics.sink(), &format!("[delivery]\n{delivery}"));
    }
    let [mut old, mut new] = lose(&topics, [folders[0].path(), folders[1].path()]);
    std::thread::sleep(Duration::from_millis(500));
    let mut committed = 0;
    for weir in [&mut old, &mut new] {
        weir.term();
        assert!(weir.wait(PATIENCE).success(), "{}", weir.stderr());
        committed += summary(weir)["committed_records"].as_u64().expect("a number");
    }
    assert_eq!(committed, 6_000, "each record is in one transaction that was committed");
    let positions: i64 = broker.committed(&topics.group(), &topics.from).values().sum();
    assert_eq!(positions, 6_000, "positions of all that was written are kept");
    topics.assert_exact(0..6_000);
}
