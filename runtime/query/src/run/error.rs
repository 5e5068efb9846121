//! What can go wrong with a query, before it runs and while it does.

use std::path::PathBuf;
use std::time::Duration;

use weir_batch::BatchError;
use weir_kafka::KafkaProblem;
use weir_sandbox::{Fault, Refusal};
use weir_sinks::{SinkError, TransactionError};

use super::stage_error::StageError;
use super::state::StateError;
use super::summary::Summary;
use weir_files::Denied;
use weir_letters::DeadLetterError;
use weir_sinks::SlotError;
use weir_sources::SourceError;
use weir_state::Partition;

/// `ENFILE` and `EMFILE` of Linux.
const OUT_OF_FILES: [i32; 2] = [23, 24];

/// A query that could not be made ready.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A module was refused.
    #[error("stages.{stage}: module {} was refused ({}): {source}", path.display(), source.code())]
    Refused {
        /// The stage.
        stage: String,
        /// The module's file.
        path: PathBuf,
        /// Why.
        source: Box<Refusal>,
    },
    /// A sink could not be opened.
    #[error("sinks.{name}: {source}")]
    Sink {
        /// The sink.
        name: String,
        /// Why.
        source: SinkError,
    },
    /// A file that is to be written is no longer where it was when the query file was checked.
    #[error("{place}: its file {source} (this has changed since the query file was checked)")]
    Denied {
        /// The sink, or `dead_letters`.
        place: String,
        /// Why.
        source: Denied,
    },
    /// The state of an earlier run cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A source could not be made, or cannot go on where an earlier run stood.
    #[error("sources.{name}: {source}")]
    Source {
        /// The source.
        name: String,
        /// Why.
        source: SourceError,
    },
    /// Kafka's transactions could not be opened.
    #[error("delivery: {0}")]
    Transaction(#[from] TransactionError),
    /// Too many processes of the query run on this host.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// A source could not be made.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Dead letters have no place.
    #[error(transparent)]
    DeadLetters(#[from] DeadLetterError),
    /// A function keeps state that a restart loses, and its stage says that this is no way to go on.
    #[error("stages.{stage}: {source}")]
    StateLost {
        /// The stage.
        stage: String,
        /// What was lost.
        source: Box<StageError>,
    },
    /// The query was stopped before it was ready. Nothing was read or written.
    #[error("stopped before it started")]
    Stopped,
    /// A thread that compiled, or opened files, ended without an answer.
    #[error("a thread that prepared the query ended: {0}")]
    Thread(String),
}

/// A query that failed on its way, with what it had done.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
#[non_exhaustive]
pub struct RunError {
    /// What had been done. Records after the last commit are not published and will be read again.
    pub summary: Box<Summary>,
    /// What failed first.
    #[source]
    pub cause: Cause,
}

/// What failed first.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// A source could not go on.
    #[error("sources.{name}: {source}")]
    Source {
        /// The source.
        name: String,
        /// Why.
        source: SourceError,
    },
    /// A record did not decode, and the policy is `fail`.
    #[error(
        "sources.{source_name}: {}{record}{} cannot be decoded: {message}; to continue, set `on_error = \"skip\"` or `\"dead_letter\"`",
        match (file, partition) {
            (Some(file), _) => format!("{}: record ", file.display()),
            (None, Some(partition)) => format!("{partition}: the record at offset "),
            (None, None) => "record ".to_owned(),
        },
        line.map(|line| format!(" (line {line})")).unwrap_or_default()
    )]
    Undecodable {
        /// The source.
        source_name: String,
        /// The file, where the source reads files.
        file: Option<PathBuf>,
        /// The topic and its partition, where the source reads topics.
        partition: Option<Partition>,
        /// The record's number in its file, from 0, or its offset in the partition.
        record: i64,
        /// Its line, from 1, where the format has lines.
        line: Option<u64>,
        /// What is wrong with it.
        message: String,
    },
    /// A stage could not go on.
    #[error("stages.{name}: {source}")]
    Stage {
        /// The stage.
        name: String,
        /// Why.
        source: StageError,
    },
    /// A sink failed.
    #[error("sinks.{name}: {source}")]
    Sink {
        /// The sink.
        name: String,
        /// Why.
        source: SinkError,
    },
    /// A record could not be kept as a dead letter.
    #[error(transparent)]
    DeadLetters(#[from] DeadLetterError),
    /// The manifest of a commit could not be written.
    #[error(transparent)]
    State(#[from] StateError),
    /// A transaction of Kafka's did not go through.
    #[error("delivery: {0}")]
    Transaction(#[from] TransactionError),
    /// Somebody else reads partitions of which uncommitted records are in the transaction.
    #[error(
        "sources.{name}: another member of the group has taken over {} before their records were committed",
        partitions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    Lost {
        /// The source.
        name: String,
        /// The partitions.
        partitions: Vec<Partition>,
    },
    /// The query was told to stop, and had not finished within its grace time.
    #[error(
        "ended by force {} ms after the stop: {records} records were read but not committed{}; the next run reads them again if their positions are stored",
        grace.as_millis(),
        match sinks.as_slice() {
            [] => String::new(),
            sinks => format!(", and batches are waiting for {} (is its reader or server blocked?)", sinks.join(", ")),
        }
    )]
    Unfinished {
        /// The time that it had.
        grace: Duration,
        /// Records that were taken in since the last commit.
        records: u64,
        /// Sinks that had not taken everything, as `` `out` ``.
        sinks: Vec<String>,
    },
    /// The query could not be opened at its start, and its sinks' policy is to try again.
    #[error("{0}")]
    Opening(#[source] Box<BuildError>),
    /// The query could not be opened again after a failure.
    #[error("retrying: {0}")]
    Again(#[source] Box<BuildError>),
}

impl RunError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        self.cause.fault()
    }

    /// Whether another run of the query may get beyond it.
    pub fn retryable(&self) -> bool {
        self.cause.retryable()
    }
}

