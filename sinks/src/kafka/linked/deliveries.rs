//! What becomes of the records of a producer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, ProducerContext};

use super::BrokerRefusals;
use super::client::problem_of;
use weir_kafka::{HiddenValues, KafkaConnection, KafkaProblem, log_librdkafka};
use weir_text::brief;

/// A record that will never arrive.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) topic: String,
    /// None for one that had not been given one.
    pub(super) partition: Option<i32>,
    pub(super) code: Code,
}

/// Hears of every delivery. Shared with librdkafka's wrapper, which calls it from within `poll`.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    // The first that failed; every later one may be its consequence.
    pub(super) first_failure: Mutex<Option<Failure>>,
    pub(super) failed: AtomicBool,
    pub(super) reported: AtomicU64,
    // While records are thrown away on purpose, that they were is no failure.
    pub(super) purging: AtomicBool,
    // What the last connection met with, for an opening that fails.
    pub(super) last_error: Mutex<Option<(Code, String)>>,
    // Which records were refused for what they are.
    pub(super) refusals: BrokerRefusals,
    // What its texts must not show.
    pub(super) hidden: HiddenValues,
}

impl Deliveries {
    /// Of a client of this connection.
    pub(super) fn of(connection: &KafkaConnection) -> Deliveries {
        Deliveries { hidden: connection.hidden(), ..Deliveries::default() }
    }
}

impl Deliveries {
    pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        // Every change is one assignment: a panic elsewhere leaves nothing half done.
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is behind a question that got no answer.
    pub(super) fn unreachable(&self, error: &KafkaError, after: Duration) -> KafkaProblem {
        let last = Deliveries::lock(&self.last_error).clone();
        let problem = KafkaProblem::of_error(error);
        match (last, problem) {
            (Some((code, _)), _) if matches!(problem_of(code), KafkaProblem::NotAuthorised(_)) => problem_of(code),
            (last, KafkaProblem::TimedOut(code)) => {
                let reason = last.map_or_else(|| code.to_string(), |(_, reason)| reason);
                KafkaProblem::Unreachable { after, reason }
            }
            (_, problem) => problem,
        }
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        log_librdkafka(level as i32, facility, line, &self.hidden);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log_librdkafka(RDKafkaLogLevel::Warning as i32, "ERROR", reason, &self.hidden);
        // That all brokers are down follows from an error that said more.
        if let Some(code) = error.rdkafka_error_code().filter(|code| *code != Code::AllBrokersDown) {
            *Deliveries::lock(&self.last_error) = Some((code, brief(&self.hidden.hide(reason))));
        }
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        self.reported.fetch_add(1, Ordering::Relaxed);
        let Err((error, record)) = result else { return };
        if self.purging.load(Ordering::Acquire) {
            return;
        }
        let problem = error.rdkafka_error_code().map(problem_of);
        if let Some(problem) = problem.filter(KafkaProblem::is_refusal) {
            self.refusals.failed(record.topic(), record.key(), record.payload(), problem);
        }
        let mut first = Deliveries::lock(&self.first_failure);
        if first.is_none() {
            let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
            let partition = Some(record.partition()).filter(|partition| *partition >= 0);
            *first = Some(Failure { topic: record.topic().to_owned(), partition, code });
        }
        self.failed.store(true, Ordering::Release);
    }
}
