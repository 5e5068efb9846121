//! How much a batch holds.

use std::time::Duration;

use super::row_bytes::fixed_bytes;
use weir_batch::Schema;

/// When a batch goes on, and which records are too large for any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// With this many records; at least one.
    pub records_max: usize,
    /// Before its records take more bytes than this: values at their width, texts and bytes written out. A record that
    /// is larger is a batch alone.
    pub bytes_max: usize,
    /// A record of more bytes than this is a bad record: by its values that are read, and in CSV and JSON by its text, which
    /// may have 1 MiB in any case.
    pub record_bytes_max: usize,
    /// This long after its first record, where the file is a pipe or terminal and of lines. Without it, when it is full.
    pub delay_max: Option<Duration>,
}

impl From<usize> for Fill {
    fn from(records_max: usize) -> Fill {
        let (bytes_max, record_bytes_max) = (Fill::BYTES_MAX, Fill::RECORD_BYTES_MAX);
        Fill { records_max, bytes_max, record_bytes_max, delay_max: None }
    }
}

impl Fill {
    /// The default of `bytes_max`.
    pub const BYTES_MAX: usize = 16 * 1024 * 1024;
    /// The default of `record_bytes_max`.
    pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;

    /// The message for a record of `bytes` bytes, which is larger than the limit.
    pub fn too_large(&self, bytes: u64) -> String {
        let bytes_max = self.record_bytes_max;
        format!("the record has {bytes} bytes: the maximum is {bytes_max}; raise `batching.record_bytes_max`")
    }

    /// The same, with no more records than fit into a batch of this schema if every text is empty.
    #[must_use]
    pub fn for_schema(self, schema: &Schema) -> Fill {
        let fitting = self.bytes_max as u64 / fixed_bytes(schema).max(1);
        let records_max = usize::try_from(fitting).unwrap_or(usize::MAX).clamp(1, self.records_max.max(1));
        Fill { records_max, ..self }
    }
}
