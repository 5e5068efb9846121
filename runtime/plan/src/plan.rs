//! The query that a file describes, checked from source to sink.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use weir_batch::Schema;
use weir_config::{ErrorPolicy, Guarantee, LossPolicy, Problem, Spot, Topics};
use weir_formats::Fill;
use weir_sandbox::{Bound, Function, FunctionKind, FunctionState, Isolation, Limits, TenantId};
use weir_sinks::{KafkaSinkConfig, SinkConfig};

use super::kafka_uses::GroupUse;
use super::paths::FileUse;
use super::source_plan::SourcePlan;
use weir_files::Folders;

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

impl DeadLettersPlan {
    /// The file, where it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            DeadLettersPlan::File(path) => Some(path),
            DeadLettersPlan::Kafka(_) => None,
        }
    }
}

/// A point of the chain that a stage or sink reads from: an index into [`Plan::sources`] or [`Plan::stages`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Node {
    /// The records of a source.
    Source(usize),
    /// The records that leave a stage.
    Stage(usize),
}

/// One guest function in the query.
#[derive(Debug)]
#[non_exhaustive]
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
    /// The parameters whose values came from the environment: they are not shown.
    pub params_of_environment: Vec<String>,
    /// What leaves the stage.
    pub schema: Arc<Schema>,
    /// What becomes of records that fail, after the last attempt.
    pub on_error: ErrorPolicy,
    /// How often the function is tried again on a record that failed.
    pub retry: Option<Retry>,
    /// The share of a batch's records that may end the function, each alone, in percent; beyond it the query fails. 100
    /// never ends it. Up to 64 records of a batch may in any case.
    pub trapped_percent_max: u32,
    /// Whether instances are reused.
    pub isolation: Isolation,
    /// What the function may use.
    pub limits: Limits,
    /// What the file says of state that is lost, where it says anything.
    pub on_state_loss: Option<LossPolicy>,
    /// One batch of so many is answered by another instance as well, to find out state that is not declared; 0 is none.
    pub verify_every_batches: u64,
}

impl StagePlan {
    /// What a loss of state leads to; `None` where the function has none to lose.
    pub fn loss_policy(&self) -> Option<LossPolicy> {
        loss_policy(self.function.state, self.isolation, self.on_state_loss)
    }

    /// Of how many batches one is answered by another instance as well: by none where the function is known to keep
    /// state, by its module or by the file, and where it answers with nothing that could differ.
    pub fn verify_every(&self) -> u64 {
        let known = self.function.state == FunctionState::Kept
            || self.function.state == FunctionState::Unknown && self.on_state_loss.is_some();
        let silent = self.function.kind == FunctionKind::Metrics && !self.function.fallible;
        if known || silent || self.isolation == Isolation::FreshPerBatch { 0 } else { self.verify_every_batches }
    }
}

/// As [`StagePlan::loss_policy`].
pub(super) fn loss_policy(state: FunctionState, isolation: Isolation, given: Option<LossPolicy>) -> Option<LossPolicy> {
    match (state, isolation) {
        (FunctionState::None, _) | (_, Isolation::FreshPerBatch) => None,
        (FunctionState::Kept, Isolation::Reuse) => Some(given.unwrap_or(LossPolicy::Fail)),
        (FunctionState::Unknown, Isolation::Reuse) => Some(given.unwrap_or(LossPolicy::Warn)),
    }
}

/// Where records go.
#[derive(Debug)]
#[non_exhaustive]
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
    /// What becomes of records that the sink cannot take, such as those that are too large for a topic.
    pub on_error: ErrorPolicy,
    /// How often the query goes back to its last commit and tries again, when this sink failed.
    pub retry: Option<Retry>,
}

/// What is promised, and when it is made good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// The promise.
    pub guarantee: Guarantee,
    /// How often sinks are made durable and then sources committed; without it once, at the end of the stream.
    pub commit_every: Option<Duration>,
    /// The folder that keeps positions, and what was counted, from run to run.
    pub state: Option<PathBuf>,
    /// The name under which a Kafka transaction is taken up again after a crash, where it is not made of tenant, query, host
    /// and slot. One process at a time has it.
    pub transactional_id: Option<String>,
}

/// Further attempts at something that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retry {
    /// How many, in a row.
    pub times_max: u32,
    /// The pause before the first; each further one is twice as long, up to [`Retry::BACKOFF_MAX`].
    pub backoff: Duration,
}

impl Retry {
    /// This many further attempts in a row, the first after this pause.
    pub const fn new(times_max: u32, backoff: Duration) -> Retry {
        Retry { times_max, backoff }
    }

    /// The longest pause.
    pub const BACKOFF_MAX: Duration = Duration::from_secs(30);

    /// The pause before an attempt, counted from 0.
    pub fn pause(&self, attempt: u32) -> Duration {
        self.backoff.saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX)).min(Retry::BACKOFF_MAX)
    }
}

impl Default for Retry {
    /// Five times, after 100 ms, 200 ms, … 1.6 s: a hiccup passes, and a fault is not hidden for long.
    fn default() -> Retry {
        Retry { times_max: 5, backoff: Duration::from_millis(100) }
    }
}

/// How records are gathered into batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batching {
    /// The most records of a batch.
    pub records_max: usize,
    /// The most bytes of a batch of more than one record.
    pub bytes_max: usize,
    /// The most bytes of a record.
    pub record_bytes_max: usize,
    /// How long a batch waits to be filled, for sources that arrive over time.
    pub delay_max: Duration,
}

impl Default for Batching {
    /// 8,192 records, which amortise a guest call to nothing and fit the second-level cache by the column; 100 ms,
    /// below what a person notices. 16 MiB are 2 KiB a record, far more than records of most streams have.
    fn default() -> Batching {
        let (bytes_max, record_bytes_max) = (Fill::BYTES_MAX, Fill::RECORD_BYTES_MAX);
        Batching { records_max: 8192, bytes_max, record_bytes_max, delay_max: Duration::from_millis(100) }
    }
}

impl Batching {
    /// Batches that all wait for one thing, for each sink and for the stages, have this many bytes together at most; or
    /// one of them is larger and waits alone.
    pub fn queue_bytes_max(&self) -> usize {
        self.bytes_max.saturating_mul(4)
    }

    /// When a batch of a source is full.
    pub fn fill(&self) -> Fill {
        let mut fill = Fill::from(self.records_max);
        fill.bytes_max = self.bytes_max;
        fill.record_bytes_max = self.record_bytes_max;
        fill.delay_max = Some(self.delay_max);
        fill
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
