//! Records as messages of a topic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use weir_batch::{Batch, Schema};

use super::KafkaSinkConfig;
use super::layout::Layout;
use super::membership::Membership;
use super::producer::{Producer, ProducerSettings, Sent};
use super::record::{Record, content_bytes};
use super::refusals::Standing;
use super::sizes::{self, ProducerSizes, SizeLimits};
use crate::blocking::off_thread;
use crate::memory::check_schema;
use crate::phase::Phase;
use crate::{RowRefusal, Sink, SinkError, SinkStats, Written};
use weir_kafka::KafkaProblem;

/// How long deliveries may go unheard while nothing is written.
const TICK: Duration = Duration::from_millis(100);

/// Writes records to a Kafka topic, one message each, through an idempotent producer.
///
/// `write` hands records to librdkafka's queue and waits where that is full. `flush` waits until all in-sync replicas
/// have acknowledged every record, which takes `linger.ms` at least and `delivery_timeout` at most. Order is kept
/// within a partition. The first record that is lost fails the sink: what is still in its queue is thrown away.
///
/// The sink asks its topic for `max.message.bytes` when it opens, and measures each record before it hands it over: one that
/// is larger is a refused row. Of records that are compressed the broker alone knows the size: what it refuses fails the sink,
/// and [`super::BrokerRefusals`] finds out which record it was.
///
/// Dropped without `close`, the sink throws its queue away; records that are on the wire at that moment may still
/// arrive. A producer without transactions cannot take back what was acknowledged either, so that a reader may see part
/// of what was never flushed.
///
/// A sink of [`crate::KafkaTransactions::sink`] writes in the transaction of its query: its flush waits for the
/// acknowledgements too, and readers see the records with the commit.
pub struct KafkaSink {
    inner: Option<Inner>,
    stop: Arc<AtomicBool>,
    phase: Phase,
    stats: SinkStats,
    deadline: Option<Instant>,
}

/// What travels to the blocking thread and back.
struct Inner {
    layout: Layout,
    schema: Arc<Schema>,
    outlet: Outlet,
    limits: SizeLimits,
    stop: Arc<AtomicBool>,
    bytes: u64,
}

/// Through which producer the records go.
enum Outlet {
    Own(Producer),
    Shared(Membership),
}

impl KafkaSink {
    /// Opens the sink, and asks the brokers for the topic.
    ///
    /// # Errors
    ///
    /// Settings that [`KafkaSinkConfig::validate`] refuses; [`SinkError::Kafka`] where no broker answers within
    /// `open_timeout`, the topic is not there, or the user may not see it.
    pub async fn open(config: &KafkaSinkConfig, schema: &Arc<Schema>) -> Result<KafkaSink, SinkError> {
        config.validate(schema)?;
        let config = config.clone();
        let layout = Layout::new(&config, schema)?;
        let opened = off_thread(move || {
            let failed = |source| SinkError::Kafka { topic: config.topic.clone(), partition: None, source };
            let topics = [config.topic.as_str()];
            let limits = sizes::ask(&config.connection, &topics, config.open_timeout).map_err(failed)?;
            let settings = ProducerSettings {
                partitioner: config.partitioner,
                compression: config.compression,
                delivery_timeout: config.delivery_timeout,
                transactional: None,
                sizes: ProducerSizes::of(&config.connection, &topics, &limits),
                refusals: config.refusals.clone(),
            };
            let producer = Producer::create(&config.connection, &settings).map_err(failed)?;
            producer.check_topic(&config.topic, config.open_timeout).map_err(failed)?;
            let told = (&limits, settings.sizes);
            let limits = SizeLimits::new(&config.topic, &config.connection, config.compression, told);
            Ok((Outlet::Own(producer), limits))
        });
        let (outlet, limits) = opened.await?;
        Ok(KafkaSink::over(layout, schema, outlet, limits))
    }

    /// A sink that writes in a transaction.
    pub(super) fn in_transaction(
        layout: Layout,
        schema: &Arc<Schema>,
        membership: Membership,
        limits: SizeLimits,
    ) -> KafkaSink {
        KafkaSink::over(layout, schema, Outlet::Shared(membership), limits)
    }

    fn over(layout: Layout, schema: &Arc<Schema>, outlet: Outlet, limits: SizeLimits) -> KafkaSink {
        let (schema, stop) = (Arc::clone(schema), Arc::new(AtomicBool::new(false)));
        let inner = Inner { layout, schema, outlet, limits, stop: Arc::clone(&stop), bytes: 0 };
        KafkaSink { inner: Some(inner), stop, phase: Phase::Open, stats: SinkStats::default(), deadline: None }
    }

    /// Runs a step away from the async threads. After an error the producer is gone, and what was in its queue.
    async fn step<T: Send + 'static>(
        &mut self,
        step: impl FnOnce(&mut Inner) -> Result<T, SinkError> + Send + 'static,
    ) -> Result<T, SinkError> {
        self.phase.check()?;
        let Some(mut inner) = self.inner.take() else { return Err(SinkError::AfterError) };
        self.deadline = None;
        let done = off_thread(move || step(&mut inner).map(|answer| (inner, answer))).await;
        let (inner, answer) = self.phase.keep(done)?;
        self.stats.bytes = inner.bytes;
        self.deadline = (!inner.producer().is_idle()).then(|| Instant::now() + TICK);
        self.inner = Some(inner);
        Ok(answer)
    }
}

