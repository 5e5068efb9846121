//! The query that a file describes, checked from source to sink.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use weir_batch::Schema;
use weir_batch::format::{Fill, Format};
use weir_sandbox::{Bound, Function, Isolation, Limits, TenantId};
use weir_sinks::{KafkaSinkConfig, SinkConfig};

use super::folders::Folders;
use super::kafka_uses::GroupUse;
use super::paths::FileUse;
use super::problem::{Problem, Spot};
use super::topics::Topics;
use crate::source::KafkaSourceConfig;

/// A query that can be run: every name resolved, every module read, every function bound to the schema it gets.
#[derive(Debug)]
pub struct Plan {
    /// The query's name.
    pub name: String,
    /// Whose functions run, within whose limits.
    pub tenant: TenantId,
    /// At least one; each feeds a stage or a sink.
    pub sources: Vec<SourcePlan>,
    /// In an order in which every stage comes after those it reads from.
    pub stages: Vec<StagePlan>,
    /// At least one.
    pub sinks: Vec<SinkPlan>,
    /// What is promised about every record.
    pub delivery: Delivery,
    /// How records are gathered into batches.
    pub batching: Batching,
    /// Where records go that failed under [`ErrorPolicy::DeadLetter`]; present where a source or stage asks for it.
    pub dead_letters: Option<DeadLettersPlan>,
    /// What is odd but can be run, in the order of the file's lines.
    pub warnings: Vec<Problem>,
    /// What the tenant may use; each stage's own limits lie within it where a limits file says so.
    pub limits: Limits,
    /// The topics that it was checked against.
    pub topics: Topics,
    /// The folders that its files were checked against, and are again when they are opened.
    pub folders: Folders,
    /// Where the name stands.
    pub(super) name_spot: Spot,
    /// What it does with files.
    pub(super) uses: Vec<FileUse>,
    /// The consumer groups that it is a member of.
    pub(super) groups: Vec<GroupUse>,
}

/// Where failed records go.
#[derive(Clone, Debug)]
pub enum DeadLettersPlan {
    /// A file of JSON lines.
    File(PathBuf),
    /// A topic. Only where it is and how it is compressed is chosen.
    Kafka(Box<KafkaSinkConfig>),
}

/// A point of the chain that a stage or sink reads from: an index into [`Plan::sources`] or [`Plan::stages`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Node {
    /// The records of a source.
    Source(usize),
    /// The records that leave a stage.
    Stage(usize),
}

/// Where records come from.
#[derive(Debug)]
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
}

/// A stream of the Nexmark auction benchmark (<https://datalab.cs.pdx.edu/niagara/NEXMark/>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NexmarkStream {
    /// People who registered.
    Person,
    /// Auctions that were opened.
    Auction,
    /// Bids on auctions.
    Bid,
}

impl NexmarkStream {
    /// The name in query files.
    pub const fn name(self) -> &'static str {
        match self {
            NexmarkStream::Person => "person",
            NexmarkStream::Auction => "auction",
            NexmarkStream::Bid => "bid",
        }
    }
}

/// One guest function in the query.
#[derive(Debug)]
pub struct StagePlan {
    /// The name, unique among sources, stages and sinks.
    pub name: Arc<str>,
    /// What it reads: sources and earlier stages, at least one, all of one schema.
    pub inputs: Vec<Node>,
    /// The module's file.
    pub module_path: PathBuf,
    /// The module's bytes; shared by the stages that use the same file.
    pub module: Arc<[u8]>,
    /// What the module declares of the function.
    pub function: Arc<Function>,
    /// The function bound to its input's columns.
    pub bound: Bound,
    /// What leaves the stage.
    pub schema: Arc<Schema>,
    /// What becomes of records that fail.
    pub on_error: ErrorPolicy,
    /// Whether instances are reused.
    pub isolation: Isolation,
    /// What the function may use.
    pub limits: Limits,
}

