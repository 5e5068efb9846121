//! From topic to topic and from topic to file, through crashes, fences and brokers that go away.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use weir_tests::{
    Broker, Isolation, Received, Record, Weir, WeirProcess, assert_same, guest_path, multiset, wait_until,
};

use crate::support::{PATIENCE, assert_once, number, run_to, start, summary, written};

/// Both topics, on one broker.
pub(crate) struct Topics<'a> {
    pub(crate) broker: &'a Broker,
    // Tells the topics, groups and transactions of one test's rounds from each other.
    round: String,
    pub(crate) from: String,
    pub(crate) to: String,
    dead: String,
}

impl Topics<'_> {
    pub(crate) fn new<'a>(broker: &'a Broker, round: &str, partitions: i32) -> Topics<'a> {
        let topic = |hint: &str| broker.topic(&format!("{hint}-{round}"), partitions);
        Topics { broker, round: round.to_owned(), from: topic("from"), to: topic("to"), dead: topic("dead") }
    }

    pub(crate) fn group(&self) -> String {
        self.broker.name(&format!("group-{}", self.round))
    }

    pub(crate) fn produce(&self, ids: std::ops::Range<u64>) {
        self.broker.produce(&self.from, ids.map(|id| Record::of(format!("{{\"id\":{id}}}")).key(id.to_string())));
    }

    /// The ids from one topic to the other; `source`, `sink` and `rest` hold further keys and tables.
    pub(crate) fn query(&self, folder: &Path, source: &str, sink: &str, rest: &str) {
        let module = guest_path("faulty").expect("a built guest");
        let (brokers, group) = (self.broker.address(), self.group());
        let text = format!(
            "name = \"numbers\"\n\
             [sources.ids]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {:?}\ngroup = {group:?}\n\
             schema = {{ id = \"i64\" }}\n{source}\n\
             [[stages]]\nname = \"seen\"\nmodule = {module:?}\nfunction = \"seen\"\n\
             [sinks.out]\n{sink}\n\
             [batching]\nrecords_max = 20\ndelay_ms_max = 5\n{rest}\n",
            self.from,
        );
        fs::write(folder.join("numbers.toml"), text).expect("the query");
    }

    pub(crate) fn sink(&self) -> String {
        format!("kind = \"kafka\"\nbrokers = {:?}\ntopic = {:?}", self.broker.address(), self.to)
    }

    /// What a reader of committed records finds in the topic that is written, who knows nothing of before.
    #[track_caller]
    pub(crate) fn assert_exact(&self, ids: std::ops::Range<u64>) {
        let found = self.broker.read_all(&self.to, Isolation::Committed);
        let expected = ids.map(|id| format!("{{\"id\":{id}}}").into_bytes());
        assert_same(&multiset(expected), &multiset(found.iter().map(|record| record.value().to_vec())));
        assert!(found.iter().all(|record| record.key.is_some()), "keys go along");
    }

    pub(crate) fn exactly_once(&self) -> String {
        let id = self.broker.name(&format!("transactions-{}", self.round));
        format!("[delivery]\nguarantee = \"exactly_once\"\ncommit_ms = 20\ntransactional_id = {id:?}")
    }
}

/// Of a source that has all partitions, and comes to an end.
const ALL_TO_THE_END: &str = "partitions = \"all\"\nuntil = \"end\"";

#[test]
fn from_topic_to_topic_exactly_once_though_the_process_is_killed_again_and_again() {
    let kills = number("WEIR_CRASHES", 6);
    let broker = Broker::shared();
    let topics = Topics::new(&broker, "one", 3);
    let folder = tempfile::tempdir().expect("a folder");
    let delivery = topics.exactly_once().replace("commit_ms = 20", "commit_ms = 2");
    topics.query(folder.path(), ALL_TO_THE_END, &topics.sink(), &delivery);
    let (mut done, mut longest) = (0, 300);
    for round in 0..kills {
        // Each process has something to do that the one before was not given.
        topics.produce(round * 200..(round + 1) * 200);
        let mut weir = start(folder.path());
        // Some time within a run, as long as runs take on this machine.
        std::thread::sleep(Duration::from_millis(longest * (40 + round * 7919 % 61) / 100));
        let killed = weir.is_running();
        weir.kill_9();
        done += u64::from(killed);
        longest = if killed { longest + 15 } else { (longest * 85 / 100).max(60) };
    }
    crate::support::run_to_end(folder.path());
    println!("{done} of {kills} processes were killed before their end");
    assert!(done * 3 >= kills, "{done} of {kills} processes were killed before their end");
    topics.assert_exact(0..kills * 200);
}

