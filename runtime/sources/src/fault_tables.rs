//! Whose fault each error is, and whether it is retryable.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use expect_test::expect;
use weir_batch::{BatchError, Fault};
use weir_fault::table;
use weir_formats::FormatError;
use weir_state::Partition;

use crate::{BacklogError, Changed, FileChange, KafkaSourceError, Since, SourceError};

#[test]
fn of_sources() {
    let (path, text) = (|| PathBuf::from("p"), || "t".to_owned());
    let io = || io::Error::from(io::ErrorKind::NotFound);
    let kept = Partition::new("p", 0);
    let kafka = |source| SourceError::Kafka { brokers: text(), source };
    let table = table![
        SourceError::Io { path: path(), source: io() },
        SourceError::Format { path: path(), source: FormatError::Failed },
        SourceError::Batch(BatchError::RowCount { found: 1, rows: 2 }),
        SourceError::Moved { kept, found: text() },
        SourceError::Changed {
            path: path(),
            changed: Changed { change: FileChange::Shrunk { was: 2, is: 1 }, since: Since::Read }
        },
        SourceError::Place { path: path(), source: FormatError::Failed },
        SourceError::Mark { path: path(), reason: text() },
        SourceError::NotSeekable { what: text(), found: "" },
        kafka(KafkaSourceError::UnknownTopic { topic: text() }),
        kafka(KafkaSourceError::Commit(text())),
        SourceError::Custom { reason: text(), fault: Fault::External, retryable: true },
        SourceError::Custom { reason: text(), fault: Fault::Tenant, retryable: false },
        SourceError::Thread(text()),
    ];
    expect![[r#"
        Io: external
        Format: external
        Batch: internal
        Moved: tenant
        Changed: tenant
        Place: tenant
        Mark: tenant
        NotSeekable: tenant
        Kafka: tenant
        Kafka: external, retryable
        Custom: external, retryable
        Custom: tenant
        Thread: internal
    "#]]
    .assert_eq(&table);
}

#[test]
fn of_topics() {
    let text = || "t".to_owned();
    let partition = || Partition::new("t", 0);
    let (position, first, end) = (1, 2, 3);
    let code = weir_kafka::ErrorCode::of_librdkafka(-1);
    let table = table![
        KafkaSourceError::UnknownTopic { topic: text() },
        KafkaSourceError::UnknownPartition { topic: text(), partition: 1 },
        KafkaSourceError::NotAuthorised(code),
        KafkaSourceError::Fatal(code),
        KafkaSourceError::Settings(text()),
        KafkaSourceError::SeekInGroup { group: text() },
        KafkaSourceError::OutOfRange { partition: partition(), position, first, end },
        KafkaSourceError::MadeAgain { partition: partition(), position, first, end },
        KafkaSourceError::StartedOver { topic: text() },
        KafkaSourceError::NoPositions { partitions: text(), waited: Duration::ZERO, reason: text() },
        KafkaSourceError::Lost(code),
        KafkaSourceError::Commit(text()),
        KafkaSourceError::Batch(text()),
        KafkaSourceError::Closed,
        BacklogError::Kafka(text()),
        BacklogError::NoEnd(Duration::ZERO),
        BacklogError::Taker(io::ErrorKind::NotFound.into()),
    ];
    expect![[r#"
        UnknownTopic: tenant
        UnknownPartition: tenant
        NotAuthorised: tenant
        Fatal: external, retryable
        Settings: tenant
        SeekInGroup: tenant
        OutOfRange: tenant
        MadeAgain: tenant
        StartedOver: external, retryable
        NoPositions: external, retryable
        Lost: external, retryable
        Commit: external, retryable
        Batch: internal
        Closed: internal
        Kafka: external, retryable
        NoEnd: external, retryable
        Taker: external
    "#]]
    .assert_eq(&table);
}
