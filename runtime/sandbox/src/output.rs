//! Collects the output of a function for the current batch.

use std::sync::Arc;

use weir_abi::Status;
use weir_batch::arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, BooleanBufferBuilder, PrimitiveArray, StringArray,
};
use weir_batch::arrow::buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use weir_batch::arrow::datatypes::{Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType};
use weir_batch::arrow::error::ArrowError;
use weir_batch::{BatchError, DataType, Field};
use weir_text::escape_within;

use crate::relation::Relation;
use crate::{Function, FunctionKind, LimitExceeded, Limits, Malformed, OutputShape, RowCode, RowFailure, TrapCause};

/// The output of a function for the current batch. All values here have been copied from guest memory with bounds checks.
pub(crate) struct Output {
    kind: FunctionKind,
    fallible: bool,
    relation: Relation,
    fields: Vec<Column>,
    // At most `rows` bits.
    keep: BooleanBufferBuilder,
    // Not descending, and below `rows`.
    parents: Vec<u32>,
    failed: Vec<RowFailure>,
    // One bit per row of `failed`; empty if no row failed.
    failed_bits: Vec<u64>,
    error_bytes: usize,
    column_bytes: usize,
    rows: usize,
    exceeded: Option<LimitExceeded>,
}

/// The complete output of a function, after checks of consistency.
pub(crate) struct Finished {
    pub(crate) relation: FinishedRelation,
    pub(crate) columns: Vec<ArrayRef>,
    pub(crate) column_bytes: usize,
    pub(crate) failed: Vec<RowFailure>,
}

/// The rows for which a function has output.
pub(crate) enum FinishedRelation {
    /// Row for row.
    All,
    /// The rows whose bit is set.
    Keep(BooleanBuffer),
    /// The parent of each output row.
    Parents(Vec<u32>),
}

struct Column {
    field: Field,
    values: Values,
    // Set from the first part with a null on; then has the length of `values`.
    validity: Option<BooleanBufferBuilder>,
    len: usize,
}

enum Values {
    Bool(BooleanBufferBuilder),
    Fixed(MutableBuffer),
    // `offsets` begins with 0, does not descend, and ends with the length of `data`.
    Bytes { offsets: Vec<i32>, data: Vec<u8> },
}

impl Output {
    pub(crate) fn new(function: &Function) -> Output {
        Output {
            kind: function.kind,
            fallible: function.fallible,
            relation: Relation::of(function),
            fields: function.output.iter().map(|field| Column::new(field.clone())).collect(),
            keep: BooleanBufferBuilder::new(0),
            parents: Vec::new(),
            failed: Vec::new(),
            failed_bits: Vec::new(),
            error_bytes: 0,
            column_bytes: 0,
            rows: 0,
            exceeded: None,
        }
    }

    /// Begins a batch with this number of rows.
    pub(crate) fn begin(&mut self, rows: usize) {
        self.rows = rows;
        self.keep = BooleanBufferBuilder::new(0);
        self.parents.clear();
        self.failed.clear();
        self.failed_bits.clear();
        self.error_bytes = 0;
        self.column_bytes = 0;
        self.exceeded = None;
        for column in &mut self.fields {
            *column = Column::new(column.field.clone());
        }
    }

    /// The type of the field, and whether it is nullable.
    pub(crate) fn field(&self, index: u32) -> Result<(DataType, bool), Status> {
        match (self.kind, self.fields.get(index as usize)) {
            (FunctionKind::Metrics | FunctionKind::Transform(OutputShape::Filter), _) => Err(Status::BadState),
            (_, None) => Err(Status::BadIndex),
            (_, Some(column)) => Ok((column.field.data_type, column.field.nullable)),
        }
    }

    /// The limit that was reached, if any.
    pub(crate) fn exceeded(&self) -> Option<&LimitExceeded> {
        self.exceeded.as_ref()
    }

    /// The number of further bits that the relation accepts.
    pub(crate) fn keep_left(&self) -> Result<usize, Status> {
        if self.relation != Relation::Bitmap {
            return Err(Status::BadState);
        }
        Ok(self.rows.saturating_sub(self.keep.len()))
    }

    /// Appends `count` bits of `bits`; at most [`Output::keep_left`].
    pub(crate) fn append_keep(&mut self, bits: &[u8], count: usize) {
        if count > 0 {
            if self.keep.is_empty() {
                self.keep.reserve(self.rows);
            }
            self.keep.append_packed_range(0..count, bits);
        }
    }

