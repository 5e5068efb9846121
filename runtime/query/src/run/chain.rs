//! A query at work, as its one task has it: sources, sinks, and what is to be committed.

use std::time::Duration;

use tokio::time::Instant;

use super::budget::AFTER_STOP_MAX;
use super::commit::{Commit, Work, close_all, settle_all};
use super::error::Cause;
use super::failpoint::failpoint;
use super::ids::{Nodes, SinkId, SourceId};
use super::metrics::MetricRegistry;
use super::running_sink::RunningSink;
use super::running_source::RunningSource;
use super::shared::Shared;
use weir_letters::{DeadLetterError, DeadLetters};
use weir_trace::Spans;

/// A query while it runs: the one task that drives stages, commits and dead letters. One attempt: after a failure the
/// next one goes on from the last commit. Its stages are lent to it, apart from it: it commits while one of them works.
pub(super) struct Chain<'p> {
    pub(super) shared: &'p Shared,
    pub(super) sources: Nodes<SourceId, RunningSource<'p>>,
    pub(super) sinks: Nodes<SinkId, RunningSink<'p>>,
    pub(super) dead_letters: Option<DeadLetters>,
    pub(super) commit: Box<dyn Commit>,
    pub(super) metrics: MetricRegistry,
    /// Where batches are traced.
    pub(super) spans: Option<Spans>,
    /// Records that were taken in since the last commit.
    pub(super) uncommitted_records: u64,
    /// Whether a position has moved since the last commit; also past no record at all.
    pub(super) moved: bool,
    /// The source whose batch is under way, and how many of its records are not settled.
    pub(super) in_hand: Option<(SourceId, u64)>,
    // When work on what was read ends, once the stop has been seen.
    stop_until: Option<Instant>,
}

/// When the next commit is due, where the query commits before its end.
pub(super) struct NextCommit {
    every: Option<Duration>,
    pub(super) due: Option<Instant>,
}

impl NextCommit {
    pub(super) fn new(every: Option<Duration>) -> NextCommit {
        NextCommit { every, due: every.map(|every| Instant::now() + every) }
    }

    fn is_due(&self) -> bool {
        self.due.is_some_and(|due| Instant::now() >= due)
    }

    /// A moment that passed while there was nothing to commit is put off by the whole time.
    pub(super) fn begin_anew(&mut self) {
        if self.is_due() {
            *self = NextCommit::new(self.every);
        }
    }
}

