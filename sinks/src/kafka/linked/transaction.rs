//! Records and positions that become visible in one step.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::producer::Producer as _;
use weir_batch::Schema;
use weir_kafka::GroupOffsets;

use super::config::check_timeout;
use super::layout::Layout;
use super::membership::Membership;
use super::producer::{Producer, ProducerSettings};
use super::sizes::{self, ProducerSizes, SizeLimits};
use super::transactional::{Shared, retried};
use super::{BrokerRefusals, KafkaSink, KafkaSinkConfig, TransactionError, TransactionSettings};
use crate::SinkError;
use crate::blocking::off_thread;
use weir_kafka::KafkaConnection;

/// The transactions of one query: one producer, shared by its sinks and its dead letters. A clone is the same
/// transactions.
///
/// The first write since the last commit begins a transaction; [`KafkaTransactions::commit`] ends it, together with the
/// positions of the sources. A commit waits for writes that are under way, and writes wait for a commit: whoever
/// commits sees to it that what was written and the positions belong together.
///
/// After an error everything fails, and the transactions are to be opened again, which fences the producer that failed
/// and aborts what it left open. A sink that fails, or is dropped without `close`, while it has uncommitted records,
/// fails the transaction. Dropped with a transaction open, the transactions abort it.
///
/// # A gap that remains
///
/// librdkafka does not know KIP-890
/// (<https://cwiki.apache.org/confluence/display/KAFKA/KIP-890%3A+Transactions+Server-Side+Defense>). After an
/// indeterminate outcome, a message of the old producer that was delayed on its way could in theory reach the broker
/// when the next transaction is open, and become part of it. Opening the transactions again after every error raises
/// the producer's epoch, and the broker then refuses what bears the old one; what is left are the moments before that.
#[derive(Clone)]
pub struct KafkaTransactions {
    shared: Arc<Shared>,
}

impl KafkaTransactions {
    /// Opens the transactions of this id. What an older producer of the same id left open is aborted, and the older
    /// producer fenced: the id must be the query's own.
    ///
    /// # Errors
    ///
    /// [`TransactionError::Config`], and [`TransactionError::Open`] where the brokers do not answer or do not allow it.
    pub async fn open(
        connection: &KafkaConnection,
        id: &str,
        settings: &TransactionSettings,
    ) -> Result<KafkaTransactions, TransactionError> {
        let config = |error: SinkError| match error {
            SinkError::Config { key, reason } => TransactionError::Config { key, reason },
            other => TransactionError::Config { key: "transactions", reason: other.to_string() },
        };
        connection.validate().map_err(|error| config(error.into()))?;
        for (key, timeout) in [
            ("timeout_ms", Some(settings.timeout)),
            ("open_timeout_ms", Some(settings.open_timeout)),
            ("commit_timeout_ms", Some(settings.commit_timeout)),
            ("delivery_timeout_ms", settings.delivery_timeout),
        ] {
            check_timeout(key, timeout).map_err(config)?;
        }
        if id.is_empty() || id.chars().any(char::is_control) {
            let reason = "must not be empty or contain control characters".to_owned();
            return Err(TransactionError::Config { key: "transactional_id", reason });
        }
        if settings.delivery_timeout.is_some_and(|delivery| delivery > settings.timeout) {
            let reason = "must not be longer than the transaction's time-out".to_owned();
            return Err(TransactionError::Config { key: "delivery_timeout_ms", reason });
        }
        let (connection, id, settings) = (connection.clone(), id.to_owned(), settings.clone());
        blocking(move || Shared::open(connection, id, settings))
            .await
            .map(|shared| KafkaTransactions { shared: Arc::new(shared) })
    }

    /// Aborts what a dead process left open under this id, for whoever reads committed records behind it. Blocks. The id
    /// must be no living process's: its producer would be fenced.
    ///
    /// # Errors
    ///
    /// [`TransactionError::Open`] where the brokers do not answer in time, or do not allow it.
    pub fn abort_left_open(
        connection: &KafkaConnection,
        id: &str,
        settings: &TransactionSettings,
        at_most: Duration,
    ) -> Result<(), TransactionError> {
        let failed = |source| TransactionError::Open { id: id.to_owned(), source };
        let producer_settings = ProducerSettings {
            partitioner: settings.partitioner,
            compression: settings.compression,
            delivery_timeout: settings.delivery_timeout,
            transactional: Some((id.to_owned(), settings.timeout)),
            sizes: ProducerSizes::default(),
            refusals: BrokerRefusals::default(),
        };
        let producer = Producer::create(connection, &producer_settings).map_err(failed)?;
        retried(at_most, |left| producer.base().init_transactions(left))
            .map_err(|error| failed(producer.unreachable(&error, at_most)))
    }

