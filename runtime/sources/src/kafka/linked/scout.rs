//! Which partitions there are, where they begin, and how far they reach: what brokers have to be asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::context::Consumer;
use super::hand_over::HandOver;
use super::place::{Known, place};
use super::topic_id::topic_ids;
use super::{KafkaPartitions, KafkaSourceConfig, KafkaSourceError};
use crate::SourceError;
use weir_state::{Partition, Positions, TopicId};

/// How often topics are looked at for new partitions and ends. Each time nothing has come since the last look, the pause doubles: a look
/// asks a broker for each partition, which took a fifth of an idle query's time.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const LOOK_EVERY_MAX: Duration = Duration::from_secs(20);

/// How often, until the first look succeeded.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// How often where partitions begin is asked for, until there is an answer.
const PLACE_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// How often ids of topics are asked for at once where no broker answers. Later it is done with each look.
const IDS_MISSED_MAX: u32 = 3;

/// How long brokers are asked for ids that have never told any: there are some that leave the question open.
const FIRST_IDS_WAIT_MAX: Duration = Duration::from_millis(500);

/// How long a topic may be missing: one that was just made is not known everywhere at once.
const MISSING_MAX: Duration = Duration::from_secs(10);

struct Scout {
    config: Arc<KafkaSourceConfig>,
    // Weak, so that a look that is not due keeps nobody from leaving.
    consumer: Weak<Consumer>,
    hand_over: Arc<HandOver>,
    known: Known,
    found: BTreeSet<Partition>,
    missing_since: Option<Instant>,
    // Since when brokers answer, but do not say where partitions begin.
    unplaced_since: Option<Instant>,
    // How often in a row nobody answered what was asked about ids, and whether brokers answer that they know none.
    ids_missed: u32,
    no_ids: bool,
    // Whether an id was ever told.
    ids_told: bool,
    // What was answered last to something that is asked again.
    answer: String,
}

/// Looks until the source is dropped.
pub(super) fn spawn(
    config: &Arc<KafkaSourceConfig>,
    consumer: &Arc<Consumer>,
    hand_over: &Arc<HandOver>,
    known: Known,
) -> Result<(), SourceError> {
    let mut scout = Scout {
        config: Arc::clone(config),
        consumer: Arc::downgrade(consumer),
        hand_over: Arc::clone(hand_over),
        known,
        found: BTreeSet::new(),
        missing_since: None,
        unplaced_since: None,
        ids_missed: 0,
        no_ids: false,
        ids_told: false,
        answer: String::new(),
    };
    let spawned = std::thread::Builder::new().name("weir-kafka-scout".to_owned()).spawn(move || scout.run());
    spawned.map(drop).map_err(|error| SourceError::Thread(error.to_string()))
}

impl Scout {
    fn run(&mut self) {
        let (mut look_at, mut pause, mut ends) = (Instant::now(), LOOK_EVERY, Positions::default());
        // Whether brokers answered last time.
        let mut answered = true;
        while !self.hand_over.is_closed() {
            let due = Instant::now() >= look_at;
            if due {
                answered = self.look();
            }
            let placed = self.place();
            // What begins elsewhere has an end that is not known yet.
            if due || self.any_untold() {
                answered &= self.tell_ends();
            }
            if !answered {
                self.ids_missed = 0;
            } else if due || self.asks_for_ids() {
                self.look_at_ids();
            }
            if due {
                let now = self.hand_over.ends();
                pause = if now == ends { (pause * 2).min(LOOK_EVERY_MAX) } else { LOOK_EVERY };
                ends = now;
                look_at = Instant::now() + if answered { pause } else { LOOK_AGAIN_AFTER };
            }
            self.hand_over.wait_for(self.waits_for(answered, placed));
            let asks_again = !answered || self.any_untold() || self.asks_for_ids();
            self.hand_over.sleep_scouting(match placed {
                false => PLACE_AGAIN_AFTER,
                true if asks_again => LOOK_AGAIN_AFTER,
                // Whatever is wanted before wakes it.
                true => look_at.saturating_duration_since(Instant::now()),
            });
        }
    }

