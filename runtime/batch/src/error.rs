//! What can be wrong with a batch.

use crate::DataType;
use weir_fault::Fault;

/// A batch, schema or selection that does not hold together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// Two fields of one schema have the same name.
    #[error("field `{name}` is declared twice")]
    DuplicateField {
        /// The name that stands twice.
        name: String,
    },
    /// A field's name is empty, too long, or begins with the underscore that marks system columns.
    #[error("invalid field name `{name}`: {reason}")]
    FieldName {
        /// The name, escaped.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The number of columns is not the number of fields.
    #[error("the schema has {fields} fields, but the batch has {columns} columns")]
    ColumnCount {
        /// Fields in the schema.
        fields: usize,
        /// Columns given.
        columns: usize,
    },
    /// A column is longer or shorter than the others.
    #[error("column `{name}` has {rows} rows, expected {expected}")]
    ColumnLength {
        /// The column.
        name: String,
        /// Its rows.
        rows: usize,
        /// The rows of the batch.
        expected: usize,
    },
    /// A column holds another type than its field says.
    #[error("column `{name}` is {found}, expected {expected}")]
    ColumnType {
        /// The column.
        name: String,
        /// What its field says.
        expected: DataType,
        /// The Arrow type found.
        found: String,
    },
    /// A column whose field admits no null holds some.
    #[error("column `{name}` has {nulls} nulls, but its field is not nullable")]
    UnexpectedNulls {
        /// The column.
        name: String,
        /// How many.
        nulls: usize,
    },
    /// An Arrow type that Weir does not carry.
    #[error("column `{name}` has type {found}, which is not supported: convert it to one of {}", DataType::NAMES)]
    UnsupportedType {
        /// The column.
        name: String,
        /// The Arrow type found.
        found: String,
    },
    /// A row number beyond the batch.
    #[error("row {row} is out of range: the batch has {rows} rows")]
    RowRange {
        /// The row asked for.
        row: usize,
        /// The rows there are.
        rows: usize,
    },
    /// The number of answers is not the number of rows.
    #[error("the answer covers {found} rows, but the batch has {rows}")]
    RowCount {
        /// The answers.
        found: usize,
        /// The rows of the batch.
        rows: usize,
    },
    /// A value could not be converted on the way in.
    #[error("column `{name}`: {source}")]
    Convert {
        /// The column.
        name: String,
        /// What Arrow says.
        source: arrow::error::ArrowError,
    },
    /// Arrow refused an operation on well-formed columns.
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
}

impl BatchError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            // What somebody declared.
            BatchError::DuplicateField { .. } | BatchError::FieldName { .. } | BatchError::UnsupportedType { .. } => {
                Fault::Tenant
            }
            BatchError::ColumnCount { .. }
            | BatchError::ColumnLength { .. }
            | BatchError::ColumnType { .. }
            | BatchError::UnexpectedNulls { .. }
            | BatchError::RowRange { .. }
            | BatchError::RowCount { .. }
            | BatchError::Convert { .. }
            | BatchError::Arrow(_) => Fault::Internal,
        }
    }

    /// Whether the same may succeed later: never, since nothing outside takes part.
    pub fn retryable(&self) -> bool {
        false
    }
}