    /// A sink that writes in these transactions. Its flush waits until its records are acknowledged, and commits
    /// nothing.
    ///
    /// # Errors
    ///
    /// As [`KafkaSink::open`]; and [`SinkError::Config`] where the sink's connection, partitioner, compression or
    /// delivery time-out are not those of the transactions, which all sinks share.
    pub async fn sink(&self, config: &KafkaSinkConfig, schema: &Arc<Schema>) -> Result<KafkaSink, SinkError> {
        config.validate(schema)?;
        self.shared.check_agrees(config)?;
        let layout = Layout::new(config, schema)?;
        let (shared, config) = (Arc::clone(&self.shared), config.clone());
        let opened = off_thread(move || {
            let failed = |source| SinkError::Kafka { topic: config.topic.clone(), partition: None, source };
            shared.producer.check_topic(&config.topic, config.open_timeout).map_err(failed)?;
            let asked = match shared.settings.topics.contains(&config.topic) {
                true => shared.limits.clone(),
                false => sizes::ask(&shared.connection, &[&config.topic], config.open_timeout).map_err(failed)?,
            };
            let told = (&asked, shared.sizes);
            let limits = SizeLimits::new(&config.topic, &shared.connection, config.compression, told);
            Ok((Membership::new(shared), limits))
        });
        let (membership, limits) = opened.await?;
        Ok(KafkaSink::in_transaction(layout, schema, membership, limits))
    }

    /// The connection that its sinks share.
    pub fn connection(&self) -> &KafkaConnection {
        &self.shared.connection
    }

    /// The settings that its sinks share.
    pub fn settings(&self) -> &TransactionSettings {
        &self.shared.settings
    }

    /// Begins a transaction unless one is open. Writes do it by themselves.
    ///
    /// # Errors
    ///
    /// What librdkafka answers.
    pub async fn begin_if_needed(&self) -> Result<(), TransactionError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.enter().map(drop)).await
    }

    /// Commits what was written since the last commit, and these positions with it. Without either it does nothing.
    ///
    /// If the caller stops waiting, the commit still runs to its end, and the caller has to find out about it as after
    /// [`TransactionError::Indeterminate`].
    ///
    /// # Errors
    ///
    /// [`TransactionError::Aborted`] alone says that certainly nothing was committed.
    pub async fn commit(&self, offsets: Vec<GroupOffsets>) -> Result<(), TransactionError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.end(|shared, state| shared.commit(state, &offsets))).await
    }

    /// Throws away what was written since the last commit. The sinks go on in a new transaction.
    ///
    /// # Errors
    ///
    /// What librdkafka answers; the transactions are then to be opened again, which aborts for certain.
    pub async fn abort(&self) -> Result<(), TransactionError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.end(Shared::abort)).await
    }

    /// Why the producer was fenced, for which librdkafka gives this reason: if its last transaction had been open for longer than it may
    /// be, the broker has aborted that, and nobody else need have taken over.
    pub fn why_fenced(&self, reason: String) -> TransactionError {
        let shared = &self.shared;
        let (open_for, timeout) = (shared.age.elapsed(), shared.settings.timeout);
        if open_for < timeout {
            return TransactionError::Fenced { id: shared.id.clone(), reason };
        }
        TransactionError::TimedOut { id: shared.id.clone(), open_for, timeout }
    }

    /// Whether nothing was written since the last commit or abort.
    pub fn is_empty(&self) -> bool {
        !self.shared.written.load(Ordering::Acquire)
    }
}

/// Runs a step where it may block. If the caller stops waiting, the step still runs to its end.
async fn blocking<T: Send + 'static>(
    step: impl FnOnce() -> Result<T, TransactionError> + Send + 'static,
) -> Result<T, TransactionError> {
    tokio::task::spawn_blocking(step).await.unwrap_or_else(|_panicked_or_shut_down| Err(TransactionError::Ended))
}
