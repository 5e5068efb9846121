//! Positions that the log does not hold: retention has passed them, or the topic was made again.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use weir_tests::{Broker, Isolation, Record, Weir, WeirProcess, wait_until};

use crate::support::SOON;

/// A query that copies ids from topic to topic, with further keys of its source.
struct Copy<'a> {
    broker: &'a Broker,
    from: String,
    to: String,
    folder: tempfile::TempDir,
}

impl Copy<'_> {
    fn new<'a>(broker: &'a Broker, hint: &str) -> Copy<'a> {
        let (from, to) = (broker.topic(&format!("{hint}-from"), 1), broker.topic(&format!("{hint}-to"), 1));
        Copy { broker, from, to, folder: tempfile::tempdir().expect("a folder") }
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn produce(&self, ids: std::ops::Range<u64>) {
        self.broker.produce(&self.from, ids.map(|id| Record::of(format!("{{\"id\":{id}}}"))));
    }

    fn start(&self, keys: &str) -> WeirProcess {
        let (brokers, Copy { from, to, .. }) = (self.broker.address(), self);
        let (group, id) = (self.broker.name(from), self.broker.name(to));
        let rest = match to.as_str() {
            "" => "kind = \"file\"\npath = \"out/ids.jsonl\"\n[delivery]\nstate = \"state\"".to_owned(),
            to => format!(
                "kind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {to:?}\n[delivery]\ntransactional_id = {id:?}"
            ),
        };
        let text = format!(
            "name = \"copy\"\n[sources.ids]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {from:?}\ngroup = {group:?}\n\
             schema = {{ id = \"i64\" }}\npartitions = \"all\"\n{keys}\n\
             [sinks.out]\n{rest}\nguarantee = \"exactly_once\"\ncommit_ms = 20\n"
        );
        std::fs::write(self.folder().join("q.toml"), text).expect("a query file");
        Weir::in_folder(self.folder()).run(&["--json", "run", "q.toml"])
    }

    /// Deletes the topic, and makes one of the same name with these ids.
    fn make_again(&self, hint: &str, ids: std::ops::Range<u64>) {
        self.broker.delete_topic(&self.from);
        assert_eq!(self.broker.topic(&format!("{hint}-from"), 1), self.from);
        self.produce(ids);
    }

    /// The messages if the new topic has twenty records and five of the old one were copied.
    fn made_again(&self) -> String {
        format!(
            "{} [0]: the topic was deleted and recreated: position 5 belongs to the old topic, and the log of the new topic holds 0 to 20",
            self.from
        )
    }

    /// Runs to the end, and gives the number of partitions that went on elsewhere.
    #[track_caller]
    fn run(&self, keys: &str) -> u64 {
        let mut weir = self.start(&format!("until = \"end\"\n{keys}"));
        let status = weir.wait(SOON);
        assert!(status.success(), "{status}\n{}", weir.stderr());
        summary(&weir)["sources"][0]["out_of_range"].as_u64().unwrap_or(0)
    }

    /// Runs, and gives the failure.
    #[track_caller]
    fn fail(&self, keys: &str) -> String {
        let mut weir = self.start(&format!("until = \"end\"\n{keys}"));
        let status = weir.wait(SOON);
        assert_eq!(status.code(), Some(1), "{}", weir.stderr());
        weir.stderr()
    }

    /// The ids that were written, in order: to the topic, or to files without one.
    fn written(&self) -> Vec<u64> {
        let id = |record: &[u8]| {
            let record: Value = serde_json::from_slice(record).expect("a record");
            record["id"].as_u64().expect("an id")
        };
        if !self.to.is_empty() {
            let read = self.broker.read_all(&self.to, Isolation::Committed);
            return read.iter().map(|record| id(record.value())).collect();
        }
        // Made by the first file.
        let Ok(folder) = std::fs::read_dir(self.folder().join("out")) else { return Vec::new() };
        let files = folder.flatten().map(|entry| entry.path());
        let shown = |path: &std::path::PathBuf| path.extension().is_some_and(|ending| ending == "jsonl");
        let mut ids: Vec<u64> = Vec::new();
        for path in files.filter(shown) {
            let text = std::fs::read_to_string(path).expect("a file");
            ids.extend(text.lines().map(|line| id(line.as_bytes())));
        }
        ids.sort_unstable();
        ids
    }
}

/// The summary that the process printed.
fn summary(weir: &WeirProcess) -> Value {
    let said = weir.stderr();
    let objects = said.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let summary = objects.map(|mut object| object["summary"].take()).find(|summary| summary.is_object());
    summary.unwrap_or_else(|| panic!("no summary\n{said}"))
}

const EARLIEST: &str = "on_out_of_range = \"earliest\"";

/// What each policy makes of a position beyond a log of three records: how many partitions go on elsewhere, and which are read.
const POLICIES: [(&str, Option<&[u64]>); 4] = [
    ("", None),
    ("on_out_of_range = \"fail\"", None),
    ("on_out_of_range = \"earliest\"", Some(&[10, 11, 12])),
    ("on_out_of_range = \"latest\"", Some(&[])),
];