#[test]
fn from_topic_to_topic_exactly_once_whichever_step_of_a_commit_was_the_last() {
    let broker = Broker::shared();
    for step in ["commit.begin", "commit.letters", "commit.sinks", "commit.offsets", "commit.transaction"] {
        for count in [1, 2] {
            let topics = Topics::new(&broker, &format!("{step}-{count}"), 2);
            topics.produce(0..400);
            let folder = tempfile::tempdir().expect("a folder");
            let delivery = topics.exactly_once().replace("commit_ms = 20", "commit_ms = 1");
            topics.query(folder.path(), ALL_TO_THE_END, &topics.sink(), &delivery);
            let failpoint = format!("{step}:{count}");
            let status = run_to(folder.path(), &failpoint);
            assert_eq!(status.signal(), Some(6), "{failpoint} was not reached: {status}");
            crate::support::run_to_end(folder.path());
            topics.assert_exact(0..400);
        }
    }
}

#[test]
fn an_old_process_that_wakes_up_is_fenced_and_says_so() {
    let broker = Broker::shared();
    let topics = Topics::new(&broker, "one", 2);
    topics.produce(0..200);
    let folder = tempfile::tempdir().expect("a folder");
    topics.query(folder.path(), "partitions = \"all\"", &topics.sink(), &topics.exactly_once());
    let mut old = start(folder.path());
    wait_until("the first process has written", PATIENCE, || {
        !broker.read_all(&topics.to, Isolation::Committed).is_empty()
    });
    old.pause();
    let mut new = start(folder.path());
    topics.produce(200..400);
    wait_until("the second process has written all", PATIENCE, || {
        broker.read_all(&topics.to, Isolation::Committed).len() >= 400
    });
    topics.produce(400..600);
    old.resume();
    let status = old.wait(PATIENCE);
    assert_eq!(status.code(), Some(1), "{}", old.stderr());
    let said = format!("another producer has taken over the transactions of `{}`", broker.name("transactions-one"));
    assert!(old.stderr().contains(&said), "{}", old.stderr());
    wait_until("the second process has written the rest", PATIENCE, || {
        broker.read_all(&topics.to, Isolation::Committed).len() >= 600
    });
    new.term();
    assert!(new.wait(PATIENCE).success(), "{}", new.stderr());
    topics.assert_exact(0..600);
}

#[test]
fn from_a_topic_to_a_file_exactly_once_though_the_process_is_killed_again_and_again() {
    let (records, kills) = (number("WEIR_CRASH_RECORDS", 60_000), number("WEIR_CRASHES", 4));
    let broker = Broker::shared();
    let topics = Topics::new(&broker, "one", 3);
    topics.produce(0..records);
    let folder = tempfile::tempdir().expect("a folder");
    let sink = "kind = \"file\"\npath = \"out/ids.csv\"";
    topics.query(folder.path(), ALL_TO_THE_END, sink, crate::support::EXACTLY_ONCE);
    for kill in 0..kills {
        let mut weir = start(folder.path());
        std::thread::sleep(Duration::from_millis(250 + (kill * 97) % 300));
        weir.kill_9();
    }
    let summary = crate::support::run_to_end(folder.path());
    assert_once(&written(folder.path()), records);
    assert_eq!(crate::support::counted(&summary), records);
}

#[test]
fn from_topic_to_topic_at_least_once_nothing_is_missing() {
    let broker = Broker::shared();
    let topics = Topics::new(&broker, "one", 3);
    topics.produce(0..20_000);
    let folder = tempfile::tempdir().expect("a folder");
    topics.query(folder.path(), ALL_TO_THE_END, &topics.sink(), "[delivery]\ncommit_ms = 20");
    for kill in 0..3_u64 {
        let mut weir = start(folder.path());
        std::thread::sleep(Duration::from_millis(300 + kill * 150));
        weir.kill_9();
    }
    let mut weir = start(folder.path());
    let status = weir.wait(PATIENCE);
    assert!(status.success(), "{status}\n{}", weir.stderr());
    let found: BTreeSet<_> = broker
        .read_all(&topics.to, Isolation::Uncommitted)
        .iter()
        .map(|record| String::from_utf8(record.value().to_vec()).expect("text"))
        .collect();
    let missing: Vec<_> = (0..20_000).filter(|id| !found.contains(&format!("{{\"id\":{id}}}"))).take(10).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
}

/// What the last progress object says of the partitions that the process reads.
pub(crate) fn partitions(weir: &WeirProcess) -> usize {
    let said = weir.stderr();
    let progress = said.lines().rev().find_map(|line| {
        let object = serde_json::from_str::<Value>(line).ok()?;
        object.get("progress").cloned()
    });
    let Some(progress) = progress else { return 0 };
    progress["sources"][0]["partitions"].as_array().map_or(0, Vec::len)
}

