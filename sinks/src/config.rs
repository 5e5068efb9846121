//! The kinds of sinks.

use std::sync::Arc;

use weir_batch::Schema;

use crate::{
    CountingSink, CustomSink, FileSink, FileSinkConfig, KafkaSink, KafkaSinkConfig, MemoryHandle, MemorySink, Sink,
    SinkError, StdoutSink, StdoutSinkConfig,
};

/// The settings of any sink.
#[derive(Clone, Debug)]
pub enum SinkConfig {
    /// Standard output.
    Stdout(StdoutSinkConfig),
    /// A file, or numbered files.
    File(FileSinkConfig),
    /// A Kafka topic, without transactions: [`crate::KafkaTransactions::sink`] creates sinks with transactions.
    Kafka(Box<KafkaSinkConfig>),
    /// Memory, which is read through the handle.
    Memory(MemoryHandle),
    /// A sink of the embedding program.
    Custom(CustomSink),
    /// A sink that counts batches and drops them.
    Count,
}

impl SinkConfig {
    /// Checks everything that needs neither the schema nor an open connection or file: for Kafka see also
    /// [`KafkaSinkConfig::validate`].
    ///
    /// # Errors
    ///
    /// [`SinkError::Config`] with the key.
    pub fn validate(&self) -> Result<(), SinkError> {
        match self {
            SinkConfig::File(config) => config.validate(),
            SinkConfig::Kafka(config) => config.validate_settings(),
            SinkConfig::Custom(config) => config.validate(),
            SinkConfig::Stdout(_) | SinkConfig::Memory(_) | SinkConfig::Count => Ok(()),
        }
    }

    /// Opens the sink for batches of this schema.
    ///
    /// # Errors
    ///
    /// The errors of [`SinkConfig::validate`], and errors of opening.
    pub async fn build(&self, schema: &Arc<Schema>) -> Result<Box<dyn Sink>, SinkError> {
        Ok(match self {
            SinkConfig::Stdout(config) => Box::new(StdoutSink::open(config, schema).await?),
            SinkConfig::File(config) => Box::new(FileSink::open(config, schema).await?),
            SinkConfig::Kafka(config) => Box::new(KafkaSink::open(config, schema).await?),
            SinkConfig::Memory(handle) => Box::new(MemorySink::new(schema, handle.clone())),
            SinkConfig::Custom(config) => config.open(schema).await?,
            SinkConfig::Count => Box::new(CountingSink::new(schema)),
        })
    }
}
