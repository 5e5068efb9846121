//! Sinks over a real file system, real pipes and a mock of Kafka.

mod conformance;
mod files;
mod full_disk;
mod kafka;
mod stdout;
