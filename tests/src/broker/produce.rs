//! A producer that is not the one under test.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use super::client;

/// One record to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The partition, or `None` for the one that the key says.
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is what deletes a key.
    pub value: Option<Vec<u8>>,
    /// The headers, in order. A name may occur again, and a value may be absent.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Milliseconds since 1970, or `None` for now.
    pub timestamp_ms: Option<i64>,
}

impl Record {
    /// A record with this value alone.
    pub fn of(value: impl Into<Vec<u8>>) -> Record {
        Record { value: Some(value.into()), ..Record::default() }
    }

    /// With a key.
    #[must_use]
    pub fn key(self, key: impl Into<Vec<u8>>) -> Record {
        Record { key: Some(key.into()), ..self }
    }

    /// To this partition.
    #[must_use]
    pub fn to(self, partition: i32) -> Record {
        Record { partition: Some(partition), ..self }
    }

    /// Hands the record to a producer's queue, and waits where that is full.
    ///
    /// # Errors
    ///
    /// If it can never be sent, as where it is too large.
    pub fn send<C: ProducerContext<DeliveryOpaque = ()>>(
        &self,
        producer: &BaseProducer<C>,
        topic: &str,
    ) -> Result<(), KafkaError> {
        loop {
            let mut record = BaseRecord::<[u8], [u8]>::to(topic);
            record.partition = self.partition;
            record.key = self.key.as_deref();
            record.payload = self.value.as_deref();
            record.timestamp = self.timestamp_ms;
            if !self.headers.is_empty() {
                let mut headers = OwnedHeaders::new_with_capacity(self.headers.len());
                for (key, value) in &self.headers {
                    headers = headers.insert(Header { key, value: value.as_deref() });
                }
                record.headers = Some(headers);
            }
            match producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    producer.poll(Duration::from_millis(1));
                }
                Err((error, _)) => return Err(error),
            }
        }
    }
}

/// Counts what was delivered, and keeps the first failure.
#[derive(Clone, Debug, Default)]
struct Reports(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    delivered: AtomicU64,
    failed: Mutex<Option<KafkaError>>,
}

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.0.delivered.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, _)) => {
                self.0.failed.lock().expect("no panic while it is held").get_or_insert_with(|| error.clone());
            }
        }
    }
}

/// Writes all records in order and returns how many, when the broker has said that it has each of them.
pub(super) fn produce(
    address: &str,
    topic: &str,
    records: impl IntoIterator<Item = Record>,
) -> Result<u64, KafkaError> {
    let reports = Reports::default();
    let producer: BaseProducer<Reports> = client::config(address)
        // What an oracle writes twice could not be told from what the tested code does twice.
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .set("message.timeout.ms", "60000")
        .create_with_context(reports.clone())?;
    let failure = || reports.0.failed.lock().expect("no panic while it is held").clone();
    let mut sent = 0;
    for record in records {
        record.send(&producer, topic)?;
        sent += 1;
        if sent % 1024 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    drain(&producer, Duration::from_secs(90))?;
    match failure() {
        Some(error) => Err(error),
        None => {
            assert_eq!(reports.0.delivered.load(Ordering::Relaxed), sent, "records with a report");
            Ok(sent)
        }
    }
}

/// Waits until nothing is on its way. Unlike `flush`, which takes 100 ms at least, it returns at once then; call it before a commit or
/// an abort too.
///
/// # Errors
///
/// If something still is after this time.
pub fn drain<C: ProducerContext>(producer: &BaseProducer<C>, at_most: Duration) -> Result<(), KafkaError> {
    let start = Instant::now();
    loop {
        producer.poll(Duration::ZERO);
        if producer.in_flight_count() == 0 {
            return Ok(());
        }
        if start.elapsed() > at_most {
            return Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
