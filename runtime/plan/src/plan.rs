//! Plans: queries that were checked from source to sink.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use weir_admission::{Bound, Function, FunctionKind, FunctionState, Isolation, Limits, TenantId};
use weir_batch::Schema;
use weir_config::{ErrorPolicy, Guarantee, LossPolicy, Problem, Spot, Topics};
use weir_formats::Fill;
use weir_sinks::{KafkaSinkConfig, SinkConfig};

use super::kafka_uses::GroupUse;
use super::paths::FileUse;
use super::source_plan::SourcePlan;
use weir_files::Folders;

/// A query that can run: every name is resolved, every module read, and every function bound to the schema of its input.
#[derive(Debug)]
pub struct Plan {
    /// The query's name.
    pub name: String,
    /// The tenant that owns the functions, and whose limits apply.
    pub tenant: TenantId,
    /// At least one; each feeds a stage or a sink.
    pub sources: Vec<SourcePlan>,
    /// In an order in which every stage comes after those from which it reads.
    pub stages: Vec<StagePlan>,
    /// At least one.
    pub sinks: Vec<SinkPlan>,
    /// The delivery guarantee.
    pub delivery: Delivery,
    /// How records are grouped into batches.
    pub batching: Batching,
    /// The destination of records that failed with [`ErrorPolicy::DeadLetter`]; set if a source, stage or sink has this policy.
    pub dead_letters: Option<DeadLettersPlan>,
    /// Warnings, in the order of the file's lines.
    pub warnings: Vec<Problem>,
    /// The limits of the tenant. If there is a limits file, each stage's limits are within these.
    pub limits: Limits,
    /// The topics against which it was checked.
    pub topics: Topics,
    /// The folders against which its files were checked, and are checked again when they are opened.
    pub folders: Folders,
    /// The place of the name.
    pub(super) name_spot: Spot,
    /// Its uses of files.
    pub(super) uses: Vec<FileUse>,
    /// Its consumer groups.
    pub(super) groups: Vec<GroupUse>,
}

/// The destination of failed records.
#[derive(Clone, Debug)]
pub enum DeadLettersPlan {
    /// A file of JSON lines.
    File(PathBuf),
    /// A topic. Only its place and compression can be set.
    Kafka(Box<KafkaSinkConfig>),
}

impl DeadLettersPlan {
    /// The path, if it is a file.
    pub fn file(&self) -> Option<&Path> {
        match self {
            DeadLettersPlan::File(path) => Some(path),
            DeadLettersPlan::Kafka(_) => None,
        }
    }
}

/// An input of a stage or sink: an index into [`Plan::sources`] or [`Plan::stages`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Node {
    /// The records of a source.
    Source(usize),
    /// The output of a stage.
    Stage(usize),
}

/// A stage: a guest function in the query.
#[derive(Debug)]
#[non_exhaustive]
pub struct StagePlan {
    /// The name, unique among sources, stages and sinks.
    pub name: Arc<str>,
    /// Its inputs: sources and earlier stages, at least one, all with the same schema.
    pub inputs: Vec<Node>,
    /// The module's file.
    pub module_path: PathBuf,
    /// The module's bytes; shared by the stages that use the same file.
    pub module: Arc<[u8]>,
    /// The declaration of the function.
    pub function: Arc<Function>,
    /// The function bound to its input's columns.
    pub bound: Bound,
    /// Parameters whose values came from the environment, and are not shown.
    pub params_of_environment: Vec<String>,
    /// The schema of its output.
    pub schema: Arc<Schema>,
    /// The policy for records that fail, after the last attempt.
    pub on_error: ErrorPolicy,
    /// How often the function is called again with a failed record.
    pub retry: Option<Retry>,
    /// The percentage of a batch's records that may each end the function; with more, the query fails. 100 never fails the query.
    /// Up to 64 records of a batch are always tolerated.
    pub trapped_percent_max: u32,
    /// Whether instances are reused.
    pub isolation: Isolation,
    /// The limits of the function.
    pub limits: Limits,
    /// The policy for lost state, if the file sets it.
    pub on_state_loss: Option<LossPolicy>,
    /// Once per this many batches, another instance processes the batch too, to detect undeclared state; 0 turns this off.
    pub verify_every_batches: u64,
}

