//! What can go wrong with a query, before it runs and while it does.

use std::path::PathBuf;

use weir_batch::BatchError;
use weir_sandbox::{Fault, Refusal};
use weir_sinks::SinkError;

use super::dead_letters::DeadLetterError;
use super::stage::StageError;
use super::summary::Summary;
use crate::file::Denied;
use crate::source::SourceError;

/// A query that could not be made ready.
#[derive(Debug, thiserror::Error)]
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
    /// A source could not be made ready.
    #[error("sources.{name}: {source}")]
    Source {
        /// The source.
        name: String,
        /// Why.
        source: SourceError,
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
    #[error("{place}: its file {source}, other than when the query file was checked")]
    Denied {
        /// The sink, or `dead_letters`.
        place: String,
        /// Why.
        source: Denied,
    },
    /// A source could not be made.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Dead letters to a topic.
    #[error("dead_letters: letters to the topic `{topic}` cannot be written yet; use `path`")]
    DeadLettersToKafka {
        /// The topic.
        topic: String,
    },
    /// Dead letters have no place.
    #[error(transparent)]
    DeadLetters(#[from] DeadLetterError),
    /// A compiling thread ended without an answer.
    #[error("the compiling thread ended: {0}")]
    Thread(String),
}

/// A query that failed on its way, with what it had done.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct RunError {
    /// What had been done. Records after the last commit are not published and will be read again.
    pub summary: Box<Summary>,
    /// What failed first.
    #[source]
    pub cause: Cause,
}

/// What failed first.
#[derive(Debug, thiserror::Error)]
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
        "sources.{source_name}: {}record {record}{} does not decode: {message}; `on_error = \"skip\"` or \"dead_letter\" would go on",
        file.as_ref().map(|file| format!("{}: ", file.display())).unwrap_or_default(),
        line.map(|line| format!(" (line {line})")).unwrap_or_default()
    )]
    Undecodable {
        /// The source.
        source_name: String,
        /// The file, where the source reads files.
        file: Option<PathBuf>,
        /// The record's number in its file, from 0.
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
}

impl Cause {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Cause::Source { source, .. } => source.fault(),
            Cause::Sink { source, .. } => match source.fault() {
                weir_sinks::Fault::Tenant => Fault::Tenant,
                weir_sinks::Fault::External => Fault::External,
                weir_sinks::Fault::Internal => Fault::Internal,
            },
            Cause::Undecodable { .. } | Cause::DeadLetters(_) => Fault::External,
            Cause::Stage { source, .. } => match source {
                StageError::Call(error) => error.fault(),
                StageError::Row { .. } | StageError::TooManyTraps { .. } => Fault::Tenant,
                StageError::DeadLetters(_) => Fault::External,
                StageError::Batch(_) => Fault::Internal,
            },
        }
    }
}
