//! Sources of records: the [`Source`] contract, and its implementations for files, Kafka topics and generated records.
//!
//! ```
//! use weir_formats::{Fill, Format};
//! use weir_sources::{FileSource, Source, SourceEvent};
//! # use std::sync::Arc;
//! # use weir_batch::{DataType, Field, Schema};
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let path = folder.path().join("delays.jsonl");
//! std::fs::write(&path, "{\"delay\":61}\n{\"delay\":\"soon\"}\n")?;
//! let schema = Arc::new(Schema::new(vec![Field::new("delay", DataType::I64)])?);
//!
//! let mut source = FileSource::new(vec![path], Format::JsonLines, schema, Fill::from(1000));
//! let Some(SourceEvent::Batch(read)) = source.next().await? else { panic!("two records") };
//! // What could be read, what could not, and where to go on.
//! assert_eq!((read.batch.rows(), read.bad.len(), read.positions.len()), (1, 1, 1));
//! # Ok(())
//! # }
//! ```
//!
//! # The nouns
//!
//! **[`Source`]**: a stream of batches with positions. Owned by one task of a query, until the source or the query ends.
//!
//! **[`FileSource`]**: reads files one after the other, each a partition. Holds one open file, and uses a thread only while it
//! decodes.
//!
//! **[`KafkaSource`]**: reads topics, as a member of a consumer group or with assigned partitions. Holds a consumer with its
//! threads, and up to 64 MiB of records.
//!
//! **[`GeneratorSource`]** and **[`NexmarkSource`]** generate records for tests and benchmarks.
//!
//! **[`SourceConnector`]**: opens custom sources of the embedding program, such as [`MemoryBatches`].
//!
//! **[`SourceError`]**: an error with its fault, and whether opening the source again may help.

mod buffers;
mod connector;
#[cfg(test)]
mod fault_tables;
mod file;
mod generator;
mod kafka;
mod memory;
mod new_keys;
mod nexmark;
mod pipe;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use async_trait::async_trait;
use weir_batch::{Batch, BatchError, Fault, Schema, SystemColumns};
use weir_formats::{BadRecord, FormatError};
use weir_kafka::GroupOffsets;
use weir_state::{Partition, Positions, TopicId};

pub use buffers::{Buffered, Buffers};
pub use connector::{CustomSource, SourceConnector};
pub use file::{Changed, FileChange, FileSource, OnChange, Since};
pub use generator::{GeneratorSource, SEED_BATCH_ROWS, seed_batch, seed_schema};
pub use kafka::{
    Backlog, BacklogError, BacklogMessage, KafkaIsolation, KafkaOutOfRange, KafkaPartitions, KafkaSource,
    KafkaSourceConfig, KafkaSourceError, KafkaStart,
};
pub use memory::MemoryBatches;
pub use nexmark::{HAS_NEXMARK, NexmarkSource, NexmarkStream, nexmark_schema};

/// A stream of batches with positions. Owned by a query, read by one task.
#[async_trait]
pub trait Source: Send {
    /// The schema of every batch.
    fn schema(&self) -> &Arc<Schema>;

    /// Moves to these positions. Called at most once, before the first [`Source::next`]. Partitions without a position are read
    /// from their default position.
    ///
    /// # Errors
    ///
    /// Positions of another source, or a source that cannot be read again.
    async fn seek(&mut self, positions: &Positions) -> Result<(), SourceError>;

    /// Sets the positions of this run's earlier commits, for a source whose system stores positions itself: it can detect that the
    /// system has lost them. Called before the first [`Source::next`].
    fn recall(&mut self, _committed: &Positions) {}

    /// The next event; `None` at the end of the stream, also in later calls. Cancelling the call must not lose records: a later
    /// call returns them, unless the query ends.
    async fn next(&mut self) -> Result<Option<SourceEvent>, SourceError>;

    /// The system that stores the source's positions, if there is one. It may be used from another task while `next` waits.
    fn keeper(&self) -> Option<Arc<dyn PositionKeeper>> {
        None
    }

    /// Whether [`Source::next`] must be called while the query is paused: then it returns no batches, only other events. Other
    /// sources are not called during a pause.
    fn pause(&mut self, _paused: bool) -> bool {
        false
    }

    /// From now on, counts undeclared keys of records that were not in the records from which the schema was inferred.
    fn count_new_keys(&mut self, _count: &Arc<AtomicU64>) {}

    /// Counts files that were read again because they had changed, including those before this call.
    fn count_read_anew(&mut self, _count: &Arc<AtomicU64>) {}
}

/// A system that stores the positions of a source's readers, such as a Kafka consumer group.
#[async_trait]
pub trait PositionKeeper: Send + Sync {
    /// Stores these positions. When this returns, a new reader starts at them.
    async fn commit(&self, positions: &Positions) -> Result<(), SourceError>;

    /// The positions in the form of Kafka transactions, with their group.
    fn of_transaction(&self, positions: &Positions) -> Result<GroupOffsets, SourceError>;

    /// Checks, before a commit, that the records up to these positions came from the topics that the positions name: a topic may
    /// have been deleted and created again.
    ///
    /// # Errors
    ///
    /// An error that ends the query, or sends it back to its last commit.
    async fn vouch(&self, _positions: &Positions) -> Result<(), SourceError> {
        Ok(())
    }

    /// The known end of each partition that is read here: the offset of its next record.
    fn ends(&self) -> Positions;

    /// What the source is waiting for before it can read, if anything.
    fn waits_for(&self) -> Option<String> {
        None
    }
}

