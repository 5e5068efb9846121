//! What a query has done so far, as others see it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::extent::Extent;

/// What a query is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its modules are compiled, its sources and sinks opened.
    #[default]
    Starting,
    /// It reads, works and commits.
    Running,
    /// It was asked to pause, and reads nothing.
    Paused,
    /// It failed, and waits to go on from its last commit.
    Retrying,
    /// It was asked to stop, and finishes what it has.
    Draining,
    /// It has come to its end.
    Ended,
    /// It could not start, or failed on its way. It does nothing any more.
    Failed,
}

impl State {
    /// Every state, in the order of a query's life.
    pub const ALL: [State; 7] =
        [State::Starting, State::Running, State::Paused, State::Retrying, State::Draining, State::Ended, State::Failed];

    /// The name in `status`, metrics and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            State::Starting => "starting",
            State::Running => "running",
            State::Paused => "paused",
            State::Retrying => "retrying",
            State::Draining => "draining",
            State::Ended => "ended",
            State::Failed => "failed",
        }
    }

    /// Whether the query does nothing any more.
    pub const fn is_over(self) -> bool {
        matches!(self, State::Ended | State::Failed)
    }
}

/// A query's counters at one moment. Each is true of some moment since the call began; only at the end of the query
/// do they all belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// One a source, in the order of the file.
    pub sources: Vec<SourceProgress>,
    /// One a stage, in the order of the file.
    pub stages: Vec<StageProgress>,
    /// One a sink, in the order of the file.
    pub sinks: Vec<SinkProgress>,
    /// How often everything taken in was made durable.
    pub commits: u64,
    /// Records read that are accounted for durably: written, filtered, failed or dead.
    pub committed_records: u64,
    /// Records read since the last commit: of them nothing is promised yet.
    pub uncommitted_records: u64,
    /// How often the query went back to its last commit and tried again. What it read again is counted again by sources,
    /// stages and sinks; not by `committed_records`, and not by what a sink cannot take.
    pub restarts: u64,
    /// Dead letters that were written without their records, because those are too large for the letters' topic or file.
    pub letters_omitted: u64,
    /// What the query is about.
    pub state: State,
}

impl Progress {
    /// How much of its input the query has read, from 0 to 1: of the source that is the farthest from its end. `None` where that
    /// is not known of every source.
    pub fn share_read(&self) -> Option<f64> {
        let shares: Option<Vec<f64>> = self.sources.iter().map(|source| Some(source.extent?.share())).collect();
        shares?.into_iter().reduce(f64::min)
    }
}

/// What a source did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceProgress {
    /// The source.
    pub name: Arc<str>,
    /// Records read, those that did not decode among them.
    pub records: u64,
    /// Bytes read from outside.
    pub bytes: u64,
    /// Batches handed on.
    pub batches: u64,
    /// Records that did not decode and were skipped.
    pub failed: u64,
    /// Records that did not decode and became dead letters.
    pub dead: u64,
    /// Those that failed or are dead, by code.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<String, u64>,
    /// Records that were begun and not finished: the query failed, or was stopped, in the middle of their batch. Nothing of
    /// them counts anywhere else, and they are read again. `records` = those that went on + `failed` + `dead` +
    /// `unfinished` once the query has ended.
    pub unfinished: u64,
    /// How often a partition went on elsewhere, because its log did not hold what was to be read.
    #[serde(skip_serializing_if = "is_none")]
    pub out_of_range: u64,
    /// Keys of JSON that are not read, since they first appear behind the records that the schema was inferred from.
    #[serde(skip_serializing_if = "is_none")]
    pub new_keys: u64,
    /// Files that were read from their beginning again, because they had changed.
    #[serde(skip_serializing_if = "is_none")]
    pub read_anew: u64,
    /// How much of it was read, of how much, while it is read and where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extent: Option<Extent>,
    /// What it waits for before it can read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// How far it was read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<PartitionProgress>,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// How far a partition of a source was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartitionProgress {
    /// The topic or file.
    pub origin: Arc<str>,
    /// Its number.
    pub number: i32,
    /// The offset of the next record to be taken in; `None` before the first and after the last one.
    pub read: Option<i64>,
    /// The offset at which a new run would begin; likewise.
    pub committed: Option<i64>,
    /// The offset that the partition's next record will get, as far as it is known.
    pub end: Option<i64>,
    /// Records that are there and not committed.
    pub lag: Option<i64>,
    /// Whether it was read to its end.
    pub read_to_end: bool,
    /// Whether it was read to its end, and that is committed.
    pub done: bool,
}

