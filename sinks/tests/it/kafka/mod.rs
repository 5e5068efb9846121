//! Kafka sinks, over librdkafka's mock cluster. It cannot show what a transaction makes visible: that takes a broker.

mod cluster;
mod conformance;
mod faults;
mod records;
mod settings;
mod transactions;
