//! Errors of batches.

use crate::DataType;
use weir_fault::Fault;

/// An inconsistent batch, schema or selection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// Two fields of one schema have the same name.
    #[error("field `{name}` is declared twice")]
    DuplicateField {
        /// The repeated name.
        name: String,
    },
    /// A field's name is empty, too long, or begins with an underscore, which is reserved for system columns.
    #[error("invalid field name `{name}`: {reason}")]
    FieldName {
        /// The name, escaped.
        name: String,
        /// The reason.
        reason: &'static str,
    },
    /// The number of columns differs from the number of fields.
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
    /// A column's type differs from its field's.
    #[error("column `{name}` is {found}, expected {expected}")]
    ColumnType {
        /// The column.
        name: String,
        /// The field's type.
        expected: DataType,
        /// The Arrow type found.
        found: String,
    },
    /// A column contains nulls, but its field is not nullable.
    #[error("column `{name}` has {nulls} nulls, but its field is not nullable")]
    UnexpectedNulls {
        /// The column.
        name: String,
        /// The number of nulls.
        nulls: usize,
    },
    /// An Arrow type that Weir does not support.
    #[error("column `{name}` has type {found}, which is not supported: convert it to one of {}", DataType::NAMES)]
    UnsupportedType {
        /// The column.
        name: String,
        /// The Arrow type found.
        found: String,
    },
    /// A row number beyond the end of the batch.
    #[error("row {row} is out of range: the batch has {rows} rows")]
    RowRange {
        /// The requested row.
        row: usize,
        /// The number of rows.
        rows: usize,
    },
    /// The number of answers differs from the number of rows.
    #[error("the answer covers {found} rows, but the batch has {rows}")]
    RowCount {
        /// The answers.
        found: usize,
        /// The rows of the batch.
        rows: usize,
    },
    /// A foreign value could not be converted.
    #[error("column `{name}`: {source}")]
    Convert {
        /// The column.
        name: String,
        /// The error of Arrow.
        source: arrow::error::ArrowError,
    },
    /// Arrow refused an operation on well-formed columns.
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
}

impl BatchError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            // Somebody declared it.
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

    /// Whether the same call may succeed later: never, because nothing outside takes part.
    pub fn retryable(&self) -> bool {
        false
    }
}