/// An event of a source.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every event is a batch: boxing them would only add an allocation"
)]
pub enum SourceEvent {
    /// Records.
    Batch(SourceBatch),
    /// Partitions begin here. Sent before any of their batches.
    Begin(Begin),
    /// A partition continues at another offset, because its log does not contain the expected one. Batches before this event are
    /// from before the gap.
    Moved(Moved),
    /// Another reader is about to get these partitions. All of their batches were sent before. The receiver commits their records,
    /// and then drops this.
    Revoking(Revoking),
}

/// The positions at which partitions begin.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Begin {
    /// Positions at which a new reader would begin too.
    pub kept: Positions,
    /// Positions to store with the next commit: without that, a new reader could begin elsewhere.
    pub new: Positions,
    /// Partitions whose earlier records another reader read, which had stored the position.
    pub resumed: Vec<Partition>,
}

/// A partition that continues at another offset.
#[derive(Debug)]
#[non_exhaustive]
pub struct Moved {
    /// The partition.
    pub partition: Partition,
    /// The new offset.
    pub to: i64,
    /// The id of its topic, if known.
    pub topic: Option<TopicId>,
}

/// Partitions that go to another reader as soon as this is dropped.
#[derive(Debug)]
#[non_exhaustive]
pub struct Revoking {
    /// The partitions.
    pub partitions: Vec<Partition>,
    /// Whether another reader already has them: then their positions cannot be committed any more.
    pub lost: bool,
    /// The source waits until this is dropped.
    pub done: tokio::sync::oneshot::Sender<()>,
}

/// The result of a read.
#[derive(Debug)]
#[non_exhaustive]
pub struct SourceBatch {
    /// The valid records.
    pub batch: Batch,
    /// The bad records, with their bytes.
    pub bad: Vec<BadRecord>,
    /// What the source knows about the bad records, in their order: for topics partitions, offsets, keys, timestamps and headers.
    /// `None` if nothing is known, or there are no bad records.
    pub bad_system: Option<Box<SystemColumns>>,
    /// The number of bytes that were read.
    pub bytes: u64,
    /// The file from which the records came, if any.
    pub origin: Option<ReadOrigin>,
    /// The new positions of the partitions in this batch.
    pub positions: Positions,
}

impl SourceBatch {
    /// Records that were all understood, with the positions behind them.
    pub fn new(batch: Batch, positions: Positions) -> SourceBatch {
        SourceBatch { batch, bad: Vec::new(), bad_system: None, bytes: 0, origin: None, positions }
    }
}

/// The file of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadOrigin {
    /// The file.
    pub path: PathBuf,
    /// Its `_partition`.
    pub partition: i32,
}

impl ReadOrigin {
    /// A file, as this `_partition`.
    pub fn new(path: impl Into<PathBuf>, partition: i32) -> ReadOrigin {
        ReadOrigin { path: path.into(), partition }
    }
}

/// An error after which a source cannot continue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A file could not be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A file's contents do not match its format.
    #[error("{}: {source}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: FormatError,
    },
    /// A generated batch is inconsistent.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The stored positions belong to another source.
    #[error(
        "stored positions refer to {kept}, which is now {found}: restore it, or start without the stored positions"
    )]
    Moved {
        /// The partition of a stored position.
        kept: Partition,
        /// The partition that is there now.
        found: String,
    },
    /// A file has changed since its position was stored, or changes while it is read.
    #[error("{}: {changed}", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// The change, and when it happened.
        changed: Changed,
    },
    /// A file does not contain the place of its stored position.
    #[error("{}: {source}: restore the file, or remove the folder of the query's `state` to read everything again", path.display())]
    Place {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: FormatError,
    },
    /// The data stored with a position in a file is invalid.
    #[error(
        "{}: the data stored with its position is invalid: {reason}: remove the folder of the query's `state` to read everything again",
        path.display()
    )]
    Mark {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The records can be read only once.
    #[error("{what} cannot be read again from a position: it is {found}")]
    NotSeekable {
        /// The source's file.
        what: String,
        /// The kind of the file.
        found: &'static str,
    },
    /// A topic cannot be read, or its positions cannot be stored.
    #[error("kafka at {brokers}: {source}")]
    Kafka {
        /// The brokers.
        brokers: String,
        /// The reason.
        source: KafkaSourceError,
    },
    /// A source of a [`SourceConnector`] failed.
    #[error("{reason}")]
    Custom {
        /// What happened, and what to do.
        reason: String,
        /// Who has to act.
        fault: Fault,
        /// Whether opening it again may help.
        retryable: bool,
    },
    /// The thread that read the file panicked.
    #[error("the reading thread ended: {0}")]
    Thread(String),
}

impl SourceError {
    /// Whether opening the source again may help.
    pub fn retryable(&self) -> bool {
        match self {
            SourceError::Kafka { source, .. } => source.retryable(),
            SourceError::Custom { retryable, .. } => *retryable,
            _ => false,
        }
    }

    /// Whether positions were not stored because another reader has the partitions now.
    pub fn is_lost(&self) -> bool {
        matches!(self, SourceError::Kafka { source: KafkaSourceError::Lost(_), .. })
    }

    /// Whether the records since the last commit may be from another topic than expected, and must be read again.
    pub fn starts_over(&self) -> bool {
        matches!(self, SourceError::Kafka { source: KafkaSourceError::StartedOver { .. }, .. })
    }

    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            SourceError::Io { .. } | SourceError::Format { .. } => Fault::External,
            SourceError::Moved { .. }
            | SourceError::NotSeekable { .. }
            | SourceError::Changed { .. }
            | SourceError::Place { .. }
            | SourceError::Mark { .. } => Fault::Tenant,
            SourceError::Kafka { source, .. } => source.fault(),
            SourceError::Custom { fault, .. } => *fault,
            SourceError::Batch(_) | SourceError::Thread(_) => Fault::Internal,
        }
    }
}
