//! The lag of a query that has read everything.

use std::path::Path;

use rdkafka::producer::Producer;
use serde_json::Value;
use weir_tests::{Broker, Weir, wait_for};

use crate::support::{SOON, begin_with, transactional};

/// What `weir status` says of the only query's partition.
fn partition(folder: &Path) -> Option<Value> {
    let mut status = Weir::in_folder(folder).run(&["--json", "status"]);
    status.wait(SOON);
    let said = status.stdout();
    let seen = said.lines().find_map(|line| serde_json::from_str::<Value>(line).ok())?;
    seen["progress"]["sources"][0]["partitions"].get(0).cloned()
}

#[test]
fn nothing_is_left_to_read_behind_the_mark_of_a_transaction() {
    let broker = Broker::shared();
    let topic = broker.topic("marked", 1);
    let producer = transactional(&broker, "writer");
    begin_with(&producer, &topic, &["{\"id\":0}", "{\"id\":1}"]);
    producer.commit_transaction(SOON).expect("a commit");

    let folder = tempfile::tempdir().expect("a folder");
    let (brokers, group) = (broker.address(), broker.name("group"));
    let text = format!(
        "name = \"numbers\"\n[sources.ids]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {topic:?}\ngroup = {group:?}\n\
         schema = {{ id = \"i64\" }}\npartitions = \"all\"\n[sinks.out]\nkind = \"count\"\n[delivery]\ncommit_ms = 50\n"
    );
    std::fs::write(folder.path().join("q.toml"), text).expect("a query file");
    let mut weir = Weir::in_folder(folder.path()).run(&["run", "q.toml"]);
    let settled = |end: i64| {
        let what = format!("end {end} and lag 0\n{}", weir.stderr());
        wait_for(&what, SOON, || {
            let partition = partition(folder.path())?;
            (partition["end"] == end && partition["lag"] == 0).then_some(partition)
        })
    };
    // Two records, and the mark of the commit.
    let partition = settled(3);
    assert_eq!((&partition["read"], &partition["committed"]), (&3.into(), &3.into()));
    // What is aborted is read by nobody, and no lag either: the record and its mark.
    begin_with(&producer, &topic, &["{\"id\":2}"]);
    producer.abort_transaction(SOON).expect("an abort");
    settled(5);
    begin_with(&producer, &topic, &["{\"id\":3}"]);
    producer.commit_transaction(SOON).expect("a commit");
    settled(7);
    weir.term();
    assert!(weir.wait(SOON).success(), "{}", weir.stderr());
    assert!(!weir.stderr().contains("PartitionEOF"), "no news: {}", weir.stderr());
    assert_eq!(broker.committed(&group, &topic).get(&0), Some(&7));
}
