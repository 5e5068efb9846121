//! Finds the valid rows of a chunk that cannot be decoded as a whole.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, Int64Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::SchemaRef;

use super::json_values::row_as_json;
use super::pieces::Piece;
use super::row_bytes::carried_bytes;
use super::{BadRecord, Decoded, Fill, FormatError};
use weir_batch::{Batch, Schema, SystemColumns};
use weir_text::brief;

/// The result for the rows of a chunk.
pub(super) struct Narrowed {
    /// The valid rows.
    pub(super) batch: RecordBatch,
    /// Their numbers within the chunk, ascending.
    pub(super) good: Vec<usize>,
    /// The bad rows, ascending, with messages.
    pub(super) bad: Vec<(usize, String)>,
}

/// If a chunk cannot be decoded, decodes its halves, then halves of those, and so on, until only the bad rows are left out: about
/// `2 b log2(n / b)` calls for `b` bad rows of `n`.
pub(super) fn narrow(
    schema: &SchemaRef,
    rows: usize,
    mut decode: impl FnMut(Range<usize>) -> Result<RecordBatch, String>,
) -> Result<Narrowed, FormatError> {
    let mut batches = Vec::new();
    let mut narrowed = Narrowed { batch: RecordBatch::new_empty(Arc::clone(schema)), good: vec![], bad: vec![] };
    // A stack with the leftmost range on top, so that rows are visited in order.
    let mut pending = Vec::new();
    pending.push(0..rows);
    while let Some(range) = pending.pop() {
        if range.is_empty() {
            continue;
        }
        match decode(range.clone()) {
            Ok(batch) => {
                batches.push(batch);
                narrowed.good.extend(range);
            }
            Err(message) if range.len() == 1 => narrowed.bad.push((range.start, message)),
            Err(_) => {
                let middle = range.start + range.len() / 2;
                pending.push(middle..range.end);
                pending.push(range.start..middle);
            }
        }
    }
    narrowed.batch = concat_batches(schema, &batches).map_err(weir_batch::BatchError::from)?;
    Ok(narrowed)
}

/// Converts a piece of a file to the result of its decoder.
pub(super) fn decoded_piece(
    schema: &Arc<Schema>,
    piece: Piece,
    first: i64,
    bytes_read: u64,
    fill: &Fill,
) -> Result<Decoded, FormatError> {
    match piece {
        Piece::Batch(rows) => decoded_columns(schema, &rows, first, bytes_read),
        Piece::TooLarge(row, bytes) => {
            let bad = BadRecord { offset: first, line: None, bytes: abridged(&row), message: fill.too_large(bytes) };
            Ok(Decoded { batch: Batch::empty(schema), bad: vec![bad], bytes_read })
        }
    }
}

/// A record as a line of JSON, without its long values.
pub(super) fn abridged(row: &RecordBatch) -> Vec<u8> {
    const VALUE_BYTES_MAX: u64 = 1024;
    let short = (0..row.num_columns()).filter(|&index| {
        carried_bytes(&row.columns()[index..=index], 1).first().is_some_and(|&bytes| bytes <= VALUE_BYTES_MAX)
    });
    row.project(&short.collect::<Vec<_>>()).map_or_else(|_| Vec::new(), |short| row_as_json(&short, 0))
}

/// Converts columns of a file, in the order of `schema`, to a batch with supported types and without forbidden nulls. `first` is
/// the number of the first row within the file.
pub(super) fn decoded_columns(
    schema: &Arc<Schema>,
    found: &RecordBatch,
    first: i64,
    bytes_read: u64,
) -> Result<Decoded, FormatError> {
    let mut bad: Vec<(usize, String)> = Vec::new();
    let nulls = null_faults(schema, found);
    let (sound, mut good) = match nulls.is_empty() {
        true => (found.clone(), (0..found.num_rows()).collect::<Vec<_>>()),
        false => {
            let keep = BooleanBuffer::collect_bool(found.num_rows(), |row| {
                nulls.binary_search_by_key(&row, |(row, _)| *row).is_err()
            });
            let sound = filter_record_batch(found, &keep.clone().into()).map_err(weir_batch::BatchError::from)?;
            (sound, keep.set_indices().collect())
        }
    };
    bad.extend(nulls);
    let batch = match Batch::from_arrow(schema, &sound) {
        Ok(batch) => batch,
        // A value that the target type cannot hold.
        Err(weir_batch::BatchError::Convert { .. }) => {
            let narrowed = narrow(&schema.to_arrow(), sound.num_rows(), |rows| {
                let part = Batch::from_arrow(schema, &sound.slice(rows.start, rows.len()));
                part.and_then(|part| part.to_arrow()).map_err(|error| brief(&error))
            })?;
            bad.extend(narrowed.bad.into_iter().map(|(row, message)| (good[row], message)));
            bad.sort_by_key(|(row, _)| *row);
            good = narrowed.good.into_iter().map(|row| good[row]).collect();
            Batch::from_arrow(schema, &narrowed.batch)?
        }
        Err(error) => return Err(error.into()),
    };
    let bad = bad.into_iter().map(|(row, message)| BadRecord {
        offset: first.saturating_add(row as i64),
        line: None,
        bytes: row_as_json(found, row),
        message,
    });
    Ok(Decoded { bad: bad.collect(), batch: with_offsets(batch, first, &good)?, bytes_read })
}

/// Fills `_offset` of a batch: row `i` is row `rows[i]` of a chunk that begins at record `first`.
pub(super) fn with_offsets(batch: Batch, first: i64, rows: &[usize]) -> Result<Batch, FormatError> {
    let offsets = Int64Array::from_iter_values(rows.iter().map(|&row| first.saturating_add(row as i64)));
    Ok(batch.with_system(SystemColumns::default().with(|it| it.offset = Some(offsets)))?)
}

/// The rows with a null in a field that is not nullable, ascending, with the first such field of each.
fn null_faults(schema: &Schema, found: &RecordBatch) -> Vec<(usize, String)> {
    let mut faults: Vec<(usize, String)> = Vec::new();
    for (field, column) in schema.fields().iter().zip(found.columns()) {
        // The nulls of a dictionary array may be in its values.
        let Some(nulls) = column.logical_nulls().filter(|_| !field.nullable) else { continue };
        let rows = (0..nulls.len()).filter(|&row| nulls.is_null(row));
        faults.extend(rows.map(|row| (row, null_message(&field.name))));
    }
    faults.sort_by_key(|(row, _)| *row);
    faults.dedup_by_key(|(row, _)| *row);
    faults
}

/// The message about a missing value.
pub(super) fn null_message(field: &str) -> String {
    format!("field `{field}` is null, but is not nullable")
}
