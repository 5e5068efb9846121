//! Records as large as a topic takes, and larger: which are written is what the broker itself takes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::producer::BaseProducer;
use serde_json::Value;
use weir_tests::{Broker, Isolation, Received, Record, Weir, drain};

use crate::support::SOON;

/// What a topic takes in one batch.
const LIMIT: usize = 20_000;

/// Longer than reading and refusing tens of megabytes takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A record's number, which its value begins with.
fn number(record: &Received) -> usize {
    let digits = record.value().get(..8).expect("a number");
    std::str::from_utf8(digits).expect("a number").parse().expect("a number")
}

fn numbered(number: usize, bytes: usize, rest: impl Fn(usize) -> u8) -> Record {
    let mut value = format!("{number:08}").into_bytes();
    value.extend((8..bytes).map(rest));
    Record::of(value)
}

fn headers(record: Record, count: usize, bytes: usize) -> Record {
    let headers = (0..count).map(|number| (format!("h{number}"), Some(vec![b'h'; bytes])));
    Record { headers: headers.collect(), ..record }
}

/// Records at the limit byte by byte, and far beyond it in value, key and headers.
fn at_the_limit() -> Vec<Record> {
    let plain = |number, bytes| numbered(number, bytes, |_| b'v');
    let around = LIMIT - 90..LIMIT - 60;
    let mut records: Vec<Record> = around.enumerate().map(|(number, bytes)| plain(number, bytes)).collect();
    let mut add = |record: &dyn Fn(usize) -> Record| records.push(record(records.len()));
    add(&|number| plain(number, 1_000_000));
    add(&|number| plain(number, 20_000_000));
    add(&|number| plain(number, 100).key(vec![b'k'; LIMIT - 200]));
    add(&|number| plain(number, 100).key(vec![b'k'; 2 * LIMIT]));
    add(&|number| headers(plain(number, 100), 10, 1_000));
    add(&|number| headers(plain(number, 100), 3_000, 100));
    add(&|number| headers(plain(number, 100), 1, 2 * LIMIT));
    add(&|number| plain(number, 100));
    records
}

/// Writes each record in a batch of its own. What the topic does not take is dropped.
fn offer(broker: &Broker, topic: &str, records: &[Record]) {
    let mut config = broker.client();
    config.set("message.max.bytes", "100000000").set("queue.buffering.max.kbytes", "200000").set("linger.ms", "0");
    let producer: BaseProducer = config.create().expect("a producer");
    for record in records {
        record.send(&producer, topic).expect("a place in the queue");
        drain(&producer, SOON).expect("an answer");
    }
}

struct Case<'a> {
    broker: &'a Broker,
    from: String,
    to: String,
    letters: String,
    folder: tempfile::TempDir,
}

impl Case<'_> {
    fn new<'a>(broker: &'a Broker, from: &str, hint: &str) -> Case<'a> {
        let limited = |what| broker.topic_with(&format!("{what}-{hint}"), 1, &[("max.message.bytes", "20000")]);
        let (to, letters) = (limited("to"), limited("letters"));
        Case { broker, from: from.to_owned(), to, letters, folder: tempfile::tempdir().expect("a folder") }
    }

    /// Copies what there is, and gives the summary; or the failure.
    fn run(&self, policy: &str, guarantee: &str, sink: &str) -> Result<Value, String> {
        let (brokers, Case { from, to, letters, .. }) = (self.broker.address(), self);
        let id = self.broker.name(to);
        let text = format!(
            "name = \"copy\"\n\
             [sources.in]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {from:?}\ngroup = {id:?}\nuntil = \"end\"\n\
             format = \"raw\"\nschema = {{ value = \"binary\" }}\non_error = {policy:?}\n\
             [sinks.out]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {to:?}\nformat = \"raw\"\nvalue = \"value\"\n\
             on_error = {policy:?}\n{sink}\n\
             [dead_letters]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {letters:?}\n\
             [delivery]\nguarantee = {guarantee:?}\n{}\n",
            if guarantee == "exactly_once" { format!("transactional_id = {id:?}") } else { String::new() },
        );
        std::fs::write(self.folder.path().join("q.toml"), text).expect("a query file");
        let mut weir = Weir::in_folder(self.folder.path()).run(&["--json", "run", "q.toml"]);
        let status = weir.wait(PATIENCE);
        let said = weir.stderr();
        if !status.success() {
            return Err(said);
        }
        let objects = said.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let summary = objects.map(|mut object| object["summary"].take()).find(Value::is_object);
        Ok(summary.unwrap_or_else(|| panic!("no summary\n{said}")))
    }

    fn written(&self) -> BTreeSet<usize> {
        self.broker.read_all(&self.to, Isolation::Committed).iter().map(number).collect()
    }

    /// For the offset of each letter's record, whether the letter holds the record's value.
    fn letters(&self) -> BTreeMap<usize, bool> {
        let read = self.broker.read_all(&self.letters, Isolation::Committed);
        let header = |record: &Received, name: &str| {
            let found = record.headers.iter().find(|(header, _)| header == name).and_then(|(_, value)| value.clone());
            let found = found.unwrap_or_else(|| panic!("no {name} in {:?}", record.headers));
            String::from_utf8(found).expect("text")
        };
        let letter = |record: &Received| {
            assert_eq!(header(record, "weir.error.partition"), "0");
            let held = header(record, "weir.letter.value") != "omitted";
            assert_eq!(held, record.value.is_some());
            (header(record, "weir.error.offset").parse().expect("an offset"), held)
        };
        read.iter().map(letter).collect()
    }
}