#[test]
fn a_position_of_the_group_beyond_the_log_is_refused_or_passed_as_the_key_says() {
    let broker = Broker::shared();
    for (keys, expected) in POLICIES {
        let copy = Copy::new(&broker, &format!("beyond-{}", keys.len()));
        copy.produce(10..13);
        broker.commit(&broker.name(&copy.from), &copy.from, 0, 5);
        let Some(expected) = expected else {
            let said = copy.fail(keys);
            let wanted = format!("{} [0]: position 5 is out of range: the log holds 0 to 3", copy.from);
            assert!(said.contains(&wanted) && said.contains("on_out_of_range"), "{said}");
            assert_eq!(copy.written(), [0; 0]);
            continue;
        };
        assert_eq!(copy.run(keys), 1);
        assert_eq!(copy.written(), expected);
        // From then on it is a position within the log that is kept.
        copy.produce(20..21);
        assert_eq!(copy.run(""), 0);
        assert_eq!(copy.written().last(), Some(&20));
    }
}

/// The broker forgets what groups kept of a topic that is deleted: a state folder does not.
#[test]
fn a_position_of_a_state_folder_in_a_topic_that_was_made_again_is_refused_or_passed_as_the_key_says() {
    let broker = Broker::shared();
    for (keys, expected) in POLICIES {
        let hint = format!("again-{}", keys.len());
        let copy = Copy { to: String::new(), ..Copy::new(&broker, &hint) };
        copy.produce(0..5);
        copy.run("");
        broker.delete_topic(&copy.from);
        assert_eq!(broker.topic(&format!("{hint}-from"), 1), copy.from);
        copy.produce(10..13);
        let Some(expected) = expected else {
            let said = copy.fail(keys);
            let wanted = copy.made_again().replace("0 to 20", "0 to 3");
            assert!(said.contains(&wanted) && said.contains("on_out_of_range"), "{said}");
            assert_eq!(copy.written(), [0, 1, 2, 3, 4]);
            continue;
        };
        assert_eq!(copy.run(keys), 1);
        let all: Vec<u64> = (0..5).chain(expected.iter().copied()).collect();
        assert_eq!(copy.written(), all);
    }
}

#[test]
fn a_position_that_retention_has_passed_is_refused_or_passed_as_the_key_says() {
    let broker = Broker::shared();
    let copy = Copy::new(&broker, "passed");
    copy.produce(0..5);
    copy.run("");
    copy.produce(5..10);
    broker.delete_records(&copy.from, 0, 8);
    let said = copy.fail("");
    let wanted = format!("{} [0]: position 5 is out of range: the log holds 8 to 10", copy.from);
    assert!(said.contains(&wanted), "{said}");
    assert_eq!(copy.run("on_out_of_range = \"earliest\""), 1);
    assert_eq!(copy.written(), [0, 1, 2, 3, 4, 8, 9]);
}

#[test]
fn records_that_retention_removes_while_nobody_reads_are_missed_aloud() {
    let broker = Broker::shared();
    let copy = Copy::new(&broker, "retained");
    let settings = [("retention.ms", "1000"), ("segment.ms", "500"), ("file.delete.delay.ms", "100")];
    let short = broker.topic_with("retained-short", 1, &settings);
    let copy = Copy { from: short, ..copy };
    copy.produce(0..3);
    copy.run("");
    copy.produce(3..6);
    wait_until("retention removes what was not read", Duration::from_secs(40), || {
        // A segment is closed by the next record.
        copy.produce(100..101);
        std::thread::sleep(Duration::from_millis(300));
        broker.watermarks(&copy.from, 0).0 > 3
    });
    let said = copy.fail("");
    assert!(said.contains("position 3 is out of range"), "{said}");
}

#[test]
fn a_topic_that_is_made_again_while_the_query_runs_is_noticed() {
    let broker = Broker::shared();
    for (keys, goes_on) in [("", false), ("on_out_of_range = \"earliest\"", true)] {
        let hint = format!("running-{}", keys.len());
        let copy = Copy::new(&broker, &hint);
        copy.produce(0..5);
        let mut weir = copy.start(&format!("{keys}\noptions = {{ \"topic.metadata.refresh.interval.ms\" = \"500\" }}"));
        wait_until("the old topic is copied", SOON, || copy.written().len() == 5);
        broker.delete_topic(&copy.from);
        broker.topic(&format!("{hint}-from"), 1);
        copy.produce(10..13);
        if goes_on {
            wait_until("the new topic is copied", 2 * SOON, || copy.written().len() == 8);
            assert_eq!(copy.written(), [0, 1, 2, 3, 4, 10, 11, 12]);
            weir.term();
            assert!(weir.wait(SOON).success(), "{}", weir.stderr());
            assert_eq!(summary(&weir)["sources"][0]["out_of_range"], 1);
        } else {
            assert_eq!(weir.wait(2 * SOON).code(), Some(1), "{}", weir.stderr());
            assert!(weir.stderr().contains("position 5 is out of range"), "{}", weir.stderr());
            assert_eq!(copy.written(), [0, 1, 2, 3, 4]);
        }
    }
}