    /// Checks that this many more output rows are allowed, and remembers a limit that was reached.
    fn check_rows(&mut self, current: usize, count: usize, limits: &Limits) -> Result<(), Status> {
        if self.relation != Relation::Parents {
            let left = self.rows.saturating_sub(current);
            return if count > left { Err(Status::BadLength) } else { Ok(()) };
        }
        let by_input = self.rows.saturating_mul(limits.output_rows_per_input_max);
        let (name, limit) = if by_input < limits.output_rows_max {
            ("output rows for these input rows", by_input)
        } else {
            ("output rows", limits.output_rows_max)
        };
        if count > limit.saturating_sub(current) {
            self.exceeded = Some(LimitExceeded::count(name, limit, current, count));
            return Err(Status::Limit);
        }
        Ok(())
    }

    fn check_bytes(&mut self, bytes: usize, limits: &Limits) -> Result<(), Status> {
        let (limit, current) = (limits.output_bytes_max, self.column_bytes);
        if bytes > limit.saturating_sub(current) {
            self.exceeded = Some(LimitExceeded::bytes("output bytes", limit, current, bytes));
            return Err(Status::Limit);
        }
        Ok(())
    }

    /// Whether this many parents are allowed now.
    pub(crate) fn check_parents(&mut self, count: usize, limits: &Limits) -> Result<(), Status> {
        if self.relation != Relation::Parents {
            return Err(Status::BadState);
        }
        self.check_rows(self.parents.len(), count, limits)
    }

    /// Appends parents that [`Output::check_parents`] allowed; all or none. The limit per input row applies to each row by itself:
    /// rows with fewer output rows do not increase it for others.
    pub(crate) fn append_parents(&mut self, parents: impl Iterator<Item = u32>, limits: &Limits) -> Result<(), Status> {
        let before = self.parents.len();
        let most = limits.output_rows_per_input_max;
        let mut last = self.parents.last().copied().unwrap_or(0);
        for parent in parents {
            let status = match parent {
                parent if parent as usize >= self.rows => Status::BadRow,
                parent if parent < last => Status::BadValue,
                // Parents do not descend: this parent is that many positions back only if it has that many rows already.
                parent if self.is_parent_back(most, parent) => {
                    self.exceeded = Some(LimitExceeded::count("output rows of one record", most, most, 1));
                    Status::Limit
                }
                parent => {
                    last = parent;
                    self.parents.push(parent);
                    continue;
                }
            };
            self.parents.truncate(before);
            return Err(status);
        }
        Ok(())
    }

    fn is_parent_back(&self, places: usize, parent: u32) -> bool {
        let back = self.parents.len().checked_sub(places.max(1));
        back.and_then(|index| self.parents.get(index)) == Some(&parent)
    }

    /// Whether this many values with this many bytes are allowed in this field now.
    pub(crate) fn check_values(
        &mut self,
        field: u32,
        count: usize,
        bytes: usize,
        limits: &Limits,
    ) -> Result<(), Status> {
        let current = self.fields.get(field as usize).map_or(0, |column| column.len);
        self.check_rows(current, count, limits)?;
        self.check_bytes(bytes, limits)
    }

    /// Appends values of a fixed width that [`Output::check_values`] allowed. `validity`, if set, has at least `count` bits.
    pub(crate) fn append_fixed(
        &mut self,
        field: u32,
        values: &[u8],
        count: usize,
        validity: Option<&[u8]>,
        limits: &Limits,
    ) -> Result<(), Status> {
        let (rows, bytes_left) = (self.rows, limits.output_bytes_max.saturating_sub(self.column_bytes));
        let column = self.fields.get_mut(field as usize).ok_or(Status::BadIndex)?;
        match &mut column.values {
            Values::Bool(bools) => {
                if values.iter().any(|&value| value > 1) {
                    return Err(Status::BadValue);
                }
                for &value in values {
                    bools.append(value == 1);
                }
            }
            Values::Fixed(buffer) => {
                // A map has as many values as the batch has rows: allocate once, when there are values, and not more than may
                // follow.
                if count > 0 && buffer.is_empty() && self.kind == FunctionKind::Transform(OutputShape::Map) {
                    let all = rows.saturating_mul(column.field.data_type.width().unwrap_or(1));
                    buffer.reserve(all.min(bytes_left));
                }
                buffer.extend_from_slice(values);
            }
            Values::Bytes { .. } => return Err(Status::BadType),
        }
        column.append_validity(count, validity);
        self.column_bytes = self.column_bytes.saturating_add(values.len());
        Ok(())
    }