/// Where records go.
#[derive(Debug)]
pub struct SinkPlan {
    /// The name, unique among sources, stages and sinks.
    pub name: Arc<str>,
    /// What it takes: at least one point of the chain, all of one schema.
    pub inputs: Vec<Node>,
    /// What it is. Files are numbered where the query commits more than once, since a commit publishes a file.
    pub config: SinkConfig,
    /// What it is given.
    pub schema: Arc<Schema>,
    /// How many batches wait for it at most, before the query waits.
    pub queue_batches_max: usize,
}

/// What becomes of a record that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErrorPolicy {
    /// The query ends with an error.
    #[default]
    Fail,
    /// The record is counted and left out.
    Skip,
    /// The record is kept, with the error, in the dead letters.
    DeadLetter,
}

impl ErrorPolicy {
    /// The name in query files.
    pub const fn name(self) -> &'static str {
        match self {
            ErrorPolicy::Fail => "fail",
            ErrorPolicy::Skip => "skip",
            ErrorPolicy::DeadLetter => "dead_letter",
        }
    }
}

/// What is promised, and when it is made good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The promise.
    pub guarantee: Guarantee,
    /// How often sinks are made durable and then sources committed; without it once, at the end of the stream.
    pub commit_every: Option<Duration>,
}

/// What is promised about every record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guarantee {
    /// Each record reaches every sink; after a crash some may reach it again.
    #[default]
    AtLeastOnce,
}

/// How records are gathered into batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// The most records of a batch.
    pub records_max: usize,
    /// How long a batch waits to be filled, for sources that arrive over time.
    pub delay_max: Duration,
}

impl Default for Batching {
    /// 8,192 records, which amortise a guest call to nothing and fit the second-level cache by the column; 100 ms,
    /// below what a person notices.
    fn default() -> Batching {
        Batching { records_max: 8192, delay_max: Duration::from_millis(100) }
    }
}

impl Plan {
    /// The name of a point of the chain.
    pub fn node_name(&self, node: Node) -> &str {
        match node {
            Node::Source(index) => self.sources.get(index).map_or("", |source| &source.name),
            Node::Stage(index) => self.stages.get(index).map_or("", |stage| &stage.name),
        }
    }

    /// The stages that a record of this source may come to, in order.
    pub(crate) fn stages_reached(&self, source: usize) -> Vec<usize> {
        let mut reached = Vec::new();
        for (index, stage) in self.stages.iter().enumerate() {
            let reads = |node: &Node| match node {
                Node::Source(other) => *other == source,
                Node::Stage(other) => reached.contains(other),
            };
            if stage.inputs.iter().any(reads) {
                reached.push(index);
            }
        }
        reached
    }

    /// The settings of the source at this index, with those that follow from the rest of the query: how batches are
    /// filled, and whether a stage may want a record's bytes for a dead letter.
    pub(crate) fn kafka_source(&self, index: usize, config: &KafkaSourceConfig) -> KafkaSourceConfig {
        let stages = self.stages_reached(index);
        let wants_raw =
            |stage: &usize| self.stages.get(*stage).is_some_and(|stage| stage.on_error == ErrorPolicy::DeadLetter);
        KafkaSourceConfig {
            fill: Fill { records_max: self.batching.records_max, delay_max: Some(self.batching.delay_max) },
            keep_raw: stages.iter().any(wants_raw),
            prefetch_records_max: config.prefetch_records_max.max(self.batching.records_max),
            ..config.clone()
        }
    }

    /// How many instances it holds at once: one for each stage, but those that take a fresh one for each batch take
    /// them one after the other.
    pub fn instances_max(&self) -> usize {
        instances(self.stages.iter().map(|stage| stage.isolation))
    }
}

/// How many instances stages hold at once.
pub(super) fn instances(stages: impl Iterator<Item = Isolation>) -> usize {
    let (mut kept, mut of_a_batch) = (0, 0);
    for isolation in stages {
        match isolation {
            Isolation::Reuse => kept += 1,
            Isolation::FreshPerBatch => of_a_batch = 1,
        }
    }
    kept + of_a_batch
}
