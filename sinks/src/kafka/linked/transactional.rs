//! The producer of a query's transactions, and which transaction is open.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;
use weir_kafka::GroupOffsets;

use super::client::problem_of;
use super::producer::{Producer, ProducerSettings};
use super::sizes::{self, ProducerSizes, TopicLimits};
use super::transaction_age::Age;
use super::transaction_failure::Moment;
use super::{KafkaSinkConfig, TransactionError, TransactionSettings};
use crate::SinkError;
use weir_kafka::{KafkaConnection, KafkaProblem};

/// Between two tries of what the broker was not ready for.
const RETRY_PAUSE: Duration = Duration::from_millis(20);
/// How long a failed transaction is tried to be aborted, so that readers need not wait for it to time out.
const COURTESY: Duration = Duration::from_secs(5);
/// After which librdkafka is asked once more to abort; it goes on where it was.
const ABORT_CALL_MAX: Duration = Duration::from_millis(500);

/// What the clones and sinks of one query's transactions share.
pub(super) struct Shared {
    pub(super) producer: Producer,
    pub(super) id: String,
    pub(super) age: Age,
    pub(super) connection: KafkaConnection,
    pub(super) settings: TransactionSettings,
    // What the topics of the settings said.
    pub(super) limits: TopicLimits,
    pub(super) sizes: ProducerSizes,
    // Read by writers while they write, so that no commit comes between the rows of a batch.
    pub(super) state: RwLock<TransactionState>,
    // Whether a row was written since the transaction began.
    pub(super) written: AtomicBool,
    // Nobody stops what waits here: the steps have time-outs.
    never: AtomicBool,
}

pub(super) enum TransactionState {
    Idle,
    Open(Arc<Transaction>),
    Failed,
}

/// One transaction from its begin to its end.
#[derive(Default)]
pub(super) struct Transaction {
    // A sink wrote some rows of a batch but not all, or is gone: it must not be committed.
    pub(super) torn: AtomicBool,
}

/// Repeats a call as long as librdkafka says that it may be repeated and there is time.
pub(super) fn retried(patience: Duration, mut call: impl FnMut(Duration) -> KafkaResult<()>) -> KafkaResult<()> {
    let begin = Instant::now();
    loop {
        let left = patience.saturating_sub(begin.elapsed());
        match call(left) {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && begin.elapsed() < patience => {
                thread::sleep(RETRY_PAUSE);
            }
            done => return done,
        }
    }
}

impl Shared {
    pub(super) fn open(
        connection: KafkaConnection,
        id: String,
        settings: TransactionSettings,
    ) -> Result<Shared, TransactionError> {
        let failed = |source| TransactionError::Open { id: id.clone(), source };
        let topics: Vec<&str> = settings.topics.iter().map(String::as_str).collect();
        let limits = sizes::ask(&connection, &topics, settings.open_timeout).map_err(failed)?;
        let sizes = ProducerSizes::of(&connection, &topics, &limits);
        let producer_settings = ProducerSettings {
            partitioner: settings.partitioner,
            compression: settings.compression,
            delivery_timeout: settings.delivery_timeout,
            transactional: Some((id.clone(), settings.timeout)),
            sizes,
            refusals: settings.refusals.clone(),
        };
        let producer = Producer::create(&connection, &producer_settings).map_err(failed)?;
        let begun = retried(settings.open_timeout, |left| producer.base().init_transactions(left));
        if let Err(error) = begun {
            if error.rdkafka_error_code() == Some(RDKafkaErrorCode::InvalidTransactionTimeout) {
                return Err(TransactionError::TimeoutTooLong { id, timeout: settings.timeout });
            }
            return Err(failed(producer.unreachable(&error, settings.open_timeout)));
        }
        let (state, written) = (RwLock::new(TransactionState::Idle), AtomicBool::new(false));
        Ok(Shared {
            producer,
            id,
            age: Age::default(),
            connection,
            settings,
            limits,
            sizes,
            state,
            written,
            never: AtomicBool::new(false),
        })
    }

    /// One producer has one connection, one partitioner and so on.
    pub(super) fn check_agrees(&self, config: &KafkaSinkConfig) -> Result<(), SinkError> {
        let refuse = |key, reason: String| Err(SinkError::Config { key, reason });
        let ours = &self.settings;
        if config.connection != self.connection {
            return refuse("connection", "must be the same as for the query's transactions".to_owned());
        }
        if config.partitioner.librdkafka_name() != ours.partitioner.librdkafka_name() {
            let (found, ours) = (config.partitioner.name(), ours.partitioner.name());
            return refuse("partitioner", format!("is {found}, but other sinks of the same transaction use {ours}"));
        }
        if config.compression != ours.compression {
            let (found, ours) = (config.compression.name(), ours.compression.name());
            return refuse("compression", format!("is {found}, but other sinks of the same transaction use {ours}"));
        }
        if config.delivery_timeout.is_some() && config.delivery_timeout != ours.delivery_timeout {
            return refuse("delivery_timeout_ms", "must be the same as for the query's transactions".to_owned());
        }
        Ok(())
    }

