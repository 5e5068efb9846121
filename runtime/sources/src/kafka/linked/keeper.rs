//! The group's coordinator as the keeper of positions.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use weir_kafka::{GroupOffsets, HiddenValues, KafkaSide, log_librdkafka};

use super::client::{client_config, code_of};
use super::context::{Consumer, Context};
use super::hand_over::HandOver;
use super::topic_id::topic_ids;
use super::{KafkaOutOfRange, KafkaSourceConfig, KafkaSourceError, kept};
use crate::{PositionKeeper, SourceError};
use weir_state::{Partition, Positions};

/// The consumer, for as long as a source or its keeper is there: either may be the last to go, since a query commits
/// after it has read.
pub(super) struct Membership {
    consumer: Mutex<Option<Arc<Consumer>>>,
    // What asks for ids of topics before commits, from the first one on: no fetch keeps its connections busy.
    asker: Mutex<Option<Arc<Asker>>>,
    hand_over: Arc<HandOver>,
}

/// A client that only asks.
type Asker = BaseProducer<AskerContext>;

/// Has the client's lines in the log.
struct AskerContext {
    // What its texts must not show.
    hidden: HiddenValues,
}

impl ClientContext for AskerContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        log_librdkafka(level as i32, facility, line, &self.hidden);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The consumer says so as well.
        tracing::debug!(%error, "kafka source: {}", self.hidden.hide(reason));
    }
}

impl ProducerContext for AskerContext {
    type DeliveryOpaque = ();

    fn delivery(&self, _result: &DeliveryResult<'_>, (): ()) {}
}

/// How long dropping waits for the group to be left. It takes a round trip; without it the others wait for the session to
/// time out, which is most of a minute.
const LEAVE_WAIT_MAX: Duration = Duration::from_secs(1);

impl Membership {
    pub(super) fn new(config: &KafkaSourceConfig, hand_over: &Arc<HandOver>) -> Result<Membership, SourceError> {
        let consumer = Membership::create(config, hand_over, config.few_partitions())?;
        let (consumer, asker) = (Mutex::new(Some(consumer)), Mutex::new(None));
        Ok(Membership { consumer, asker, hand_over: Arc::clone(hand_over) })
    }

    fn asker(&self, config: &KafkaSourceConfig) -> Result<Arc<Asker>, SourceError> {
        let mut asker = self.asker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asker) = &*asker {
            return Ok(Arc::clone(asker));
        }
        let settings = client_config(&config.connection, KafkaSide::Both);
        let hidden = config.connection.hidden();
        let created = settings.create_with_context(AskerContext { hidden: hidden.clone() });
        let created: Asker =
            created.map_err(|error| config.error(KafkaSourceError::Settings(hidden.explain(&error))))?;
        let created = Arc::new(created);
        *asker = Some(Arc::clone(&created));
        Ok(created)
    }

    /// Puts a consumer in place that holds less of each of these partitions. The one before has not read yet.
    pub(super) fn replace(
        &self,
        config: &KafkaSourceConfig,
        partitions: usize,
    ) -> Result<Option<Arc<Consumer>>, SourceError> {
        let consumer = Membership::create(config, &self.hand_over, partitions)?;
        let mut held = self.consumer.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever is being dropped has none any more.
        Ok(held.is_some().then(|| {
            *held = Some(Arc::clone(&consumer));
            consumer
        }))
    }

    fn create(
        config: &KafkaSourceConfig,
        hand_over: &Arc<HandOver>,
        partitions: usize,
    ) -> Result<Arc<Consumer>, SourceError> {
        let wake = Arc::clone(hand_over);
        let hidden = config.connection.hidden();
        let created = config.client_config(partitions).create_with_context(Context::hiding(hidden.clone()));
        let mut consumer: Consumer =
            created.map_err(|error| config.error(KafkaSourceError::Settings(hidden.explain(&error))))?;
        consumer.set_nonempty_callback(move || wake.wake());
        Ok(Arc::new(consumer))
    }

