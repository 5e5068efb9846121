//! Kafka brokers for tests, and an oracle that writes and reads beside the code under test.

mod client;
mod find;
mod lacks;
mod own;
mod produce;
mod read;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use rdkafka::ClientConfig;
use rustix::process::Signal;

pub use self::lacks::Feature;
pub use self::produce::{Record, drain};
pub use self::read::{Isolation, Received};

use self::own::{Own, Program};
use crate::process::environment;
use crate::wait_until;

/// Of each program, the variable that may name it, and its file's name in the cache.
const TANSU: (&str, &str) = ("WEIR_TEST_TANSU", "tansu");
const NOIDA: (&str, &str) = ("WEIR_TEST_NOIDA", "noida-db");

/// A broker: a process of this test's own, or a cluster that `KAFKA_BOOTSTRAP` names.
///
/// Its methods block, need no runtime, and panic where something fails: a test has nothing better to do. In an async test call them by
/// `spawn_blocking`, since what they wait for may run on the thread that they would block. A process ends with its `Broker`, and also
/// where the test is killed. Of a cluster only those topics are deleted that were made by [`Broker::topic`].
#[derive(Debug)]
pub struct Broker {
    address: String,
    own: Option<Own>,
    lacks: Vec<Feature>,
    prefix: String,
    topics: Mutex<Vec<String>>,
}

impl Broker {
    /// A fresh tansu: in memory only, quick, good for groups; shows aborted transactions to everybody.
    ///
    /// # Panics
    ///
    /// If it is not there, or does not start.
    #[track_caller]
    pub fn tansu() -> Broker {
        Broker::start_new(Program::Tansu, find::program(TANSU.0, TANSU.1), None)
    }

    /// A fresh tansu that sends its clients to this address, `HOST:PORT`, where somebody passes on to it what they say.
    ///
    /// # Panics
    ///
    /// If it is not there, or does not start.
    #[track_caller]
    pub fn tansu_behind(advertised: &str) -> Broker {
        Broker::start_new(Program::Tansu, find::program(TANSU.0, TANSU.1), Some(advertised))
    }

    /// A fresh noida-db: transactions and fencing as Kafka has them, kept in a folder; for small data.
    ///
    /// # Panics
    ///
    /// If it is not there, or does not start.
    #[track_caller]
    pub fn noida() -> Broker {
        Broker::start_new(Program::Noida, find::program(NOIDA.0, NOIDA.1), None)
    }

    /// The cluster that `KAFKA_BOOTSTRAP` names, if it is set.
    ///
    /// # Panics
    ///
    /// If it is set and nobody answers there.
    #[track_caller]
    pub fn from_environment() -> Option<Broker> {
        let address = environment("KAFKA_BOOTSTRAP")?.into_string().expect("KAFKA_BOOTSTRAP: UTF-8");
        wait_until(&format!("KAFKA_BOOTSTRAP={address} answers"), Duration::from_secs(20), || {
            client::answers(&address)
        });
        Some(Broker::at(address, None, lacks::of_cluster()))
    }

    /// Whether a cluster is all there is: `KAFKA_BOOTSTRAP` names one, and a test broker's program is missing. What a test shows of a
    /// broker's process cannot be shown then, which is said on standard error.
    pub fn only_a_cluster() -> bool {
        let missing = [TANSU, NOIDA].into_iter().find_map(|(variable, name)| find::program(variable, name).err());
        match missing {
            Some(missing) if environment("KAFKA_BOOTSTRAP").is_some() => {
                eprintln!("not shown on a cluster, which no test stops: {missing}");
                true
            }
            _ => false,
        }
    }

    /// The cluster of the environment, else tansu.
    #[track_caller]
    pub fn for_groups() -> Broker {
        Broker::from_environment().unwrap_or_else(Broker::tansu)
    }

    /// The cluster of the environment, else noida-db.
    #[track_caller]
    pub fn for_transactions() -> Broker {
        Broker::from_environment().unwrap_or_else(Broker::noida)
    }

    #[track_caller]
    fn start_new(program: Program, path: Result<PathBuf, String>, advertised: Option<&str>) -> Broker {
        let own = path
            .and_then(|path| Own::start_new(program, path, advertised))
            .unwrap_or_else(|problem| panic!("{problem}"));
        Broker::at(own.address(), Some(own), lacks::of_program(program))
    }

    fn at(address: String, own: Option<Own>, lacks: Vec<Feature>) -> Broker {
        let prefix = format!("weir-{:08x}", client::random() & 0xffff_ffff);
        Broker { address, own, lacks, prefix, topics: Mutex::default() }
    }

    /// `HOST:PORT`, as `bootstrap.servers` wants it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Settings of a client of this broker, to which a test adds its own.
    pub fn client(&self) -> ClientConfig {
        client::config(&self.address)
    }

    /// Whether the broker is this test's own, so that it can be stopped. A cluster cannot.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Whether the broker lacks this, so that `what` cannot be shown on it, which is said on standard error.
    pub fn lacks(&self, feature: Feature, what: &str) -> bool {
        let lacks = self.lacks.contains(&feature);
        if lacks {
            eprintln!("not shown on this broker, which lacks {feature:?}: {what}");
        }
        lacks
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
        let name = self.name(hint);
        client::create_topic(&self.address, &name, partitions, self.is_own())
            .unwrap_or_else(|error| panic!("cannot create the topic {name}: {error}"));
        self.topics.lock().expect("no panic while it is held").push(name.clone());
        let wanted = usize::try_from(partitions).expect("a number of partitions");
        wait_until(&format!("topic {name} is there"), Duration::from_secs(20), || {
            client::partitions(&self.address, &name).len() == wanted
        });
        name
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
        read::committed(&self.address, group, topic)
            .unwrap_or_else(|error| panic!("cannot read the offsets of {group} in {topic}: {error}"))
    }

    /// Asks the broker's process to end, and waits for that. tansu forgets everything.
    ///
    /// # Panics
    ///
    /// On a cluster, as the four below.
    #[track_caller]
    pub fn stop(&self) {
        self.own().stop();
    }

    /// Kills the broker's process as a crash would.
    #[track_caller]
    pub fn kill(&self) {
        self.own().kill();
    }

    /// Starts the broker again after [`Broker::stop`] or [`Broker::kill`], on the same port and with the same folder.
    #[track_caller]
    pub fn start(&self) {
        assert!(self.process_id().is_none(), "the broker is running");
        self.own().try_start().unwrap_or_else(|problem| panic!("{problem}"));
    }

    /// Stops the broker's process where it is: connections stay open, and nothing is answered.
    #[track_caller]
    pub fn pause(&self) {
        self.own().signal(Signal::STOP);
    }

    /// Lets the broker's process go on.
    #[track_caller]
    pub fn resume(&self) {
        self.own().signal(Signal::CONT);
    }

    #[track_caller]
    fn own(&self) -> &Own {
        self.own.as_ref().expect("a broker of this test's own: a cluster is not stopped (`is_own` says which it is)")
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
