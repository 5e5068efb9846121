//! A program without Kafka: nothing can be opened, since no value of these types can be made.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use weir_batch::Schema;
use weir_kafka::KafkaConnection;
use weir_state::Positions;

use super::{BacklogError, BacklogMessage, KafkaSourceConfig, KafkaSourceError};
use crate::{Source, SourceError, SourceEvent};

const ABSENT: &str = "this program was built without Kafka: build it with the feature `kafka`";

/// Reads topics. This program was built without the feature `kafka`, and opens none.
pub enum KafkaSource {}

impl KafkaSource {
    /// A source of topics.
    ///
    /// # Errors
    ///
    /// Always: this program was built without Kafka.
    pub fn new(config: KafkaSourceConfig, _schema: Arc<Schema>) -> Result<KafkaSource, SourceError> {
        let source = KafkaSourceError::Settings(ABSENT.to_owned());
        Err(SourceError::Kafka { brokers: config.connection.brokers, source })
    }
}

#[async_trait]
impl Source for KafkaSource {
    fn schema(&self) -> &Arc<Schema> {
        match *self {}
    }

    async fn seek(&mut self, _: &Positions) -> Result<(), SourceError> {
        match *self {}
    }

    async fn next(&mut self) -> Result<Option<SourceEvent>, SourceError> {
        match *self {}
    }
}

/// Messages of a topic behind the positions of a group. This program was built without the feature `kafka`, and reads none.
pub enum Backlog {}

impl Backlog {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// Always: this program was built without Kafka.
    pub fn read(
        _connection: &KafkaConnection,
        _topic: &str,
        _group: &str,
        _take: impl FnMut(&BacklogMessage<'_>) -> io::Result<()>,
    ) -> Result<Backlog, BacklogError> {
        Err(BacklogError::Kafka(ABSENT.to_owned()))
    }

    /// Keeps the positions behind everything that was read.
    ///
    /// # Errors
    ///
    /// None: there is nothing to keep.
    pub fn keep(self) -> Result<(), BacklogError> {
        match self {}
    }
}
