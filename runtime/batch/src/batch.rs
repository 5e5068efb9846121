//! The record batch.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array, new_empty_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::take;

use crate::{BatchError, Schema, Selection, SystemColumns, TraceContext, normalise};

/// Arrow columns of one schema, with a selection, system columns and a trace context. Passed as `Arc<Batch>`; a clone copies only
/// reference counts.
#[derive(Clone, Debug)]
pub struct Batch {
    schema: Arc<Schema>,
    // One column per field, with the field's type and `physical_rows` rows: checked by `new`.
    columns: Vec<ArrayRef>,
    physical_rows: usize,
    // If set, all its rows are below `physical_rows`.
    selection: Option<Selection>,
    system: SystemColumns,
    trace: Option<TraceContext>,
}

impl Batch {
    /// A batch of these columns, every row selected.
    ///
    /// # Errors
    ///
    /// Columns whose number, type or nullability does not match the schema, columns of different lengths, or more than `u32::MAX`
    /// rows.
    pub fn new(schema: Arc<Schema>, columns: Vec<ArrayRef>) -> Result<Batch, BatchError> {
        let rows = columns.first().map_or(0, |column| column.len());
        Batch::with_rows(schema, columns, rows)
    }

    /// Like [`Batch::new`], with the number of rows given, so that a batch without columns can have rows.
    ///
    /// # Errors
    ///
    /// As [`Batch::new`].
    pub fn with_rows(schema: Arc<Schema>, columns: Vec<ArrayRef>, rows: usize) -> Result<Batch, BatchError> {
        if columns.len() != schema.len() {
            return Err(BatchError::ColumnCount { fields: schema.len(), columns: columns.len() });
        }
        if u32::try_from(rows).is_err() {
            return Err(BatchError::RowRange { row: rows, rows: u32::MAX as usize });
        }
        for (field, column) in schema.fields().iter().zip(&columns) {
            let name = || field.name.to_string();
            if *column.data_type() != field.data_type.to_arrow() {
                let found = column.data_type().to_string();
                return Err(BatchError::ColumnType { name: name(), expected: field.data_type, found });
            }
            if column.len() != rows {
                return Err(BatchError::ColumnLength { name: name(), rows: column.len(), expected: rows });
            }
            if !field.nullable && column.null_count() > 0 {
                return Err(BatchError::UnexpectedNulls { name: name(), nulls: column.null_count() });
            }
        }
        Ok(Batch {
            schema,
            columns,
            physical_rows: rows,
            selection: None,
            system: SystemColumns::default(),
            trace: None,
        })
    }

    /// A batch without rows.
    pub fn empty(schema: &Arc<Schema>) -> Batch {
        let columns = schema.fields().iter().map(|field| new_empty_array(&field.data_type.to_arrow())).collect();
        Batch {
            schema: Arc::clone(schema),
            columns,
            physical_rows: 0,
            selection: None,
            system: SystemColumns::default(),
            trace: None,
        }
    }

