//! The columns of a batch for a guest: resolved once per batch, so that reading a value is a match and a load.

use std::sync::Arc;

use weir_admission::ColumnSource;
use weir_batch::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use weir_batch::arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use weir_batch::arrow::datatypes::{Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType};
use weir_batch::{Batch, DataType};

/// The batch that a guest can read. Empty outside of a call, so that no batch is kept alive.
#[derive(Default)]
pub(crate) struct View {
    /// One per input field, in their order.
    pub(crate) columns: Vec<Column>,
    /// The number of rows; the guest may use 0 to `rows`.
    pub(crate) rows: usize,
    /// The physical rows, if they differ. Has the length `rows`; each is below the length of every column.
    pub(crate) selection: Option<ScalarBuffer<u32>>,
}

/// The values of an input field, including rows that are not selected.
pub(crate) struct Column {
    /// The declared type; `values` have this type, or one that is widened to it.
    pub(crate) declared: DataType,
    pub(crate) values: Values,
    /// Only set if there is a null.
    pub(crate) nulls: Option<NullBuffer>,
}

/// Typed values.
pub(crate) enum Values {
    Bool(BooleanBuffer),
    I8(ScalarBuffer<i8>),
    I16(ScalarBuffer<i16>),
    I32(ScalarBuffer<i32>),
    /// 64-bit integers and timestamps.
    I64(ScalarBuffer<i64>),
    F64(ScalarBuffer<f64>),
    /// Text and bytes.
    Bytes(OffsetBuffer<i32>, Buffer),
    /// A system column that the source does not fill: all values are null.
    Absent,
}

impl View {
    /// Takes the columns of a batch. `sources` must have been resolved with the batch's schema.
    pub(crate) fn enter(&mut self, batch: &Batch, sources: &[ColumnSource], declared: impl Iterator<Item = DataType>) {
        self.rows = batch.rows();
        self.selection = batch.selection().map(|selection| selection.as_array().values().clone());
        self.columns.clear();
        self.columns.extend(sources.iter().zip(declared).map(|(source, declared)| match source {
            ColumnSource::Column(index) => Column::new(batch.column(*index), declared),
            ColumnSource::System(system) => match batch.system().get(*system) {
                Some(array) => Column::new(&array, declared),
                None => Column { declared, values: Values::Absent, nulls: None },
            },
        }));
    }

    /// Drops the columns.
    pub(crate) fn leave(&mut self) {
        self.columns.clear();
        self.rows = 0;
        self.selection = None;
    }

    /// The physical row for a row number of the guest.
    #[inline]
    pub(crate) fn physical(&self, row: usize) -> Option<usize> {
        match &self.selection {
            None => (row < self.rows).then_some(row),
            Some(selection) => selection.get(row).map(|&row| row as usize),
        }
    }
}

impl Column {
    fn new(array: &ArrayRef, declared: DataType) -> Column {
        fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef) -> Option<ScalarBuffer<T::Native>> {
            array.as_primitive_opt::<T>().map(|array| array.values().clone())
        }
        let values = if let Some(values) = primitive::<Int64Type>(array) {
            Values::I64(values)
        } else if let Some(values) = primitive::<Float64Type>(array) {
            Values::F64(values)
        } else if let Some(strings) = array.as_string_opt::<i32>() {
            Values::Bytes(strings.offsets().clone(), strings.values().clone())
        } else if let Some(values) = primitive::<TimestampMicrosecondType>(array) {
            Values::I64(values)
        } else if let Some(values) = primitive::<Int32Type>(array) {
            Values::I32(values)
        } else if let Some(bools) = array.as_boolean_opt() {
            Values::Bool(bools.values().clone())
        } else if let Some(bytes) = array.as_binary_opt::<i32>() {
            Values::Bytes(bytes.offsets().clone(), bytes.values().clone())
        } else if let Some(values) = primitive::<Int16Type>(array) {
            Values::I16(values)
        } else if let Some(values) = primitive::<Int8Type>(array) {
            Values::I8(values)
        } else {
            // `Batch::new` refuses all other types.
            Values::Absent
        };
        Column { declared, values, nulls: array.nulls().filter(|nulls| nulls.null_count() > 0).cloned() }
    }

    /// Whether the value in a physical row is null. The row must exist.
    #[inline]
    pub(crate) fn is_null(&self, physical: usize) -> bool {
        match &self.nulls {
            None => matches!(self.values, Values::Absent),
            Some(nulls) => nulls.is_null(physical),
        }
    }

    /// Whether a value may be null.
    pub(crate) fn may_be_null(&self) -> bool {
        self.nulls.is_some() || matches!(self.values, Values::Absent)
    }
}

/// The rows of the batch that the function can receive: those without a null in a field that is not nullable. `None` if these are
/// all rows.
pub(crate) fn rows_without_nulls(
    batch: &Arc<Batch>,
    sources: &[ColumnSource],
    nullable: impl Iterator<Item = bool>,
) -> Option<BooleanBuffer> {
    let mut keep: Option<BooleanBuffer> = None;
    for (source, nullable) in sources.iter().zip(nullable) {
        if nullable {
            continue;
        }
        let valid = match source {
            ColumnSource::Column(index) => {
                let column = batch.column(*index);
                if column.null_count() == 0 {
                    continue;
                }
                column.nulls().cloned()
            }
            ColumnSource::System(system) => match batch.system().get(*system) {
                Some(array) if array.null_count() == 0 => continue,
                Some(array) => array.nulls().cloned(),
                None => Some(NullBuffer::new_null(batch.physical_rows())),
            },
        };
        let Some(valid) = valid else { continue };
        let valid = match batch.selection() {
            None => valid.into_inner(),
            Some(selection) => {
                let rows = selection.rows();
                BooleanBuffer::collect_bool(rows.len(), |row| valid.is_valid(rows[row] as usize))
            }
        };
        keep = Some(match keep {
            None => valid,
            Some(keep) => &keep & &valid,
        });
    }
    keep.filter(|keep| keep.count_set_bits() < keep.len())
}
