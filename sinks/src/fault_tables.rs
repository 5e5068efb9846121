//! Whose fault each error is, and whether it is retryable.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use expect_test::expect;
use weir_batch::Fault;
use weir_fault::table;
use weir_formats::{Format, FormatError};
use weir_kafka::KafkaProblem;

use crate::conformance::Violation;
use crate::{RowRefusal, SinkError, SlotError, TransactionError};

fn text() -> String {
    "t".to_owned()
}

fn timed_out() -> KafkaProblem {
    KafkaProblem::Unreachable { after: Duration::ZERO, reason: text() }
}

#[test]
fn of_sinks() {
    let path = || PathBuf::from("p");
    let io = |kind: io::ErrorKind| io::Error::from(kind);
    let kafka = |source| SinkError::Kafka { topic: text(), partition: None, source };
    let too_large = FormatError::RecordTooLarge { format: Format::Bincode, bytes: 2, bytes_max: 1 };
    let table = table![
        SinkError::Config { key: "path", reason: text() },
        SinkError::FileExists { path: path() },
        SinkError::NotAFile { path: path(), found: "" },
        SinkError::Io { action: "open", path: path(), source: io(io::ErrorKind::NotFound) },
        SinkError::Io { action: "open", path: path(), source: io(io::ErrorKind::TimedOut) },
        SinkError::Full { path: path(), source: io(io::ErrorKind::StorageFull) },
        SinkError::TooLarge { path: path(), source: io(io::ErrorKind::FileTooLarge) },
        SinkError::PartChanged { path: path(), found: "" },
        SinkError::Stdout(io(io::ErrorKind::NotFound)),
        SinkError::ReaderGone,
        kafka(KafkaProblem::UnknownTopic),
        kafka(timed_out()),
        SinkError::Refused { record: text(), why: Box::new(RowRefusal::NoPartition { topic: text(), partition: 1 }) },
        SinkError::Encode(FormatError::Failed),
        SinkError::Encode(FormatError::Io(io(io::ErrorKind::NotFound))),
        SinkError::Encode(too_large),
        SinkError::Published { path: path() },
        SinkError::OneStep,
        SinkError::NothingKept,
        SinkError::AfterError,
        SinkError::AfterClose,
        SinkError::Custom { reason: text(), fault: Fault::External, retryable: true },
        SinkError::Custom { reason: text(), fault: Fault::Tenant, retryable: false },
        SinkError::Ended,
    ];
    expect![[r#"
        Config: tenant
        FileExists: tenant
        NotAFile: tenant
        Io: external
        Io: external, retryable
        Full: external, retryable
        TooLarge: tenant
        PartChanged: external, retryable
        Stdout: external
        ReaderGone: external
        Kafka: tenant
        Kafka: external, retryable
        Refused: tenant
        Encode: internal
        Encode: external
        Encode: tenant
        Published: tenant
        OneStep: internal
        NothingKept: internal
        AfterError: internal
        AfterClose: internal
        Custom: external, retryable
        Custom: tenant
        Ended: internal
    "#]]
    .assert_eq(&table);
}

#[test]
fn of_rows_and_transactions() {
    let (topic, id, reason) = (text, text, text);
    let table = table![
        RowRefusal::TooLarge { bytes: 2, bytes_max: 1, limit: text(), remedy: "" },
        RowRefusal::NoPartition { topic: topic(), partition: 1 },
        RowRefusal::ByBroker { topic: topic(), bytes: 1, problem: KafkaProblem::UnknownTopic, remedy: "" },
        TransactionError::Config { key: "id", reason: reason() },
        TransactionError::Open { id: id(), source: timed_out() },
        TransactionError::Open { id: id(), source: KafkaProblem::Settings(text()) },
        TransactionError::Aborted { source: timed_out() },
        TransactionError::Fenced { id: id(), reason: reason() },
        TransactionError::TimedOut { id: id(), open_for: Duration::ZERO, timeout: Duration::ZERO },
        TransactionError::Indeterminate { reason: reason() },
        TransactionError::Fatal { reason: reason(), source: timed_out() },
        TransactionError::AfterError,
        TransactionError::Ended,
        SlotError::AllTaken { path: PathBuf::from("p") },
        Violation { rule: "", detail: text() },
    ];
    expect![[r#"
        TooLarge: tenant
        NoPartition: tenant
        ByBroker: tenant
        Config: tenant
        Open: external, retryable
        Open: tenant
        Aborted: external, retryable
        Fenced: external
        TimedOut: external, retryable
        Indeterminate: external, retryable
        Fatal: external, retryable
        AfterError: internal
        Ended: internal
        AllTaken: external, retryable
        Violation: internal
    "#]]
    .assert_eq(&table);
}
