//! System columns: what a source knows about each record besides its fields.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, Int32Array, Int64Array, ListArray, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, Fields};

use crate::{BatchError, DataType};

/// The system columns of a batch, with the batch's physical length. Each is absent until a source fills it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SystemColumns {
    /// `_key`: the record's key; null if it has none.
    pub key: Option<BinaryArray>,
    /// `_timestamp`: event time in microseconds since the Unix epoch.
    pub timestamp: Option<TimestampMicrosecondArray>,
    /// `_partition`: the partition or file of the record.
    pub partition: Option<Int32Array>,
    /// `_offset`: the record's position in its partition, from 0.
    pub offset: Option<Int64Array>,
    /// `_headers`: a list of (key utf8, value binary) structs.
    pub headers: Option<ListArray>,
    /// The topic or file from which all records of the batch came.
    pub origin: Option<Arc<str>>,
    /// The original bytes of each record. A source keeps them only if a record may become a dead letter later in the query.
    pub raw: Option<BinaryArray>,
}

/// A system column that a guest can read like a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SystemColumn {
    /// `_key`, nullable binary.
    Key,
    /// `_timestamp`, nullable timestamp.
    Timestamp,
    /// `_partition`, nullable i32.
    Partition,
    /// `_offset`, nullable i64.
    Offset,
}

impl SystemColumn {
    /// Every system column that can be read as a field.
    pub const ALL: [SystemColumn; 4] =
        [SystemColumn::Key, SystemColumn::Timestamp, SystemColumn::Partition, SystemColumn::Offset];

    /// The name, which begins with an underscore.
    pub const fn name(self) -> &'static str {
        match self {
            SystemColumn::Key => "_key",
            SystemColumn::Timestamp => "_timestamp",
            SystemColumn::Partition => "_partition",
            SystemColumn::Offset => "_offset",
        }
    }

    /// The type.
    pub const fn data_type(self) -> DataType {
        match self {
            SystemColumn::Key => DataType::Binary,
            SystemColumn::Timestamp => DataType::Timestamp,
            SystemColumn::Partition => DataType::I32,
            SystemColumn::Offset => DataType::I64,
        }
    }

    /// The system column of this name.
    pub fn from_name(name: &str) -> Option<SystemColumn> {
        SystemColumn::ALL.into_iter().find(|column| column.name() == name)
    }
}

impl SystemColumns {
    /// Changes fields: `SystemColumns::default().with(|it| it.offset = Some(offsets))`.
    pub fn with(mut self, change: impl FnOnce(&mut SystemColumns)) -> SystemColumns {
        change(&mut self);
        self
    }

    /// A `_headers` column, from the headers of all records in sequence and the number of headers per record.
    ///
    /// # Errors
    ///
    /// Names, values and lengths that do not match.
    pub fn headers_of(
        names: StringArray,
        values: BinaryArray,
        lengths: impl IntoIterator<Item = usize>,
    ) -> Result<ListArray, BatchError> {
        let fields = Fields::from(vec![
            ArrowField::new("key", ArrowType::Utf8, false),
            ArrowField::new("value", ArrowType::Binary, true),
        ]);
        let columns: Vec<ArrayRef> = vec![Arc::new(names), Arc::new(values)];
        let pairs = StructArray::try_new(fields, columns, None)?;
        let item = Arc::new(ArrowField::new("item", pairs.data_type().clone(), false));
        Ok(ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), Arc::new(pairs), None)?)
    }

    /// The column, if the source filled it.
    pub fn get(&self, column: SystemColumn) -> Option<ArrayRef> {
        fn dynamic<A: Array + Clone + 'static>(array: &Option<A>) -> Option<ArrayRef> {
            array.as_ref().map(|array| Arc::new(array.clone()) as ArrayRef)
        }
        match column {
            SystemColumn::Key => dynamic(&self.key),
            SystemColumn::Timestamp => dynamic(&self.timestamp),
            SystemColumn::Partition => dynamic(&self.partition),
            SystemColumn::Offset => dynamic(&self.offset),
        }
    }

    /// The columns with these physical rows, in this order.
    ///
    /// # Errors
    ///
    /// A row that does not exist.
    pub fn rows(&self, rows: impl IntoIterator<Item = usize>) -> Result<SystemColumns, BatchError> {
        let rows = rows.into_iter().map(|row| u32::try_from(row).unwrap_or(u32::MAX));
        self.take(&arrow::array::UInt32Array::from_iter_values(rows))
    }

    /// Fails if a column does not have this many rows.
    pub(crate) fn check(&self, rows: usize) -> Result<(), BatchError> {
        let lengths = [
            ("_key", self.key.as_ref().map(Array::len)),
            ("_timestamp", self.timestamp.as_ref().map(Array::len)),
            ("_partition", self.partition.as_ref().map(Array::len)),
            ("_offset", self.offset.as_ref().map(Array::len)),
            ("_headers", self.headers.as_ref().map(Array::len)),
            ("raw", self.raw.as_ref().map(Array::len)),
        ];
        for (name, length) in lengths {
            if let Some(found) = length.filter(|&found| found != rows) {
                return Err(BatchError::ColumnLength { name: name.to_owned(), rows: found, expected: rows });
            }
        }
        Ok(())
    }

    /// Consecutive rows, shared. The rows must exist.
    pub(crate) fn window(&self, first: usize, rows: usize) -> SystemColumns {
        SystemColumns {
            key: self.key.as_ref().map(|column| column.slice(first, rows)),
            timestamp: self.timestamp.as_ref().map(|column| column.slice(first, rows)),
            partition: self.partition.as_ref().map(|column| column.slice(first, rows)),
            offset: self.offset.as_ref().map(|column| column.slice(first, rows)),
            headers: self.headers.as_ref().map(|column| column.slice(first, rows)),
            origin: self.origin.clone(),
            raw: self.raw.as_ref().map(|column| column.slice(first, rows)),
        }
    }

    /// The columns with these physical rows, in this order. The rows must exist.
    pub(crate) fn take(&self, rows: &arrow::array::UInt32Array) -> Result<SystemColumns, BatchError> {
        fn gather<A: Array + Clone + 'static>(
            array: &Option<A>,
            rows: &arrow::array::UInt32Array,
        ) -> Result<Option<A>, BatchError> {
            let Some(array) = array else { return Ok(None) };
            let taken = take(array, rows, None)?;
            Ok(taken.as_any().downcast_ref::<A>().cloned())
        }
        Ok(SystemColumns {
            key: gather(&self.key, rows)?,
            timestamp: gather(&self.timestamp, rows)?,
            partition: gather(&self.partition, rows)?,
            offset: gather(&self.offset, rows)?,
            headers: gather(&self.headers, rows)?,
            origin: self.origin.clone(),
            raw: gather(&self.raw, rows)?,
        })
    }
}
