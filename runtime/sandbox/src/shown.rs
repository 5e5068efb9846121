//! What a function receives of a batch.

use std::sync::Arc;

use weir_batch::Batch;

use crate::columns::rows_without_nulls;
use crate::{Bound, RowCode, RowFailure, TrapCause};

/// The rows of a batch that a function receives.
pub(crate) struct Shown {
    pub(crate) batch: Arc<Batch>,
    // For each of these rows its row in the whole batch; `None` if the function receives all rows.
    kept: Option<Vec<u32>>,
}

impl Shown {
    /// All rows of the batch.
    pub(crate) fn all(batch: &Arc<Batch>) -> Shown {
        Shown { batch: Arc::clone(batch), kept: None }
    }

    /// All rows of the batch, except those with a null that the function does not accept.
    pub(crate) fn new(batch: &Arc<Batch>, bound: &Bound) -> Result<Shown, TrapCause> {
        let nullable = bound.function().input.iter().map(|field| field.nullable);
        match rows_without_nulls(batch, bound.sources(), nullable) {
            None => Ok(Shown::all(batch)),
            Some(keep) => Ok(Shown { batch: batch.filter(&keep)?, kept: Some(keep.set_indices_u32().collect()) }),
        }
    }

    /// The row of the whole batch that is this row here.
    pub(crate) fn original(&self, row: usize) -> usize {
        match &self.kept {
            None => row,
            Some(kept) => kept.get(row).map_or(row, |&row| row as usize),
        }
    }

    /// A failure for each row that the function does not receive.
    pub(crate) fn null_failures(&self, batch: &Arc<Batch>, bound: &Bound) -> impl Iterator<Item = RowFailure> {
        let mut shown = self.kept.iter().flatten().copied().peekable();
        let rows = if self.kept.is_some() { batch.rows() } else { 0 };
        let fields: Vec<&str> =
            bound.function().input.iter().filter(|field| !field.nullable).map(|field| &*field.name).collect();
        let message = match fields.as_slice() {
            [field] => format!("field `{field}` is null, but the function does not accept nulls in it"),
            _ => "a field is null, but the function does not accept nulls in it".to_owned(),
        };
        (0..rows).filter(move |&row| shown.next_if(|&next| next as usize == row).is_none()).map(move |row| RowFailure {
            row,
            code: RowCode::NullInput,
            message: message.clone(),
        })
    }
}
