//! Describes Kafka sources, sinks and dead letters in a plan.

use std::fmt;

use weir_sinks::{KafkaKey, KafkaPartitioner, KafkaSinkConfig, KafkaTimestamp, KafkaValue};

use weir_sources::{KafkaIsolation, KafkaOutOfRange, KafkaPartitions, KafkaSourceConfig, KafkaStart};

/// `kafka flights at b:9092, json_lines, group acme.late`, and settings that differ from the defaults.
pub(super) fn describe_source(config: &KafkaSourceConfig, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "kafka {} at {}, {}", config.topics.join(", "), config.connection.brokers, config.format)?;
    write!(f, ", group {}", config.group)?;
    match &config.partitions {
        KafkaPartitions::Group => {}
        KafkaPartitions::All => f.write_str(", all partitions")?,
        KafkaPartitions::List(numbers) => {
            let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
            write!(f, ", partitions {}", numbers.join(", "))?;
        }
    }
    match config.start {
        KafkaStart::Earliest => f.write_str(", from the earliest record")?,
        KafkaStart::Latest => f.write_str(", from the next record")?,
        KafkaStart::Timestamp(ms) => write!(f, ", from {ms} ms since 1970")?,
    }
    match config.on_out_of_range {
        KafkaOutOfRange::Fail => {}
        KafkaOutOfRange::Earliest => f.write_str(", out of range from the earliest record")?,
        KafkaOutOfRange::Latest => f.write_str(", out of range from the next record")?,
    }
    if config.isolation == KafkaIsolation::ReadUncommitted {
        f.write_str(", uncommitted records too")?;
    }
    if config.skip_tombstones {
        f.write_str(", tombstones are skipped")?;
    }
    f.write_str(if config.until_end { ", to the end" } else { ", without end" })
}

/// `kafka late at b:9092, json_lines`, and settings that differ from the defaults.
pub(super) fn describe_sink(config: &KafkaSinkConfig, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "kafka {} at {}, ", config.topic, config.connection.brokers)?;
    match &config.value {
        KafkaValue::JsonLines => f.write_str("json_lines")?,
        KafkaValue::Csv => f.write_str("csv")?,
        KafkaValue::Bincode => f.write_str("bincode")?,
        KafkaValue::Raw { column } => write!(f, "the bytes of `{column}`")?,
    }
    match &config.key {
        KafkaKey::System => {}
        KafkaKey::Column(column) => write!(f, ", key of `{column}`")?,
        KafkaKey::None => f.write_str(", no key")?,
    }
    if config.partitioner != KafkaPartitioner::default() {
        write!(f, ", partitioner {}", config.partitioner.name())?;
    }
    for (name, column) in &config.headers {
        write!(f, ", header {name} of `{column}`")?;
    }
    if !config.pass_headers {
        f.write_str(", without input headers")?;
    }
    match &config.timestamp {
        KafkaTimestamp::System => {}
        KafkaTimestamp::Column(column) => write!(f, ", timestamp of `{column}`")?,
        KafkaTimestamp::Now => f.write_str(", time of writing as timestamp")?,
    }
    match config.compression.name() {
        "none" => Ok(()),
        name => write!(f, ", {name}"),
    }
}
