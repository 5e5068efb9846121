//! Splits the output of a file's reader into batches that are limited by bytes as well as by records.

use arrow::array::RecordBatch;

use super::Fill;
use super::row_bytes::{bytes_at_most, carried_bytes};

/// Rows of a file as its reader returned them, waiting to be returned: texts may still be views or dictionaries, which hold each
/// value once. Only one piece at a time is converted to columns of supported types.
pub(super) struct Pieces {
    rows: RecordBatch,
}

/// The next part to return.
pub(super) enum Piece {
    /// Records, or a single record, for one batch.
    Batch(RecordBatch),
    /// One record that exceeds the maximum size, and its size.
    TooLarge(RecordBatch, u64),
}

impl Piece {
    /// The number of records.
    pub(super) fn rows(&self) -> usize {
        match self {
            Piece::Batch(rows) | Piece::TooLarge(rows, _) => rows.num_rows(),
        }
    }
}

impl Pieces {
    pub(super) fn new(rows: RecordBatch) -> Pieces {
        Pieces { rows }
    }

    /// Whether all rows were returned.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.num_rows() == 0
    }

    /// The next piece; `None` if all rows were returned.
    pub(super) fn next(&mut self, fill: &Fill) -> Option<Piece> {
        let window = self.rows.num_rows().min(fill.records_max.max(1));
        if window == 0 {
            return None;
        }
        if bytes_at_most(self.rows.columns(), window) <= fill.bytes_max.min(fill.record_bytes_max) as u64 {
            return Some(Piece::Batch(self.take(window)));
        }
        let sizes = carried_bytes(self.rows.columns(), window);
        let (bytes_max, record_bytes_max) = (fill.bytes_max as u64, fill.record_bytes_max as u64);
        let first = sizes.first().copied().unwrap_or(0);
        if first > record_bytes_max {
            return Some(Piece::TooLarge(self.take(1), first));
        }
        let mut bytes = first;
        let more = sizes.iter().skip(1).take_while(|&&size| {
            bytes = bytes.saturating_add(size);
            bytes <= bytes_max && size <= record_bytes_max
        });
        let rows = 1 + more.count();
        Some(Piece::Batch(self.take(rows)))
    }

    fn take(&mut self, rows: usize) -> RecordBatch {
        let taken = self.rows.slice(0, rows);
        self.rows = self.rows.slice(rows, self.rows.num_rows() - rows);
        taken
    }
}
