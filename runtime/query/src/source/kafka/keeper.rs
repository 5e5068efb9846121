//! The group's coordinator as the keeper of positions.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use super::context::{Consumer, Context};
use super::hand_over::HandOver;
use super::{KafkaSourceConfig, KafkaSourceError};
use crate::source::{GroupOffsets, PositionKeeper, Positions, SourceError};

/// The consumer, for as long as a source or its keeper is there: either may be the last to go, since a query commits
/// after it has read.
pub(super) struct Membership {
    consumer: Mutex<Option<Arc<Consumer>>>,
    hand_over: Arc<HandOver>,
}

/// How long dropping waits for the group to be left. It takes a round trip; without it the others wait for the session to
/// time out, which is most of a minute.
const LEAVE_WAIT_MAX: Duration = Duration::from_secs(1);

impl Membership {
    pub(super) fn new(config: &KafkaSourceConfig, hand_over: &Arc<HandOver>) -> Result<Membership, SourceError> {
        let consumer = Membership::create(config, hand_over, config.few_partitions())?;
        Ok(Membership { consumer: Mutex::new(Some(consumer)), hand_over: Arc::clone(hand_over) })
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
            let spawned = std::thread::Builder::new().name("weir-kafka-drop".to_owned()).spawn(move || drop(consumer));
            if let Err(error) = spawned {
                tracing::warn!(%error, "kafka source: no thread to leave the group in");
            }
        }
    }
}

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
            return Err(self.config.error(KafkaSourceError::Lost(Code::AssignmentLost)));
        }
        Ok(())
    }

    fn offsets(&self, positions: &Positions) -> Result<TopicPartitionList, SourceError> {
        let mut list = TopicPartitionList::new();
        for (partition, next) in positions.iter() {
            list.add_partition_offset(&partition.origin, partition.number, Offset::Offset(next))
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
        let group = group.ok_or_else(|| self.config.error(KafkaSourceError::Commit("there is no group".to_owned())))?;
        Ok((self.offsets(positions)?, group))
    }

    fn ends(&self) -> Positions {
        self.hand_over.ends()
    }

    fn waits_for(&self) -> Option<String> {
        self.hand_over.waits_for()
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
            Some(code) if passes(code) => COMMIT_WAIT_MAX,
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
                ) => KafkaSourceError::Lost(code),
                Some(
                    code @ (Code::GroupAuthorizationFailed
                    | Code::TopicAuthorizationFailed
                    | Code::SaslAuthenticationFailed
                    | Code::Authentication),
                ) => KafkaSourceError::NotAuthorised(code),
                _ => KafkaSourceError::Commit(error.to_string()),
            });
        }
        std::thread::sleep(COMMIT_AGAIN_AFTER);
    }
}

/// What is over after a while.
pub(super) fn passes(code: Code) -> bool {
    matches!(
        code,
        Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::WaitingForCoordinator
            | Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::RequestTimedOut
            | Code::OperationTimedOut
            | Code::TimedOutQueue
            | Code::NetworkException
            | Code::Resolve
            | Code::ThrottlingQuotaExceeded
            | Code::UnstableOffsetCommit
    )
}
