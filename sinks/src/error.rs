//! Errors of sinks.

use std::io;
use std::path::{Path, PathBuf};

use weir_batch::Fault;
use weir_formats::FormatError;
use weir_kafka::{KafkaConnectionError, KafkaProblem};

use crate::RowRefusal;

/// A sink could not be opened, or accepts nothing more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// Invalid settings.
    #[error("{key}: {reason}")]
    Config {
        /// The key.
        key: &'static str,
        /// What is wrong, and what to write instead.
        reason: String,
    },
    /// The file exists and must not be replaced.
    #[error("{} already exists: remove it, choose another path, or allow replacing it", path.display())]
    FileExists {
        /// The file.
        path: PathBuf,
    },
    /// The path exists, but is not a file.
    #[error("{} is {found}: a file sink needs the path of a file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// An error of the file system.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The action that failed.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file has the length that a file of this process may have.
    #[error(
        "{} would be too large: {source}; let the sink write several files (`commit_ms`, `rotate_bytes_max`), or raise `file_bytes_max` of the tenant in the limits file",
        path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The disk is full, or the quota is reached.
    #[error("no space left for {}: {source}", path.display())]
    Full {
        /// The file that did not fit.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// An unfinished file has changed: something else deletes, replaces or truncates files of the folder. Nothing of the file is
    /// committed.
    #[error("{} {found} before it was published, and its contents are lost: keep other programs out of this folder", path.display())]
    PartChanged {
        /// The file's hidden name.
        path: PathBuf,
        /// What happened to the file.
        found: &'static str,
    },
    /// Standard output cannot be written.
    #[error("cannot write to standard output: {0}")]
    Stdout(#[source] io::Error),
    /// The reader of standard output has closed it. This ends the query, but is not a failure.
    #[error("the reader of standard output has closed it")]
    ReaderGone,
    /// Writing to Kafka failed.
    #[error("cannot write to topic `{topic}`{}: {source}", of_partition(*partition))]
    Kafka {
        /// The topic. In a transaction it may be the topic of another sink whose record was lost.
        topic: String,
        /// The partition, if a record was lost after it had been assigned one.
        partition: Option<i32>,
        /// The error.
        source: KafkaProblem,
    },
    /// The sink cannot take a record, and the policy of the query is to fail.
    #[error("{record} is refused: {why}, or set `on_error` to \"dead_letter\" or \"skip\"")]
    Refused {
        /// The record, by source, partition and offset.
        record: String,
        /// The reason, with a remedy.
        why: Box<RowRefusal>,
    },
    /// A batch could not be encoded.
    #[error(transparent)]
    Encode(FormatError),
    /// A file without numbers was published by a flush, and then written to.
    #[error(
        "{} was already published and takes no more records: number the files to publish them one by one",
        path.display()
    )]
    Published {
        /// The file.
        path: PathBuf,
    },
    /// The sink does not support two-phase commits.
    #[error("the sink does not support two-phase commits (durable first, visible later)")]
    OneStep,
    /// The sink cannot store data together with its output.
    #[error("the sink cannot store positions together with its output")]
    NothingKept,
    /// The sink has failed before.
    #[error("the sink has failed before and accepts nothing more")]
    AfterError,
    /// The sink was closed before.
    #[error("the sink is closed and accepts nothing more")]
    AfterClose,
    /// A sink of a [`crate::SinkConnector`] failed.
    #[error("{reason}")]
    Custom {
        /// What happened, and what to do.
        reason: String,
        /// Who has to act.
        fault: Fault,
        /// Whether a new sink may succeed with the records since the last flush.
        retryable: bool,
    },
    /// The task of the sink panicked or was stopped.
    #[error("the sink's task ended without an answer")]
    Ended,
}

impl From<KafkaConnectionError> for SinkError {
    fn from(error: KafkaConnectionError) -> SinkError {
        SinkError::Config { key: error.key, reason: error.reason }
    }
}

impl SinkError {
    /// The error for a sink whose task panicked or was stopped.
    pub fn ended() -> SinkError {
        SinkError::Ended
    }

    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            SinkError::Config { .. } | SinkError::FileExists { .. } | SinkError::NotAFile { .. } => Fault::Tenant,
            SinkError::Published { .. } | SinkError::Refused { .. } | SinkError::TooLarge { .. } => Fault::Tenant,
            SinkError::Encode(FormatError::RecordTooLarge { .. }) => Fault::Tenant,
            SinkError::Io { .. }
            | SinkError::Full { .. }
            | SinkError::PartChanged { .. }
            | SinkError::Stdout(_)
            | SinkError::ReaderGone => Fault::External,
            SinkError::Kafka { source, .. } => source.fault(),
            SinkError::Custom { fault, .. } => *fault,
            SinkError::Encode(error) if error.io().is_some() => Fault::External,
            SinkError::Encode(_)
            | SinkError::OneStep
            | SinkError::NothingKept
            | SinkError::AfterError
            | SinkError::AfterClose
            | SinkError::Ended => Fault::Internal,
        }
    }

    /// Whether a new sink with the same destination may succeed with the records since the last flush. This sink will not: errors
    /// are permanent.
    pub fn retryable(&self) -> bool {
        match self {
            SinkError::Full { .. } | SinkError::PartChanged { .. } => true,
            SinkError::Kafka { source, .. } => source.retryable(),
            SinkError::Custom { retryable, .. } => *retryable,
            SinkError::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::Interrupted
                    | io::ErrorKind::TimedOut
                    | io::ErrorKind::ResourceBusy
                    | io::ErrorKind::StaleNetworkFileHandle
            ),
            _ => false,
        }
    }

    /// Whether a broker refused a record because of its content: [`crate::BrokerRefusals`] finds the record.
    pub fn is_broker_refusal(&self) -> bool {
        matches!(self, SinkError::Kafka { source, .. } if source.is_refusal())
    }

    /// Whether the reader of standard output has closed it, which ends a query without an error.
    pub fn is_reader_gone(&self) -> bool {
        matches!(self, SinkError::ReaderGone)
    }

    /// An error of the file system.
    pub(crate) fn file(action: &'static str, path: &Path, source: io::Error) -> SinkError {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => SinkError::Full { path, source },
            io::ErrorKind::FileTooLarge => SinkError::TooLarge { path, source },
            _ => SinkError::Io { action, path, source },
        }
    }

    /// An error of an encoder that writes to a file.
    pub(crate) fn encode(path: &Path, error: FormatError) -> SinkError {
        match error {
            FormatError::Io(source) => SinkError::file("write", path, source),
            error => SinkError::Encode(error),
        }
    }

    /// An error of standard output.
    pub(crate) fn stdout(source: io::Error) -> SinkError {
        match source.kind() {
            io::ErrorKind::BrokenPipe => SinkError::ReaderGone,
            _ => SinkError::Stdout(source),
        }
    }
}

/// The partition in a message, if there is one.
fn of_partition(partition: Option<i32>) -> String {
    partition.map_or_else(String::new, |partition| format!(", partition {partition}"))
}