    pub(super) fn consumer(&self) -> Option<Arc<Consumer>> {
        self.consumer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        if let Some(asker) = self.asker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            drop_aside(asker);
        }
        let consumer = self.consumer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(consumer) = consumer else { return };
        // While the polling thread runs, this is not the last one.
        if self.hand_over.is_polling() {
            drop(consumer);
            self.hand_over.close(LEAVE_WAIT_MAX);
        } else {
            self.hand_over.close(Duration::ZERO);
            consumer.context().close();
            // Dropping it asks the brokers, if only to say that there was nothing to leave.
            drop_aside(consumer);
        }
    }
}

/// Drops a client where nobody waits for it.
fn drop_aside(client: impl Send + 'static) {
    let spawned = std::thread::Builder::new().name("weir-kafka-drop".to_owned()).spawn(move || drop(client));
    if let Err(error) = spawned {
        tracing::warn!(%error, "kafka source: could not start a thread to drop a client");
    }
}

/// How long a commit waits for the ids of topics. It takes a round trip.
const VOUCH_WAIT_MAX: Duration = Duration::from_secs(2);

/// Commits to the group.
pub(super) struct Keeper {
    config: Arc<KafkaSourceConfig>,
    membership: Arc<Membership>,
    hand_over: Arc<HandOver>,
}

/// How long a coordinator that is not there yet is waited for.
const COMMIT_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a rebalance is waited for: what a member keeps it can commit again afterwards.
const REBALANCE_WAIT_MAX: Duration = Duration::from_secs(5);

const COMMIT_AGAIN_AFTER: Duration = Duration::from_millis(100);

impl Keeper {
    pub(super) fn new(
        config: &Arc<KafkaSourceConfig>,
        membership: &Arc<Membership>,
        hand_over: &Arc<HandOver>,
    ) -> Keeper {
        Keeper { config: Arc::clone(config), membership: Arc::clone(membership), hand_over: Arc::clone(hand_over) }
    }

    fn consumer(&self) -> Result<Arc<Consumer>, SourceError> {
        self.membership.consumer().ok_or_else(|| self.config.error(KafkaSourceError::Closed))
    }

    /// Fails where these are of partitions that went to another member, which nobody has been told yet who read them.
    fn check_kept(&self, consumer: &Consumer, positions: &Positions) -> Result<(), SourceError> {
        // In this order: partitions that are let go are noted before the consumer says that it has lost none.
        if consumer.assignment_lost() || self.hand_over.is_let_go(positions) {
            return Err(self.config.error(KafkaSourceError::Lost(code_of(Code::AssignmentLost))));
        }
        Ok(())
    }

    fn offsets(&self, positions: &Positions) -> Result<TopicPartitionList, SourceError> {
        let mut list = TopicPartitionList::new();
        for (partition, next) in positions.iter() {
            kept::add(&mut list, partition, next, positions.topic(partition))
                .map_err(|error| self.config.error(KafkaSourceError::Commit(error.to_string())))?;
        }
        Ok(list)
    }
}

#[async_trait]
impl PositionKeeper for Keeper {
    async fn commit(&self, positions: &Positions) -> Result<(), SourceError> {
        if positions.is_empty() {
            return Ok(());
        }
        let (consumer, offsets) = (self.consumer()?, self.offsets(positions)?);
        self.check_kept(&consumer, positions)?;
        let committed = tokio::task::spawn_blocking(move || {
            let committed = commit(&consumer, &offsets);
            // A list that lives on would keep the consumer from being dropped.
            drop(offsets);
            committed
        });
        match committed.await {
            Ok(committed) => committed.map_err(|error| self.config.error(error)),
            Err(error) => Err(SourceError::Thread(error.to_string())),
        }
    }

    fn of_transaction(&self, positions: &Positions) -> Result<GroupOffsets, SourceError> {
        let consumer = self.consumer()?;
        // First: it is of the generation that the check then speaks for, or of an earlier one, which the broker refuses.
        // A member that was expelled has none, and one that has joined again has a new one: either would be taken.
        let group = consumer.group_metadata();
        self.check_kept(&consumer, positions)?;
        let group = group
            .ok_or_else(|| self.config.error(KafkaSourceError::Commit("the consumer is not in a group".to_owned())))?;
        let offsets = self.offsets(positions)?;
        let of_offset = |(topic, partition, offset): (&str, i32, Offset)| match offset {
            Offset::Offset(next) => Some((topic.to_owned(), partition, next)),
            _ => None,
        };
        let elements = offsets.elements();
        let next: Vec<_> = elements
            .iter()
            .filter_map(|element| of_offset((element.topic(), element.partition(), element.offset())))
            .collect();
        drop(elements);
        Ok(GroupOffsets::new(next, (offsets, group)))
    }

