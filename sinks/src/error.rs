//! What can go wrong with a sink.

use std::io;
use std::path::{Path, PathBuf};

use weir_batch::Fault;
use weir_formats::FormatError;
use weir_kafka::{KafkaConnectionError, KafkaProblem};

use crate::RowRefusal;

/// A sink that could not be opened, or that takes nothing more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// Settings that no sink can be made of.
    #[error("{key}: {reason}")]
    Config {
        /// The setting.
        key: &'static str,
        /// What would be right.
        reason: String,
    },
    /// The file exists and is not to be replaced.
    #[error("{} already exists: remove it, choose another path, or allow replacing it", path.display())]
    FileExists {
        /// The file.
        path: PathBuf,
    },
    /// There is something else than a file where the file should go.
    #[error("{} is {found}: a file sink needs the path of a file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What stands there.
        found: &'static str,
    },
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The disk, the quota or the largest file size is used up.
    #[error("no space left for {}: {source}", path.display())]
    Full {
        /// The file that did not fit.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// An unfinished file is not what was written: something else deletes, replaces or cuts files of the folder. Nothing of it
    /// is committed.
    #[error("{} {found} before it was published, and its contents are lost: keep other programs out of this folder", path.display())]
    PartChanged {
        /// The file's hidden name.
        path: PathBuf,
        /// What became of it.
        found: &'static str,
    },
    /// The standard output refused.
    #[error("cannot write to standard output: {0}")]
    Stdout(#[source] io::Error),
    /// Whoever read the standard output has closed it: the end of the work, not a failure of it.
    #[error("the reader of standard output has closed it")]
    ReaderGone,
    /// Kafka refused, or did not answer.
    #[error("cannot write to topic `{topic}`{}: {source}", of_partition(*partition))]
    Kafka {
        /// The topic. In a transaction it may be that of another sink, whose record was lost.
        topic: String,
        /// The partition, where a record was lost that had one already.
        partition: Option<i32>,
        /// What went wrong.
        source: KafkaProblem,
    },
    /// A record that the sink cannot take, where the query is to fail over one.
    #[error("{record} is refused: {why}, or set `on_error` to \"dead_letter\" or \"skip\"")]
    Refused {
        /// The record, by source, partition and offset.
        record: String,
        /// Why, and what would help.
        why: Box<RowRefusal>,
    },
    /// A batch could not be encoded.
    #[error(transparent)]
    Encode(FormatError),
    /// A file without numbers was flushed, which published it, and was then written to.
    #[error(
        "{} was already published and takes no more records: number the files to publish them one by one",
        path.display()
    )]
    Published {
        /// The file.
        path: PathBuf,
    },
    /// A sink that publishes in one step was asked to do it in two.
    #[error("the sink does not support two-phase commits (durable first, visible later)")]
    OneStep,
    /// A sink that keeps nothing beside its output was asked to.
    #[error("the sink cannot store positions together with its output")]
    NothingKept,
    /// The sink failed before.
    #[error("the sink has failed before and accepts nothing more")]
    AfterError,
    /// The sink was closed.
    #[error("the sink is closed and accepts nothing more")]
    AfterClose,
    /// A sink of a [`crate::SinkConnector`] failed.
    #[error("{reason}")]
    Custom {
        /// What happened, and what to do.
        reason: String,
        /// Whose fault it is.
        fault: Fault,
        /// Whether a new sink may succeed with the records since the last flush.
        retryable: bool,
    },
    /// The task that ran the sink ended without an answer.
    #[error("the sink's task ended without an answer")]
    Ended,
}

impl From<KafkaConnectionError> for SinkError {
    fn from(error: KafkaConnectionError) -> SinkError {
        SinkError::Config { key: error.key, reason: error.reason }
    }
}

impl SinkError {
    /// The task that ran the sink ended without an answer: it panicked or was stopped.
    pub fn ended() -> SinkError {
        SinkError::Ended
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            SinkError::Config { .. } | SinkError::FileExists { .. } | SinkError::NotAFile { .. } => Fault::Tenant,
            SinkError::Published { .. } | SinkError::Refused { .. } => Fault::Tenant,
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

    /// Whether a new sink over the same place may succeed with the records since the last flush. This one will not: an
    /// error lasts.
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

    /// Whether a broker refused a record for what it is: [`crate::BrokerRefusals`] finds out which.
    pub fn is_broker_refusal(&self) -> bool {
        matches!(self, SinkError::Kafka { source, .. } if source.is_refusal())
    }

    /// Whether the reader of the standard output went away, which ends a query quietly.
    pub fn is_reader_gone(&self) -> bool {
        matches!(self, SinkError::ReaderGone)
    }

    /// An error of the file system.
    pub(crate) fn file(action: &'static str, path: &Path, source: io::Error) -> SinkError {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                SinkError::Full { path, source }
            }
            _ => SinkError::Io { action, path, source },
        }
    }

    /// An encoder's error over a file.
    pub(crate) fn encode(path: &Path, error: FormatError) -> SinkError {
        match error {
            FormatError::Io(source) => SinkError::file("write", path, source),
            error => SinkError::Encode(error),
        }
    }

    /// An error of the standard output.
    pub(crate) fn stdout(source: io::Error) -> SinkError {
        match source.kind() {
            io::ErrorKind::BrokenPipe => SinkError::ReaderGone,
            _ => SinkError::Stdout(source),
        }
    }
}

/// Which partition, where there is one to name.
fn of_partition(partition: Option<i32>) -> String {
    partition.map_or_else(String::new, |partition| format!(", partition {partition}"))
}
