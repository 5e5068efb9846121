//! Which partitions there are, and how far they reach: what brokers have to be asked for.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::context::Consumer;
use super::hand_over::HandOver;
use super::{KafkaPartitions, KafkaSourceConfig, KafkaSourceError};
use crate::source::{Partition, SourceError};

/// How often topics are looked at for new partitions and ends.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often, until the first look succeeded.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// How long a broker is asked. The consumer cannot be dropped meanwhile.
const ASK_WAIT_MAX: Duration = Duration::from_secs(2);

/// How long a topic may be missing: one that was just made is not known everywhere at once.
const MISSING_MAX: Duration = Duration::from_secs(10);

struct Scout {
    config: Arc<KafkaSourceConfig>,
    // Weak, so that a look that is not due keeps nobody from leaving.
    consumer: Weak<Consumer>,
    hand_over: Arc<HandOver>,
    found: BTreeSet<Partition>,
    missing_since: Option<Instant>,
}

/// Looks until the source is dropped.
pub(super) fn spawn(
    config: &Arc<KafkaSourceConfig>,
    consumer: &Arc<Consumer>,
    hand_over: &Arc<HandOver>,
) -> Result<(), SourceError> {
    let mut scout = Scout {
        config: Arc::clone(config),
        consumer: Arc::downgrade(consumer),
        hand_over: Arc::clone(hand_over),
        found: BTreeSet::new(),
        missing_since: None,
    };
    let spawned = std::thread::Builder::new().name("weir-kafka-scout".to_owned()).spawn(move || scout.run());
    spawned.map(drop).map_err(|error| SourceError::Thread(error.to_string()))
}

impl Scout {
    fn run(&mut self) {
        loop {
            let looked = self.look();
            let told = self.tell_ends();
            let pause = if looked && told { LOOK_EVERY } else { LOOK_AGAIN_AFTER };
            let until = Instant::now() + pause;
            while Instant::now() < until {
                if self.hand_over.is_closed() {
                    return;
                }
                // What is assigned after a look is told of soon.
                if told && !self.hand_over.assigned().is_empty() && self.any_untold() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    fn any_untold(&self) -> bool {
        self.hand_over.assigned().iter().any(|partition| self.hand_over.first_end(partition).is_none())
    }

    /// Looks at every topic; `false` where that is to be repeated soon.
    fn look(&mut self) -> bool {
        let mut found = Vec::new();
        for topic in &self.config.topics {
            let Some(consumer) = self.consumer.upgrade() else { return true };
            let numbers = match partitions_of(&consumer, topic) {
                Ok(numbers) => numbers,
                Err(Some(error)) => {
                    self.hand_over.fail(self.config.error(error));
                    return true;
                }
                // A broker that does not answer says nothing of the topic.
                Err(None) => return false,
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
            found.extend(wanted.into_iter().map(|number| Partition { origin: topic.as_str().into(), number }));
        }
        self.missing_since = None;
        found.retain(|partition| self.found.insert(partition.clone()));
        if !found.is_empty() {
            self.hand_over.found(found);
        }
        true
    }

    /// Asks for the ends of what is read here; `false` where that is to be repeated soon.
    fn tell_ends(&self) -> bool {
        for partition in self.hand_over.assigned() {
            if self.hand_over.is_closed() {
                return true;
            }
            let Some(consumer) = self.consumer.upgrade() else { return true };
            match consumer.fetch_watermarks(&partition.origin, partition.number, ASK_WAIT_MAX) {
                Ok((_, end)) => self.hand_over.set_end(&partition, end),
                Err(error) => {
                    tracing::debug!(%error, %partition, "kafka source: its end is not known");
                    return false;
                }
            }
        }
        true
    }
}

/// The topic's partitions, none where it is missing; or what ends the reading, if anything does.
fn partitions_of(consumer: &Consumer, topic: &str) -> Result<Vec<i32>, Option<KafkaSourceError>> {
    let metadata = consumer.fetch_metadata(Some(topic), ASK_WAIT_MAX).map_err(|error| {
        tracing::debug!(%error, topic, "kafka source: no broker tells of the topic");
        KafkaSourceError::of(&error)
    })?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(Vec::new()) };
    match found.error().map(Code::from) {
        None => Ok(found.partitions().iter().map(|partition| partition.id()).collect()),
        Some(Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::InvalidTopic) => Ok(Vec::new()),
        Some(code) => Err(KafkaSourceError::of(&KafkaError::MetadataFetch(code))),
    }
}
