//! What a running query has done so far.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use weir_sandbox::Usage;

use super::failures::Codes;
use super::ids::{Nodes, SinkId, SourceId, StageId};
use super::place::SourcePlace;
use super::progress::{Progress, SinkProgress, SourceProgress, StageProgress, State};
use super::timing::Timing;
use weir_plan::Plan;

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

    fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// Records that count once each, also where an attempt is given up and they come again. It never falls before the query
/// ends: what an attempt that is given up has counted is counted up to by the next one.
#[derive(Debug, Default)]
pub(crate) struct OnceCount {
    committed: Count,
    uncommitted: Count,
    shown: Count,
}

impl OnceCount {
    pub(crate) fn add(&self, more: u64) {
        self.uncommitted.add(more);
        self.shown.raise_to(self.committed.get().saturating_add(self.uncommitted.get()));
    }

    /// What was counted up to here does not come again.
    pub(crate) fn commit(&self) {
        self.committed.add(self.uncommitted.take());
    }

    /// What was counted since the last commit comes again.
    fn go_back(&self) {
        self.uncommitted.set(0);
    }

    /// The query has ended: nothing comes again in this run.
    fn end(&self) {
        self.commit();
        self.shown.set(self.committed.get());
    }

    pub(crate) fn get(&self) -> u64 {
        self.shown.get()
    }
}

/// The counters of one query, shared by its tasks and whoever watches it.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(super) sources: Nodes<SourceId, Arc<SourceCounters>>,
    pub(super) stages: Nodes<StageId, Arc<StageCounters>>,
    pub(super) sinks: Nodes<SinkId, Arc<SinkCounters>>,
    pub(crate) commits: Count,
    pub(crate) committed_records: Count,
    pub(crate) restarts: Count,
    pub(crate) letters_omitted: Count,
    pub(crate) commit_times: Timing,
    // Records that attempts before this one had read and not committed. They are read, and counted, again.
    read_in_vain: Count,
    /// Records of a batch that is under way which wait for its next piece.
    pub(crate) waiting: Count,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct SourceCounters {
    pub(crate) name: Arc<str>,
    pub(crate) records: Count,
    pub(crate) bytes: Count,
    pub(crate) batches: Count,
    pub(crate) failed: Count,
    pub(crate) dead: Count,
    pub(crate) errors: Codes,
    pub(crate) unfinished: Count,
    pub(crate) out_of_range: Count,
    pub(crate) new_keys: Arc<AtomicU64>,
    pub(crate) read_anew: Arc<AtomicU64>,
    pub(super) place: SourcePlace,
}

/// What a stage made of a piece of a batch: it counts when the piece is settled.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) records_in: u64,
    pub(crate) records_out: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) filtered: u64,
    pub(crate) expanded: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, more: Tally) {
        self.records_in += more.records_in;
        self.records_out += more.records_out;
        self.bytes_in += more.bytes_in;
        self.bytes_out += more.bytes_out;
        self.filtered += more.filtered;
        self.expanded += more.expanded;
    }
}

#[derive(Debug, Default)]
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
    pub(crate) errors: Codes,
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

#[derive(Debug, Default)]
pub(crate) struct SinkCounters {
    pub(crate) name: Arc<str>,
    pub(crate) records: Count,
    pub(crate) bytes: Count,
    pub(crate) batches: Count,
    pub(crate) files: Count,
    pub(crate) failed: OnceCount,
    pub(crate) dead: OnceCount,
    pub(crate) write_times: Timing,
    pub(crate) flush_times: Timing,
    pub(crate) queued: Count,
    pub(crate) queue_max: Count,
}

impl Counters {
    pub(crate) fn of(plan: &Plan) -> Counters {
        Counters {
            sources: Nodes::each(&plan.sources, |_, source| Arc::new(SourceCounters::new(&source.name))),
            stages: Nodes::each(&plan.stages, |_, stage| Arc::new(StageCounters::new(&stage.name))),
            sinks: Nodes::each(&plan.sinks, |_, sink| Arc::new(SinkCounters::new(&sink.name))),
            ..Counters::default()
        }
    }

    pub(crate) fn progress(&self) -> Progress {
        // Before the sources are looked at: a commit in between makes it too large, and never hides a record.
        let done_with = self.committed_records.get() + self.read_in_vain.get() + self.waiting.get();
        Progress {
            uncommitted_records: self.records_read().saturating_sub(done_with),
            sources: self.sources.iter().map(|source| source.progress()).collect(),
            stages: self.stages.iter().map(|stage| stage.progress()).collect(),
            sinks: self.sinks.iter().map(|sink| sink.progress()).collect(),
            commits: self.commits.get(),
            committed_records: self.committed_records.get(),
            restarts: self.restarts.get(),
            letters_omitted: self.letters_omitted.get(),
            state: self.state(),
        }
    }