#[test]
fn two_processes_share_a_group_and_the_one_that_is_left_takes_over() {
    let broker = Broker::shared();
    let topics = Topics::new(&broker, "one", 4);
    let folder = tempfile::tempdir().expect("a folder");
    let options = "options = { \"session.timeout.ms\" = \"6000\", \"heartbeat.interval.ms\" = \"500\" }";
    topics.query(folder.path(), options, &topics.sink(), "[delivery]\ncommit_ms = 50");
    topics.produce(0..2_000);
    let mut one = start(folder.path());
    wait_until("the first process has written all", PATIENCE, || {
        broker.read_all(&topics.to, Isolation::Uncommitted).len() >= 2_000
    });
    let mut other = start(folder.path());
    wait_until("the partitions are shared", PATIENCE, || partitions(&one) == 2 && partitions(&other) == 2);
    topics.produce(2_000..4_000);
    wait_until("both have written", PATIENCE, || broker.read_all(&topics.to, Isolation::Uncommitted).len() >= 4_000);
    one.kill_9();
    topics.produce(4_000..6_000);
    let all = || -> BTreeSet<Vec<u8>> {
        broker.read_all(&topics.to, Isolation::Uncommitted).iter().map(|record| record.value().to_vec()).collect()
    };
    wait_until("the one that is left writes everything", PATIENCE, || all().len() >= 6_000);
    other.term();
    assert!(other.wait(PATIENCE).success(), "{}", other.stderr());
    let summary = summary(&other);
    assert!(summary["sources"][0]["records"].as_u64().is_some_and(|records| records >= 2_000), "{summary}");
    let committed: i64 = broker.committed(&topics.group(), &topics.from).values().sum();
    assert_eq!(committed, 6_000, "positions of all that was written are kept");
}

#[test]
fn a_broker_that_is_away_for_a_while_is_waited_for() {
    if Broker::only_a_cluster() {
        return;
    }
    let broker = Broker::own();
    let topics = Topics::new(&broker, "one", 2);
    topics.produce(0..300);
    let folder = tempfile::tempdir().expect("a folder");
    let retried = format!("{}\non_error = \"retry\"\nretry = {{ times_max = 100, backoff_ms = 100 }}", topics.sink());
    topics.query(folder.path(), "partitions = \"all\"", &retried, &topics.exactly_once());
    let mut weir = start(folder.path());
    wait_until("all is written", PATIENCE, || broker.read_all(&topics.to, Isolation::Committed).len() >= 300);
    broker.stop();
    std::thread::sleep(Duration::from_secs(2));
    assert!(weir.is_running(), "{}", weir.stderr());
    broker.start();
    topics.produce(300..600);
    wait_until("the rest is written", PATIENCE, || broker.read_all(&topics.to, Isolation::Committed).len() >= 600);
    weir.term();
    assert!(weir.wait(PATIENCE).success(), "{}", weir.stderr());
    topics.assert_exact(0..600);
}

