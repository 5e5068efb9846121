//! What a query has done so far: every counter, once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::count::{Count, OnceCount, SharedCount};
use super::counter_spec::counters;
use super::extent::Extent;
use super::failures::Codes;
use super::ids::{Nodes, SinkId, SourceId, StageId};
use super::partition_progress::PartitionProgress;
use super::place::SourcePlace;
use super::timing::Timing;

/// The state of a query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "snake_case")]
pub enum QueryState {
    /// Its modules are compiled, its sources and sinks opened.
    #[default]
    Starting,
    /// It reads, processes and commits records.
    Running,
    /// It was asked to pause, and reads nothing.
    Paused,
    /// It failed, and waits to continue from its last commit.
    Retrying,
    /// It was asked to stop, and finishes the records that it has read.
    Draining,
    /// It has ended.
    Ended,
    /// It could not start, or failed while it ran. It has ended.
    Failed,
}

impl QueryState {
    /// Every state, in the order of a query's life.
    pub const ALL: [QueryState; 7] = [
        QueryState::Starting,
        QueryState::Running,
        QueryState::Paused,
        QueryState::Retrying,
        QueryState::Draining,
        QueryState::Ended,
        QueryState::Failed,
    ];

    /// The name in `status`, metrics and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            QueryState::Starting => "starting",
            QueryState::Running => "running",
            QueryState::Paused => "paused",
            QueryState::Retrying => "retrying",
            QueryState::Draining => "draining",
            QueryState::Ended => "ended",
            QueryState::Failed => "failed",
        }
    }

    /// Whether the query does nothing any more.
    pub const fn is_over(self) -> bool {
        matches!(self, QueryState::Ended | QueryState::Failed)
    }
}

counters! {
    /// A query's counters at one moment. Each is true of some moment since the call began; only at the end of the query
    /// do they all belong together.
    Progress of Counters as query
    first {
        /// One a source, in the order of the file.
        sources: Vec<SourceProgress> = query.sources.iter().map(|source| source.progress()).collect(),
        /// One a stage, in the order of the file.
        stages: Vec<StageProgress> = query.stages.iter().map(|stage| stage.progress()).collect(),
        /// One a sink, in the order of the file.
        sinks: Vec<SinkProgress> = query.sinks.iter().map(|sink| sink.progress()).collect(),
    }
    counters {
        /// Commits.
        commits: Count => Counter "weir.query.commits" "{commit}";
        /// Records read and committed: written, filtered, failed or dead-lettered.
        committed_records: Count => Counter "weir.query.committed_records" "{record}";
        /// Returns of the query to its last commit after a failure. Records that are read or written again count again in
        /// sources, stages and sinks.
        restarts: Count => Counter "weir.query.restarts" "{restart}";
        /// Dead letters written without their record because it is too large for the topic or file.
        letters_omitted: Count => Counter "weir.query.letters_omitted" "{letter}";
    }
    then {
        /// Records read since the last commit. Nothing is guaranteed for them yet.
        uncommitted_records: u64 = query.uncommitted_records(),
        /// The state of the query.
        state: QueryState = query.state(),
    }
    kept {
        sources: Nodes<SourceId, Arc<SourceCounters>>,
        stages: Nodes<StageId, Arc<StageCounters>>,
        sinks: Nodes<SinkId, Arc<SinkCounters>>,
        commit_times: Timing,
        // Records that attempts before this one had read and not committed. They are read, and counted, again.
        read_in_vain: Count,
        /// Records of a batch that is under way which wait for its next piece.
        waiting: Count,
        state: Mutex<QueryState>,
        /// Something has happened that whoever reports the query has not seen.
        stirred: tokio::sync::Notify,
    }
}

impl Progress {
    /// How much of its input the query has read, from 0 to 1: of the source that is the farthest from its end. `None` where that
    /// is not known of every source.
    pub fn share_read(&self) -> Option<f64> {
        let shares: Option<Vec<f64>> = self.sources.iter().map(|source| Some(source.extent?.share())).collect();
        shares?.into_iter().reduce(f64::min)
    }
}

counters! {
    /// The counters of a source.
    SourceProgress of SourceCounters as source
    first {
        /// The source.
        name: Arc<str> = Arc::clone(&source.name),
    }
    counters {
        /// Records read, including those that could not be decoded.
        records: Count => Counter "weir.source.records" "{record}" in Out;
        /// Bytes read from outside.
        bytes: Count => Counter "weir.source.bytes" "By";
        /// Batches passed on.
        batches: Count => Counter "weir.source.batches" "{batch}";
        /// Records that could not be decoded and were skipped.
        failed: Count => Counter "weir.source.failed_records" "{record}" in Errors;
        /// Records that could not be decoded and became dead letters.
        dead: Count => Counter "weir.source.dead_records" "{record}" in Errors;
        /// Records whose processing had begun but not ended when the query failed or was stopped. They count nowhere else,
        /// and are read again.
        unfinished: Count => Counter "weir.source.unfinished_records" "{record}";
        /// Partitions that continued at another position because the log did not hold the position to read.
        #[serde(default, skip_serializing_if = "is_zero")]
        out_of_range: Count => Counter "weir.source.out_of_range" "{time}";
        /// JSON keys that are not read because they first appear after the records from which the schema was inferred.
        #[serde(default, skip_serializing_if = "is_zero")]
        new_keys: SharedCount => Counter "weir.source.new_keys" "{key}";
        /// Changed files that were read again from the beginning.
        #[serde(default, skip_serializing_if = "is_zero")]
        read_anew: SharedCount => Counter "weir.source.files_read_anew" "{file}";
    }
    then {
        /// Those that failed or are dead, by code.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        errors: BTreeMap<String, u64> = source.errors.read(),
        /// How much of it was read, of how much, while it is read and where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        extent: Option<Extent> = source.place.extent(source.bytes.get()),
        /// What it waits for before it can read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waits_for: Option<String> = source.place.waits_for(),
        /// How far it was read.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        partitions: Vec<PartitionProgress> = source.place.partitions(),
    }
    kept {
        name: Arc<str>,
        errors: Codes,
        place: SourcePlace,
    }
}