impl<'p> Chain<'p> {
    /// Of what is running already, with nothing taken in.
    pub(super) fn new(
        shared: &'p Shared,
        sources: Nodes<SourceId, RunningSource<'p>>,
        sinks: Nodes<SinkId, RunningSink<'p>>,
        dead_letters: Option<DeadLetters>,
        commit: Box<dyn Commit>,
        metrics: MetricRegistry,
        spans: Option<Spans>,
    ) -> Chain<'p> {
        Chain {
            shared,
            sources,
            sinks,
            dead_letters,
            commit,
            metrics,
            spans,
            uncommitted_records: 0,
            moved: false,
            in_hand: None,
            stop_until: None,
        }
    }

    /// Makes everything taken in durable, dead letters first, and then counts it: metrics fold, progress moves on.
    pub(super) async fn commit(&mut self) -> Result<(), Cause> {
        if !self.has_uncommitted() {
            return Ok(());
        }
        self.commit_traced(false).await
    }

    fn has_uncommitted(&self) -> bool {
        self.uncommitted_records > 0 || self.moved
    }

    /// When the next commit is to be made; `None` also where there is nothing to commit, so that a query in which nothing
    /// happens wakes nobody.
    pub(super) fn commit_due(&self, next: &NextCommit) -> Option<Instant> {
        next.due.filter(|_| self.has_uncommitted())
    }

    /// As a commit, with every sink closed: the last one.
    pub(super) async fn commit_last(&mut self) -> Result<(), Cause> {
        self.commit_traced(true).await
    }

    pub(super) async fn commit_on_time(&mut self, next: &mut NextCommit) -> Result<(), Cause> {
        if next.is_due() {
            self.commit().await?;
            *next = NextCommit::new(next.every);
        }
        Ok(())
    }

    async fn commit_traced(&mut self, last: bool) -> Result<(), Cause> {
        let records = self.uncommitted_records;
        let span = self.spans.as_mut().and_then(|spans| spans.commit(records));
        let done = self.commit_in_steps(last).await;
        if let (Some(mut span), Err(error)) = (span, &done) {
            span.fail(error);
        }
        done
    }

    async fn commit_in_steps(&mut self, last: bool) -> Result<(), Cause> {
        let started = std::time::Instant::now();
        failpoint("commit.begin");
        // What they refuse is dead-lettered in this commit.
        settle_all(&mut self.sinks).await?;
        self.settle_refused()?;
        if let Some(letters) = &mut self.dead_letters {
            letters.flush().await?;
        }
        failpoint("commit.letters");
        let work = Work {
            sources: &mut self.sources,
            sinks: &mut self.sinks,
            metrics: &self.metrics,
            letter_bytes: self.dead_letters.as_ref().and_then(|letters| letters.file_bytes()),
            records: self.uncommitted_records,
            last,
        };
        self.commit.commit(work).await?;
        // Committed from here on: what fails below fails a query whose output is there.
        self.committed();
        self.shared.counters.commit_times.add(started.elapsed());
        if last && !self.commit.closes_sinks() {
            close_all(&mut self.sinks).await?;
        }
        if last && let Some(letters) = &mut self.dead_letters {
            letters.close().await?;
        }
        Ok(())
    }

    fn committed(&mut self) {
        self.metrics.commit();
        self.shared.counters.commit(self.uncommitted_records);
        self.sources.iter().for_each(|source| source.counters.place.commit(&source.positions));
        (self.uncommitted_records, self.moved) = (0, false);
    }

    /// Adds what sinks could not take to the dead letters.
    pub(super) fn settle_refused(&mut self) -> Result<(), DeadLetterError> {
        self.sinks.iter_mut().try_for_each(|sink| sink.settle_refused(self.dead_letters.as_mut()))
    }

    /// Lets go of everything after a failure: nothing more is published, unless a commit was done meanwhile.
    pub(super) async fn give_up(&mut self, at_most: Duration) {
        self.sources.iter().for_each(RunningSource::stop_reading);
        for sink in self.sinks.iter_mut() {
            sink.abort().await;
        }
        match self.commit.settle().await {
            None => {}
            Some(Ok(())) => self.committed(),
            Some(Err(error)) => tracing::warn!("could not write the last commit: {error}"),
        }
        self.commit.abort(at_most).await;
    }

    /// The metrics as of the last commit. What was begun and not settled counts as unfinished: the account adds up.
    pub(super) fn end(mut self) -> MetricRegistry {
        if let Some((source, records)) = self.in_hand.take() {
            self.sources[source].counters.unfinished.add(records);
            self.shared.counters.waiting.set(0);
        }
        self.sources.iter().for_each(|source| source.counters.place.end());
        self.metrics.roll_back();
        self.metrics
    }

    /// When work on what was read ends; `None` before the stop.
    pub(super) fn stop_until(&mut self) -> Option<Instant> {
        self.shared.is_to_stop().then(|| *self.stop_until.get_or_insert_with(|| Instant::now() + AFTER_STOP_MAX))
    }

    /// Whether a pause holds up a batch that is under way.
    pub(super) fn may_wait_while_paused(&self) -> bool {
        !self.sources.iter().any(|source| source.plan.kind.kept_by_group())
    }

    /// Waits between two pieces of a batch while the query is paused. Not where a partition may be asked for by another
    /// reader, which would wait as well.
    pub(super) async fn wait_while_paused(&mut self, next_commit: &mut NextCommit) -> Result<(), Cause> {
        if !self.may_wait_while_paused() {
            return Ok(());
        }
        let (mut stop, mut pause) = (self.shared.stop.subscribe(), self.shared.pause.subscribe());
        while *pause.borrow_and_update() && !*stop.borrow_and_update() {
            let due = self.commit_due(next_commit);
            let due = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // The senders are borrowed by this: the channels cannot close.
                _ = stop.changed() => {}
                _ = pause.changed() => {}
                () = due => {}
            }
            self.commit_on_time(next_commit).await?;
        }
        Ok(())
    }

    /// Does some work, and serves the commits that come due meanwhile: a stage may work for long, and wait for longer, and
    /// nothing of what it is at counts before it is settled.
    pub(super) async fn while_committing<T>(
        &mut self,
        work: impl Future<Output = T>,
        next_commit: &mut NextCommit,
    ) -> Result<T, Cause> {
        let mut work = std::pin::pin!(work);
        while let Some(due) = next_commit.due {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                () = tokio::time::sleep_until(due) => {}
            }
            // The work goes on while sinks flush.
            let mut commit = std::pin::pin!(self.commit_on_time(next_commit));
            tokio::select! {
                committed = &mut commit => committed?,
                done = &mut work => {
                    commit.await?;
                    return Ok(done);
                }
            }
        }
        Ok(work.await)
    }

    /// Why a sink failed.
    pub(super) async fn why(&mut self, sink: SinkId) -> Cause {
        match self.sinks[sink].outcome().await {
            Err(failure) => failure.into(),
            Ok(()) => {
                let name = self.sinks[sink].name().to_string();
                Cause::Sink { name, source: weir_sinks::SinkError::ended() }
            }
        }
    }
}