#[test]
fn of_a_thousand_records_one_does_not_decode_and_one_fails_and_both_letters_hold_the_original() {
    let broker = Broker::shared();
    for guarantee in ["exactly_once", "at_least_once"] {
        let topics = Topics::new(&broker, guarantee, 2);
        topics.produce(0..500);
        broker.produce(&topics.from, [Record::of("{\"id\":no}").key("bad")]);
        topics.produce(500..999);
        let folder = tempfile::tempdir().expect("a folder");
        let delivery = match guarantee {
            "exactly_once" => topics.exactly_once(),
            _ => "[delivery]\ncommit_ms = 20".to_owned(),
        };
        let letters =
            format!("[dead_letters]\nkind = \"kafka\"\nbrokers = {:?}\ntopic = {:?}", broker.address(), topics.dead);
        let source = format!("{ALL_TO_THE_END}\non_error = \"dead_letter\"");
        topics.query(folder.path(), &source, &topics.sink(), &format!("{delivery}\n{letters}"));
        let module = guest_path("faulty").expect("a built guest");
        let stage = format!(
            "[[stages]]\nname = \"faulty\"\nmodule = {module:?}\nfunction = \"refuses\"\nparams = {{ at = 777 }}\n\
             on_error = \"dead_letter\"\n[sinks.out]"
        );
        let text = fs::read_to_string(folder.path().join("numbers.toml")).expect("the query");
        fs::write(folder.path().join("numbers.toml"), text.replace("[sinks.out]", &stage)).expect("the query");
        let mut weir = Weir::in_folder(folder.path()).run(&["--json", "run", "numbers.toml"]);
        let status = weir.wait(PATIENCE);
        assert!(status.success(), "{status}\n{}", weir.stderr());

        let found = broker.read_all(&topics.to, Isolation::Committed);
        let expected = (0..999).filter(|id| *id != 777).map(|id| format!("{{\"id\":{id}}}").into_bytes());
        assert_same(&multiset(expected), &multiset(found.iter().map(|record| record.value().to_vec())));
        let letters = broker.read_all(&topics.dead, Isolation::Committed);
        let said = |letter: &Received, name: &str| {
            let name = format!("weir.{name}");
            let header = letter.headers.iter().find(|(other, _)| *other == name).and_then(|(_, value)| value.clone());
            String::from_utf8(header.unwrap_or_default()).expect("text")
        };
        let mut letters = letters;
        letters.sort_by_key(|letter| said(letter, "error.code") == "undecodable");
        assert_eq!(letters.len(), 2, "{letters:?}");
        // The records as they were, and what happened to them beside them.
        assert_eq!(letters[0].value(), b"{\"id\":777}");
        assert_eq!(letters[0].key.as_deref(), Some(&b"777"[..]));
        assert_eq!((letters[1].value(), letters[1].key.as_deref()), (&b"{\"id\":no}"[..], Some(&b"bad"[..])));
        // Another stage is between the source and the one that failed.
        let of = |letter| (said(letter, "error.place"), said(letter, "letter.value"));
        assert_eq!(of(&letters[0]), ("faulty".to_owned(), "record".to_owned()));
        assert_eq!(of(&letters[1]), ("ids".to_owned(), "original".to_owned()));
        for letter in &letters {
            assert_eq!(said(letter, "error.source"), "ids", "{letter:?}");
            assert_eq!(said(letter, "error.origin"), topics.from, "{letter:?}");
            assert_eq!(
                (said(letter, "error.query"), said(letter, "error.tenant")),
                ("numbers".into(), "default".into())
            );
            let numbers = ["error.partition", "error.offset", "error.timestamp"].map(|name| said(letter, name));
            assert!(numbers.iter().all(|number| number.parse::<i64>().is_ok()), "{letter:?}");
        }
    }
}

#[test]
fn letters_in_a_topic_are_listed_shown_and_replayed() {
    let broker = Broker::shared();
    let topics = Topics::new(&broker, "letters", 2);
    topics.produce(0..100);
    let folder = tempfile::tempdir().expect("a folder");
    let letters =
        format!("[dead_letters]\nkind = \"kafka\"\nbrokers = {:?}\ntopic = {:?}", broker.address(), topics.dead);
    topics.query(folder.path(), ALL_TO_THE_END, &topics.sink(), &format!("{}\n{letters}", topics.exactly_once()));
    let module = guest_path("faulty").expect("a built guest");
    let stage = |at: u64| {
        format!(
            "[[stages]]\nname = \"faulty\"\nmodule = {module:?}\nfunction = \"refuses\"\nparams = {{ at = {at} }}\n\
             on_error = \"dead_letter\"\n[sinks.out]"
        )
    };
    let text = fs::read_to_string(folder.path().join("numbers.toml")).expect("the query");
    let write = |at| fs::write(folder.path().join("numbers.toml"), text.replace("[sinks.out]", &stage(at)));
    write(7).expect("the query");
    crate::support::run_to_end(folder.path());
    let said = |args: &[&str]| {
        let mut weir = Weir::in_folder(folder.path()).run(args);
        let status = weir.wait(PATIENCE);
        assert!(status.success(), "{args:?}: {status}\n{}", weir.stderr());
        weir.stdout() + &weir.stderr()
    };
    for _ in 0..2 {
        // To look at them changes nothing.
        let listed = said(&["dead-letters", "list", "numbers.toml"]);
        assert!(listed.lines().count() == 1 && listed.contains("faulty"), "{listed}");
    }
    let shown = said(&["dead-letters", "show", "numbers.toml", "0"]);
    // The stage reads another stage: its letter holds the record, as the stage had it.
    assert!(shown.contains("id: 7"), "{shown}");
    write(8).expect("the query");
    let replayed = said(&["dead-letters", "replay", "numbers.toml"]);
    assert!(replayed.contains("replayed 1 dead letters, 0 failed again"), "{replayed}");
    topics.assert_exact(0..100);
    let listed = said(&["dead-letters", "list", "numbers.toml"]);
    assert_eq!(listed, "", "what was replayed is not listed again");
    assert!(said(&["dead-letters", "replay", "numbers.toml"]).contains("no dead letters to replay"));
}
