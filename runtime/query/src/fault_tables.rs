//! Whose fault each error is, and whether it is retryable.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use expect_test::expect;
use weir_batch::BatchError;
use weir_fault::table;
use weir_files::Denied;
use weir_formats::FormatError;
use weir_letters::DeadLetterError;
use weir_sandbox::Refusal;
use weir_sinks::{SinkError, SlotError, TransactionError};
use weir_sources::{BacklogError, SourceError};
use weir_state::ManifestError;

use crate::run::{BuildError, Cause, StageError, StateError};
use crate::{ReplayError, TopicLettersError};

fn text() -> String {
    "t".to_owned()
}

fn path() -> PathBuf {
    PathBuf::from("p")
}

fn io(kind: io::ErrorKind) -> io::Error {
    kind.into()
}

fn batch() -> BatchError {
    BatchError::RowCount { found: 1, rows: 2 }
}

fn in_use() -> StateError {
    StateError::InUse { path: path() }
}

#[test]
fn of_building() {
    let (stage, name) = (text, text);
    let lost = || StageError::StateLost { function: text(), batches: 1, cause: text() };
    let table = table![
        BuildError::Refused { stage: stage(), path: path(), source: Box::new(Refusal::NotWasm) },
        BuildError::Sink { name: name(), source: SinkError::FileExists { path: path() } },
        BuildError::Sink { name: name(), source: SinkError::ReaderGone },
        BuildError::Denied { place: text(), source: Denied::Outside },
        BuildError::State(in_use()),
        BuildError::Source { name: name(), source: SourceError::Thread(text()) },
        BuildError::Source {
            name: name(),
            source: SourceError::Io { path: path(), source: io(io::ErrorKind::NotFound) }
        },
        BuildError::Transaction(TransactionError::Indeterminate { reason: text() }),
        BuildError::Slot(SlotError::AllTaken { path: path() }),
        BuildError::Batch(batch()),
        BuildError::DeadLetters(DeadLetterError::InUse { path: path() }),
        BuildError::StateLost { stage: stage(), source: Box::new(lost()) },
        BuildError::Stopped,
        BuildError::Thread(text()),
    ];
    expect![[r#"
        Refused: tenant
        Sink: tenant
        Sink: external, retryable
        Denied: tenant
        State: tenant
        Source: internal
        Source: external, retryable
        Transaction: external, retryable
        Slot: external, retryable
        Batch: internal
        DeadLetters: external
        StateLost: tenant
        Stopped: external
        Thread: internal
    "#]]
    .assert_eq(&table);
}

#[test]
fn of_running() {
    let name = text;
    let opening = || Box::new(BuildError::Transaction(TransactionError::Indeterminate { reason: text() }));
    let table = table![
        Cause::Source { name: name(), source: SourceError::Thread(text()) },
        Cause::Undecodable { source_name: name(), file: None, partition: None, record: 0, line: None, message: text() },
        Cause::Stage { name: name(), source: StageError::Batch(batch()) },
        Cause::Sink { name: name(), source: SinkError::PartChanged { path: path(), found: "" } },
        Cause::DeadLetters(DeadLetterError::Cut { path: path(), found: 1, committed: 2 }),
        Cause::State(in_use()),
        Cause::Transaction(TransactionError::Ended),
        Cause::Lost { name: name(), partitions: Vec::new() },
        Cause::Unfinished { grace: Duration::ZERO, records: 1, sinks: Vec::new() },
        Cause::Opening(opening()),
        Cause::Again(opening()),
        StageError::Row { place: Box::default(), code: text(), message: text() },
        StageError::StateLost { function: text(), batches: 1, cause: text() },
        StageError::HiddenState { function: text(), batch: 1, difference: text() },
        StageError::DeadLetters(DeadLetterError::Batch(batch())),
        StageError::Batch(batch()),
    ];
    expect![[r#"
        Source: internal
        Undecodable: external
        Stage: internal
        Sink: external, retryable
        DeadLetters: external
        State: tenant
        Transaction: internal
        Lost: external, retryable
        Unfinished: external, retryable
        Opening: external, retryable
        Again: external, retryable
        Row: tenant
        StateLost: tenant
        HiddenState: tenant
        DeadLetters: internal
        Batch: internal
    "#]]
    .assert_eq(&table);
}

#[test]
fn of_state_and_replay() {
    let manifest = ManifestError::Checksum;
    let table = table![
        StateError::Io { action: "open", path: path(), source: io(io::ErrorKind::NotFound) },
        StateError::Io { action: "open", path: path(), source: io(io::ErrorKind::StorageFull) },
        in_use(),
        StateError::Manifest { path: path(), source: manifest },
        StateError::TooLarge { path: path(), bytes: 2, limit: 1 },
        StateError::Thread(text()),
        StateError::OtherTenant { path: path() },
        StateError::OtherQuery { path: path(), query: text(), tenant: text() },
        ReplayError::NoFile,
        ReplayError::Denied(Denied::Link),
        ReplayError::InUse { path: path() },
        ReplayError::SinkFile { sink: text(), path: path() },
        ReplayError::Stuck { path: path(), number: 1, reason: text() },
        ReplayError::State(in_use()),
        ReplayError::Format(FormatError::Failed),
        ReplayError::Io { action: "open", path: path(), source: io(io::ErrorKind::NotFound) },
        TopicLettersError::Kafka { topic: text(), source: BacklogError::NoEnd(Duration::ZERO) },
        TopicLettersError::InUse { path: path() },
        TopicLettersError::Io { path: path(), source: io(io::ErrorKind::NotFound) },
    ];
    expect![[r#"
        Io: external
        Io: external, retryable
        InUse: tenant
        Manifest: tenant
        TooLarge: tenant
        Thread: internal
        OtherTenant: tenant
        OtherQuery: tenant
        NoFile: tenant
        Denied: tenant
        InUse: external, retryable
        SinkFile: tenant
        Stuck: tenant
        State: tenant
        Format: internal
        Io: external
        Kafka: external, retryable
        InUse: external, retryable
        Io: external
    "#]]
    .assert_eq(&table);
}
