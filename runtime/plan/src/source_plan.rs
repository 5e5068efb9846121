//! Sources of plans.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use weir_batch::Schema;
use weir_config::ErrorPolicy;
use weir_files::Folder;
use weir_formats::{CsvOptions, Format};
use weir_sources::{CustomSource, KafkaPartitions, KafkaSourceConfig, NexmarkStream, OnChange};

use super::origins::Origins;

/// A source in the query.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SourcePlan {
    /// The name, unique among sources, stages and sinks.
    pub name: Arc<str>,
    /// Its kind and settings.
    pub kind: SourceKind,
    /// The schema of its batches.
    pub schema: Arc<Schema>,
    /// The policy for records that cannot be decoded.
    pub on_error: ErrorPolicy,
}

impl SourcePlan {
    /// A source whose query fails if a record cannot be decoded.
    pub fn new(name: Arc<str>, kind: SourceKind, schema: Arc<Schema>) -> SourcePlan {
        SourcePlan { name, kind, schema, on_error: ErrorPolicy::Fail }
    }
}

/// The kinds of source.
#[derive(Clone, Debug)]
pub enum SourceKind {
    /// Files that are read one after the other.
    File {
        /// At least one path, relative to the query file's folder.
        paths: Vec<PathBuf>,
        /// Their format.
        format: Format,
        /// Whether the query file declares the schema; otherwise it comes from the files.
        declared: bool,
        /// The options for CSV.
        csv: CsvOptions,
        /// What to do if a file has changed since its position was stored.
        on_change: OnChange,
    },
    /// Kafka topics. The query determines batching, and whether raw bytes are kept.
    Kafka(Box<KafkaSourceConfig>),
    /// The seed workload: the same thousand records, repeated.
    Generator {
        /// The number of batches.
        batches: u64,
    },
    /// A generated stream of the Nexmark benchmark.
    Nexmark {
        /// The stream.
        stream: NexmarkStream,
        /// The number of records.
        events: u64,
    },
    /// A source of the embedding program.
    Custom(CustomSource),
    /// Dead letters, for the part at which they failed: a replay reads them in place of the query's sources.
    Letters(Box<LettersPlan>),
}

impl SourceKind {
    /// Whether it can be read again, unlike a pipe or terminal.
    pub fn can_be_read_again(&self) -> bool {
        match self {
            SourceKind::File { paths, .. } => paths.iter().all(|path| path.is_file()),
            _ => true,
        }
    }

    /// Whether only a consumer group stores its positions.
    pub fn kept_by_group(&self) -> bool {
        matches!(self, SourceKind::Kafka(config) if config.partitions == KafkaPartitions::Group)
    }
}

/// The letters of one source, stage or sink that will be replayed, as plain values. `weir_query` opens them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LettersPlan {
    /// The file of letters. It is opened by its name in `folder`.
    pub path: PathBuf,
    /// The open folder of the file: the file that is read is the one that was locked, even if the path changes.
    pub folder: Arc<Folder>,
    /// The source, stage or sink at which the letters failed.
    pub place: Arc<str>,
    /// How letters are converted to records there.
    pub entrance: LettersEntrance,
    /// What is known about the sources of the letters' records.
    pub origins: Origins,
}

impl LettersPlan {
    /// The letters of `place` in a file of this folder.
    pub fn new(
        path: PathBuf,
        folder: Arc<Folder>,
        place: Arc<str>,
        entrance: LettersEntrance,
        origins: Origins,
    ) -> LettersPlan {
        LettersPlan { path, folder, place, entrance, origins }
    }
}

/// How letters are converted to records.
#[derive(Clone, Debug)]
pub enum LettersEntrance {
    /// At a source of this kind: by decoding their bytes.
    Source(SourceKind),
    /// At a stage or sink: from records as JSON, or by decoding values of these sources, from which it reads directly.
    Input(Vec<SourcePlan>),
}

/// `letters of late, out/dead.jsonl.replaying`.
impl fmt::Display for LettersPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dead letters of {}, {}", self.place, self.path.display())
    }
}
