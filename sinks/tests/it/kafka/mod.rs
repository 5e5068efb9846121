//! Kafka sinks, over librdkafka's mock cluster. It cannot show what a transaction makes visible: that takes a broker.

mod cluster;
mod conformance;
mod faults;
mod options;
mod records;
mod settings;
mod transactions;