#[test]
fn the_records_that_a_topic_takes_are_written_and_the_others_dealt_with_by_policy() {
    let broker = Broker::shared();
    let records = at_the_limit();
    let from = broker.topic_with("sizes-from", 1, &[("max.message.bytes", "50000000")]);
    offer(&broker, &from, &records);
    let probe = broker.topic_with("sizes-probe", 1, &[("max.message.bytes", "20000")]);
    offer(&broker, &probe, &records);
    let taken: BTreeSet<usize> = broker.read_all(&probe, Isolation::Committed).iter().map(number).collect();
    assert!(
        (5..30).contains(&taken.iter().filter(|number| **number < 30).count()),
        "the limit is among them: {taken:?}"
    );
    let refused: BTreeSet<usize> = (0..records.len()).filter(|number| !taken.contains(number)).collect();
    for (guarantee, policy) in [
        ("at_least_once", "dead_letter"),
        ("exactly_once", "dead_letter"),
        ("at_least_once", "skip"),
        ("exactly_once", "skip"),
    ] {
        let case = Case::new(&broker, &from, &format!("{guarantee}-{policy}"));
        let summary = case.run(policy, guarantee, "").unwrap_or_else(|said| panic!("{guarantee} {policy}\n{said}"));
        assert_eq!(case.written(), taken, "{guarantee} {policy}");
        let letters = case.letters();
        let count = |list: &str, what: &str| summary[list][0][what].as_u64().expect("a number");
        // One is more than a source reads, and the others are more than the sink's topic takes.
        let (sources, sinks) = match policy {
            "skip" => (count("sources", "failed"), count("sinks", "failed")),
            _ => (count("sources", "dead"), count("sinks", "dead")),
        };
        assert_eq!((sources, sinks), (1, refused.len() as u64 - 1), "{guarantee} {policy}");
        if policy == "skip" {
            assert_eq!(letters.len(), 0);
            continue;
        }
        assert_eq!(letters.keys().copied().collect::<BTreeSet<_>>(), refused, "{guarantee}");
        // What the topic of the sink does not take, that of the letters does not take either.
        assert!(letters.values().all(|held| !held), "{guarantee}: {letters:?}");
        assert_eq!(summary["letters_omitted"], refused.len(), "{guarantee}");
    }
    let case = Case::new(&broker, &from, "fail");
    let said = case.run("fail", "exactly_once", "").expect_err("a failure");
    let place = format!("of partition 0 of {from} (source `in`)");
    for part in [&place, "the record at offset", "max.message.bytes", "20000", "on_error"] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    assert_eq!(case.written(), BTreeSet::new());
}

/// Bytes that no compression makes less of.
fn noise(number: usize) -> impl Fn(usize) -> u8 {
    move |place| {
        // SplitMix64.
        let mut mixed = ((place + (number << 32)) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed >> 33) as u8
    }
}