    /// Appends texts or bytes that [`Output::check_values`] allowed. `ends` are the ends of the values in `data`, not descending;
    /// the last is the length of `data`. For a text field, each value is UTF-8.
    pub(crate) fn append_bytes(
        &mut self,
        field: u32,
        ends: impl Iterator<Item = usize>,
        count: usize,
        data: &[u8],
        validity: Option<&[u8]>,
    ) -> Result<(), Status> {
        let column = self.fields.get_mut(field as usize).ok_or(Status::BadIndex)?;
        let Values::Bytes { offsets, data: all } = &mut column.values else { return Err(Status::BadType) };
        let base = all.len();
        // The total size of a column is below the limit, which is below 2^31.
        let end = |end: usize| i32::try_from(base.saturating_add(end)).unwrap_or(i32::MAX);
        offsets.extend(ends.map(end));
        all.extend_from_slice(data);
        column.append_validity(count, validity);
        self.column_bytes = self.column_bytes.saturating_add(data.len()).saturating_add(count.saturating_mul(4));
        Ok(())
    }

    /// Whether a row may fail now.
    pub(crate) fn check_failure(&self, row: u32) -> Result<(), Status> {
        if !self.fallible {
            return Err(Status::BadState);
        }
        if row as usize >= self.rows {
            return Err(Status::BadRow);
        }
        if self.has_failed(row as usize) { Err(Status::BadState) } else { Ok(()) }
    }

    /// Marks a row as failed, after [`Output::check_failure`].
    pub(crate) fn fail(&mut self, row: u32, code: i32, message: &str, limits: &Limits) {
        let left = limits.row_errors_bytes_max.saturating_sub(self.error_bytes).min(limits.row_error_bytes_max);
        let message = escape_within(message, left);
        self.error_bytes = self.error_bytes.saturating_add(message.len());
        if self.failed_bits.is_empty() {
            self.failed_bits.resize(self.rows.div_ceil(64), 0);
        }
        if let Some(word) = self.failed_bits.get_mut(row as usize / 64) {
            *word |= 1 << (row % 64);
        }
        self.failed.push(RowFailure { row: row as usize, code: RowCode::Guest(code), message });
    }

    fn has_failed(&self, row: usize) -> bool {
        self.failed_bits.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// Returns the output if it is consistent.
    pub(crate) fn finish(&mut self) -> Result<Finished, TrapCause> {
        if let Some(exceeded) = self.exceeded.take() {
            // The guest was refused and continued, so its output lacks rows.
            return Err(TrapCause::Limit(exceeded));
        }
        let relation = match self.relation {
            Relation::None if self.failed.is_empty() => FinishedRelation::All,
            // A metrics function: failed rows are left out.
            Relation::None => {
                FinishedRelation::Keep(BooleanBuffer::collect_bool(self.rows, |row| !self.has_failed(row)))
            }
            Relation::Bitmap => FinishedRelation::Keep(self.finish_keep()?),
            Relation::Parents => {
                if let Some(&row) = self.parents.iter().find(|&&row| self.has_failed(row as usize)) {
                    return Err(Malformed::FailedRow { row: row as usize }.into());
                }
                FinishedRelation::Parents(std::mem::take(&mut self.parents))
            }
        };
        let expected = match &relation {
            FinishedRelation::All => self.rows,
            FinishedRelation::Keep(keep) => keep.count_set_bits(),
            FinishedRelation::Parents(parents) => parents.len(),
        };
        let mut columns = Vec::with_capacity(self.fields.len());
        for column in &mut self.fields {
            if column.len != expected {
                let field = column.field.name.to_string();
                return Err(Malformed::ColumnRows { field, found: column.len, expected }.into());
            }
            let finished = std::mem::replace(column, Column::new(column.field.clone()));
            columns.push(finished.into_array().map_err(BatchError::from)?);
        }
        let mut failed = std::mem::take(&mut self.failed);
        failed.sort_by_key(|failure| failure.row);
        Ok(Finished { relation, columns, column_bytes: self.column_bytes, failed })
    }

    fn finish_keep(&mut self) -> Result<BooleanBuffer, Malformed> {
        if self.keep.len() != self.rows {
            return Err(Malformed::Relation { found: self.keep.len(), rows: self.rows });
        }
        let keep = self.keep.finish();
        if let Some(failure) = self.failed.iter().find(|failure| keep.value(failure.row)) {
            return Err(Malformed::FailedRow { row: failure.row });
        }
        // Every row of a map has output or has failed.
        let answered = keep.count_set_bits().saturating_add(self.failed.len());
        if self.kind == FunctionKind::Transform(OutputShape::Map)
            && answered < self.rows
            && let Some(row) = (0..self.rows).find(|&row| !keep.value(row) && !self.has_failed(row))
        {
            return Err(Malformed::MissingRow { row });
        }
        Ok(keep)
    }
}

impl Column {
    fn new(field: Field) -> Column {
        let values = match field.data_type {
            DataType::Bool => Values::Bool(BooleanBufferBuilder::new(0)),
            DataType::Utf8 | DataType::Binary => Values::Bytes { offsets: vec![0], data: Vec::new() },
            _ => Values::Fixed(MutableBuffer::new(0)),
        };
        Column { field, values, validity: None, len: 0 }
    }

