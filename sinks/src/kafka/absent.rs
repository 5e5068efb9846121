//! A program without Kafka: nothing can be opened, since no value of these types can be made.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use weir_batch::{Batch, Schema};
use weir_kafka::{GroupOffsets, KafkaConnection};

use super::{KafkaSinkConfig, TransactionError, TransactionSettings};
use crate::{Sink, SinkError, SinkStats, Written};

const ABSENT: &str = "this program was built without Kafka: build it with the feature `kafka`";

/// Writes records to a topic. This program was built without the feature `kafka`, and opens none.
pub enum KafkaSink {}

impl KafkaSink {
    /// Opens the sink.
    ///
    /// # Errors
    ///
    /// Always: this program was built without Kafka.
    pub async fn open(_config: &KafkaSinkConfig, _schema: &Arc<Schema>) -> Result<KafkaSink, SinkError> {
        Err(SinkError::Config { key: "kind", reason: ABSENT.to_owned() })
    }
}

#[async_trait]
impl Sink for KafkaSink {
    async fn write(&mut self, _: Arc<Batch>) -> Result<Written, SinkError> {
        match *self {}
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        match *self {}
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        match *self {}
    }

    fn stats(&self) -> SinkStats {
        match *self {}
    }
}

/// The transactions of one query. This program was built without the feature `kafka`, and opens none.
#[derive(Clone)]
pub enum KafkaTransactions {}

impl KafkaTransactions {
    /// Opens the transactions of this id.
    ///
    /// # Errors
    ///
    /// Always: this program was built without Kafka.
    pub async fn open(
        _connection: &KafkaConnection,
        _id: &str,
        _settings: &TransactionSettings,
    ) -> Result<KafkaTransactions, TransactionError> {
        Err(KafkaTransactions::absent())
    }

    /// Aborts what a dead process left open under this id.
    ///
    /// # Errors
    ///
    /// Always: this program was built without Kafka.
    pub fn abort_left_open(
        _connection: &KafkaConnection,
        _id: &str,
        _settings: &TransactionSettings,
        _at_most: Duration,
    ) -> Result<(), TransactionError> {
        Err(KafkaTransactions::absent())
    }

    fn absent() -> TransactionError {
        TransactionError::Config { key: "kind", reason: ABSENT.to_owned() }
    }

    /// A sink that writes in these transactions.
    ///
    /// # Errors
    ///
    /// None: there are no transactions to write in.
    pub async fn sink(&self, _config: &KafkaSinkConfig, _schema: &Arc<Schema>) -> Result<KafkaSink, SinkError> {
        match *self {}
    }

    /// The connection that its sinks share.
    pub fn connection(&self) -> &KafkaConnection {
        match *self {}
    }

    /// The settings that its sinks share.
    pub fn settings(&self) -> &TransactionSettings {
        match *self {}
    }

    /// Begins a transaction unless one is open.
    ///
    /// # Errors
    ///
    /// None.
    pub async fn begin_if_needed(&self) -> Result<(), TransactionError> {
        match *self {}
    }

    /// Commits what was written since the last commit.
    ///
    /// # Errors
    ///
    /// None.
    pub async fn commit(&self, _offsets: Vec<GroupOffsets>) -> Result<(), TransactionError> {
        match *self {}
    }

    /// Throws away what was written since the last commit.
    ///
    /// # Errors
    ///
    /// None.
    pub async fn abort(&self) -> Result<(), TransactionError> {
        match *self {}
    }

    /// Why the producer was fenced.
    pub fn why_fenced(&self, _reason: String) -> TransactionError {
        match *self {}
    }

    /// Whether nothing was written since the last commit or abort.
    pub fn is_empty(&self) -> bool {
        match *self {}
    }
}
