//! What librdkafka tells its consumer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::bindings::rd_kafka_resp_err_t as RespErr;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};
use weir_kafka::{HiddenValues, log_librdkafka};

use weir_state::Partition;

/// The consumer.
pub(super) type Consumer = BaseConsumer<Context>;

/// Partitions that come or go.
#[derive(Debug)]
pub(super) enum Rebalance {
    /// These come.
    Assign(Vec<Partition>),
    /// These go.
    Revoke(Vec<Partition>),
}

/// Takes rebalances down for the polling thread, which answers them in its own time: librdkafka waits for the answer, not
/// for the callback.
#[derive(Default)]
pub(super) struct Context {
    rebalances: Mutex<VecDeque<Rebalance>>,
    // From now on whatever goes is let go at once.
    closing: AtomicBool,
    // Events that the client gave. It does not say itself whether a poll gave one that is not for the caller.
    events: AtomicU64,
    // The last error that was logged.
    logged: Mutex<Option<Instant>>,
    // What its texts must not show.
    hidden: HiddenValues,
}

/// Brokers that are down are told of by every connection that fails.
const LOG_EVERY: Duration = Duration::from_secs(10);

impl Context {
    /// Of a consumer whose texts must not show these.
    pub(super) fn hiding(hidden: HiddenValues) -> Context {
        Context { hidden, ..Context::default() }
    }

    /// The next one to answer.
    pub(super) fn next_rebalance(&self) -> Option<Rebalance> {
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Answers by itself from now on.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }

    /// Whether one waits for its answer.
    pub(super) fn has_rebalance(&self) -> bool {
        !self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// How many events the client has given.
    pub(super) fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    fn note_event(&self) {
        self.events.fetch_add(1, Ordering::Relaxed);
    }

    /// Logs what passes, now and then.
    pub(super) fn log_passing(&self, error: &KafkaError, reason: &str) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.is_none_or(|last| last.elapsed() >= LOG_EVERY) {
            *logged = Some(Instant::now());
            tracing::warn!(%error, "kafka source: {}", self.hidden.hide(reason));
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.note_event();
        log_librdkafka(level as i32, facility, line, &self.hidden);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.note_event();
        // The end of a partition is asked for, and told to whoever polls it, as is a position that is out of range.
        use RDKafkaErrorCode::{AutoOffsetReset, PartitionEOF};
        if !matches!(error.rdkafka_error_code(), Some(PartitionEOF | AutoOffsetReset)) {
            self.log_passing(&error, reason);
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Context>, err: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        self.note_event();
        let elements = partitions.elements();
        let partition = |topic: &str, number: i32| Partition::new(topic, number);
        let partitions = elements.iter().map(|it| partition(it.topic(), it.partition())).collect();
        let rebalance = match err {
            RespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assign(partitions),
            _ => Rebalance::Revoke(partitions),
        };
        if self.closing.load(Ordering::SeqCst) {
            let answered = match rebalance {
                // Nothing is taken on any more.
                Rebalance::Assign(_) => consumer.unassign(),
                Rebalance::Revoke(partitions) => let_go(consumer, &partitions),
            };
            if let Err(error) = answered {
                tracing::debug!(%error, "kafka source: leaving");
            }
            return;
        }
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).push_back(rebalance);
    }
}

/// Tells librdkafka that these are read no more.
pub(super) fn let_go(consumer: &Consumer, partitions: &[Partition]) -> Result<(), KafkaError> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(&list(partitions)),
        RebalanceProtocol::None | RebalanceProtocol::Eager => consumer.unassign(),
    }
}

/// The partitions as librdkafka has them.
pub(super) fn list(partitions: &[Partition]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition(&partition.origin, partition.number);
    }
    list
}
