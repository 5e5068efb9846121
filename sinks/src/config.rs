//! Which sinks there are.

use std::sync::Arc;

use weir_batch::Schema;

use crate::{
    CountingSink, CustomSink, FileSink, FileSinkConfig, KafkaSink, KafkaSinkConfig, MemoryHandle, MemorySink, Sink,
    SinkError, StdoutSink, StdoutSinkConfig,
};

/// The settings of any sink.
#[derive(Clone, Debug)]
pub enum SinkConfig {
    /// The standard output.
    Stdout(StdoutSinkConfig),
    /// A file, or numbered files.
    File(FileSinkConfig),
    /// A Kafka topic, without transactions: a sink that writes in one is made by [`crate::KafkaTransactions::sink`].
    Kafka(Box<KafkaSinkConfig>),
    /// Memory, read through the handle.
    Memory(MemoryHandle),
    /// A sink that the embedding program brings.
    Custom(CustomSink),
    /// Nothing: batches are counted and dropped.
    Count,
}

impl SinkConfig {
    /// Checks what can be checked without opening anything, and without a schema: for Kafka see also
    /// [`KafkaSinkConfig::validate`].
    ///
    /// # Errors
    ///
    /// [`SinkError::Config`], which names the setting.
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
    /// What [`SinkConfig::validate`] refuses, and what the place answers.
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
