//! Cuts what a file's reader made into batches that are bounded by bytes as well as by records.

use arrow::array::RecordBatch;

use super::Fill;
use super::row_bytes::{bytes_at_most, carried_bytes};

/// Rows of a file that wait to be handed on, as its reader made them: texts may be views or dictionaries still, which
/// hold each value once. Only a piece of them is ever made into the columns that Weir carries.
pub(super) struct Pieces {
    rows: RecordBatch,
}

/// What is handed on at once.
pub(super) enum Piece {
    /// Records that together, or one that alone, make a batch.
    Batch(RecordBatch),
    /// One record that is larger than any may be, and its bytes.
    TooLarge(RecordBatch, u64),
}

impl Piece {
    /// How many records it is.
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

    /// Whether all rows were handed on.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.num_rows() == 0
    }

    /// The next piece; `None` where all rows were handed on.
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