#[test]
fn where_the_broker_alone_knows_the_size_the_one_record_that_it_refuses_is_found() {
    let broker = Broker::shared();
    let from = broker.topic_with("packed-from", 1, &[("max.message.bytes", "50000000")]);
    let mut records = vec![numbered(0, 1_000_000, |_| b'v'), numbered(1, 30_000, noise(1)), numbered(2, 100, noise(2))];
    records.extend((3..8).map(|number| numbered(number, 10_000, noise(number))));
    offer(&broker, &from, &records);
    for guarantee in ["at_least_once", "exactly_once"] {
        let case = Case::new(&broker, &from, &format!("packed-{guarantee}"));
        let summary =
            case.run("dead_letter", guarantee, "compression = \"zstd\"").unwrap_or_else(|said| panic!("{said}"));
        assert_eq!(case.written(), [0, 2, 3, 4, 5, 6, 7].into(), "{guarantee}");
        assert_eq!(case.letters(), [(1, false)].into(), "{guarantee}");
        // Each record counts once: what an aborted attempt found is found again.
        let count = |value: &Value| value.as_u64().expect("a number");
        let (dead, restarts) = (count(&summary["sinks"][0]["dead"]), count(&summary["restarts"]));
        assert!(dead == 1 && restarts > 0, "{guarantee}: {dead} dead after {restarts} returns");
    }
}

/// Letters that nobody of ours wrote, huge and odd, beside one that a query wrote.
#[test]
fn huge_and_forged_letters_are_refused_by_name_within_bounds_of_memory() {
    let broker = Broker::shared();
    let from = broker.topic("forged-from", 1);
    let mut case = Case::new(&broker, &from, "forged");
    case.letters = broker.topic_with("forged-letters", 1, &[("max.message.bytes", "50000000")]);
    let brokers = broker.address();
    let Case { to, letters, .. } = &case;
    let text = format!(
        "name = \"forged\"\ntenant = \"acme\"\n\
         [sources.in]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {from:?}\ngroup = {to:?}\nuntil = \"end\"\n\
         format = \"csv\"\nschema = {{ id = \"i64\" }}\non_error = \"dead_letter\"\n\
         [sinks.out]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {to:?}\n\
         [dead_letters]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {letters:?}\n"
    );
    std::fs::write(case.folder.path().join("q.toml"), text).expect("a query file");
    let weir = |args: &[&str]| {
        let mut weir = Weir::in_folder(case.folder.path()).with_memory(600).run(args);
        let status = weir.wait(PATIENCE);
        (status.code(), weir.stdout(), weir.stderr())
    };
    broker.produce(&from, [Record::of("7"), Record::of("no number")]);
    let (code, _, said) = weir(&["run", "q.toml"]);
    assert_eq!(code, Some(0), "{said}");
    let written = broker.read_all(letters, Isolation::Committed);
    let [good] = written.as_slice() else { panic!("one letter, not {written:?}") };
    let good = Record { headers: good.headers.clone(), ..Record::of(good.value()) };
    let with = |name: &str, value: &str| {
        let mut record = good.clone();
        record.headers.retain(|(header, _)| header != name);
        record.headers.push((name.to_owned(), Some(value.as_bytes().to_vec())));
        record
    };
    let huge = Record { headers: good.headers.clone(), ..numbered(0, 20_000_000, |_| b'7') };
    let mut many = good.clone();
    many.headers.extend((0..20_000).map(|number| (format!("h{number}"), Some(vec![b'h'; 100]))));
    let mut twice = good.clone();
    twice.headers.push(("weir.error.code".to_owned(), Some(b"forged".to_vec())));
    let mut ours = good.clone();
    ours.headers.extend((0..5_000).map(|number| (format!("weir.error.{number}"), None)));
    let forged = [
        huge,
        many,
        twice,
        ours,
        with("weir.error.tenant", "beta"),
        with("weir.error.query", "other"),
        with("weir.error.offset", "99999999999999999999"),
        numbered(0, 20_000_000, |_| b'['),
        numbered(0, 20_000_000, |_| b'\n'),
    ];
    offer(&broker, letters, &forged);
    let (code, listed, said) = weir(&["dead-letters", "list", "q.toml"]);
    assert_eq!(code, Some(1), "{said}");
    for part in ["header `weir.error.code` occurs twice", "header `weir.error.offset` is not a valid number"] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    assert!(listed.len() + said.len() < 20_000, "{} and {} bytes", listed.len(), said.len());
    let (code, shown, said) = weir(&["dead-letters", "show", "q.toml", "0"]);
    assert_eq!((code, shown.contains("no number")), (Some(0), true), "{said}");
    // The good one dies again, and nothing that was forged comes in.
    let (code, _, said) = weir(&["dead-letters", "replay", "q.toml"]);
    assert_eq!(code, Some(0), "{said}");
    for part in ["it belongs to query `forged` of tenant `beta`", "it belongs to query `other` of tenant `acme`"] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    assert_eq!(broker.read_all(&case.to, Isolation::Committed).len(), 1, "the one that was no letter");
}
