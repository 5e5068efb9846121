//! Whose fault each error is, and whether it is retryable.

use arrow::error::ArrowError;
use expect_test::expect;
use weir_fault::table;

use crate::{BatchError, DataType, TraceParseError};

#[test]
fn of_batches() {
    let name = || "n".to_owned();
    let table = table![
        BatchError::DuplicateField { name: name() },
        BatchError::FieldName { name: name(), reason: "" },
        BatchError::UnsupportedType { name: name(), found: name() },
        BatchError::ColumnCount { fields: 1, columns: 2 },
        BatchError::ColumnLength { name: name(), rows: 1, expected: 2 },
        BatchError::ColumnType { name: name(), expected: DataType::I64, found: name() },
        BatchError::UnexpectedNulls { name: name(), nulls: 1 },
        BatchError::RowRange { row: 1, rows: 1 },
        BatchError::RowCount { found: 1, rows: 2 },
        BatchError::Convert { name: name(), source: ArrowError::DivideByZero },
        BatchError::Arrow(ArrowError::DivideByZero),
        TraceParseError,
    ];
    expect![[r#"
        DuplicateField: tenant
        FieldName: tenant
        UnsupportedType: tenant
        ColumnCount: internal
        ColumnLength: internal
        ColumnType: internal
        UnexpectedNulls: internal
        RowRange: internal
        RowCount: internal
        Convert: internal
        Arrow: internal
        TraceParseError: external
    "#]]
    .assert_eq(&table);
}
