//! From topic to topic: a query against the plainest loop that does the same with the same client.
//!
//! Cost model: `opening + records x (consume + produce)`, where librdkafka's own threads do most of both; what is Weir's is
//! gathering records into columns and laying them out again. Both sides open clients of
//! their own in each round, as a run does, read values of 200 bytes from four partitions, and wait for every
//! acknowledgement. The broker is a process beside, on the same two cores: what it takes is in the wall time of both.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use criterion::measurement::Measurement;
use criterion::{BatchSize, Criterion, SamplingMode, Throughput};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::runtime::{Builder, Runtime};
use weir_benches::by_both_clocks;
use weir_plan::Plan;
use weir_query::Query;
use weir_sandbox::{Engine, EngineConfig};
use weir_tests::{Broker, Record};

const PARTITIONS: i32 = 4;

/// `WEIR_KAFKA_RECORDS`, by default 400,000. Criterion's test mode, which only asks whether everything runs, is content with
/// little.
fn records() -> u64 {
    let asked = std::env::var("WEIR_KAFKA_RECORDS").ok().and_then(|records| records.parse().ok());
    let measured = std::env::args().any(|argument| argument == "--bench");
    asked.unwrap_or(if measured { 400_000 } else { 2_000 })
}

/// Reads the topic to its end and writes each record to the other.
fn plain(broker: &Broker, from: &str, to: &str, records: u64) {
    let consumer: BaseConsumer = broker
        .client()
        .set("group.id", broker.name("plain"))
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("queued.max.messages.kbytes", "4096")
        .set("fetch.queue.backoff.ms", "5")
        .create()
        .expect("a consumer");
    let mut partitions = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        partitions.add_partition_offset(from, partition, Offset::Beginning).expect("a partition");
    }
    consumer.assign(&partitions).expect("an assignment");
    let producer: BaseProducer = broker
        .client()
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "5")
        .set("queue.buffering.max.kbytes", "65536")
        .create()
        .expect("a producer");
    let mut left = records;
    while left > 0 {
        let Some(message) = consumer.poll(Duration::from_secs(10)) else { panic!("{left} records did not come") };
        let message = message.expect("a message");
        let mut record = BaseRecord::<[u8], [u8]>::to(to).payload(message.payload().unwrap_or_default());
        if let Some(key) = message.key() {
            record = record.key(key);
        }
        while let Err((error, again)) = producer.send(record) {
            let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
            assert!(error == full, "{error}");
            producer.poll(Duration::from_millis(1));
            record = again;
        }
        left -= 1;
        if left.is_multiple_of(1024) {
            producer.poll(Duration::ZERO);
        }
    }
    while producer.in_flight_count() > 0 {
        producer.poll(Duration::ZERO);
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Of a group of its own, which has read nothing.
fn plan(broker: &Broker, from: &str, to: &str) -> Plan {
    let (brokers, group) = (broker.address(), broker.name(&format!("weir-{to}")));
    let text = format!(
        "name = \"copy\"\n[sources.from]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {from:?}\ngroup = {group:?}\n\
         partitions = \"all\"\nuntil = \"end\"\nformat = \"raw\"\nschema = {{ value = \"utf8\" }}\n\
         [sinks.to]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {to:?}\nformat = \"raw\"\nvalue = \"value\"\n\
         [delivery]\ncommit_ms = 3600000\n"
    );
    Plan::parse(&text, std::path::Path::new(".")).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// Each round writes a topic of its own.
fn next_topic(broker: &Broker) -> String {
    static ROUND: AtomicU64 = AtomicU64::new(0);
    broker.topic(&format!("to-{}", ROUND.fetch_add(1, Ordering::Relaxed)), PARTITIONS)
}

fn two_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn copying<M: Measurement>(criterion: &mut Criterion<M>, clock: &str) {
    let records = records();
    let broker = Broker::shared();
    let from = broker.topic("from", PARTITIONS);
    let value = "x".repeat(200);
    broker.produce(&from, (0..records).map(|id| Record::of(value.clone()).key(id.to_string())));
    let runtime = two_threads();
    let engine = Engine::new(&EngineConfig::default()).expect("an engine");
    let mut group = criterion.benchmark_group(format!("topic to topic, {clock}"));
    group.throughput(Throughput::Elements(records)).sample_size(10).sampling_mode(SamplingMode::Flat);
    group.bench_function("plain loop", |bencher| {
        bencher.iter_batched(|| next_topic(&broker), |to| plain(&broker, &from, &to, records), BatchSize::PerIteration);
    });
    group.bench_function("query", |bencher| {
        bencher.iter_batched(
            || next_topic(&broker),
            |to| {
                let query = Query::build(plan(&broker, &from, &to), &engine);
                let query = runtime.block_on(query).expect("a query");
                let summary = runtime.block_on(query.run()).expect("a run");
                assert_eq!(summary.progress.sinks[0].records, records);
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

by_both_clocks!(copying);
