//! How far a partition was read.

use std::sync::Arc;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// The progress of one partition of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[non_exhaustive]
pub struct PartitionProgress {
    /// The topic or file.
    pub origin: Arc<str>,
    /// Its number.
    pub number: i32,
    /// The offset of the next record to process; `None` before the first and after the last one.
    pub read: Option<i64>,
    /// The offset at which a new run would begin; likewise.
    pub committed: Option<i64>,
    /// The offset of the next record to be written to the partition, as far as it is known.
    pub end: Option<i64>,
    /// Available records that are not committed.
    pub lag: Option<i64>,
    /// Whether it was read to its end.
    pub read_to_end: bool,
    /// Whether it was read to its end and everything is committed.
    pub done: bool,
}