    fn state(&self) -> RwLockWriteGuard<'_, TransactionState> {
        // A panic while it is held leaves a state that was not yet changed, and a producer that knows better.
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes part in the open transaction, or begins one.
    pub(super) fn enter(&self) -> Result<(RwLockReadGuard<'_, TransactionState>, Arc<Transaction>), TransactionError> {
        let guard = self.state.read().unwrap_or_else(PoisonError::into_inner);
        if let TransactionState::Open(transaction) = &*guard {
            let transaction = Arc::clone(transaction);
            return Ok((guard, transaction));
        }
        drop(guard);
        let mut state = self.state();
        self.begin(&mut state)?;
        let TransactionState::Open(transaction) = &*state else { return Err(TransactionError::AfterError) };
        let transaction = Arc::clone(transaction);
        Ok((RwLockWriteGuard::downgrade(state), transaction))
    }

    fn begin(&self, state: &mut TransactionState) -> Result<(), TransactionError> {
        match state {
            TransactionState::Open(_) => return Ok(()),
            TransactionState::Failed => return Err(TransactionError::AfterError),
            TransactionState::Idle => {}
        }
        match retried(self.settings.commit_timeout, |_| self.producer.base().begin_transaction()) {
            Ok(()) => {
                self.age.begin();
                self.producer.in_transaction.store(true, Ordering::Release);
                *state = TransactionState::Open(Arc::default());
                Ok(())
            }
            Err(error) => {
                *state = TransactionState::Failed;
                Err(TransactionError::of(&self.id, &error, Moment::BeforeCommit))
            }
        }
    }

    /// Ends the transaction in one way or the other, with no writer in it.
    pub(super) fn end(
        &self,
        how: impl FnOnce(&Shared, &mut TransactionState) -> Result<(), TransactionError>,
    ) -> Result<(), TransactionError> {
        let mut state = self.state();
        let ended = how(self, &mut state);
        *state = if ended.is_ok() { TransactionState::Idle } else { TransactionState::Failed };
        self.written.store(false, Ordering::Release);
        ended
    }

    pub(super) fn commit(
        &self,
        state: &mut TransactionState,
        offsets: &[GroupOffsets],
    ) -> Result<(), TransactionError> {
        match state {
            TransactionState::Failed => return Err(TransactionError::AfterError),
            TransactionState::Idle if offsets.is_empty() => return Ok(()),
            _ => self.begin(state)?,
        }
        if let Err(error) = self.prepare(state, offsets) {
            self.give_up();
            return Err(error);
        }
        // From here on the broker may be asked to commit: no abort may follow.
        self.producer.in_transaction.store(false, Ordering::Release);
        retried(self.settings.commit_timeout, |left| self.producer.base().commit_transaction(left))
            .map_err(|error| TransactionError::of(&self.id, &error, Moment::AtCommit))
    }

    /// All that comes before the commit is asked for.
    fn prepare(&self, state: &TransactionState, offsets: &[GroupOffsets]) -> Result<(), TransactionError> {
        self.producer.await_deliveries(&self.never).map_err(|problem| TransactionError::lost(&self.id, problem))?;
        if matches!(state, TransactionState::Open(transaction) if transaction.torn.load(Ordering::Acquire)) {
            return Err(TransactionError::Aborted { source: KafkaProblem::Abandoned });
        }
        for offsets in offsets {
            let Some((positions, group)) = offsets.member::<(TopicPartitionList, ConsumerGroupMetadata)>() else {
                let reason = "they were read by another client library than the one that commits them".to_owned();
                return Err(TransactionError::Config { key: "offsets", reason });
            };
            retried(self.settings.commit_timeout, |left| {
                self.producer.base().send_offsets_to_transaction(positions, group, left)
            })
            .map_err(|error| TransactionError::of(&self.id, &error, Moment::BeforeCommit))?;
        }
        Ok(())
    }

    pub(super) fn abort(&self, state: &mut TransactionState) -> Result<(), TransactionError> {
        match state {
            TransactionState::Failed => return Err(TransactionError::AfterError),
            TransactionState::Idle => return Ok(()),
            TransactionState::Open(_) => {}
        }
        let lost = self.producer.failure();
        self.producer.in_transaction.store(false, Ordering::Release);
        self.try_abort(self.settings.commit_timeout)
            .map_err(|error| TransactionError::of(&self.id, &error, Moment::BeforeCommit))?;
        // What was lost stays on the producer's record; a new one begins without.
        lost.map_or(Ok(()), |failure| Err(TransactionError::lost(&self.id, problem_of(failure.code))))
    }

    /// Throws away what is not on the wire yet, waits for what is, and aborts.
    ///
    /// librdkafka does all of that by itself, as long as somebody takes in its reports. Records on the wire must not be
    /// purged by hand before: librdkafka takes that for an error of the transaction, and answers it by a purge of its own,
    /// which on a busy machine comes when the next transaction has begun and throws away records of that. A record that is
    /// put back to be sent again after librdkafka's own purge waits for ever, and goes with the purge of the next call.
    fn try_abort(&self, patience: Duration) -> KafkaResult<()> {
        let abort = |left: Duration| self.producer.base().abort_transaction(left.min(ABORT_CALL_MAX));
        self.producer.while_purging(|| retried(patience, abort))
    }

    /// Aborts what will not be committed, so that readers need not wait for it to time out. If that fails, they do, or
    /// until the transactions are opened again.
    fn give_up(&self) {
        self.producer.in_transaction.store(false, Ordering::Release);
        self.try_abort(COURTESY).unwrap_or_default();
    }
}
