//! A Kafka broker for tests, and an oracle that writes and reads beside the code under test.

mod client;
mod find;
mod kafka;
mod own;
mod produce;
mod read;
mod shared;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

use rdkafka::ClientConfig;
use rustix::process::Signal;

pub use self::produce::{Record, drain};
pub use self::read::{Isolation, Received};

use self::own::Own;
use crate::process::environment;
use crate::wait_until;

/// An Apache Kafka: the one that the tests of a run share, one of this test's own, or a cluster that `KAFKA_BOOTSTRAP` names.
///
/// Its methods block, need no runtime, and panic where something fails: a test has nothing better to do. In an async test call them by
/// `spawn_blocking`, since what they wait for may run on the thread that they would block. A broker of its own ends with its `Broker`, and
/// also where the test is killed. Topics that were made by [`Broker::topic`] are deleted.
#[derive(Debug)]
pub struct Broker {
    address: String,
    own: Option<Own>,
    prefix: String,
    topics: Mutex<Vec<String>>,
}

impl Broker {
    /// The cluster that `KAFKA_BOOTSTRAP` names, else the broker that the tests of this run share. No test stops it.
    ///
    /// # Panics
    ///
    /// If nobody answers there, or Apache Kafka or Java are missing.
    #[track_caller]
    pub fn shared() -> Broker {
        let address = match environment("KAFKA_BOOTSTRAP") {
            Some(address) => {
                let address = address.into_string().expect("KAFKA_BOOTSTRAP: UTF-8");
                wait_until(&format!("KAFKA_BOOTSTRAP={address} answers"), Duration::from_secs(20), || {
                    client::answers(&address)
                });
                address
            }
            None => shared::address().unwrap_or_else(|problem| panic!("{problem}")),
        };
        Broker::at(address, None)
    }

    /// A fresh broker of this test's own, which it may stop, kill and pause. A start takes three seconds.
    ///
    /// # Panics
    ///
    /// If Apache Kafka or Java are missing, or it does not start.
    #[track_caller]
    pub fn own() -> Broker {
        Broker::start_new(None)
    }

    /// As [`Broker::own`], sending its clients to this address, `HOST:PORT`, where somebody passes on to it what they say.
    ///
    /// # Panics
    ///
    /// As [`Broker::own`].
    #[track_caller]
    pub fn own_behind(advertised: &str) -> Broker {
        Broker::start_new(Some(advertised))
    }

    /// Whether a cluster is all there is: `KAFKA_BOOTSTRAP` names one, and no Apache Kafka is in the cache. What a test shows of a broker
    /// that it stops cannot be shown then, which is said on standard error, past what captures the output of tests.
    pub fn only_a_cluster() -> bool {
        match find::kafka() {
            Err(missing) if environment("KAFKA_BOOTSTRAP").is_some() => {
                let thread = std::thread::current();
                let test = thread.name().unwrap_or("a test");
                let said = writeln!(std::io::stderr(), "not shown by {test}: no test stops a cluster, and {missing}");
                said.expect("a standard error");
                true
            }
            _ => false,
        }
    }

    #[track_caller]
    fn start_new(advertised: Option<&str>) -> Broker {
        let own = Own::start_new(advertised).unwrap_or_else(|problem| panic!("{problem}"));
        Broker::at(own.address().to_owned(), Some(own))
    }

    fn at(address: String, own: Option<Own>) -> Broker {
        let prefix = format!("weir-{:08x}", client::random() & 0xffff_ffff);
        Broker { address, own, prefix, topics: Mutex::default() }
    }

    /// `HOST:PORT`, as `bootstrap.servers` wants it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Settings of a client of this broker, to which a test adds its own.
    pub fn client(&self) -> ClientConfig {
        client::config(&self.address)
    }

    /// The id of the broker's process, where it is this test's own and running.
    pub fn process_id(&self) -> Option<u32> {
        self.own.as_ref().and_then(Own::id)
    }

    /// A name that nobody else has there: for groups, and for transactional ids.
    pub fn name(&self, hint: &str) -> String {
        format!("{}-{hint}", self.prefix)
    }

    /// Creates a topic, and returns its whole name when the broker shows it.
    ///
    /// # Panics
    ///
    /// If it cannot be created: the same hint twice, for one.
    #[track_caller]
    pub fn topic(&self, hint: &str, partitions: i32) -> String {
        self.topic_with(hint, partitions, &[])
    }

    /// As [`Broker::topic`], with settings such as `("max.message.bytes", "1000")`.
    ///
    /// # Panics
    ///
    /// As [`Broker::topic`].
    #[track_caller]
    pub fn topic_with(&self, hint: &str, partitions: i32, settings: &[(&str, &str)]) -> String {
        let name = self.name(hint);
        client::create_topic(&self.address, &name, partitions, settings)
            .unwrap_or_else(|error| panic!("cannot create the topic {name}: {error}"));
        self.topics.lock().expect("no panic while it is held").push(name.clone());
        let wanted = usize::try_from(partitions).expect("a number of partitions");
        wait_until(&format!("topic {name} is there"), Duration::from_secs(20), || {
            client::partitions(&self.address, &name).len() == wanted
        });
        name
    }

