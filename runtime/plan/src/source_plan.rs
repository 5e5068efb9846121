//! What a query reads.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use weir_batch::Schema;
use weir_config::ErrorPolicy;
use weir_files::Folder;
use weir_formats::{CsvOptions, Format};
use weir_sources::{CustomSource, KafkaPartitions, KafkaSourceConfig, NexmarkStream, OnChange};

use super::origins::Origins;

/// Where records come from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SourcePlan {
    /// The name, unique among sources, stages and sinks.
    pub name: Arc<str>,
    /// What it reads.
    pub kind: SourceKind,
    /// What its batches hold.
    pub schema: Arc<Schema>,
    /// What becomes of records that do not decode.
    pub on_error: ErrorPolicy,
}

impl SourcePlan {
    /// A source whose records all decode, or the query fails.
    pub fn new(name: Arc<str>, kind: SourceKind, schema: Arc<Schema>) -> SourcePlan {
        SourcePlan { name, kind, schema, on_error: ErrorPolicy::Fail }
    }
}

/// The kinds of source.
#[derive(Clone, Debug)]
pub enum SourceKind {
    /// Files, one after the other.
    File {
        /// At least one, as found from the query file's folder.
        paths: Vec<PathBuf>,
        /// Their format.
        format: Format,
        /// Whether the query file declares the schema, rather than the files giving it.
        declared: bool,
        /// How they are written, where they are CSV.
        csv: CsvOptions,
        /// What becomes of one that has changed since its position was kept.
        on_change: OnChange,
    },
    /// Kafka topics. Batching, and whether raw bytes are kept, follow from the query.
    Kafka(Box<KafkaSourceConfig>),
    /// The seed workload: the same thousand records again and again.
    Generator {
        /// How many batches.
        batches: u64,
    },
    /// A generated stream of the Nexmark benchmark.
    Nexmark {
        /// Which stream.
        stream: NexmarkStream,
        /// How many records of that stream.
        events: u64,
    },
    /// A source that the embedding program brings.
    Custom(CustomSource),
    /// Dead letters, which come in where they died: what a replay reads in place of the query's sources.
    Letters(Box<LettersPlan>),
}

impl SourceKind {
    /// Whether what was read can be read again: not from a pipe or terminal.
    pub fn can_be_read_again(&self) -> bool {
        match self {
            SourceKind::File { paths, .. } => paths.iter().all(|path| path.is_file()),
            _ => true,
        }
    }

    /// Whether the positions of its readers are kept by a consumer group, and nowhere else.
    pub fn kept_by_group(&self) -> bool {
        matches!(self, SourceKind::Kafka(config) if config.partitions == KafkaPartitions::Group)
    }
}

/// The letters of one place that are to be replayed, as plain values. Whoever runs the plan opens them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LettersPlan {
    /// The file of letters. It is opened by its last name in `folder`.
    pub path: PathBuf,
    /// The folder of the file, held open: the file that is read is the one that was locked, whatever becomes of the path.
    pub folder: Arc<Folder>,
    /// The source, stage or sink that the letters died at.
    pub place: Arc<str>,
    /// How a letter becomes a record there.
    pub entrance: LettersEntrance,
    /// What is known of the sources that the letters' records came from.
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

/// How letters become records where they died.
#[derive(Clone, Debug)]
pub enum LettersEntrance {
    /// At a source of this kind, as bytes that it decodes.
    Source(SourceKind),
    /// As input of a stage or sink: as records, or as values that these sources read, which it reads itself.
    Input(Vec<SourcePlan>),
}

/// `letters of late, out/dead.jsonl.replaying`.
impl fmt::Display for LettersPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dead letters of {}, {}", self.place, self.path.display())
    }
}