impl StagePlan {
    /// The policy for lost state; `None` if the function has no state.
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

/// A sink in the query.
#[derive(Debug)]
#[non_exhaustive]
pub struct SinkPlan {
    /// The name, unique among sources, stages and sinks.
    pub name: Arc<str>,
    /// Its inputs: at least one, all with the same schema.
    pub inputs: Vec<Node>,
    /// Its settings. Files are numbered if the query commits more than once, because each commit publishes a file.
    pub config: SinkConfig,
    /// The schema of its input.
    pub schema: Arc<Schema>,
    /// The number of batches that may wait for it, before the query waits.
    pub queue_batches_max: usize,
    /// The policy for records that the sink cannot take, such as those that are too large for a topic.
    pub on_error: ErrorPolicy,
    /// How often the query goes back to its last commit and retries after a failure of this sink.
    pub retry: Option<Retry>,
}

/// The delivery guarantee, and the commits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// The guarantee.
    pub guarantee: Guarantee,
    /// The interval between commits, each of which first makes sinks durable; `None` for one commit at the end.
    pub commit_every: Option<Duration>,
    /// The folder that stores positions and counters between runs.
    pub state: Option<PathBuf>,
    /// The Kafka transactional id, which continues a transaction after a crash; by default made of tenant, query, host and slot.
    /// Only one process at a time can use it.
    pub transactional_id: Option<String>,
}

/// Retries after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retry {
    /// The maximum number in a row.
    pub times_max: u32,
    /// The pause before the first retry. It doubles for each further one, up to [`Retry::BACKOFF_MAX`].
    pub backoff: Duration,
}

impl Retry {
    /// This many retries in a row, the first after this pause.
    pub const fn new(times_max: u32, backoff: Duration) -> Retry {
        Retry { times_max, backoff }
    }

    /// The maximum pause.
    pub const BACKOFF_MAX: Duration = Duration::from_secs(30);

    /// The pause before a retry, counted from 0.
    pub fn pause(&self, attempt: u32) -> Duration {
        self.backoff.saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX)).min(Retry::BACKOFF_MAX)
    }
}

impl Default for Retry {
    /// Five retries, after 100 ms, 200 ms, … 1.6 s: enough for short disturbances, and short enough not to hide faults.
    fn default() -> Retry {
        Retry { times_max: 5, backoff: Duration::from_millis(100) }
    }
}

/// How records are grouped into batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batching {
    /// The maximum number of records in a batch.
    pub records_max: usize,
    /// The maximum size in bytes of a batch with more than one record.
    pub bytes_max: usize,
    /// The maximum size of a record in bytes.
    pub record_bytes_max: usize,
    /// How long a batch waits for more records, for sources whose records arrive over time.
    pub delay_max: Duration,
}

impl Default for Batching {
    /// 8,192 records make the cost of a guest call negligible, and a column of them fits into the L2 cache; 100 ms are too short
    /// for a person to notice; 16 MiB are 2 KiB per record, far more than in most streams.
    fn default() -> Batching {
        let (bytes_max, record_bytes_max) = (Fill::BYTES_MAX, Fill::RECORD_BYTES_MAX);
        Batching { records_max: 8192, bytes_max, record_bytes_max, delay_max: Duration::from_millis(100) }
    }
}

impl Batching {
    /// The maximum size in bytes of all batches that wait in one queue, for each sink and for the stages. A single larger batch may
    /// wait alone.
    pub fn queue_bytes_max(&self) -> usize {
        self.bytes_max.saturating_mul(4)
    }

    /// The limits of a source's batches.
    pub fn fill(&self) -> Fill {
        let mut fill = Fill::from(self.records_max);
        fill.bytes_max = self.bytes_max;
        fill.record_bytes_max = self.record_bytes_max;
        fill.delay_max = Some(self.delay_max);
        fill
    }
}

impl Plan {
    /// The name of a source or stage.
    pub fn node_name(&self, node: Node) -> &str {
        match node {
            Node::Source(index) => self.sources.get(index).map_or("", |source| &source.name),
            Node::Stage(index) => self.stages.get(index).map_or("", |stage| &stage.name),
        }
    }

    /// The number of instances that the query holds at once: one per stage. Stages that use a fresh instance per batch share one.
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