    /// Deletes a topic, and returns when the broker shows it no more; [`Broker::topic`] may then make it again.
    ///
    /// # Panics
    ///
    /// If it is still there after a while.
    #[track_caller]
    pub fn delete_topic(&self, name: &str) {
        client::delete_topics(&self.address, &[name.to_owned()]);
        self.topics.lock().expect("no panic while it is held").retain(|topic| topic != name);
        wait_until(&format!("topic {name} is gone"), Duration::from_secs(20), || {
            client::partitions(&self.address, name).is_empty()
        });
    }

    /// Removes the records of a partition that come before this offset, as retention would.
    ///
    /// # Panics
    ///
    /// If the broker does not.
    #[track_caller]
    pub fn delete_records(&self, topic: &str, partition: i32, before: i64) {
        client::delete_records(&self.address, topic, partition, before)
            .unwrap_or_else(|error| panic!("cannot delete records of {topic}: {error}"));
    }

    /// The first offset that a partition holds, and the one that its next record will get.
    ///
    /// # Panics
    ///
    /// If the broker does not say.
    #[track_caller]
    pub fn watermarks(&self, topic: &str, partition: i32) -> (i64, i64) {
        client::watermarks(&self.address, topic, partition)
            .unwrap_or_else(|error| panic!("cannot ask for the ends of {topic}: {error}"))
    }

    /// Writes records in order and returns how many, when the broker has confirmed each.
    ///
    /// # Panics
    ///
    /// If one is not confirmed.
    #[track_caller]
    pub fn produce(&self, topic: &str, records: impl IntoIterator<Item = Record>) -> u64 {
        produce::produce(&self.address, topic, records)
            .unwrap_or_else(|error| panic!("cannot write to {topic}: {error}"))
    }

    /// Everything in the topic from its beginning to its end, by partition and offset, read by a fresh consumer.
    ///
    /// # Panics
    ///
    /// If it cannot be read to its end.
    #[track_caller]
    pub fn read_all(&self, topic: &str, isolation: Isolation) -> Vec<Received> {
        read::read_all(&self.address, topic, isolation).unwrap_or_else(|error| panic!("cannot read {topic}: {error}"))
    }

    /// The offsets that the group has committed, by partition; partitions without one are left out.
    ///
    /// # Panics
    ///
    /// If the broker does not say.
    #[track_caller]
    pub fn committed(&self, group: &str, topic: &str) -> BTreeMap<i32, i64> {
        self.committed_texts(group, topic).into_iter().map(|(partition, (offset, _))| (partition, offset)).collect()
    }

    /// As [`Broker::committed`], with the text that was committed beside each.
    ///
    /// # Panics
    ///
    /// If the broker does not say.
    #[track_caller]
    pub fn committed_texts(&self, group: &str, topic: &str) -> BTreeMap<i32, (i64, String)> {
        read::committed(&self.address, group, topic)
            .unwrap_or_else(|error| panic!("cannot read the offsets of {group} in {topic}: {error}"))
    }

    /// Sets the position that a group without members keeps of a partition.
    ///
    /// # Panics
    ///
    /// If the broker refuses it.
    #[track_caller]
    pub fn commit(&self, group: &str, topic: &str, partition: i32, offset: i64) {
        self.commit_text(group, topic, partition, offset, "");
    }

    /// As [`Broker::commit`], with a text beside it.
    ///
    /// # Panics
    ///
    /// If the broker refuses it.
    #[track_caller]
    pub fn commit_text(&self, group: &str, topic: &str, partition: i32, offset: i64, text: &str) {
        read::commit(&self.address, group, topic, partition, (offset, text))
            .unwrap_or_else(|error| panic!("cannot set the offset of {group} in {topic}: {error}"));
    }

    /// Asks the broker's process to end, and waits for that.
    ///
    /// # Panics
    ///
    /// Where it is not this test's own, as the four below.
    #[track_caller]
    pub fn stop(&self) {
        self.process().stop();
    }

    /// Kills the broker's process as a crash would.
    #[track_caller]
    pub fn kill(&self) {
        self.process().kill();
    }

    /// Starts the broker again after [`Broker::stop`] or [`Broker::kill`], on the same port and with the same folder.
    #[track_caller]
    pub fn start(&self) {
        assert!(self.process_id().is_none(), "the broker is running");
        self.process().try_start().unwrap_or_else(|problem| panic!("{problem}"));
    }

    /// Stops the broker's process where it is: connections stay open, and nothing is answered.
    #[track_caller]
    pub fn pause(&self) {
        self.process().signal(Signal::STOP);
    }

    /// Lets the broker's process go on.
    #[track_caller]
    pub fn resume(&self) {
        self.process().signal(Signal::CONT);
    }

    #[track_caller]
    fn process(&self) -> &Own {
        self.own.as_ref().expect("a broker of this test's own: one that others use is not stopped")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let topics = std::mem::take(self.topics.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner));
        if self.own.is_none() && !topics.is_empty() {
            client::delete_topics(&self.address, &topics);
        }
    }
}
