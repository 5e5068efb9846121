//! The source over librdkafka's mock cluster.

mod decode;
mod faults;
mod group;
mod positions;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use weir_batch::{DataType, Field, Schema};
use weir_formats::Fill;
use weir_kafka::KafkaConnection;

use super::{KafkaPartitions, KafkaSource, KafkaSourceConfig};
use crate::{Begin, Source, SourceBatch, SourceError, SourceEvent};

/// Longer than anything takes on a machine that does other things too: what takes as long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) type Cluster = MockCluster<'static, DefaultProducerContext>;

/// A broker with the topic `in`, which has this number of partitions.
fn cluster(partitions: i32) -> Cluster {
    let cluster = Cluster::new(1).unwrap();
    cluster.create_topic("in", partitions, 1).unwrap();
    cluster
}

/// A source of JSON objects with an `id`, of all partitions, to their end.
fn config(cluster: &Cluster) -> KafkaSourceConfig {
    let connection = KafkaConnection::new(cluster.bootstrap_servers());
    let mut config = KafkaSourceConfig::new(connection, "in", "acme.q");
    config.partitions = KafkaPartitions::All;
    config.until_end = true;
    config.fill = Fill::from(100).with(|it| it.delay_max = Some(Duration::from_millis(20)));
    config
}

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![Field::new("id", DataType::I64)]).unwrap())
}

fn open(config: &KafkaSourceConfig) -> KafkaSource {
    KafkaSource::new(config.clone(), schema()).unwrap()
}

struct Writer(BaseProducer);

impl Writer {
    fn new(cluster: &Cluster) -> Writer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", cluster.bootstrap_servers()).set("linger.ms", "0");
        Writer(config.create().unwrap())
    }

    /// Ids to a partition.
    fn ids(&self, topic: &str, partition: i32, ids: std::ops::Range<i64>) {
        for id in ids {
            self.value(topic, partition, Some(format!("{{\"id\":{id}}}").as_bytes()));
        }
        self.flush();
    }

    fn value(&self, topic: &str, partition: i32, value: Option<&[u8]>) {
        let mut record = BaseRecord::<str, [u8]>::to(topic).partition(partition);
        record.payload = value;
        self.0.send(record).map_err(|(error, _)| error).unwrap();
    }

    fn whole(&self, key: &str, value: &str, timestamp_ms: i64, headers: &[(&str, Option<&str>)]) {
        let mut owned = OwnedHeaders::new();
        for (key, value) in headers {
            owned = owned.insert(Header { key, value: *value });
        }
        let record = BaseRecord::to("in").partition(0).key(key).payload(value).timestamp(timestamp_ms).headers(owned);
        self.0.send(record).map_err(|(error, _)| error).unwrap();
        self.flush();
    }

    fn flush(&self) {
        self.0.flush(PATIENCE).unwrap();
    }
}

/// The next event.
async fn next(source: &mut KafkaSource) -> Result<Option<SourceEvent>, SourceError> {
    tokio::time::timeout(PATIENCE, source.next()).await.expect("something within a minute")
}

/// Waits until the source has asked where its partitions begin, and says where those do that had no position.
async fn begin(source: &mut KafkaSource) -> Begin {
    match next(source).await.unwrap().unwrap() {
        SourceEvent::Begin(begin) => begin,
        other => panic!("{other:?}"),
    }
}

/// The next event that does not only say where partitions begin.
async fn event(source: &mut KafkaSource) -> Result<Option<SourceEvent>, SourceError> {
    loop {
        match next(source).await {
            Ok(Some(SourceEvent::Begin(_))) => {}
            other => return other,
        }
    }
}

/// Whether nothing more than beginnings comes within this time.
async fn is_silent(source: &mut KafkaSource, at_least: Duration) -> bool {
    tokio::time::timeout(at_least, event(source)).await.is_err()
}

/// Waits until it is so.
async fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The next batch of a source that has nothing else to say.
async fn batch(source: &mut KafkaSource) -> Option<SourceBatch> {
    match event(source).await.unwrap() {
        None => None,
        Some(SourceEvent::Batch(batch)) => Some(batch),
        Some(other) => panic!("{other:?}"),
    }
}

/// Every batch to the end.
async fn all(source: &mut KafkaSource) -> Vec<SourceBatch> {
    let mut batches = Vec::new();
    while let Some(batch) = batch(source).await {
        batches.push(batch);
    }
    batches
}

/// The ids that count in a batch.
fn ids(batch: &SourceBatch) -> Vec<i64> {
    let batch = batch.batch.to_arrow().unwrap();
    let column = batch.column(0).as_any().downcast_ref::<weir_batch::arrow::array::Int64Array>().unwrap();
    column.values().to_vec()
}

fn sorted_ids<'a>(batches: impl IntoIterator<Item = &'a SourceBatch>) -> Vec<i64> {
    let mut all: Vec<i64> = batches.into_iter().flat_map(ids).collect();
    all.sort_unstable();
    all
}