    /// Whether ids are to be asked for at once.
    fn asks_for_ids(&self) -> bool {
        !self.no_ids && self.ids_missed < IDS_MISSED_MAX && self.hand_over.lacks_an_id()
    }

    /// Asks for the ids of what is read.
    fn look_at_ids(&mut self) {
        let topics: BTreeSet<Arc<str>> =
            self.hand_over.assigned().into_iter().map(|partition| partition.origin).collect();
        let Some(consumer) = self.consumer.upgrade() else { return };
        for (topic, id) in self.ids_of(&consumer, &topics) {
            self.hand_over.topic_is(&topic, &id);
        }
    }

    /// The ids of these topics, as far as brokers tell them.
    fn ids_of(&mut self, consumer: &Consumer, topics: &BTreeSet<Arc<str>>) -> BTreeMap<Arc<str>, TopicId> {
        let names: Vec<&str> = topics.iter().map(|topic| &**topic).collect();
        if names.is_empty() || self.hand_over.is_closed() {
            return BTreeMap::new();
        }
        let wait_max = if self.ids_told { self.config.ask_wait_max() } else { FIRST_IDS_WAIT_MAX };
        let Some(mut answer) = topic_ids(consumer.client(), &names, wait_max) else {
            self.ids_missed = self.ids_missed.saturating_add(1);
            return BTreeMap::new();
        };
        self.ids_missed = 0;
        self.ids_told |= answer.values().any(Option::is_some);
        self.no_ids = !answer.is_empty() && answer.values().all(Option::is_none);
        let id_of = |topic: &Arc<str>| Some((Arc::clone(topic), answer.remove(&**topic)??));
        topics.iter().filter_map(id_of).collect()
    }

    /// What the source waits for, as a text that goes on from there.
    fn waits_for(&self, answered: bool, placed: bool) -> Option<String> {
        let (topics, group) = (self.config.topics.join(", "), &self.config.group);
        if !answered {
            return Some(a_broker(&self.config, &self.answer));
        }
        if !placed {
            return Some(format!("the positions of group `{group}` in {topics} ({})", self.answer));
        }
        if self.config.partitions != KafkaPartitions::Group || !self.hand_over.assigned().is_empty() {
            return None;
        }
        Some(match self.hand_over.has_joined() {
            true => format!("a partition of {topics}: other members of group `{group}` have all of them"),
            false => format!("group `{group}` to assign partitions of {topics}"),
        })
    }

    /// Asks where partitions begin that are wanted; `false` where that is to be repeated soon.
    fn place(&mut self) -> bool {
        let wanted = self.hand_over.wanted();
        if wanted.is_empty() {
            self.unplaced_since = None;
            return true;
        }
        let Some(consumer) = self.consumer.upgrade() else { return true };
        // Before anything is read: a topic that is made anew from here on has another id.
        let topics = wanted.iter().map(|wanted| Arc::clone(&wanted.partition.origin)).collect();
        let ids = match self.no_ids || self.ids_missed >= IDS_MISSED_MAX {
            true => BTreeMap::new(),
            false => self.ids_of(&consumer, &topics),
        };
        let error = match place(&consumer, &self.config, &wanted, &self.known, &ids) {
            Ok(placed) => {
                self.unplaced_since = None;
                self.hand_over.placed(placed);
                return true;
            }
            Err(error) => error,
        };
        tracing::debug!(%error, "kafka source: the start positions are unknown");
        self.answer = error.to_string();
        if let Some(error) = KafkaSourceError::of(&error) {
            self.hand_over.fail(self.config.error(error));
            return true;
        }
        // Brokers that are away are waited for: it is those that answer which have to do so in time.
        if consumer.fetch_metadata(None, self.config.ask_wait_max()).is_err() {
            self.unplaced_since = None;
            return false;
        }
        let waited = self.unplaced_since.get_or_insert_with(Instant::now).elapsed();
        if waited >= self.config.positions_wait_max {
            let partitions = wanted.iter().map(|wanted| wanted.partition.to_string()).collect::<Vec<_>>().join(", ");
            let error = KafkaSourceError::NoPositions { partitions, waited, reason: error.to_string() };
            self.hand_over.fail(self.config.error(error));
        }
        false
    }