    fn append_validity(&mut self, count: usize, bits: Option<&[u8]>) {
        match (bits, &mut self.validity) {
            (None, None) => {}
            (None, Some(validity)) => validity.append_n(count, true),
            (Some(bits), validity) => {
                let len = self.len;
                let validity = validity.get_or_insert_with(|| {
                    let mut all_valid = BooleanBufferBuilder::new(len.saturating_add(count));
                    all_valid.append_n(len, true);
                    all_valid
                });
                if count > 0 {
                    validity.append_packed_range(0..count, bits);
                }
            }
        }
        self.len = self.len.saturating_add(count);
    }

    /// The values as an Arrow array. Arrow checks lengths and UTF-8 again.
    fn into_array(self) -> Result<ArrayRef, ArrowError> {
        fn primitive<T: ArrowPrimitiveType>(
            values: MutableBuffer,
            len: usize,
            nulls: Option<NullBuffer>,
        ) -> Result<ArrayRef, ArrowError> {
            let values = ScalarBuffer::<T::Native>::new(values.into(), 0, len);
            Ok(Arc::new(PrimitiveArray::<T>::try_new(values, nulls)?))
        }
        let nulls = self.validity.map(|mut validity| NullBuffer::new(validity.finish()));
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        let len = self.len;
        match (self.values, self.field.data_type) {
            (Values::Bool(mut values), _) => Ok(Arc::new(BooleanArray::new(values.finish(), nulls))),
            (Values::Bytes { offsets, data }, DataType::Utf8) => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Ok(Arc::new(StringArray::try_new(offsets, Buffer::from_vec(data), nulls)?))
            }
            (Values::Bytes { offsets, data }, _) => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Ok(Arc::new(BinaryArray::try_new(offsets, Buffer::from_vec(data), nulls)?))
            }
            (Values::Fixed(values), DataType::I8) => primitive::<Int8Type>(values, len, nulls),
            (Values::Fixed(values), DataType::I16) => primitive::<Int16Type>(values, len, nulls),
            (Values::Fixed(values), DataType::I32) => primitive::<Int32Type>(values, len, nulls),
            (Values::Fixed(values), DataType::F64) => primitive::<Float64Type>(values, len, nulls),
            (Values::Fixed(values), DataType::Timestamp) => primitive::<TimestampMicrosecondType>(values, len, nulls),
            (Values::Fixed(values), _) => primitive::<Int64Type>(values, len, nulls),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ModuleManifest;

    #[test]
    fn a_map_reserves_what_it_may_fill_and_not_before_it_does() {
        let module = r#"(module (@custom "weir.manifest" "{\22abi\22:1,\22name\22:\22f\22,\22kind\22:\22transform\22,\22output_shape\22:\22map\22,\22output\22:[{\22name\22:\22o\22,\22type\22:\22i64\22}]}"))"#;
        let manifest = ModuleManifest::read(&wat::parse_str(module).unwrap()).unwrap();
        let mut output = Output::new(&manifest.functions[0]);
        let mut check = |rows: usize, count: usize, bytes_max: usize, least: usize, most: usize| {
            let limits = Limits::default().with(|it| it.output_bytes_max = bytes_max);
            output.begin(rows);
            output.append_fixed(0, &vec![0; count * 8], count, None, &limits).unwrap();
            let Values::Fixed(buffer) = &output.fields[0].values else { panic!("an i64 has a width") };
            assert!((least..=most).contains(&buffer.capacity()), "{} B for {rows} rows", buffer.capacity());
        };
        check(1_000_000, 0, usize::MAX, 0, 0);
        // Capacities are rounded up to 64 bytes.
        check(1_000_000, 1, 100, 8, 128);
        check(1_000, 1, usize::MAX, 8_000, 8_064);
    }
}
