//! One producer of librdkafka's, with what became of its records.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, Producer as _, PurgeConfig};

use super::client::{client_config, problem_of};
use super::deliveries::{Deliveries, Failure};
use super::record::{Record, content_bytes};
use super::sizes::{self, ProducerSizes};
use super::{BrokerRefusals, KafkaCompression, KafkaPartitioner};
use weir_kafka::KafkaSide;
use weir_kafka::{KafkaConnection, KafkaProblem};

/// A topic that was made a moment ago may not be known to every broker.
const UNKNOWN_TOPIC_PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(1);
/// How long a transaction that was left open may take to be aborted when its producer is dropped.
const LAST_ABORT: Duration = Duration::from_secs(5);

/// Settings that hold for a whole producer.
#[derive(Clone, Debug)]
pub(super) struct ProducerSettings {
    pub(super) partitioner: KafkaPartitioner,
    pub(super) compression: KafkaCompression,
    pub(super) delivery_timeout: Option<Duration>,
    /// The transactional id, and how long the broker lets a transaction be open.
    pub(super) transactional: Option<(String, Duration)>,
    pub(super) sizes: ProducerSizes,
    pub(super) refusals: BrokerRefusals,
}

/// What became of a record that was to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is on its way.
    Queued,
    /// librdkafka takes no message of this size.
    TooLarge(u64),
    /// The topic has no such partition.
    NoPartition(i32),
}

/// An idempotent producer. All of its methods may block, except [`Producer::is_idle`].
///
/// Dropped, it throws away what is not yet on the wire, and ends on a thread of its own: librdkafka's end takes as long
/// as its slowest connection.
pub(super) struct Producer {
    // Taken by `drop` and `close` only.
    base: Option<BaseProducer<Deliveries>>,
    // Whether a transaction is open that nobody has tried to end.
    pub(super) in_transaction: AtomicBool,
}

impl Producer {
    /// Makes the producer; no broker is asked yet.
    pub(super) fn create(connection: &KafkaConnection, settings: &ProducerSettings) -> Result<Producer, KafkaProblem> {
        let mut config = client_config(connection, KafkaSide::Producer);
        config.set("acks", "all");
        config.set("enable.idempotence", "true");
        config.set("partitioner", settings.partitioner.librdkafka_name());
        config.set("compression.type", settings.compression.name());
        if config.get("queue.buffering.max.kbytes").is_none() {
            config.set("queue.buffering.max.kbytes", sizes::QUEUE_KBYTES_DEFAULT.to_string());
        }
        let sizes = [
            (sizes::MESSAGE_MAX_BYTES, settings.sizes.message_bytes_max),
            (sizes::BATCH_SIZE, settings.sizes.batch_bytes_max),
        ];
        for (name, bytes) in sizes {
            if let Some(bytes) = bytes {
                config.set(name, bytes.to_string());
            }
        }
        if let Some(timeout) = settings.delivery_timeout {
            config.set("message.timeout.ms", timeout.as_millis().to_string());
        }
        if let Some((id, timeout)) = &settings.transactional {
            config.set("transactional.id", id);
            config.set("transaction.timeout.ms", timeout.as_millis().to_string());
        }
        let deliveries = Deliveries { refusals: settings.refusals.clone(), ..Deliveries::of(connection) };
        match BaseProducer::from_config_and_context(&config, deliveries) {
            Ok(base) => Ok(Producer { base: Some(base), in_transaction: AtomicBool::new(false) }),
            Err(error) => Err(KafkaProblem::of_settings(connection, &error)),
        }
    }

    pub(super) fn base(&self) -> &BaseProducer<Deliveries> {
        match &self.base {
            Some(base) => base,
            None => unreachable!("only `drop` and `close`, which are the end, take the producer"),
        }
    }

    /// What brokers refused.
    pub(super) fn refusals(&self) -> &BrokerRefusals {
        &self.deliveries().refusals
    }

    fn deliveries(&self) -> &Deliveries {
        self.base().context()
    }

    /// Asks the brokers for the topic.
    pub(super) fn check_topic(&self, topic: &str, timeout: Duration) -> Result<(), KafkaProblem> {
        let begin = Instant::now();
        loop {
            let left = timeout.saturating_sub(begin.elapsed());
            let metadata = self.base().client().fetch_metadata(Some(topic), left);
            self.serve();
            let code = match &metadata {
                Err(error) => return Err(self.unreachable(error, timeout)),
                Ok(metadata) => match metadata.topics().first().map(|topic| topic.error()) {
                    Some(None) => return Ok(()),
                    Some(Some(error)) => Code::from(error),
                    None => Code::UnknownTopicOrPartition,
                },
            };
            let problem = problem_of(code);
            let patience = match problem {
                KafkaProblem::UnknownTopic => timeout.min(UNKNOWN_TOPIC_PATIENCE),
                _ if problem.retryable() => timeout,
                _ => return Err(problem),
            };
            if begin.elapsed() >= patience {
                return Err(problem);
            }
            thread::sleep(Duration::from_millis(100).min(patience));
        }
    }

    /// What stands behind a question that got no answer.
    pub(super) fn unreachable(&self, error: &KafkaError, after: Duration) -> KafkaProblem {
        self.serve();
        self.deliveries().unreachable(error, after)
    }

