//! The headers that records came with.

use std::ops::Range;

use weir_batch::BatchError;
use weir_batch::arrow::array::cast::AsArray;
use weir_batch::arrow::array::{Array, BinaryArray, ListArray, StringArray};
use weir_formats::FormatError;

/// `_headers`: a list of (key utf8, value binary) a row.
pub(super) struct PassedHeaders<'a> {
    lists: &'a ListArray,
    names: &'a StringArray,
    values: &'a BinaryArray,
}

impl<'a> PassedHeaders<'a> {
    /// The column, where it is of the type that it is declared to have.
    pub(super) fn of(lists: &'a ListArray) -> Result<PassedHeaders<'a>, FormatError> {
        let pair = lists.values().as_struct_opt().filter(|pair| pair.num_columns() == 2);
        let names = pair.and_then(|pair| pair.column(0).as_string_opt::<i32>());
        let values = pair.and_then(|pair| pair.column(1).as_binary_opt::<i32>());
        match (names, values) {
            (Some(names), Some(values)) => Ok(PassedHeaders { lists, names, values }),
            _ => {
                let (name, found) = ("_headers".to_owned(), lists.data_type().to_string());
                Err(FormatError::Batch(BatchError::UnsupportedType { name, found }))
            }
        }
    }

    /// Which headers are a physical row's.
    pub(super) fn of_row(&self, row: usize) -> Range<usize> {
        let offset = |row: usize| self.lists.value_offsets().get(row).and_then(|&offset| usize::try_from(offset).ok());
        match (self.lists.is_valid(row), offset(row), offset(row.saturating_add(1))) {
            (true, Some(begin), Some(end)) => begin..end,
            _ => 0..0,
        }
    }

    /// A header's name, and its value unless that is null. A header without a name is none.
    pub(super) fn get(&self, index: usize) -> Option<(&'a str, Option<&'a [u8]>)> {
        let name = self.names.is_valid(index).then(|| self.names.value(index))?;
        Some((name, self.values.is_valid(index).then(|| self.values.value(index))))
    }
}
