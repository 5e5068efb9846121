//! What a running query has done so far.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use weir_sandbox::Usage;

use super::timing::Timing;

/// A number that one task raises and others read.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, to: u64) {
        self.0.store(to, Ordering::Relaxed);
    }

    pub(crate) fn raise_to(&self, at_least: u64) {
        self.0.fetch_max(at_least, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of one query, shared by its tasks and whoever watches it.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) sources: Vec<SourceCounters>,
    pub(crate) stages: Vec<StageCounters>,
    pub(crate) sinks: Vec<SinkCounters>,
    pub(crate) commits: Count,
    pub(crate) committed_records: Count,
    pub(crate) restarts: Count,
    pub(crate) commit_times: Timing,
    // Records that attempts before this one had read and not committed. They are read, and counted, again.
    read_in_vain: Count,
    state: Mutex<State>,
}

/// What a query is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It reads, works and commits.
    #[default]
    Running,
    /// It was asked to pause, and reads nothing.
    Paused,
    /// It failed, and waits to go on from its last commit.
    Retrying,
    /// It was asked to stop, and finishes what it has.
    Draining,
    /// It has come to its end.
    Ended,
}

#[derive(Debug)]
pub(crate) struct SourceCounters {
    pub(crate) name: Arc<str>,
    pub(crate) records: Count,
    pub(crate) bytes: Count,
    pub(crate) batches: Count,
    pub(crate) failed: Count,
    pub(crate) dead: Count,
}

#[derive(Debug)]
pub(crate) struct StageCounters {
    pub(crate) name: Arc<str>,
    pub(crate) records_in: Count,
    pub(crate) records_out: Count,
    pub(crate) bytes_in: Count,
    pub(crate) bytes_out: Count,
    pub(crate) filtered: Count,
    pub(crate) expanded: Count,
    pub(crate) failed: Count,
    pub(crate) dead: Count,
    pub(crate) calls: Count,
    pub(crate) traps: Count,
    pub(crate) retries: Count,
    pub(crate) fuel: Count,
    pub(crate) host_calls: Count,
    pub(crate) host_nanos: Count,
    pub(crate) nanos: Count,
    pub(crate) waited_nanos: Count,
    pub(crate) memory_bytes_peak: Count,
    pub(crate) logs_dropped: Count,
    pub(crate) held_back: Count,
    pub(crate) held_back_ms: Count,
    pub(crate) instance_waits: Count,
    pub(crate) instance_wait_ms: Count,
    pub(crate) call_times: Timing,
    pub(crate) host_times: Timing,
    // A trap costs microseconds: a lock is nothing beside it.
    traps_by_code: Mutex<BTreeMap<&'static str, u64>>,
    // By cause; no rarer than traps.
    state_losses: Mutex<BTreeMap<&'static str, u64>>,
}

#[derive(Debug)]
pub(crate) struct SinkCounters {
    pub(crate) name: Arc<str>,
    pub(crate) records: Count,
    pub(crate) bytes: Count,
    pub(crate) batches: Count,
    pub(crate) files: Count,
    pub(crate) write_times: Timing,
    pub(crate) flush_times: Timing,
    pub(crate) queued: Count,
    pub(crate) queue_max: Count,
}

impl Counters {
    pub(crate) fn new(sources: &[Arc<str>], stages: &[Arc<str>], sinks: &[Arc<str>]) -> Counters {
        Counters {
            sources: sources.iter().map(SourceCounters::new).collect(),
            stages: stages.iter().map(StageCounters::new).collect(),
            sinks: sinks.iter().map(SinkCounters::new).collect(),
            commits: Count::default(),
            committed_records: Count::default(),
            restarts: Count::default(),
            commit_times: Timing::default(),
            read_in_vain: Count::default(),
            state: Mutex::default(),
        }
    }

    pub(crate) fn progress(&self) -> Progress {
        // Before the sources are looked at: a commit in between makes it too large, and never hides a record.
        let done_with = self.committed_records.get() + self.read_in_vain.get();
        Progress {
            uncommitted_records: self.records_read().saturating_sub(done_with),
            sources: self.sources.iter().map(SourceCounters::progress).collect(),
            stages: self.stages.iter().map(StageCounters::progress).collect(),
            sinks: self.sinks.iter().map(SinkCounters::progress).collect(),
            commits: self.commits.get(),
            committed_records: self.committed_records.get(),
            restarts: self.restarts.get(),
            state: self.state(),
        }
    }

    fn records_read(&self) -> u64 {
        self.sources.iter().map(|source| source.records.get()).sum()
    }