    /// Converts a batch of foreign Arrow columns: large strings and string views to `utf8`, dictionaries to their values, narrower
    /// floats and unsigned integers to the next type that holds them, dates and timestamps of any unit to microseconds. Columns
    /// that already have a type of [`crate::DataType`] are shared.
    ///
    /// # Errors
    ///
    /// A type that is not supported, or a value that the target type cannot hold.
    pub fn from_arrow(schema: &Arc<Schema>, batch: &RecordBatch) -> Result<Batch, BatchError> {
        if batch.num_columns() != schema.len() {
            return Err(BatchError::ColumnCount { fields: schema.len(), columns: batch.num_columns() });
        }
        let columns = schema
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(field, column)| normalise::to_carried(&field.name, column, field.data_type))
            .collect::<Result<_, _>>()?;
        Batch::with_rows(Arc::clone(schema), columns, batch.num_rows())
    }

    /// The schema.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The number of rows that count: the selected rows, or all.
    pub fn rows(&self) -> usize {
        self.selection.as_ref().map_or(self.physical_rows, Selection::len)
    }

    /// The number of rows in the columns, selected or not.
    pub fn physical_rows(&self) -> usize {
        self.physical_rows
    }

    /// Whether no row counts.
    pub fn is_empty(&self) -> bool {
        self.rows() == 0
    }

    /// A column, including the rows that are not selected.
    ///
    /// # Panics
    ///
    /// If the schema has no such field.
    pub fn column(&self, index: usize) -> &ArrayRef {
        &self.columns[index]
    }

    /// The columns, including the rows that are not selected.
    pub fn columns(&self) -> &[ArrayRef] {
        &self.columns
    }

    /// The selection; `None` if all rows count.
    pub fn selection(&self) -> Option<&Selection> {
        self.selection.as_ref()
    }

    /// The physical row of the row with this number among those that count.
    pub fn physical_row(&self, row: usize) -> Option<usize> {
        match &self.selection {
            None => (row < self.physical_rows).then_some(row),
            Some(selection) => selection.rows().get(row).map(|&row| row as usize),
        }
    }

    /// The system columns, including the rows that are not selected.
    pub fn system(&self) -> &SystemColumns {
        &self.system
    }

    /// The same batch with these system columns.
    ///
    /// # Errors
    ///
    /// A system column whose length differs from the batch's.
    pub fn with_system(mut self, system: SystemColumns) -> Result<Batch, BatchError> {
        system.check(self.physical_rows)?;
        self.system = system;
        Ok(self)
    }

    /// The trace context, if one was set.
    pub fn trace(&self) -> Option<TraceContext> {
        self.trace
    }

    /// Sets the trace context in place: see [`crate::CopyOnWrite::make_mut`].
    pub fn set_trace(&mut self, trace: Option<TraceContext>) {
        self.trace = trace;
    }

    /// Keeps the rows whose bit is set. No column is copied; if every bit is set, the batch itself is shared.
    ///
    /// # Errors
    ///
    /// A bitmap whose length is not the number of rows.
    pub fn filter(self: &Arc<Batch>, keep: &BooleanBuffer) -> Result<Arc<Batch>, BatchError> {
        if keep.len() != self.rows() {
            return Err(BatchError::RowCount { found: keep.len(), rows: self.rows() });
        }
        if keep.count_set_bits() == keep.len() {
            return Ok(Arc::clone(self));
        }
        let selection = match &self.selection {
            None => Selection::from_bitmap(keep),
            Some(selection) => selection.filter(keep),
        };
        let mut filtered = Batch::clone(self);
        filtered.selection = Some(selection);
        Ok(Arc::new(filtered))
    }

    /// A range of the rows that count. Columns and selection are shared. The cost is linear in the length of the range, so a batch
    /// can be cut into pieces from its beginning.
    ///
    /// # Errors
    ///
    /// A range that ends beyond the batch.
    pub fn slice(self: &Arc<Batch>, first: usize, rows: usize) -> Result<Arc<Batch>, BatchError> {
        let end = first.checked_add(rows).filter(|&end| end <= self.rows());
        let Some(end) = end else {
            return Err(BatchError::RowRange { row: first.saturating_add(rows), rows: self.rows() });
        };
        if first == 0 && end == self.rows() {
            return Ok(Arc::clone(self));
        }
        // A batch has at most `u32::MAX` rows.
        let number = |row: usize| u32::try_from(row).unwrap_or(u32::MAX);
        let selection = match &self.selection {
            None => Selection::range(number(first)..number(end)),
            Some(selection) => selection.slice(first, rows),
        };
        let mut sliced = Batch::clone(self);
        sliced.selection = Some(selection);
        Ok(Arc::new(sliced))
    }

    /// Consecutive physical rows of a batch without a selection. Columns are shared, and no selection is created.
    ///
    /// # Errors
    ///
    /// A range that ends beyond the batch.
    pub fn window(&self, first: usize, rows: usize) -> Result<Batch, BatchError> {
        let Some(_) = first.checked_add(rows).filter(|&end| end <= self.physical_rows && self.selection.is_none())
        else {
            return Err(BatchError::RowRange { row: first.saturating_add(rows), rows: self.physical_rows });
        };
        Ok(Batch {
            schema: Arc::clone(&self.schema),
            columns: self.columns.iter().map(|column| column.slice(first, rows)).collect(),
            physical_rows: rows,
            selection: None,
            system: self.system.window(first, rows),
            trace: self.trace,
        })
    }

    /// A batch of new columns derived from this one: row `i` was made from row `parents[i]` of this batch, and gets its carried
    /// columns and system columns. With `parents: None`, rows correspond one to one; then carried columns are shared unless this
    /// batch has a selection.
    ///
    /// # Errors
    ///
    /// A parent that does not exist, or columns that do not match `schema`, which lists the carried columns first.
    pub fn derive(
        &self,
        schema: Arc<Schema>,
        carried: &[usize],
        new: Vec<ArrayRef>,
        rows: usize,
        parents: Option<&[u32]>,
    ) -> Result<Batch, BatchError> {
        let physical: Option<UInt32Array> = match (parents, &self.selection) {
            (None, None) => None,
            (None, Some(selection)) => Some(selection.as_array().clone()),
            (Some(parents), _) => {
                let mut physical = Vec::with_capacity(parents.len());
                for &parent in parents {
                    let row = self.physical_row(parent as usize);
                    let row = row.ok_or(BatchError::RowRange { row: parent as usize, rows: self.rows() })?;
                    physical.push(row as u32); // below `physical_rows`, which `with_rows` keeps below 2^32
                }
                Some(UInt32Array::from(physical))
            }
        };
        let available = physical.as_ref().map_or(self.physical_rows, UInt32Array::len);
        if available != rows {
            return Err(BatchError::RowCount { found: rows, rows: available });
        }
        let mut columns = Vec::with_capacity(carried.len() + new.len());
        for &index in carried {
            columns.push(match &physical {
                None => Arc::clone(&self.columns[index]),
                Some(physical) => take(&self.columns[index], physical, None)?,
            });
        }
        columns.extend(new);
        let mut batch = Batch::with_rows(schema, columns, rows)?;
        batch.system = match &physical {
            None => self.system.clone(),
            Some(physical) => self.system.take(physical)?,
        };
        batch.trace = self.trace;
        Ok(batch)
    }

    /// The bytes that [`Batch::derive`] would copy from this batch's columns for these parents: values and offsets of the carried
    /// columns and of the system columns. Copies nothing. A parent that does not exist adds nothing.
    pub fn gathered_bytes(&self, carried: &[usize], parents: &[u32]) -> u64 {
        let carried = carried.iter().filter_map(|&index| self.columns.get(index)).map(|column| &**column);
        let system = &self.system;
        let dynamic: [Option<&dyn Array>; 6] = [
            system.key.as_ref().map(|column| column as _),
            system.timestamp.as_ref().map(|column| column as _),
            system.partition.as_ref().map(|column| column as _),
            system.offset.as_ref().map(|column| column as _),
            system.headers.as_ref().map(|column| column as _),
            system.raw.as_ref().map(|column| column as _),
        ];
        let columns = carried.chain(dynamic.into_iter().flatten());
        columns.map(|column| self.column_bytes(column, parents)).fold(0, u64::saturating_add)
    }

    fn column_bytes(&self, column: &dyn Array, parents: &[u32]) -> u64 {
        if let Some(width) = column.data_type().primitive_width() {
            return (width as u64).saturating_mul(parents.len() as u64);
        }
        let rows = parents.iter().filter_map(|&parent| self.physical_row(parent as usize));
        rows.map(|row| span_bytes(column, row, row.saturating_add(1))).fold(0, u64::saturating_add)
    }

    /// The rows that count as an Arrow record batch, for encoders. Columns are shared if every row counts; otherwise the selected
    /// rows are copied.
    ///
    /// # Errors
    ///
    /// Arrow's `take` fails if a string column would exceed 2 GiB.
    pub fn to_arrow(&self) -> Result<RecordBatch, BatchError> {
        let columns = match &self.selection {
            None => self.columns.clone(),
            Some(selection) => {
                self.columns.iter().map(|column| take(column, selection.as_array(), None)).collect::<Result<_, _>>()?
            }
        };
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows()));
        Ok(RecordBatch::try_new_with_options(self.schema.to_arrow(), columns, &options)?)
    }

    /// The bytes that the columns occupy, selected or not. A buffer that several columns share is counted once per column.
    pub fn memory_bytes(&self) -> usize {
        self.columns.iter().map(|column| column.get_array_memory_size()).sum()
    }
}