counters! {
    /// What a stage did. `records_in + expanded = records_out + filtered + failed + dead`, however the query ended: a record
    /// counts when its piece of a batch is through every stage.
    StageProgress of StageCounters as stage
    first {
        /// The stage.
        name: Arc<str> = Arc::clone(&stage.name),
    }
    counters {
        /// Records received.
        records_in: Count => Counter "weir.stage.records_in" "{record}" in In;
        /// Records passed on.
        records_out: Count => Counter "weir.stage.records_out" "{record}" in Out;
        /// Bytes of the values of records received. Text is estimated if a filter removed records of the batch.
        bytes_in: Count => Counter "weir.stage.input" "By";
        /// Bytes of the values of records passed on. Text is estimated if a filter removed records of the batch.
        bytes_out: Count => Counter "weir.stage.output" "By";
        /// Records that the function filtered out.
        filtered: Count => Counter "weir.stage.filtered_records" "{record}";
        /// Records that a flat-map added beyond one per input record.
        expanded: Count => Counter "weir.stage.expanded_records" "{record}";
        /// Records that failed and were skipped.
        failed: Count => Counter "weir.stage.failed_records" "{record}" in Errors;
        /// Records that failed and became dead letters.
        dead: Count => Counter "weir.stage.dead_records" "{record}" in Errors;
        /// Guest calls, including those that ended with an error.
        calls: Count => Counter "weir.stage.calls" "{call}";
        /// Guest calls that ended in a trap, an exhausted limit or a refusal.
        traps: Count => Counter "weir.stage.traps" "{call}" in Traps;
        /// Repeated guest calls for single records that had failed.
        retries: Count => Counter "weir.stage.retries" "{call}";
        /// Fuel used: instructions, and the equivalent for host calls.
        fuel: Count => Counter "weir.stage.fuel" "{fuel}";
        /// Calls from the guest to the host.
        host_calls: Count => Counter "weir.stage.host_calls" "{call}";
        /// Time in host functions, as part of the time in guest calls. An estimate, because reading the clock costs as much as
        /// a getter: one guest call in 8 is timed, and in it the first 64 host calls and then one in 61.
        host_nanos: Count => Counter "weir.stage.host" "s" / 1_000_000_000;
        /// Time in guest calls, including failed ones, without waiting for a core.
        guest_nanos: Count => Counter "weir.stage.guest" "s" / 1_000_000_000 in Busy;
        /// Time that guest calls waited for a core.
        waited_nanos: Count => Counter "weir.stage.turn_wait" "s" / 1_000_000_000;
        /// The largest linear memory of an instance.
        memory_bytes_peak: Count => Gauge "weir.stage.memory_peak" "By";
        /// Log lines of the guest that were dropped because of the limits per batch or per second.
        logs_dropped: Count => Counter "weir.stage.log_lines_dropped" "{line}";
        /// Pauses before a batch because earlier batches kept ending the guest.
        held_back: Count => Counter "weir.stage.held_back" "{time}";
        /// Time of pauses because earlier batches kept ending the guest.
        held_back_ms: Count => Counter "weir.stage.held_back_seconds" "s" / 1_000;
        /// Times that the stage waited because no instance was free.
        instance_waits: Count => Counter "weir.stage.instance_waits" "{time}";
        /// Time that the stage waited for a free instance.
        instance_wait_ms: Count => Counter "weir.stage.instance_wait" "s" / 1_000;
    }
    then {
        /// Those that failed or are dead, by code: `null_input`, `guest:7`, or how the guest ended. Of more than 64 codes the
        /// others count as `other`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        errors: BTreeMap<String, u64> = stage.errors.read(),
        /// How often what the function kept in its memory was lost, by cause: the code of what ended its instance, `sink`,
        /// `rebalance`, `last_commit`, `restart`, `again`. Empty for functions that keep nothing.
        #[serde(default)]
        state_losses: BTreeMap<String, u64> = stage.state_losses.read(),
    }
    kept {
        name: Arc<str>,
        errors: Codes,
        call_times: Timing,
        host_times: Timing,
        traps_by_code: Codes,
        state_losses: Codes,
    }
}

impl StageProgress {
    /// Whether every record that came in is accounted for.
    pub fn adds_up(&self) -> bool {
        self.records_in + self.expanded == self.records_out + self.filtered + self.failed + self.dead
    }
}

counters! {
    /// The counters of a sink.
    SinkProgress of SinkCounters as sink
    first {
        /// The sink.
        name: Arc<str> = Arc::clone(&sink.name),
    }
    counters {
        /// Records written.
        records: Count => Counter "weir.sink.records" "{record}" in In;
        /// Bytes written.
        bytes: Count => Counter "weir.sink.bytes" "By";
        /// Batches written.
        batches: Count => Counter "weir.sink.batches" "{batch}";
        /// Files published.
        files: Count => Counter "weir.sink.files" "{file}";
        /// Records that the sink could not take and that were skipped. A record that is retried counts once.
        failed: OnceCount => Counter "weir.sink.records_failed" "{record}" in Errors;
        /// Records that the sink could not take and that became dead letters. A record that is retried counts once.
        dead: OnceCount => Counter "weir.sink.records_dead" "{record}" in Errors;
    }
    then {}
    kept {
        name: Arc<str>,
        write_times: Timing,
        flush_times: Timing,
        queued: Count,
        queue_max: Count,
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}
