//! Whose fault each error is, and whether it is retryable.

use std::io;

use expect_test::expect;
use weir_batch::{BatchError, DataType};
use weir_fault::table;

use crate::{CsvOptionError, Format, FormatError, UnknownFormat};

#[test]
fn of_files() {
    let (format, text) = (Format::Csv, || "t".to_owned());
    let option = || CsvOptionError { key: "quote", reason: text() };
    let table = table![
        FormatError::Io(io::ErrorKind::NotFound.into()),
        FormatError::Io(io::ErrorKind::TimedOut.into()),
        FormatError::SchemaRequired { format },
        FormatError::Foreign { format, found: "", help: "" },
        FormatError::NotInferable { format, reason: text() },
        FormatError::MissingField { name: text(), available: text() },
        FormatError::DoubledField { name: text() },
        FormatError::FieldType { name: text(), declared: DataType::I64, found: text() },
        FormatError::Header { reason: text() },
        FormatError::CsvOption(option()),
        FormatError::Corrupt { format, reason: text() },
        FormatError::TooLarge { format, what: "", bytes: 2, bytes_max: 1, remedy: "" },
        FormatError::Place { format, reason: text() },
        FormatError::Continued { format, byte: 1 },
        FormatError::SchemaMismatch { expected: text(), found: text() },
        FormatError::RecordTooLarge { format, bytes: 2, bytes_max: 1 },
        FormatError::Failed,
        FormatError::Batch(BatchError::RowCount { found: 1, rows: 2 }),
        FormatError::Encode { format, reason: text() },
        option(),
        UnknownFormat { name: text() },
    ];
    expect![[r#"
        Io: external
        Io: external, retryable
        SchemaRequired: tenant
        Foreign: tenant
        NotInferable: tenant
        MissingField: tenant
        DoubledField: tenant
        FieldType: tenant
        Header: external
        CsvOption: tenant
        Corrupt: external
        TooLarge: external
        Place: external
        Continued: external
        SchemaMismatch: internal
        RecordTooLarge: tenant
        Failed: internal
        Batch: internal
        Encode: internal
        CsvOptionError: tenant
        UnknownFormat: tenant
    "#]]
    .assert_eq(&table);
}
