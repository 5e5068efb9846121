//! Whose fault each error is, and whether it is retryable.

use std::io;
use std::path::PathBuf;

use expect_test::expect;
use weir_batch::BatchError;
use weir_fault::table;
use weir_formats::FormatError;
use weir_sinks::{RowRefusal, SinkError};

use crate::DeadLetterError;

#[test]
fn of_letters() {
    let path = || PathBuf::from("p");
    let io = |kind: io::ErrorKind| io::Error::from(kind);
    let json = serde_json::from_str::<u8>("x").expect_err("no number");
    let no_room = RowRefusal::TooLarge { bytes: 2, bytes_max: 1, limit: "t".to_owned(), remedy: "" };
    let table = table![
        DeadLetterError::Io { path: path(), source: io(io::ErrorKind::NotFound) },
        DeadLetterError::Io { path: path(), source: io(io::ErrorKind::StorageFull) },
        DeadLetterError::Cut { path: path(), found: 1, committed: 2 },
        DeadLetterError::InUse { path: path() },
        DeadLetterError::Sink(SinkError::ReaderGone),
        DeadLetterError::NoRoom { why: Box::new(no_room) },
        DeadLetterError::Batch(BatchError::RowCount { found: 1, rows: 2 }),
        DeadLetterError::Encode(FormatError::Failed),
        DeadLetterError::Json(json),
    ];
    expect![[r#"
        Io: external
        Io: external, retryable
        Cut: external
        InUse: external
        Sink: external
        NoRoom: tenant
        Batch: internal
        Encode: internal
        Json: internal
    "#]]
    .assert_eq(&table);
}