/// Bytes of the values from `start` to `end` with their offsets, without bitmaps. 0 if there are no such rows.
fn span_bytes(column: &dyn Array, start: usize, end: usize) -> u64 {
    let rows = end.saturating_sub(start) as u64;
    // Offsets are 0 or more and ascend.
    let between = |offsets: &[i32]| match (offsets.get(start), offsets.get(end)) {
        (Some(&first), Some(&last)) => (first.max(0) as usize, last.max(0) as usize),
        _ => (0, 0),
    };
    let with_offsets = |bytes: u64| bytes.saturating_add(rows.saturating_mul(4));
    let bytes = |(first, last): (usize, usize)| with_offsets(last.saturating_sub(first) as u64);
    if let Some(width) = column.data_type().primitive_width() {
        rows.saturating_mul(width as u64)
    } else if let Some(strings) = column.as_string_opt::<i32>() {
        bytes(between(strings.offsets()))
    } else if let Some(binary) = column.as_binary_opt::<i32>() {
        bytes(between(binary.offsets()))
    } else if let Some(lists) = column.as_list_opt::<i32>() {
        let (first, last) = between(lists.offsets());
        with_offsets(span_bytes(lists.values(), first, last))
    } else if let Some(structs) = column.as_struct_opt() {
        structs.columns().iter().map(|child| span_bytes(child, start, end)).fold(0, u64::saturating_add)
    } else {
        // Booleans count one byte each: all other types are covered above.
        rows
    }
}

/// A small table of the rows that count.
impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let batch = self.to_arrow().map_err(|_| fmt::Error)?;
        let table = arrow::util::pretty::pretty_format_batches(&[batch]).map_err(|_| fmt::Error)?;
        write!(f, "{table}")
    }
}