/// What a stage did. `records_in + expanded = records_out + filtered + failed + dead`, however the query ended: a record
/// counts when its piece of a batch is through every stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StageProgress {
    /// The stage.
    pub name: Arc<str>,
    /// Records that came in.
    pub records_in: u64,
    /// Records that went on.
    pub records_out: u64,
    /// Bytes of the values of the records that came in. Text of a batch that an earlier stage left records out of is
    /// estimated, as if it were spread evenly over all of them.
    pub bytes_in: u64,
    /// Bytes of the values of the records that went on; likewise.
    pub bytes_out: u64,
    /// Records that the function left out.
    pub filtered: u64,
    /// Records that a flat-map made beyond one for each that it answered.
    pub expanded: u64,
    /// Records that failed and were skipped.
    pub failed: u64,
    /// Records that failed and became dead letters.
    pub dead: u64,
    /// Those that failed or are dead, by code: `null_input`, `guest:7`, or how the guest ended. Of more than 64 codes the
    /// others count as `other`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<String, u64>,
    /// Guest calls.
    pub calls: u64,
    /// Guest calls that ended in a trap, an exhausted limit or a refusal.
    pub traps: u64,
    /// Guest calls over single records that had failed before.
    pub retries: u64,
    /// Fuel, in instructions and their host-side equivalent.
    pub fuel: u64,
    /// Calls from the guest to the host.
    pub host_calls: u64,
    /// Time in those, of `guest_nanos`, in nanoseconds. An estimate: one guest call in 8 is timed, and of its host
    /// calls the first 64, then one in 61.
    pub host_nanos: u64,
    /// Time in guest calls, in nanoseconds, also in those that ended badly.
    pub guest_nanos: u64,
    /// Time in which guest calls waited for their turn on the cores, in nanoseconds.
    pub waited_nanos: u64,
    /// The largest linear memory seen, in bytes.
    pub memory_bytes_peak: u64,
    /// Log lines beyond the limits of a batch or of a second.
    pub logs_dropped: u64,
    /// How often a batch waited because the batches before it had kept ending the guest.
    pub held_back: u64,
    /// How long it waited for that reason, in milliseconds.
    pub held_back_ms: u64,
    /// How often it waited because no instance was free.
    pub instance_waits: u64,
    /// How long it waited for that reason, in milliseconds.
    pub instance_wait_ms: u64,
    /// How often what the function kept in its memory was lost, by cause: the code of what ended its instance, `sink`,
    /// `rebalance`, `last_commit`, `restart`, `again`. Empty for functions that keep nothing.
    pub state_losses: BTreeMap<&'static str, u64>,
}

impl StageProgress {
    /// Whether every record that came in is accounted for.
    pub fn adds_up(&self) -> bool {
        self.records_in + self.expanded == self.records_out + self.filtered + self.failed + self.dead
    }
}

/// What a sink did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SinkProgress {
    /// The sink.
    pub name: Arc<str>,
    /// Records written.
    pub records: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Batches written.
    pub batches: u64,
    /// Files published.
    pub files: u64,
    /// Records that it could not take and that were skipped. One that came again after a failure counts once.
    pub failed: u64,
    /// Records that it could not take and that became dead letters; likewise.
    pub dead: u64,
}
