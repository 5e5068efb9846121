//! Where records come from: the [`Source`] contract, and files, Kafka topics and generated records as its implementations.
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
//! **[`Source`]**: a stream of batches with positions. Owned by one task of a query, which reads it until it ends or the query does.
//!
//! **[`FileSource`]**: files one after the other, each a partition. Holds one open file, and a thread only while it decodes.
//!
//! **[`KafkaSource`]**: topics, read by a member of a consumer group or by partitions of its own choice. Holds a consumer with its
//! threads, and up to 64 MiB of records.
//!
//! **[`GeneratorSource`]** and **[`NexmarkSource`]** make records for tests and benchmarks.
//!
//! **[`SourceConnector`]**: opens sources of a kind that the embedding program brings; [`MemoryBatches`] is one.
//!
//! **[`SourceError`]**: says whose fault it is and whether opening the source again may help.

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

pub use connector::{CustomSource, SourceConnector};
pub use file::{Changed, FileChange, FileSource, OnChange, Since};
pub use generator::{GeneratorSource, SEED_BATCH_ROWS, seed_batch, seed_schema};
pub use kafka::{
    Backlog, BacklogError, BacklogMessage, KafkaIsolation, KafkaOutOfRange, KafkaPartitions, KafkaSource,
    KafkaSourceConfig, KafkaSourceError, KafkaStart,
};
pub use memory::MemoryBatches;
pub use nexmark::{HAS_NEXMARK, NexmarkSource, NexmarkStream, nexmark_schema};

/// A stream of batches with positions. Owned by its query, read by one task.
#[async_trait]
pub trait Source: Send {
    /// The schema of every batch.
    fn schema(&self) -> &Arc<Schema>;

    /// Goes to these positions. Called once at most, and before the first [`Source::next`]. What they do not name is
    /// read from where it would have been.
    ///
    /// # Errors
    ///
    /// Positions that are none of this source's, or a source that cannot be read again.
    async fn seek(&mut self, positions: &Positions) -> Result<(), SourceError>;

    /// Tells where this run has committed before, of a source whose own system keeps positions: what that has forgotten since is noticed.
    /// Called before the first [`Source::next`].
    fn recall(&mut self, _committed: &Positions) {}

    /// What comes next, or `None` at the end of the stream, for good. Cancelling the call must lose no record that a
    /// later call could not still return, unless the query ends.
    async fn next(&mut self) -> Result<Option<SourceEvent>, SourceError>;

    /// Where the source's own system keeps positions, if it does; may be asked from another task while `next` waits.
    fn keeper(&self) -> Option<Arc<dyn PositionKeeper>> {
        None
    }

    /// Whether the source wants [`Source::next`] to be called while the query pauses: it gives no batches then, only
    /// other events. Any other source is simply left alone.
    fn pause(&mut self, _paused: bool) -> bool {
        false
    }

    /// Counts here, from now on, each key of records that nobody declared and that was not among the records which the
    /// schema was inferred from.
    fn count_new_keys(&mut self, _count: &Arc<AtomicU64>) {}

    /// Counts here each file that was begun anew because it had changed, also those before this call.
    fn count_read_anew(&mut self, _count: &Arc<AtomicU64>) {}
}

/// A system that keeps the positions of a source's readers, such as a Kafka consumer group.
#[async_trait]
pub trait PositionKeeper: Send + Sync {
    /// Keeps these positions. Returning means that a reader which starts now starts there.
    async fn commit(&self, positions: &Positions) -> Result<(), SourceError>;

    /// The positions as Kafka's transactions take them, with the group that they are for.
    fn of_transaction(&self, positions: &Positions) -> Result<GroupOffsets, SourceError>;

    /// Makes sure, before a commit, that what was read up to these positions is of the topics that they name: one that was deleted and
    /// made again meanwhile is another one.
    ///
    /// # Errors
    ///
    /// What ends the query, or brings it back to its last commit.
    async fn vouch(&self, _positions: &Positions) -> Result<(), SourceError> {
        Ok(())
    }

    /// The end of each partition that is read here, as far as it is known: the offset that its next record will get.
    fn ends(&self) -> Positions;

    /// What the source waits for before it can read, where it does.
    fn waits_for(&self) -> Option<String> {
        None
    }
}

