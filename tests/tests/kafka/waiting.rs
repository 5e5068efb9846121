//! What a source waits for: a coordinator, its share of a group, a broker.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use weir_tests::{Broker, Record, Weir, WeirProcess, wait_for, wait_until};

use crate::support::SOON;

fn start(broker: &Broker, folder: &Path, topic: &str, keys: &str) -> WeirProcess {
    let (brokers, group) = (broker.address(), broker.name("group"));
    let field = if keys.contains("raw") { "value = \"binary\"" } else { "id = \"i64\"" };
    let text = format!(
        "name = \"numbers\"\n[sources.ids]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {topic:?}\ngroup = {group:?}\n\
         schema = {{ {field} }}\n{keys}\n\
         options = {{ \"session.timeout.ms\" = \"6000\", \"heartbeat.interval.ms\" = \"300\" }}\n\
         [sinks.out]\nkind = \"count\"\n[delivery]\ncommit_ms = 50\n"
    );
    std::fs::write(folder.join("q.toml"), text).expect("a query file");
    Weir::in_folder(folder).run(&["--json", "run", "q.toml"])
}

/// What `weir status` says of the only source.
fn source(folder: &Path) -> Option<Value> {
    let mut status = Weir::in_folder(folder).run(&["--json", "status"]);
    status.wait(SOON);
    let said = status.stdout();
    let seen = said.lines().find_map(|line| serde_json::from_str::<Value>(line).ok())?;
    Some(seen["progress"]["sources"][0].clone())
}

#[test]
fn the_first_group_of_a_broker_that_was_just_started_is_read_to_the_end() {
    if Broker::only_a_cluster() {
        return;
    }
    // Nobody has asked it for a group: its topic of positions is made by this query.
    let broker = Broker::own();
    let topic = broker.topic("first", 3);
    broker.produce(&topic, (0..30).map(|id| Record::of(format!("{{\"id\":{id}}}")).to(id % 3)));
    let folder = tempfile::tempdir().expect("a folder");
    let mut weir = start(&broker, folder.path(), &topic, "partitions = \"all\"\nuntil = \"end\"");
    assert!(weir.wait(2 * SOON).success(), "{}", weir.stderr());
    assert_eq!(broker.committed(&broker.name("group"), &topic).values().sum::<i64>(), 30);
}

#[test]
fn a_member_without_partitions_waits_and_says_so_and_takes_over_when_the_other_leaves() {
    let broker = Broker::shared();
    let topic = broker.topic("one", 1);
    broker.produce(&topic, [Record::of("{\"id\":0}")]);
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let mut first = start(&broker, folders[0].path(), &topic, "");
    wait_until("the first member has read", SOON, || {
        broker.committed(&broker.name("group"), &topic).get(&0) == Some(&1)
    });
    let mut second = start(&broker, folders[1].path(), &topic, "until = \"end\"");
    let waits = wait_for("what the second member waits for", SOON, || {
        source(folders[1].path())?["waits_for"]
            .as_str()
            .filter(|text| text.contains("have all of them"))
            .map(str::to_owned)
    });
    assert!(waits.contains(&topic), "{waits}");
    wait_until("a warning after ten seconds", SOON, || {
        second.stderr().contains("kafka source: waiting for a partition")
    });
    assert!(second.is_running(), "a member without partitions is at no end: {}", second.stderr());
    broker.produce(&topic, [Record::of("{\"id\":1}")]);
    first.term();
    assert!(first.wait(SOON).success(), "{}", first.stderr());
    assert!(second.wait(SOON).success(), "{}", second.stderr());
    assert_eq!(broker.committed(&broker.name("group"), &topic).get(&0), Some(&2));
}

#[test]
fn lag_is_known_of_every_partition_before_any_record_is_committed() {
    let broker = Broker::shared();
    let topic = broker.topic("lag", 3);
    broker.produce(&topic, (0..6).map(|id| Record::of(format!("{{\"id\":{id}}}")).to(id % 2)));
    let folder = tempfile::tempdir().expect("a folder");
    let mut weir = start(&broker, folder.path(), &topic, "partitions = \"all\"\nstart = \"latest\"");
    let partitions = wait_for("a lag of each partition", SOON, || {
        let partitions = source(folder.path())?["partitions"].as_array()?.clone();
        let known = partitions.len() == 3 && partitions.iter().all(|partition| partition["lag"] == 0);
        known.then_some(partitions)
    });
    let ends: Vec<Value> = partitions.iter().map(|partition| partition["end"].clone()).collect();
    assert_eq!(ends, [3, 3, 0]);
    weir.term();
    assert!(weir.wait(SOON).success(), "{}", weir.stderr());
}

#[test]
fn a_broker_that_goes_silent_is_waited_for_aloud() {
    if Broker::only_a_cluster() {
        return;
    }
    let broker = Broker::own();
    let topic = broker.topic("silent", 1);
    let folder = tempfile::tempdir().expect("a folder");
    broker.pause();
    let mut weir = start(&broker, folder.path(), &topic, "partitions = \"all\"\nuntil = \"end\"");
    wait_until("a warning after ten seconds", Duration::from_secs(40), || {
        weir.stderr().contains("kafka source: waiting for a broker")
    });
    broker.resume();
    assert!(weir.wait(2 * SOON).success(), "{}", weir.stderr());
}

/// The memory that a process has in use, in MiB.
fn resident_mib(weir: &WeirProcess) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", weir.id())).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

#[test]
fn what_waits_of_many_partitions_takes_no_more_than_what_waits_of_few() {
    let broker = Broker::shared();
    let topic = broker.topic("many", 100);
    let folder = tempfile::tempdir().expect("a folder");
    let mut weir = start(&broker, folder.path(), &topic, "partitions = \"all\"\nformat = \"raw\"");
    wait_until("every partition is read", SOON, || {
        source(folder.path()).is_some_and(|source| source["partitions"].as_array().is_some_and(|all| all.len() == 100))
    });
    let mut pause = Weir::in_folder(folder.path()).run(&["pause", "numbers"]);
    assert!(pause.wait(SOON).success(), "{}", pause.stderr());
    let before = resident_mib(&weir);
    // 3 MB of each, of which the client would hold all where each partition had 4 MiB to itself.
    let value = |partition: i32| (0..30).map(move |_| Record::of(vec![b'x'; 100_000]).to(partition));
    broker.produce(&topic, (0..100).flat_map(value));
    let mut highest = before;
    for _ in 0..30 {
        std::thread::sleep(Duration::from_millis(100));
        highest = highest.max(resident_mib(&weir));
    }
    println!("{before} MiB before, {highest} MiB with 286 MiB in the topic");
    assert!(highest - before < 150, "{before} MiB before, {highest} MiB with 286 MiB in the topic");
    let mut resume = Weir::in_folder(folder.path()).run(&["resume", "numbers"]);
    assert!(resume.wait(SOON).success(), "{}", resume.stderr());
    wait_until("every record of every partition is read", 3 * SOON, || {
        source(folder.path()).is_some_and(|source| source["records"] == 3_000)
    });
    weir.term();
    assert!(weir.wait(SOON).success(), "{}", weir.stderr());
}
