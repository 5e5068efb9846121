//! What these tests share.

use std::time::Duration;

use rdkafka::producer::{BaseProducer, Producer};
use weir_tests::{Broker, Record, drain};

/// Longer than any call takes that is going to succeed.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A transactional producer, ready to begin. A second one of the same id fences the first.
pub(crate) fn transactional(broker: &Broker, id: &str) -> BaseProducer {
    let mut config = broker.client();
    let producer: BaseProducer = config.set("transactional.id", broker.name(id)).create().expect("a producer");
    producer.init_transactions(SOON).expect("a producer id");
    producer
}

/// Writes values in a transaction that stays open, all of them delivered.
pub(crate) fn begin_with(producer: &BaseProducer, topic: &str, values: &[&str]) {
    producer.begin_transaction().expect("a transaction");
    for value in values {
        Record::of(*value).send(producer, topic).expect("a place in the queue");
    }
    drain(producer, SOON).expect("every record delivered");
}