    async fn vouch(&self, positions: &Positions) -> Result<(), SourceError> {
        let topics: BTreeSet<Arc<str>> = positions
            .iter()
            .filter(|(partition, _)| positions.topic(partition).is_some())
            .map(|(partition, _)| Arc::clone(&partition.origin))
            .collect();
        if topics.is_empty() {
            return Ok(());
        }
        let (consumer, asker) = (self.consumer()?, self.membership.asker(&self.config)?);
        let (config, hand_over, positions) = (Arc::clone(&self.config), Arc::clone(&self.hand_over), positions.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let names: Vec<&str> = topics.iter().map(|topic| &**topic).collect();
            // Where nobody answers, nothing new is fetched either, and the source goes on asking.
            let Some(ids) = topic_ids(asker.client(), &names, VOUCH_WAIT_MAX) else { return Ok(()) };
            let is_another = |partition: &Partition| {
                let (known, now) = (positions.topic(partition), ids.get(&*partition.origin).and_then(Option::as_ref));
                known.zip(now).is_some_and(|(known, now)| known != now)
            };
            match positions.iter().find(|(partition, _)| is_another(partition)) {
                None => {
                    hand_over.vouch(&positions);
                    Ok(())
                }
                Some((partition, next)) => {
                    let position = hand_over.vouched(partition).unwrap_or(next);
                    Err(config.error(made_again(&consumer, &config, partition, position)))
                }
            }
        });
        asked.await.map_err(|error| SourceError::Thread(error.to_string()))?
    }

    fn ends(&self) -> Positions {
        self.hand_over.ends()
    }

    fn waits_for(&self) -> Option<String> {
        self.hand_over.waits_for()
    }
}

/// What becomes of a topic that was made again.
fn made_again(
    consumer: &Consumer,
    config: &KafkaSourceConfig,
    partition: &Partition,
    position: i64,
) -> KafkaSourceError {
    let held = match config.on_out_of_range {
        KafkaOutOfRange::Fail => {
            consumer.fetch_watermarks(&partition.origin, partition.number, config.ask_wait_max()).ok()
        }
        KafkaOutOfRange::Earliest | KafkaOutOfRange::Latest => None,
    };
    match held {
        Some((first, end)) => KafkaSourceError::MadeAgain { partition: partition.clone(), position, first, end },
        // Also where it is not known what the log holds: the source finds out when it begins again.
        None => KafkaSourceError::StartedOver { topic: partition.origin.to_string() },
    }
}

fn commit(consumer: &Consumer, offsets: &TopicPartitionList) -> Result<(), KafkaSourceError> {
    let began = Instant::now();
    loop {
        let error = match consumer.commit(offsets, CommitMode::Sync) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let code = error.rdkafka_error_code();
        let wait_max = match code {
            Some(Code::RebalanceInProgress) => REBALANCE_WAIT_MAX,
            Some(code) if code_of(code).passes() => COMMIT_WAIT_MAX,
            _ => Duration::ZERO,
        };
        if began.elapsed() >= wait_max {
            return Err(match code {
                Some(
                    code @ (Code::RebalanceInProgress
                    | Code::UnknownMemberId
                    | Code::IllegalGeneration
                    | Code::FencedInstanceId
                    | Code::AssignmentLost),
                ) => KafkaSourceError::Lost(code_of(code)),
                Some(
                    code @ (Code::GroupAuthorizationFailed
                    | Code::TopicAuthorizationFailed
                    | Code::SaslAuthenticationFailed
                    | Code::Authentication),
                ) => KafkaSourceError::NotAuthorised(code_of(code)),
                _ => KafkaSourceError::Commit(error.to_string()),
            });
        }
        std::thread::sleep(COMMIT_AGAIN_AFTER);
    }
}
