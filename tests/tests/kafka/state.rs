//! What a function keeps in its memory, of partitions whose positions a group keeps.

use std::path::Path;

use serde_json::Value;
use weir_tests::{Broker, Record, Weir, WeirProcess, guest_path, wait_until};

use crate::support::SOON;

/// A query whose function passes each number once, and what it writes.
struct Fresh<'a> {
    broker: &'a Broker,
    topic: String,
    folder: tempfile::TempDir,
}

impl Fresh<'_> {
    fn new<'a>(broker: &'a Broker, hint: &str) -> Fresh<'a> {
        Fresh { broker, topic: broker.topic(hint, 2), folder: tempfile::tempdir().expect("a folder") }
    }

    fn produce(&self, ids: std::ops::Range<u64>) {
        self.broker.produce(&self.topic, ids.map(|id| Record::of(format!("{{\"id\":{id}}}")).key(id.to_string())));
    }

    fn start(&self, source: &str, stage: &str) -> WeirProcess {
        let (brokers, topic, group) = (self.broker.address(), &self.topic, self.broker.name(&self.topic));
        let module = guest_path("faulty").expect("a built guest");
        let text = format!(
            "name = \"fresh\"\n[sources.ids]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {topic:?}\ngroup = {group:?}\n\
             schema = {{ id = \"i64\" }}\n{source}\n\
             [[stages]]\nname = \"fresh\"\nmodule = {module:?}\nfunction = \"fresh\"\n{stage}\n\
             [sinks.out]\nkind = \"count\"\n[delivery]\ncommit_ms = 20\n"
        );
        let folder: &Path = self.folder.path();
        std::fs::write(folder.join("q.toml"), text).expect("a query file");
        Weir::in_folder(folder).run(&["--json", "run", "q.toml"])
    }
}

/// The last progress that a process printed, also that of its summary.
fn progress(weir: &WeirProcess) -> Value {
    let said = weir.stderr();
    let objects = said.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let progress = |mut object: Value| match object.get("summary") {
        Some(_) => object["summary"].take(),
        None => object["progress"].take(),
    };
    objects.map(progress).find(Value::is_object).unwrap_or_default()
}

fn partitions(weir: &WeirProcess) -> usize {
    progress(weir)["sources"][0]["partitions"].as_array().map_or(0, Vec::len)
}

fn committed(weir: &WeirProcess) -> u64 {
    progress(weir)["committed_records"].as_u64().unwrap_or(0)
}

#[test]
fn a_restart_with_positions_of_a_group_loses_what_a_function_kept() {
    let broker = Broker::shared();
    for partitions in ["", "partitions = \"all\""] {
        let fresh = Fresh::new(&broker, &format!("restarted-{}", partitions.len()));
        let source = format!("until = \"end\"\n{partitions}");
        fresh.produce(0..20);
        // There was nothing before it.
        let mut first = fresh.start(&source, "");
        assert!(first.wait(SOON).success(), "{}", first.stderr());
        assert_eq!(progress(&first)["stages"][0]["state_losses"], serde_json::json!({}));
        fresh.produce(0..20);
        let mut refused = fresh.start(&source, "");
        assert_eq!(refused.wait(SOON).code(), Some(1), "{}", refused.stderr());
        assert!(
            refused.stderr().contains("from an earlier run (restart: the state belonged to an earlier run)"),
            "{}",
            refused.stderr()
        );
        let mut warned = fresh.start(&source, "on_state_loss = \"warn\"");
        assert!(warned.wait(SOON).success(), "{}", warned.stderr());
        assert_eq!(progress(&warned)["stages"][0]["state_losses"], serde_json::json!({"restart": 1}));
        assert_eq!(committed(&warned), 20, "nothing was committed without its state");
    }
}

#[test]
fn partitions_that_go_to_another_member_and_come_back_are_losses_of_state() {
    let broker = Broker::shared();
    let fresh = Fresh::new(&broker, "handed-over");
    let stage = "on_state_loss = \"warn\"";
    fresh.produce(0..20);
    let mut one = fresh.start("", stage);
    wait_until("one has read both", SOON, || partitions(&one) == 2 && committed(&one) == 20);
    let mut other = fresh.start("", stage);
    wait_until("each has a partition", SOON, || partitions(&one) == 1 && partitions(&other) == 1);
    fresh.produce(20..40);
    wait_until("each has read its own", SOON, || committed(&one) + committed(&other) == 40);
    other.term();
    assert!(other.wait(SOON).success(), "{}", other.stderr());
    // It began where the first one was, without what that one kept.
    assert_eq!(progress(&other)["stages"][0]["state_losses"], serde_json::json!({"restart": 1}));
    wait_until("one has both again", SOON, || partitions(&one) == 2);
    one.term();
    assert!(one.wait(SOON).success(), "{}", one.stderr());
    // One partition went, and came back.
    assert_eq!(progress(&one)["stages"][0]["state_losses"], serde_json::json!({"rebalance": 2}));
}