    pub(crate) fn state(&self) -> State {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_state(&self, state: State) {
        // An attempt begins, and nothing of the one before it goes on.
        if state == State::Running {
            self.read_in_vain.set(self.records_read().saturating_sub(self.committed_records.get()));
        }
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

impl SourceCounters {
    fn new(name: &Arc<str>) -> SourceCounters {
        SourceCounters {
            name: Arc::clone(name),
            records: Count::default(),
            bytes: Count::default(),
            batches: Count::default(),
            failed: Count::default(),
            dead: Count::default(),
        }
    }

    fn progress(&self) -> SourceProgress {
        SourceProgress {
            name: Arc::clone(&self.name),
            records: self.records.get(),
            bytes: self.bytes.get(),
            batches: self.batches.get(),
            failed: self.failed.get(),
            dead: self.dead.get(),
            partitions: Vec::new(),
        }
    }
}

impl StageCounters {
    fn new(name: &Arc<str>) -> StageCounters {
        StageCounters {
            name: Arc::clone(name),
            records_in: Count::default(),
            records_out: Count::default(),
            bytes_in: Count::default(),
            bytes_out: Count::default(),
            filtered: Count::default(),
            expanded: Count::default(),
            failed: Count::default(),
            dead: Count::default(),
            calls: Count::default(),
            traps: Count::default(),
            retries: Count::default(),
            fuel: Count::default(),
            host_calls: Count::default(),
            host_nanos: Count::default(),
            nanos: Count::default(),
            waited_nanos: Count::default(),
            memory_bytes_peak: Count::default(),
            logs_dropped: Count::default(),
            held_back: Count::default(),
            held_back_ms: Count::default(),
            instance_waits: Count::default(),
            instance_wait_ms: Count::default(),
            call_times: Timing::default(),
            host_times: Timing::default(),
            traps_by_code: Mutex::default(),
            state_losses: Mutex::default(),
        }
    }

    /// Counts what a call cost, however it ended.
    pub(crate) fn spend(&self, usage: &Usage) {
        let nanos = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.fuel.add(usage.fuel);
        self.host_calls.add(usage.host_calls);
        self.host_nanos.add(nanos(usage.host_time));
        self.host_times.add(usage.host_time);
        let worked = usage.time.saturating_sub(usage.waited);
        self.nanos.add(nanos(worked));
        self.call_times.add(worked);
        self.waited_nanos.add(nanos(usage.waited));
        self.memory_bytes_peak.raise_to(usage.memory_bytes as u64);
    }

    /// Counts that the guest ended early.
    pub(crate) fn trapped(&self, code: &'static str) {
        self.traps.add(1);
        *self.traps_by_code.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
    }

    /// Counts that what the function kept in its memory was lost, by cause.
    pub(crate) fn state_lost(&self, cause: &'static str) {
        *self.state_losses.lock().unwrap_or_else(PoisonError::into_inner).entry(cause).or_default() += 1;
    }

    pub(crate) fn state_losses(&self) -> u64 {
        self.state_losses.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    pub(crate) fn traps_by_code(&self) -> Vec<(&'static str, u64)> {
        let traps = self.traps_by_code.lock().unwrap_or_else(PoisonError::into_inner);
        traps.iter().map(|(code, count)| (*code, *count)).collect()
    }

    fn progress(&self) -> StageProgress {
        StageProgress {
            name: Arc::clone(&self.name),
            records_in: self.records_in.get(),
            records_out: self.records_out.get(),
            bytes_in: self.bytes_in.get(),
            bytes_out: self.bytes_out.get(),
            filtered: self.filtered.get(),
            expanded: self.expanded.get(),
            failed: self.failed.get(),
            dead: self.dead.get(),
            calls: self.calls.get(),
            traps: self.traps.get(),
            retries: self.retries.get(),
            fuel: self.fuel.get(),
            host_calls: self.host_calls.get(),
            host_nanos: self.host_nanos.get(),
            guest_nanos: self.nanos.get(),
            waited_nanos: self.waited_nanos.get(),
            memory_bytes_peak: self.memory_bytes_peak.get(),
            logs_dropped: self.logs_dropped.get(),
            held_back: self.held_back.get(),
            held_back_ms: self.held_back_ms.get(),
            instance_waits: self.instance_waits.get(),
            instance_wait_ms: self.instance_wait_ms.get(),
            state_losses: self.state_losses.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

impl SinkCounters {
    fn new(name: &Arc<str>) -> SinkCounters {
        SinkCounters {
            name: Arc::clone(name),
            records: Count::default(),
            bytes: Count::default(),
            batches: Count::default(),
            files: Count::default(),
            write_times: Timing::default(),
            flush_times: Timing::default(),
            queued: Count::default(),
            queue_max: Count::default(),
        }
    }

    fn progress(&self) -> SinkProgress {
        SinkProgress {
            name: Arc::clone(&self.name),
            records: self.records.get(),
            bytes: self.bytes.get(),
            batches: self.batches.get(),
            files: self.files.get(),
        }
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
    /// stages and sinks, and never by `committed_records`.
    pub restarts: u64,
    /// What the query is about.
    pub state: State,
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
    /// How far it was read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<PartitionProgress>,
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

/// What a stage did. `records_in + expanded = records_out + filtered + failed + dead` once the query has ended well.
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
    /// `rebalance`, `last_commit`, `restart`. Empty for functions that keep nothing.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_again_after_a_restart_is_uncommitted_once() {
        let counters = Counters::new(&["in".into()], &[], &[]);
        let uncommitted = || counters.progress().uncommitted_records;
        counters.set_state(State::Running);
        counters.sources[0].records.add(10);
        counters.committed_records.add(6);
        assert_eq!(uncommitted(), 4);
        counters.set_state(State::Retrying);
        assert_eq!(uncommitted(), 4);
        counters.set_state(State::Running);
        assert_eq!(uncommitted(), 0);
        counters.sources[0].records.add(5);
        assert_eq!(uncommitted(), 5);
        counters.committed_records.add(5);
        assert_eq!(uncommitted(), 0);
        counters.set_state(State::Ended);
        assert_eq!(uncommitted(), 0);
    }
}