    /// Sends a record. Where the queue is full it waits for room, as long as records are neither lost nor the sink
    /// abandoned.
    pub(super) fn send(&self, mut record: Record<'_>, stop: &AtomicBool) -> Result<Sent, KafkaProblem> {
        loop {
            let partition = record.partition;
            match self.base().send(record) {
                Ok(()) => return Ok(Sent::Queued),
                Err((KafkaError::MessageProduction(Code::MessageSizeTooLarge), back)) => {
                    return Ok(Sent::TooLarge(content_bytes(&back)));
                }
                Err((KafkaError::MessageProduction(Code::QueueFull), back)) => {
                    record = back;
                    if !self.serve() {
                        self.check(stop)?;
                        thread::sleep(PAUSE);
                    }
                }
                Err((error, _)) => {
                    return match (error.rdkafka_error_code(), partition) {
                        (Some(Code::UnknownPartition), Some(partition)) => Ok(Sent::NoPartition(partition)),
                        (Some(code), _) => Err(self.explain(code)),
                        (None, _) => Err(KafkaProblem::of_error(&error)),
                    };
                }
            }
        }
    }

    /// Takes in what librdkafka has to report, and says whether deliveries were among it. Does not wait.
    pub(super) fn serve(&self) -> bool {
        // An event reports a batch of deliveries, or is a log line.
        const EVENTS_MAX: usize = 64;
        let reported = || self.deliveries().reported.load(Ordering::Relaxed);
        let before = reported();
        for _ in 0..EVENTS_MAX {
            let (reports, queued) = (reported(), self.base().in_flight_count());
            // With a time-out `poll` runs the whole of it, though there be nothing.
            self.base().poll(Duration::ZERO);
            if (reports, queued) == (reported(), self.base().in_flight_count()) {
                break;
            }
        }
        reported() != before
    }

    /// Whether every record was delivered or lost.
    pub(super) fn is_idle(&self) -> bool {
        self.base().in_flight_count() == 0
    }

    /// Waits until every record was delivered.
    pub(super) fn await_deliveries(&self, stop: &AtomicBool) -> Result<(), KafkaProblem> {
        loop {
            let reported = self.serve();
            self.check(stop)?;
            if self.is_idle() {
                return Ok(());
            }
            if !reported {
                thread::sleep(PAUSE);
            }
        }
    }

    /// Fails where a record was lost, or nobody waits any more.
    pub(super) fn check(&self, stop: &AtomicBool) -> Result<(), KafkaProblem> {
        if let Some(failure) = self.failure() {
            return Err(self.explain(failure.code));
        }
        if stop.load(Ordering::Acquire) { Err(KafkaProblem::Abandoned) } else { Ok(()) }
    }

    /// As [`Producer::check`], after taking in what there is.
    pub(super) fn check_served(&self, stop: &AtomicBool) -> Result<(), KafkaProblem> {
        self.serve();
        self.check(stop)
    }

    /// The first record that was lost.
    pub(super) fn failure(&self) -> Option<Failure> {
        if !self.deliveries().failed.load(Ordering::Acquire) {
            return None;
        }
        Deliveries::lock(&self.deliveries().first_failure).clone()
    }

    /// What a code means here: librdkafka has one for "see what was fatal", and one for records that it threw away for
    /// that reason.
    fn explain(&self, code: Code) -> KafkaProblem {
        match self.base().client().fatal_error() {
            Some((fatal, _)) if matches!(code, Code::Fatal | Code::PurgeQueue | Code::PurgeInflight) => {
                match problem_of(fatal) {
                    KafkaProblem::Other(code) => KafkaProblem::Fatal(code),
                    problem => problem,
                }
            }
            _ => problem_of(code),
        }
    }

    /// Runs what throws records away on purpose, while a thread beside it takes in what librdkafka reports of them. Where
    /// no thread can be had, nobody does until it has ended.
    pub(super) fn while_purging<T>(&self, run: impl FnOnce() -> T) -> T {
        self.deliveries().purging.store(true, Ordering::Release);
        let ended = AtomicBool::new(false);
        let serve = || {
            while !ended.load(Ordering::Acquire) {
                if !self.serve() {
                    thread::sleep(PAUSE);
                }
            }
        };
        let result = thread::scope(|scope| {
            // Joined at the end of the scope.
            drop(thread::Builder::new().name("weir-kafka-serve".to_owned()).spawn_scoped(scope, serve));
            let result = run();
            ended.store(true, Ordering::Release);
            result
        });
        self.serve();
        self.deliveries().purging.store(false, Ordering::Release);
        result
    }

    /// Ends the producer here and now.
    pub(super) fn close(mut self) {
        drop(self.base.take());
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        let Some(base) = self.base.take() else { return };
        base.context().purging.store(true, Ordering::Release);
        // At once, so that nothing more sets out; the rest may take its time.
        base.purge(PurgeConfig::default().queue().inflight().non_blocking());
        let in_transaction = self.in_transaction.load(Ordering::Acquire);
        let end = move || {
            if in_transaction {
                let begin = Instant::now();
                while base.in_flight_count() > 0 && begin.elapsed() < LAST_ABORT {
                    base.poll(PAUSE);
                }
                // Readers need not wait for the transaction to time out. If it cannot be aborted, they do.
                base.abort_transaction(LAST_ABORT).unwrap_or_default();
            }
            drop(base);
        };
        // Where there is no thread to be had, the closure is dropped here, and the producer with it.
        drop(thread::Builder::new().name("weir-kafka-end".to_owned()).spawn(end));
    }
}
