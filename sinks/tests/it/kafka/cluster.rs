//! A mock cluster, and a plain reader of its topics.

use std::collections::HashSet;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use weir_kafka::KafkaConnection;

type Mock = MockCluster<'static, DefaultProducerContext>;
type Order = Box<dyn FnOnce(&Mock) + Send>;

/// One mock broker. librdkafka's handle cannot change threads, so it stays on one of its own and takes orders.
pub(super) struct Cluster {
    orders: mpsc::Sender<Order>,
    brokers: String,
}

impl Cluster {
    pub(super) fn new() -> Cluster {
        let (orders, inbox) = mpsc::channel::<Order>();
        let (ready, brokers) = mpsc::channel();
        thread::spawn(move || {
            let mock = Mock::new(1).unwrap();
            ready.send(mock.bootstrap_servers()).unwrap();
            for order in inbox {
                order(&mock);
            }
        });
        Cluster { orders, brokers: brokers.recv().unwrap() }
    }

    fn run(&self, order: impl FnOnce(&Mock) + Send + 'static) {
        let (done, wait) = mpsc::channel();
        let order: Order = Box::new(move |mock| {
            order(mock);
            done.send(()).unwrap();
        });
        self.orders.send(order).unwrap();
        wait.recv().unwrap();
    }

    /// A connection that does not wait long before it tries again.
    pub(super) fn connection(&self) -> KafkaConnection {
        KafkaConnection::new(&self.brokers)
            .with("reconnect.backoff.ms", "20")
            .with("reconnect.backoff.max.ms", "100")
            .with("retry.backoff.ms", "20")
            .with("linger.ms", "0")
    }

    pub(super) fn topic(&self, topic: &str, partitions: i32) {
        let topic = topic.to_owned();
        self.run(move |mock| mock.create_topic(&topic, partitions, 1).unwrap());
    }

    /// The next requests of this kind are answered with these errors.
    pub(super) fn fail(&self, request: RDKafkaApiKey, errors: &[RDKafkaRespErr]) {
        let errors = errors.to_vec();
        self.run(move |mock| mock.request_errors(request, &errors));
    }

    pub(super) fn down(&self) {
        self.run(|mock| mock.broker_down(-1).unwrap());
    }

    pub(super) fn up(&self) {
        self.run(|mock| mock.broker_up(-1).unwrap());
    }

    /// Every message of the topic, partition after partition.
    pub(super) async fn read(&self, topic: &str) -> Vec<Read> {
        let (brokers, topic) = (self.brokers.clone(), topic.to_owned());
        tokio::task::spawn_blocking(move || read(&brokers, &topic)).await.unwrap()
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Read {
    pub(super) partition: i32,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) millis: Option<i64>,
    pub(super) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Read {
    /// `key=value`, then the headers.
    pub(super) fn text(&self) -> String {
        let bytes = |bytes: &Option<Vec<u8>>| match bytes {
            Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            None => "(none)".to_owned(),
        };
        let headers = self.headers.iter().map(|(name, value)| format!(" {name}:{}", bytes(value)));
        format!("{} = {}{}", bytes(&self.key), bytes(&self.value), headers.collect::<String>())
    }
}

fn read(brokers: &str, topic: &str) -> Vec<Read> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "reader")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", "10")
        .set("isolation.level", "read_uncommitted")
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(60)).unwrap();
    let mut open: HashSet<i32> = metadata.topics()[0].partitions().iter().map(|partition| partition.id()).collect();
    let mut from = TopicPartitionList::new();
    for &partition in &open {
        from.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&from).unwrap();
    let (begin, mut messages) = (Instant::now(), Vec::new());
    while !open.is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(60), "no end of {open:?}");
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(open.remove(&partition)),
            Some(Err(error)) => panic!("{error}"),
            Some(Ok(message)) => messages.push(Read {
                partition: message.partition(),
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().map(<[u8]>::to_vec),
                millis: message.timestamp().to_millis(),
                headers: message.headers().map_or_else(Vec::new, |headers| {
                    headers.iter().map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec))).collect()
                }),
            }),
        }
    }
    messages.sort_by_key(|message| message.partition);
    messages
}
