//! Limits of batches.

use std::time::Duration;

use super::row_bytes::fixed_bytes;
use weir_batch::Schema;

/// When a batch is full, and which records are too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fill {
    /// The maximum number of records; at least one.
    pub records_max: usize,
    /// The maximum size in bytes: fixed-width values by their width, texts and bytes by their length. A larger record becomes a
    /// batch by itself.
    pub bytes_max: usize,
    /// The maximum size of a record; larger records are bad records. Counts the values that are read and, in CSV and JSON, the
    /// record's text, which may always have 1 MiB.
    pub record_bytes_max: usize,
    /// The maximum time from the first record to the end of the batch, for pipes and terminals in line-based formats. `None`: no
    /// time limit.
    pub delay_max: Option<Duration>,
}

impl From<usize> for Fill {
    fn from(records_max: usize) -> Fill {
        let (bytes_max, record_bytes_max) = (Fill::BYTES_MAX, Fill::RECORD_BYTES_MAX);
        Fill { records_max, bytes_max, record_bytes_max, delay_max: None }
    }
}

impl Fill {
    /// Changes fields: `Fill::from(8192).with(|it| it.bytes_max = 1 << 20)`.
    pub fn with(mut self, change: impl FnOnce(&mut Fill)) -> Fill {
        change(&mut self);
        self
    }

    /// The default of `bytes_max`.
    pub const BYTES_MAX: usize = 16 * 1024 * 1024;
    /// The default of `record_bytes_max`.
    pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;

    /// The message for a record of `bytes` bytes, which exceeds the limit.
    pub fn too_large(&self, bytes: u64) -> String {
        let bytes_max = self.record_bytes_max;
        format!("the record has {bytes} bytes: the maximum is {bytes_max}; raise `batching.record_bytes_max`")
    }

    /// The same limits, with at most the number of records that fit into a batch of this schema if all texts are empty.
    #[must_use]
    pub fn for_schema(self, schema: &Schema) -> Fill {
        let fitting = self.bytes_max as u64 / fixed_bytes(schema).max(1);
        let records_max = usize::try_from(fitting).unwrap_or(usize::MAX).clamp(1, self.records_max.max(1));
        Fill { records_max, ..self }
    }
}
