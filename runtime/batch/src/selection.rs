//! The rows of a batch that count.

use arrow::array::UInt32Array;
use arrow::buffer::{BooleanBuffer, ScalarBuffer};

/// Ascending numbers of the physical rows that count. Shared by reference count; 4 bytes per row.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    // Strictly ascending, and below the batch's physical rows: created only from bitmaps of that length.
    rows: UInt32Array,
}

impl Selection {
    /// The rows whose bit is set, for a batch without a selection.
    pub(crate) fn from_bitmap(bitmap: &BooleanBuffer) -> Selection {
        let mut rows: Vec<u32> = Vec::with_capacity(bitmap.count_set_bits());
        rows.extend(bitmap.set_indices_u32());
        Selection { rows: UInt32Array::new(ScalarBuffer::from(rows), None) }
    }

    /// Those rows of this selection whose bit is set.
    pub(crate) fn filter(&self, bitmap: &BooleanBuffer) -> Selection {
        let all = self.rows.values();
        let mut rows: Vec<u32> = Vec::with_capacity(bitmap.count_set_bits());
        rows.extend(bitmap.set_indices().map(|index| all[index]));
        Selection { rows: UInt32Array::new(ScalarBuffer::from(rows), None) }
    }

    /// A range of rows, for a batch without a selection.
    pub(crate) fn range(rows: std::ops::Range<u32>) -> Selection {
        Selection { rows: UInt32Array::from_iter_values(rows) }
    }

    /// A range of these rows, shared. The caller has checked the bounds.
    pub(crate) fn slice(&self, first: usize, rows: usize) -> Selection {
        Selection { rows: self.rows.slice(first, rows) }
    }

    /// The number of rows that count.
    pub fn len(&self) -> usize {
        self.rows.values().len()
    }

    /// Whether no row counts.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The physical rows, ascending.
    pub fn rows(&self) -> &[u32] {
        self.rows.values()
    }

    /// The physical rows as an Arrow array, for the `take` kernel.
    pub fn as_array(&self) -> &UInt32Array {
        &self.rows
    }
}