/// What a source has to say.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every event is a batch: boxing them would only add an allocation"
)]
pub enum SourceEvent {
    /// Records.
    Batch(SourceBatch),
    /// Partitions begin here, before any batch of theirs.
    Begin(Begin),
    /// A partition goes on elsewhere, since its log does not hold what was to be read. Batches before this are of what it held.
    Moved(Moved),
    /// Partitions are about to be read by somebody else. All batches of theirs came before this. Whoever reads the
    /// source commits what it took of them, and then lets go of this.
    Revoking(Revoking),
}

/// Where partitions begin.
#[derive(Debug, Default)]
pub struct Begin {
    /// Positions at which a new reader would begin, too.
    pub kept: Positions,
    /// Positions that are to be kept with the next commit: without it a new reader could begin elsewhere.
    pub new: Positions,
    /// Those of which earlier records were read by somebody else, who had kept the position.
    pub resumed: Vec<Partition>,
}

/// A partition that goes on elsewhere.
#[derive(Debug)]
pub struct Moved {
    /// The partition.
    pub partition: Partition,
    /// The offset that it goes on at.
    pub to: i64,
    /// The id of its topic, where it is known.
    pub topic: Option<TopicId>,
}

/// Partitions that go to another reader as soon as this is dropped.
#[derive(Debug)]
pub struct Revoking {
    /// The partitions.
    pub partitions: Vec<Partition>,
    /// They are somebody else's already: their positions cannot be committed any more.
    pub lost: bool,
    /// Dropped with this, which is what the source waits for.
    pub done: tokio::sync::oneshot::Sender<()>,
}

/// What a source read at once.
#[derive(Debug)]
pub struct SourceBatch {
    /// The records that were understood.
    pub batch: Batch,
    /// The records that were not, with their bytes.
    pub bad: Vec<BadRecord>,
    /// What the source knows of each of those, in their order: with topics their partitions, offsets, keys, timestamps
    /// and headers. `None` where it knows nothing more, or there is none.
    pub bad_system: Option<Box<SystemColumns>>,
    /// Bytes read from outside for all of them.
    pub bytes: u64,
    /// The file that they come from, where there is one.
    pub origin: Option<ReadOrigin>,
    /// Where the next records will be read, of the partitions that these come from.
    pub positions: Positions,
}

/// Where a batch was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOrigin {
    /// The file.
    pub path: PathBuf,
    /// Its `_partition`.
    pub partition: i32,
}

/// A source that cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A file could not be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file's contents are not what its format says.
    #[error("{}: {source}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: FormatError,
    },
    /// A generated batch does not hold together.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The positions to begin at are not this source's.
    #[error(
        "stored positions refer to {kept}, which is now {found}: restore it, or start without the stored positions"
    )]
    Moved {
        /// The partition that they were kept for.
        kept: Partition,
        /// What stands there now.
        found: String,
    },
    /// A file is not what it was when its position was kept, or changes while it is read.
    #[error("{}: {changed}", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// How and since when.
        changed: Changed,
    },
    /// A file does not have the place at which its position was kept.
    #[error("{}: {source}: restore the file, or remove the folder of the query's `state` to read everything again", path.display())]
    Place {
        /// The file.
        path: PathBuf,
        /// Why it does not.
        source: FormatError,
    },
    /// What was kept with a position in a file cannot be.
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
    /// Records that are gone once they are read.
    #[error("{what} cannot be read again from a position: it is {found}")]
    NotSeekable {
        /// The source's file.
        what: String,
        /// What it is.
        found: &'static str,
    },
    /// A topic cannot be read on, or its positions not be kept.
    #[error("kafka at {brokers}: {source}")]
    Kafka {
        /// The brokers.
        brokers: String,
        /// Why.
        source: KafkaSourceError,
    },
    /// A source of a [`SourceConnector`] failed.
    #[error("{reason}")]
    Custom {
        /// What happened, and what to do.
        reason: String,
        /// Whose fault it is.
        fault: Fault,
        /// Whether opening it again may help.
        retryable: bool,
    },
    /// The thread that read the file ended without an answer.
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

    /// Whether positions were not kept because somebody else reads the partitions now.
    pub fn is_lost(&self) -> bool {
        matches!(self, SourceError::Kafka { source: KafkaSourceError::Lost(_), .. })
    }

    /// Whether what was read since the last commit may be of another topic than it was taken for: it is to be read again.
    pub fn starts_over(&self) -> bool {
        matches!(self, SourceError::Kafka { source: KafkaSourceError::StartedOver { .. }, .. })
    }

    /// Whose fault it is.
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
