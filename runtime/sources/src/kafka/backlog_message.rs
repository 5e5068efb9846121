//! Messages of a backlog, and what can go wrong with them.

use std::io;
use std::time::Duration;

use weir_batch::Fault;

/// A message of a [`super::Backlog`]. Messages of one partition come in their order.
#[derive(Debug)]
#[non_exhaustive]
pub struct BacklogMessage<'a> {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// A backlog that could not be read, or whose positions could not be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BacklogError {
    /// The brokers did not answer, or refused.
    #[error("{0}")]
    Kafka(String),
    /// The topic's end did not come.
    #[error("timed out after {} s while reading to the end: check that all brokers are up", .0.as_secs())]
    NoEnd(Duration),
    /// Whoever takes the messages could not.
    #[error(transparent)]
    Taker(#[from] io::Error),
}

impl BacklogError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        Fault::External
    }

    /// Whether the same may succeed later: brokers may answer then.
    pub fn retryable(&self) -> bool {
        !matches!(self, BacklogError::Taker(_))
    }
}