impl Drop for KafkaSink {
    fn drop(&mut self) {
        // A step may still run on its thread, waiting for a broker: there is nobody left to wait for it.
        self.stop.store(true, Ordering::Release);
    }
}

impl Inner {
    fn producer(&self) -> &Producer {
        match &self.outlet {
            Outlet::Own(producer) => producer,
            Outlet::Shared(membership) => membership.producer(),
        }
    }

    fn write(&mut self, batch: &Batch) -> Result<Written, SinkError> {
        check_schema(&self.schema, batch)?;
        let Inner { layout, outlet, stop, bytes, limits, .. } = self;
        let topic = Arc::clone(layout.topic());
        let mut send_all = |producer: &Producer| {
            producer.check_served(stop).map_err(|problem| failed(producer, &topic, problem))?;
            let mut sent = 0_u32;
            layout.send(batch, |record| {
                // Reports are taken in as they come, so that they do not pile up.
                sent = sent.wrapping_add(1);
                let served = if sent.is_multiple_of(1024) { producer.check_served(stop) } else { Ok(()) };
                let handed = served.and_then(|()| hand_over(producer, limits, record, stop));
                handed.map_err(|problem| failed(producer, &topic, problem))
            })
        };
        let (written, refused) = match outlet {
            Outlet::Own(producer) => send_all(producer)?,
            Outlet::Shared(_) if batch.is_empty() => Default::default(),
            Outlet::Shared(membership) => {
                let transaction = membership.enter().map_err(|problem| of_topic(&topic, problem))?;
                let written = send_all(transaction.producer())?;
                transaction.all_written();
                written
            }
        };
        *bytes = bytes.saturating_add(written);
        Ok(Written { refused })
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        if let Outlet::Shared(membership) = &self.outlet {
            membership.check().map_err(|problem| of_topic(self.layout.topic(), problem))?;
        }
        let delivered = self.producer().await_deliveries(&self.stop);
        delivered.map_err(|problem| failed(self.producer(), self.layout.topic(), problem))
    }

    fn tick(&mut self) -> Result<(), SinkError> {
        let served = self.producer().check_served(&self.stop);
        served.map_err(|problem| failed(self.producer(), self.layout.topic(), problem))
    }
}

/// Hands a record to librdkafka, or says why it cannot be.
fn hand_over(
    producer: &Producer,
    limits: &SizeLimits,
    record: Record<'_>,
    stop: &AtomicBool,
) -> Result<Option<RowRefusal>, KafkaProblem> {
    if let Some(why) = limits.refuse(&record) {
        return Ok(Some(why));
    }
    let topic = record.topic;
    let suspect = match producer.refusals().standing(topic, record.key, record.payload) {
        Standing::Unknown => None,
        Standing::Guilty(problem) => {
            return Ok(Some(limits.refused_by_broker(content_bytes(&record), problem)));
        }
        Standing::Suspect(content) => Some(content),
    };
    // A suspect shares its batch with no other record.
    if suspect.is_some() {
        producer.await_deliveries(stop)?;
    }
    let sent = producer.send(record, stop)?;
    if let Some(content) = suspect {
        producer.await_deliveries(stop)?;
        producer.refusals().cleared(content);
    }
    Ok(match sent {
        Sent::Queued => None,
        Sent::TooLarge(bytes) => Some(limits.refused_by_client(bytes)),
        Sent::NoPartition(partition) => Some(RowRefusal::NoPartition { topic: topic.to_owned(), partition }),
    })
}

/// The problem, told of the record that was lost first where there is one.
fn failed(producer: &Producer, topic: &str, source: KafkaProblem) -> SinkError {
    match producer.failure() {
        Some(lost) => SinkError::Kafka { topic: lost.topic, partition: lost.partition, source },
        None => of_topic(topic, source),
    }
}

fn of_topic(topic: &str, source: KafkaProblem) -> SinkError {
    SinkError::Kafka { topic: topic.to_owned(), partition: None, source }
}

#[async_trait]
impl Sink for KafkaSink {
    async fn write(&mut self, batch: Arc<Batch>) -> Result<Written, SinkError> {
        let taken = Arc::clone(&batch);
        let written = self.step(move |inner| inner.write(&taken)).await?;
        self.stats.count(&batch, written.refused.len());
        Ok(written)
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        self.step(Inner::flush).await
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        if self.phase == Phase::Closed {
            return Ok(());
        }
        self.step(Inner::flush).await?;
        self.phase = Phase::Closed;
        self.deadline = None;
        let Some(inner) = self.inner.take() else { return Ok(()) };
        // All is delivered: how the producer's threads end no longer matters to the sink.
        off_thread(move || {
            match inner.outlet {
                Outlet::Own(producer) => producer.close(),
                Outlet::Shared(membership) => membership.leave(),
            }
            Ok(())
        })
        .await
    }

    fn stats(&self) -> SinkStats {
        self.stats
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.deadline
    }

    async fn tick(&mut self) -> Result<(), SinkError> {
        match self.deadline {
            Some(deadline) if deadline <= Instant::now() => self.step(Inner::tick).await,
            _ => Ok(()),
        }
    }
}