impl From<weir_batch::BatchError> for Cause {
    fn from(error: weir_batch::BatchError) -> Cause {
        Cause::Stage { name: String::new(), source: StageError::Batch(error) }
    }
}

impl BuildError {
    /// Whether the process, or the machine, had no descriptor left: another query may have them, and give them back.
    pub(super) fn is_out_of_files(&self) -> bool {
        let mut error: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(one) = error {
            let code = one.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error);
            if code.is_some_and(|code| OUT_OF_FILES.contains(&code)) {
                return true;
            }
            error = one.source();
        }
        false
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            BuildError::Refused { source, .. } => source.fault(),
            BuildError::Sink { source, .. } => source.fault(),
            BuildError::Denied { source, .. } => source.fault(),
            BuildError::State(error) => error.fault(),
            BuildError::Source { source, .. } => source.fault(),
            BuildError::Transaction(error) => error.fault(),
            BuildError::Slot(error) => error.fault(),
            BuildError::Batch(error) => error.fault(),
            BuildError::DeadLetters(error) => error.fault(),
            BuildError::StateLost { source, .. } => source.fault(),
            BuildError::Stopped => Fault::External,
            BuildError::Thread(_) => Fault::Internal,
        }
    }

    /// Whether a later attempt may succeed. A sink's place may be put in order, and a source's come back, while it is waited
    /// for.
    pub fn retryable(&self) -> bool {
        match self {
            BuildError::Sink { source, .. } => source.retryable() || source.fault() == Fault::External,
            BuildError::State(error) => error.retryable(),
            BuildError::DeadLetters(error) => error.retryable(),
            BuildError::Source { source, .. } => source.fault() == Fault::External,
            BuildError::Transaction(error) => error.retryable(),
            BuildError::Slot(error) => error.retryable(),
            _ => false,
        }
    }
}

impl Cause {
    /// Whether partitions went to another reader before their records were committed, or their topic was made again. Nothing is wrong with
    /// the query.
    pub(super) fn is_loss(&self) -> bool {
        match self {
            Cause::Lost { .. } => true,
            Cause::Transaction(TransactionError::Aborted { source: KafkaProblem::OtherMember(_) }) => true,
            Cause::Source { source, .. } => source.is_lost() || source.starts_over(),
            _ => false,
        }
    }

    /// Whether a query that is to stop may do so with this: whoever reads next begins where the last commit was.
    pub(super) fn loses_nothing(&self) -> bool {
        self.is_loss() || matches!(self, Cause::Transaction(TransactionError::TimedOut { .. }))
    }

    /// Whether nothing failed, but the query did not finish within its grace time.
    pub fn is_unfinished(&self) -> bool {
        matches!(self, Cause::Unfinished { .. })
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Cause::Source { source, .. } => source.fault(),
            Cause::Sink { source, .. } => source.fault(),
            Cause::Undecodable { .. } | Cause::Lost { .. } | Cause::Unfinished { .. } => Fault::External,
            Cause::DeadLetters(error) => error.fault(),
            Cause::State(error) => error.fault(),
            Cause::Transaction(error) => error.fault(),
            Cause::Opening(error) | Cause::Again(error) => error.fault(),
            Cause::Stage { source, .. } => source.fault(),
        }
    }

    /// Whether another run of the query may get beyond it. A run goes on from the last commit in any case.
    pub fn retryable(&self) -> bool {
        match self {
            Cause::Source { source, .. } => source.retryable(),
            Cause::Stage { source, .. } => source.retryable(),
            Cause::Sink { source, .. } => source.retryable(),
            Cause::DeadLetters(error) => error.retryable(),
            Cause::State(error) => error.retryable(),
            Cause::Transaction(error) => error.retryable(),
            Cause::Opening(error) | Cause::Again(error) => error.retryable(),
            Cause::Lost { .. } | Cause::Unfinished { .. } => true,
            Cause::Undecodable { .. } => false,
        }
    }
}
