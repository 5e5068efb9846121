//! What a running query has done so far.

use std::sync::{Arc, PoisonError};

use weir_sandbox::Usage;

use super::count::OnceCount;
use super::ids::Nodes;
use super::progress::QueryState;
pub(crate) use super::progress::{Counters, SinkCounters, SourceCounters, StageCounters};
use weir_plan::Plan;

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

impl Counters {
    pub(crate) fn of(plan: &Plan) -> Counters {
        Counters {
            sources: Nodes::each(&plan.sources, |_, source| Arc::new(SourceCounters::new(&source.name))),
            stages: Nodes::each(&plan.stages, |_, stage| Arc::new(StageCounters::new(&stage.name))),
            sinks: Nodes::each(&plan.sinks, |_, sink| Arc::new(SinkCounters::new(&sink.name))),
            ..Counters::default()
        }
    }

    /// The query goes back to its last commit, from which it reads again.
    pub(crate) fn go_back(&self) {
        self.restarts.add(1);
        self.refusals().for_each(OnceCount::go_back);
        self.set_state(QueryState::Retrying);
    }

    /// Everything that was taken in is committed.
    pub(crate) fn commit(&self, records: u64) {
        self.committed_records.add(records);
        self.commits.add(1);
        self.refusals().for_each(OnceCount::commit);
        self.stir();
    }

    /// The query has ended, in this state.
    pub(crate) fn end(&self, state: QueryState) {
        self.refusals().for_each(OnceCount::end);
        self.set_state(state);
    }

    fn refusals(&self) -> impl Iterator<Item = &OnceCount> {
        self.sinks.iter().flat_map(|sink| [&sink.failed, &sink.dead])
    }

    /// Records read since the last commit. Looks at commits before it looks at sources: a commit in between makes it too
    /// large, and never hides a record.
    pub(super) fn uncommitted_records(&self) -> u64 {
        let done_with = self.committed_records.get() + self.read_in_vain.get() + self.waiting.get();
        self.records_read().saturating_sub(done_with)
    }

    fn records_read(&self) -> u64 {
        self.sources.iter().map(|source| source.records.get()).sum()
    }

    pub(crate) fn state(&self) -> QueryState {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happens: see [`QueryHandle::stirred`](super::handle::QueryHandle::stirred).
    pub(crate) fn stir(&self) {
        self.stirred.notify_one();
    }

    /// Waits until something happens, or has happened since this was awaited last.
    pub(super) async fn stirred(&self) {
        self.stirred.notified().await;
    }

    pub(crate) fn set_state(&self, state: QueryState) {
        // An attempt begins, and nothing of the one before it goes on.
        if state == QueryState::Running {
            self.read_in_vain.set(self.records_read().saturating_sub(self.committed_records.get()));
        }
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        self.stir();
    }
}

impl SourceCounters {
    pub(super) fn new(name: &Arc<str>) -> SourceCounters {
        SourceCounters { name: Arc::clone(name), ..SourceCounters::default() }
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
        self.guest_nanos.add(nanos(worked));
        self.call_times.add(worked);
        self.waited_nanos.add(nanos(usage.waited));
        self.memory_bytes_peak.raise_to(usage.memory_bytes as u64);
    }

    /// Counts that the guest ended early.
    pub(crate) fn trapped(&self, code: &'static str) {
        self.traps.add(1);
        self.traps_by_code.add(code);
    }

    /// Counts that what the function kept in its memory was lost, by cause.
    pub(crate) fn state_lost(&self, cause: &'static str) {
        self.state_losses.add(cause);
    }

    pub(crate) fn state_losses(&self) -> u64 {
        self.state_losses.read().values().sum()
    }
}

impl SinkCounters {
    pub(super) fn new(name: &Arc<str>) -> SinkCounters {
        SinkCounters { name: Arc::clone(name), ..SinkCounters::default() }
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
        counters.end(QueryState::Ended);
        assert_eq!(shown(), 3);
        // What an attempt that is the last one has found counts, committed or not.
        dead.add(1);
        counters.end(QueryState::Failed);
        assert_eq!(shown(), 4);
    }

    #[test]
    fn what_is_read_again_after_a_restart_is_uncommitted_once() {
        let source = Arc::new(SourceCounters::new(&"in".into()));
        let counters = Counters { sources: [Arc::clone(&source)].into_iter().collect(), ..Counters::default() };
        let uncommitted = || counters.progress().uncommitted_records;
        counters.set_state(QueryState::Running);
        source.records.add(10);
        counters.committed_records.add(6);
        assert_eq!(uncommitted(), 4);
        counters.set_state(QueryState::Retrying);
        assert_eq!(uncommitted(), 4);
        counters.set_state(QueryState::Running);
        assert_eq!(uncommitted(), 0);
        source.records.add(5);
        assert_eq!(uncommitted(), 5);
        counters.committed_records.add(5);
        assert_eq!(uncommitted(), 0);
        counters.set_state(QueryState::Ended);
        assert_eq!(uncommitted(), 0);
    }
}