    fn any_untold(&self) -> bool {
        self.hand_over.assigned().iter().any(|partition| self.hand_over.first_end(partition).is_none())
    }

    /// Looks at every topic; `false` where that is to be repeated soon.
    fn look(&mut self) -> bool {
        let mut found = Vec::new();
        for topic in &self.config.topics {
            let Some(consumer) = self.consumer.upgrade() else { return true };
            let numbers = match partitions_of(&consumer, topic, self.config.ask_wait_max()) {
                Ok(numbers) => numbers,
                Err(Some(error)) => {
                    self.hand_over.fail(self.config.error(error));
                    return true;
                }
                // A broker that does not answer says nothing of the topic.
                Err(None) => {
                    self.answer = "no answer".to_owned();
                    return false;
                }
            };
            if numbers.is_empty() {
                let since = *self.missing_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= MISSING_MAX {
                    let error = KafkaSourceError::UnknownTopic { topic: topic.clone() };
                    self.hand_over.fail(self.config.error(error));
                }
                return false;
            }
            let wanted = match &self.config.partitions {
                KafkaPartitions::Group => Vec::new(),
                KafkaPartitions::All => numbers,
                KafkaPartitions::List(wanted) => {
                    if let Some(&partition) = wanted.iter().find(|number| !numbers.contains(number)) {
                        let error = KafkaSourceError::UnknownPartition { topic: topic.clone(), partition };
                        self.hand_over.fail(self.config.error(error));
                        return true;
                    }
                    wanted.clone()
                }
            };
            found.extend(wanted.into_iter().map(|number| Partition::new(topic.as_str(), number)));
        }
        self.missing_since = None;
        found.retain(|partition| self.found.insert(partition.clone()));
        if !found.is_empty() {
            self.hand_over.found(found);
        }
        true
    }

    /// Asks for the ends of what is read here; `false` where that is to be repeated soon.
    fn tell_ends(&mut self) -> bool {
        for partition in self.hand_over.assigned() {
            if self.hand_over.is_closed() {
                return true;
            }
            let Some(consumer) = self.consumer.upgrade() else { return true };
            match consumer.fetch_watermarks(&partition.origin, partition.number, self.config.ask_wait_max()) {
                Ok((_, end)) => self.hand_over.set_end(&partition, end),
                Err(error) => {
                    tracing::debug!(%error, %partition, "kafka source: the end of the partition is unknown");
                    self.answer = error.to_string();
                    return false;
                }
            }
        }
        true
    }
}

/// What a source waits for that nobody answers.
pub(super) fn a_broker(config: &KafkaSourceConfig, answer: &str) -> String {
    format!("a broker of {} to answer for {} ({answer})", config.connection.brokers, config.topics.join(", "))
}

/// The topic's partitions, none where it is missing; or what ends the reading, if anything does.
pub(super) fn partitions_of(
    consumer: &Consumer,
    topic: &str,
    wait_max: Duration,
) -> Result<Vec<i32>, Option<KafkaSourceError>> {
    let metadata = consumer.fetch_metadata(Some(topic), wait_max).map_err(|error| {
        tracing::debug!(%error, topic, "kafka source: no broker knows the topic");
        KafkaSourceError::of(&error)
    })?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(Vec::new()) };
    match found.error().map(Code::from) {
        None => Ok(found.partitions().iter().map(|partition| partition.id()).collect()),
        Some(Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::InvalidTopic) => Ok(Vec::new()),
        Some(code) => Err(KafkaSourceError::of(&KafkaError::MetadataFetch(code))),
    }
}