/// The new topic is longer than the position: only its id tells it from the old one. What is read of it before that is noticed is not passed
/// on twice.
#[test]
fn a_longer_topic_of_the_same_name_is_noticed_while_the_query_runs() {
    let broker = Broker::shared();
    for (keys, to_topic) in [("", true), (EARLIEST, true), (EARLIEST, false)] {
        let hint = format!("longer-{}-{to_topic}", keys.len());
        let mut copy = Copy::new(&broker, &hint);
        if !to_topic {
            copy.to.clear();
        }
        copy.produce(0..5);
        let mut weir = copy.start(keys);
        wait_until("the old topic is copied", SOON, || copy.written().len() == 5);
        weir.pause();
        copy.make_again(&hint, 10..30);
        weir.resume();
        if keys.is_empty() {
            assert_eq!(weir.wait(2 * SOON).code(), Some(1), "{}", weir.stderr());
            assert!(weir.stderr().contains(&copy.made_again()), "{}", weir.stderr());
            assert_eq!(copy.written(), [0, 1, 2, 3, 4]);
            continue;
        }
        wait_until("the new topic is copied", 2 * SOON, || copy.written().last() == Some(&29));
        weir.term();
        assert!(weir.wait(SOON).success(), "{}", weir.stderr());
        assert_eq!(copy.written(), (0..5).chain(10..30).collect::<Vec<u64>>());
        assert_eq!(summary(&weir)["sources"][0]["out_of_range"], 1);
    }
}

#[test]
fn a_longer_topic_of_the_same_name_is_noticed_that_was_made_while_the_query_was_down() {
    let broker = Broker::shared();
    for keys in ["", EARLIEST, "on_out_of_range = \"latest\""] {
        for to_topic in [true, false] {
            let hint = format!("down-{}-{to_topic}", keys.len());
            let mut copy = Copy::new(&broker, &hint);
            if !to_topic {
                copy.to.clear();
            }
            let group = broker.name(&copy.from);
            copy.produce(0..5);
            copy.run("");
            let kept = if to_topic { broker.committed_texts(&group, &copy.from) } else { [].into() };
            copy.make_again(&hint, 10..30);
            if let Some((position, text)) = kept.get(&0) {
                // This broker forgets what groups keep of a topic that is deleted. Others do not.
                wait_until("the group's position is forgotten", SOON, || {
                    broker.committed(&group, &copy.from).is_empty()
                });
                broker.commit_text(&group, &copy.from, 0, *position, text);
            }
            if keys.is_empty() {
                let said = copy.fail(keys);
                assert!(said.contains(&copy.made_again()), "{said}");
                assert_eq!(copy.written(), [0, 1, 2, 3, 4]);
                continue;
            }
            assert_eq!(copy.run(keys), 1);
            let again = if keys == EARLIEST { 10..30 } else { 30..30 };
            assert_eq!(copy.written(), (0..5).chain(again.clone()).collect::<Vec<u64>>());
            // From then on it is the new topic's position that is kept.
            copy.produce(40..42);
            assert_eq!(copy.run(""), 0);
            assert_eq!(copy.written(), (0..5).chain(again).chain(40..42).collect::<Vec<u64>>());
        }
    }
}

/// Whoever may commit for the group may write anything beside an offset, and an offset that was set by hand has nothing there.
#[test]
fn a_kept_position_without_an_id_is_gone_on_from() {
    let broker = Broker::shared();
    let long = format!("weir.topic_id={}", "A".repeat(4000));
    for (place, text) in ["", "weir.topic_id=", "weir.topic_id=\u{1b}[31m", &long].into_iter().enumerate() {
        let copy = Copy::new(&broker, &format!("text-{place}"));
        copy.produce(0..5);
        broker.commit_text(&broker.name(&copy.from), &copy.from, 0, 3, text);
        assert_eq!(copy.run(""), 0);
        assert_eq!(copy.written(), [3, 4]);
    }
}

#[test]
fn what_is_written_while_nobody_reads_is_read_also_where_there_was_nothing_before() {
    let broker = Broker::shared();
    let copy = Copy::new(&broker, "latest");
    copy.produce(0..3);
    // Nothing to read, and nothing is committed: killed, not stopped.
    let mut weir = copy.start("start = \"latest\"");
    let group = broker.name(&copy.from);
    wait_until("where it begins is kept", SOON, || broker.committed(&group, &copy.from).get(&0) == Some(&3));
    weir.kill_9();
    copy.produce(3..6);
    copy.run("start = \"latest\"");
    assert_eq!(copy.written(), [3, 4, 5]);
}
