//! Positions in a transaction, and the generation of the group that they bear (KIP-447).

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};
use weir_tests::{Broker, Record, Weir, wait_for, wait_until};

use crate::support::{SOON, transactional};

/// A member of the group, which has yet to be polled.
fn member(broker: &Broker, group: &str, topic: &str) -> BaseConsumer {
    let mut config = broker.client();
    config.set("group.id", group).set("session.timeout.ms", "6000").set("heartbeat.interval.ms", "200");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    consumer.subscribe(&[topic]).expect("a subscription");
    consumer
}

/// Polls all of them until each has this many partitions.
fn share(members: &[&BaseConsumer], partitions: usize) {
    let begin = Instant::now();
    let has = |member: &BaseConsumer| member.assignment().is_ok_and(|list| list.count() == partitions);
    while !members.iter().all(|member| has(member)) {
        assert!(begin.elapsed() < 3 * SOON, "the partitions are not shared");
        for member in members {
            drop(member.poll(Duration::from_millis(20)));
        }
    }
}

/// Puts a position into a transaction, in the name of this member of the group.
fn send(producer: &BaseProducer, member: &ConsumerGroupMetadata, topic: &str, offset: i64) -> Result<(), KafkaError> {
    producer.begin_transaction().expect("a transaction");
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(topic, 0, Offset::Offset(offset)).expect("an offset");
    producer.send_offsets_to_transaction(&offsets, member, SOON)
}

#[test]
fn positions_of_an_older_generation_are_refused() {
    let broker = &Broker::shared();
    let topic = broker.topic("in", 2);
    let group = broker.name("group");
    let producer = transactional(broker, "writer");
    let first = member(broker, &group, &topic);
    share(&[&first], 2);
    let metadata = |member: &BaseConsumer| member.group_metadata().expect("a group");
    let older = metadata(&first);
    send(&producer, &older, &topic, 3).expect("of the group's only member");
    producer.commit_transaction(SOON).expect("a commit");
    let second = member(broker, &group, &topic);
    share(&[&first, &second], 1);

    let sent = send(&producer, &older, &topic, 1);
    let code = sent.expect_err("an older generation").rdkafka_error_code();
    assert_eq!(code, Some(RDKafkaErrorCode::IllegalGeneration));
    producer.abort_transaction(SOON).expect("an abort");
    send(&producer, &metadata(&first), &topic, 4).expect("of the generation that is");
    producer.commit_transaction(SOON).expect("a commit");
}

/// What a request says that puts positions into a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sent {
    group: String,
    generation: i32,
    member: String,
}

/// Reads a request's fields (<https://kafka.apache.org/protocol#The_Messages_TxnOffsetCommit>).
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.bytes(2).try_into().expect("two bytes"))
    }

    fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.bytes(4).try_into().expect("four bytes"))
    }

    /// A string with its length plus one before it, in a byte as long as that is below 128.
    fn text(&mut self) -> String {
        let length = self.bytes(1)[0];
        assert!((1..128).contains(&length), "a name of more than 126 bytes");
        String::from_utf8(self.bytes(usize::from(length) - 1).to_vec()).expect("text")
    }
}

/// The request, if it puts positions into a transaction.
fn sent(request: &[u8]) -> Option<Sent> {
    let mut fields = Fields(request);
    let (key, version) = (fields.i16(), fields.i16());
    if key != 28 {
        return None;
    }
    // Older versions have no room for a generation.
    assert_eq!(version, 3, "the version of TxnOffsetCommit");
    let _correlation = fields.i32();
    let client = fields.i16();
    fields.bytes(usize::try_from(client).unwrap_or(0));
    assert_eq!(fields.bytes(1), [0], "no tagged fields");
    let (_transactional_id, group) = (fields.text(), fields.text());
    let (_producer, _epoch) = (fields.bytes(8), fields.i16());
    Some(Sent { group, generation: fields.i32(), member: fields.text() })
}

/// A broker behind a listener that passes everything on, and records the generations.
fn overheard() -> (Broker, Arc<Mutex<Vec<Sent>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let broker = Broker::own_behind(&listener.local_addr().expect("an address").to_string());
    let (address, heard) = (broker.address().to_owned(), Arc::<Mutex<Vec<Sent>>>::default());
    let keep = Arc::clone(&heard);
    // It ends with the test's process.
    std::thread::spawn(move || {
        for client in listener.incoming() {
            // Whoever comes after the broker has gone is turned away.
            let (Ok(client), Ok(server)) = (client, TcpStream::connect(&address)) else { continue };
            let keep = Arc::clone(&keep);
            let (mut answers, mut to_client) =
                (server.try_clone().expect("a stream"), client.try_clone().expect("a stream"));
            std::thread::spawn(move || std::io::copy(&mut answers, &mut to_client));
            std::thread::spawn(move || pass_on(client, server, &keep));
        }
    });
    (broker, heard)
}

fn pass_on(mut client: TcpStream, mut server: TcpStream, keep: &Mutex<Vec<Sent>>) -> std::io::Result<()> {
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length)?;
        let mut request = vec![0; u32::from_be_bytes(length) as usize];
        client.read_exact(&mut request)?;
        keep.lock().expect("a lock").extend(sent(&request));
        server.write_all(&[&length, &*request].concat())?;
    }
}

#[test]
fn positions_bear_the_member_and_the_generation_under_which_they_were_read() {
    if Broker::only_a_cluster() {
        return;
    }
    let (broker, heard) = overheard();
    let (from, to, group) = (broker.topic("from", 2), broker.topic("to", 1), broker.name("group"));
    let produce = || broker.produce(&from, (0..20).map(|id| Record::of(format!("{{\"id\":{id}}}")).to(id % 2)));
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let start = |number: usize| {
        let (brokers, folder) = (broker.address(), folders[number].path());
        let text = format!(
            "name = \"numbers\"\n[sources.ids]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {from:?}\ngroup = {group:?}\n\
             schema = {{ id = \"i64\" }}\n\
             options = {{ \"session.timeout.ms\" = \"6000\", \"heartbeat.interval.ms\" = \"500\" }}\n[sinks.out]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {to:?}\n\
             [delivery]\nguarantee = \"exactly_once\"\ncommit_ms = 50\ntransactional_id = \"writer-{number}\"\n"
        );
        std::fs::write(folder.join("q.toml"), text).expect("a query file");
        Weir::in_folder(folder).run(&["run", "q.toml"])
    };
    let heard = || heard.lock().expect("a lock").clone();
    produce();
    let mut one = start(0);
    let first = wait_for("positions of the first process", 2 * SOON, || heard().first().cloned());
    let mut other = start(1);
    let second = wait_for("positions of the second process", 2 * SOON, || {
        produce();
        heard().into_iter().find(|sent| sent.member != first.member)
    });
    assert!(first.generation >= 0 && second.generation > first.generation, "{first:?} {second:?}");
    // The first one's own generation goes along.
    wait_until("positions of the first process in a later generation", 2 * SOON, || {
        produce();
        heard().iter().any(|sent| sent.member == first.member && sent.generation >= second.generation)
    });
    for sent in heard() {
        assert!(sent.group == group && !sent.member.is_empty() && sent.generation >= 0, "{sent:?}");
    }
    for weir in [&mut one, &mut other] {
        weir.term();
        assert!(weir.wait(SOON).success(), "{}", weir.stderr());
    }
}