    /// The query goes back to its last commit, from which it reads again.
    pub(crate) fn go_back(&self) {
        self.restarts.add(1);
        self.refusals().for_each(OnceCount::go_back);
        self.set_state(State::Retrying);
    }

    /// Everything that was taken in is committed.
    pub(crate) fn commit(&self, records: u64) {
        self.committed_records.add(records);
        self.commits.add(1);
        self.refusals().for_each(OnceCount::commit);
    }

    /// The query has ended, in this state.
    pub(crate) fn end(&self, state: State) {
        self.refusals().for_each(OnceCount::end);
        self.set_state(state);
    }

    fn refusals(&self) -> impl Iterator<Item = &OnceCount> {
        self.sinks.iter().flat_map(|sink| [&sink.failed, &sink.dead])
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
    pub(super) fn new(name: &Arc<str>) -> SourceCounters {
        SourceCounters { name: Arc::clone(name), ..SourceCounters::default() }
    }

    fn progress(&self) -> SourceProgress {
        SourceProgress {
            name: Arc::clone(&self.name),
            records: self.records.get(),
            bytes: self.bytes.get(),
            batches: self.batches.get(),
            failed: self.failed.get(),
            dead: self.dead.get(),
            errors: self.errors.read(),
            unfinished: self.unfinished.get(),
            out_of_range: self.out_of_range.get(),
            new_keys: self.new_keys.load(Ordering::Relaxed),
            read_anew: self.read_anew.load(Ordering::Relaxed),
            extent: self.place.extent(self.bytes.get()),
            waits_for: self.place.waits_for(),
            partitions: self.place.partitions(),
        }
    }
}

impl StageCounters {
    pub(super) fn new(name: &Arc<str>) -> StageCounters {
        StageCounters { name: Arc::clone(name), ..StageCounters::default() }
    }

    /// Counts what became of a piece.
    pub(crate) fn count(&self, tally: Tally) {
        self.records_in.add(tally.records_in);
        self.records_out.add(tally.records_out);
        self.bytes_in.add(tally.bytes_in);
        self.bytes_out.add(tally.bytes_out);
        self.filtered.add(tally.filtered);
        self.expanded.add(tally.expanded);
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
            errors: self.errors.read(),
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
    pub(super) fn new(name: &Arc<str>) -> SinkCounters {
        SinkCounters { name: Arc::clone(name), ..SinkCounters::default() }
    }

    fn progress(&self) -> SinkProgress {
        SinkProgress {
            name: Arc::clone(&self.name),
            records: self.records.get(),
            bytes: self.bytes.get(),
            batches: self.batches.get(),
            files: self.files.get(),
            failed: self.failed.get(),
            dead: self.dead.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_record_counts_once_however_often_it_is_refused_before_a_commit() {
        let out = Arc::new(SinkCounters::new(&"out".into()));
        let counters = Counters { sinks: [Arc::clone(&out)].into_iter().collect(), ..Counters::default() };
        let dead = &out.dead;
        let shown = || counters.progress().sinks[0].dead;
        dead.add(2);
        assert_eq!(shown(), 2);
        counters.go_back();
        // Whoever scrapes it takes a fall for a new process.
        assert_eq!(shown(), 2);
        dead.add(1);
        assert_eq!(shown(), 2);
        dead.add(2);
        assert_eq!(shown(), 3);
        counters.commit(10);
        counters.go_back();
        assert_eq!((shown(), counters.progress().restarts), (3, 2));
        dead.add(1);
        assert_eq!(shown(), 4);
        // Nobody has refused it again.
        counters.go_back();
        counters.end(State::Ended);
        assert_eq!(shown(), 3);
        // What an attempt that is the last one has found counts, committed or not.
        dead.add(1);
        counters.end(State::Failed);
        assert_eq!(shown(), 4);
    }

    #[test]
    fn what_is_read_again_after_a_restart_is_uncommitted_once() {
        let source = Arc::new(SourceCounters::new(&"in".into()));
        let counters = Counters { sources: [Arc::clone(&source)].into_iter().collect(), ..Counters::default() };
        let uncommitted = || counters.progress().uncommitted_records;
        counters.set_state(State::Running);
        source.records.add(10);
        counters.committed_records.add(6);
        assert_eq!(uncommitted(), 4);
        counters.set_state(State::Retrying);
        assert_eq!(uncommitted(), 4);
        counters.set_state(State::Running);
        assert_eq!(uncommitted(), 0);
        source.records.add(5);
        assert_eq!(uncommitted(), 5);
        counters.committed_records.add(5);
        assert_eq!(uncommitted(), 0);
        counters.set_state(State::Ended);
        assert_eq!(uncommitted(), 0);
    }
}
