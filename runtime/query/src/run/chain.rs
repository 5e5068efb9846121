//! A query at work: the one task that takes each batch through the stages, and commits.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use weir_batch::CopyOnWrite;

use super::commit::Committing;
use super::counters::Counters;
use super::dead_letters::DeadLetters;
use super::error::Cause;
use super::failures::Voice;
use super::fit::Fit;
use super::handle::Places;
use super::metrics::MetricRegistry;
use super::reader::{FromSource, Readers, Steering, read};
use super::room::Room;
use super::sink_task::{SinkFailure, SinkTask};
use super::stage::StageRunner;
use super::state_guard::Loss;
use super::summary::Ending;
use super::turn::Taken;
use super::waiting::{millis, sleep_or_stop};
use crate::file::Plan;
use crate::source::{Begin, Moved, PositionKeeper, Positions, Revoking, Source, SourceError, SourceEvent};
use crate::trace::Spans;

/// Batches that may wait between the sources and the stages, for each source.
const SOURCE_QUEUE_BATCHES: usize = 2;

/// What a chain is made of.
pub(super) struct Parts {
    pub(super) plan: Arc<Plan>,
    pub(super) sinks: Vec<SinkTask>,
    pub(super) dead_letters: Option<DeadLetters>,
    pub(super) committing: Committing,
    pub(super) positions: Vec<Positions>,
    pub(super) keepers: Vec<Option<Arc<dyn PositionKeeper>>>,
    pub(super) metrics: MetricRegistry,
    pub(super) counters: Arc<Counters>,
    pub(super) places: Arc<Places>,
    pub(super) copy_on_write: Arc<CopyOnWrite>,
    pub(super) spans: Option<Spans>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) pause: watch::Sender<bool>,
}

/// A query while it runs: the one task that drives stages, commits and dead letters. One attempt: after a failure the
/// next one goes on from the last commit. Its stages are lent to it, apart from it: it commits while one of them works.
pub(super) struct Chain {
    pub(super) plan: Arc<Plan>,
    pub(super) sinks: Vec<SinkTask>,
    pub(super) dead_letters: Option<DeadLetters>,
    pub(super) committing: Committing,
    /// Where each source goes on after what was taken in.
    pub(super) positions: Vec<Positions>,
    pub(super) keepers: Vec<Option<Arc<dyn PositionKeeper>>>,
    pub(super) counters: Arc<Counters>,
    pub(super) places: Arc<Places>,
    pub(super) metrics: MetricRegistry,
    pub(super) uncommitted_records: u64,
    /// Whether a position has moved since the last commit; also past no record at all.
    pub(super) moved: bool,
    /// Where batches are traced.
    pub(super) spans: Option<Spans>,
    pub(super) copy_on_write: Arc<CopyOnWrite>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) pause: watch::Sender<bool>,
    /// How many records of each source one turn is given.
    pub(super) pieces: Vec<Fit>,
    /// What each source says of records that did not decode.
    pub(super) voices: Vec<Voice>,
    /// The source whose batch is under way, and how many of its records are not settled.
    pub(super) in_hand: Option<(usize, u64)>,
    /// When work on what was read ends, once the stop has been seen.
    pub(super) stop_until: Option<Instant>,
}

/// When the next commit is due, where the query commits before its end.
pub(super) struct NextCommit {
    every: Option<Duration>,
    due: Option<Instant>,
}

impl NextCommit {
    fn new(every: Option<Duration>) -> NextCommit {
        NextCommit { every, due: every.map(|every| Instant::now() + every) }
    }

    fn is_due(&self) -> bool {
        self.due.is_some_and(|due| Instant::now() >= due)
    }
}

impl Chain {
    pub(super) fn new(parts: Parts) -> Chain {
        let sources = &parts.plan.sources;
        Chain {
            pieces: sources.iter().map(|_| Fit::new()).collect(),
            voices: sources.iter().map(|source| Voice::new(format!("sources.{}", source.name))).collect(),
            in_hand: None,
            stop_until: None,
            plan: parts.plan,
            sinks: parts.sinks,
            dead_letters: parts.dead_letters,
            committing: parts.committing,
            positions: parts.positions,
            keepers: parts.keepers,
            counters: parts.counters,
            places: parts.places,
            metrics: parts.metrics,
            uncommitted_records: 0,
            moved: false,
            copy_on_write: parts.copy_on_write,
            spans: parts.spans,
            stop: parts.stop,
            pause: parts.pause,
        }
    }

    pub(super) async fn run_to_end(
        &mut self,
        stages: &mut [StageRunner],
        sources: Vec<Box<dyn Source>>,
    ) -> Result<Ending, Cause> {
        let (queue, mut batches) = mpsc::channel::<FromSource>(SOURCE_QUEUE_BATCHES * sources.len().max(1));
        let room = Room::new(self.plan.batching.queue_bytes_max());
        let mut readers = Readers(Vec::new());
        for (index, mut source) in sources.into_iter().enumerate() {
            if let Some(counters) = self.counters.sources.get(index) {
                source.count_new_keys(&counters.new_keys);
                source.count_read_anew(&counters.read_anew);
            }
            readers.0.push(tokio::spawn(read(index, source, queue.clone(), room.clone(), self.steering(index))));
        }
        drop(queue);
        let reached: Vec<Vec<usize>> = (0..readers.0.len()).map(|source| self.plan.stages_reached(source)).collect();
        let mut next_commit = NextCommit::new(self.plan.delivery.commit_every);
        loop {
            let message = match next_commit.due {
                None => batches.recv().await,
                Some(due) => match tokio::time::timeout_at(due, batches.recv()).await {
                    Ok(message) => message,
                    Err(_elapsed) => {
                        self.commit_on_time(&mut next_commit).await?;
                        continue;
                    }
                },
            };
            let Some(FromSource { source, read, drawn, place: _until_taken_in }) = message else { break };
            // What waits in the queue is read again, as is what is read meanwhile.
            if self.stop_until().is_some_and(|until| Instant::now() >= until) {
                return self.finish(Ending::Stopped).await;
            }
            let read = read.map_err(|error| Cause::Source { name: self.source_name(source), source: error })?;
            let read = match read {
                SourceEvent::Batch(read) => read,
                SourceEvent::Begin(begin) => {
                    self.begin(stages, source, &begin)?;
                    continue;
                }
                SourceEvent::Moved(moved) => {
                    self.move_to(source, moved);
                    continue;
                }
                SourceEvent::Revoking(revoking) => {
                    self.give_up(stages, source, revoking).await?;
                    continue;
                }
            };
            if !read.batch.is_empty() {
                let held = reached.get(source).map_or(&[][..], Vec::as_slice);
                self.wait_for_held(stages, held, &mut next_commit).await?;
            }
            if self.take_in(stages, source, read, drawn, &mut next_commit).await? == Taken::Stopped {
                return self.finish(Ending::Stopped).await;
            }
            // Under load a batch is always waiting, so that the time-out above never comes.
            self.commit_on_time(&mut next_commit).await?;
            // Only after the turn: what was taken in has reached every sink that still takes something.
            if self.sinks.iter().any(SinkTask::reader_gone) {
                return self.finish(Ending::ReaderGone).await;
            }
        }
        // The queue ends when every reader has; one that panicked has not come to the end of its source.
        for (index, reader) in readers.0.iter_mut().enumerate() {
            reader.await.map_err(|error| Cause::Source {
                name: self.source_name(index),
                source: SourceError::Thread(error.to_string()),
            })?;
        }
        let stopped = *self.stop.borrow();
        self.finish(if stopped { Ending::Stopped } else { Ending::EndOfInput }).await
    }

    fn steering(&self, source: usize) -> Steering {
        let draw = self.spans.as_ref().map(|spans| spans.draw(source));
        Steering { stop: self.stop.subscribe(), pause: self.pause.subscribe(), draw }
    }

    /// Takes in where partitions begin: what nobody has kept is kept with the next commit.
    fn begin(&mut self, stages: &mut [StageRunner], source: usize, begin: &Begin) -> Result<(), Cause> {
        // What functions keep of records before the position is in the memory of another process, or was.
        let resumed = begin.resumed.iter().any(|partition| !self.places.knows(source, partition));
        let loss = if self.places.knows_any(source) { Loss::Taken } else { Loss::Restart };
        for stage in self.plan.stages_reached(source).into_iter().filter(|_| resumed) {
            if let (Some(runner), Some(counters)) = (stages.get_mut(stage), self.counters.stages.get(stage)) {
                runner.guard.lost(0, loss, &runner.sender, counters);
                runner.guard.check().map_err(|source| Cause::Stage { name: runner.name.to_string(), source })?;
            }
        }
        if let Some(taken) = self.positions.get_mut(source) {
            taken.advance(&begin.kept);
            taken.advance(&begin.new);
            self.moved |= !begin.new.is_empty();
        }
        self.places.kept(source, &begin.kept);
        self.places.read(source, &begin.new);
        Ok(())
    }

    /// Takes in that a partition goes on elsewhere.
    fn move_to(&mut self, source: usize, moved: Moved) {
        if let Some(counters) = self.counters.sources.get(source) {
            counters.out_of_range.add(1);
        }
        let mut to = Positions::from_iter([(moved.partition.clone(), moved.to)]);
        if let Some(topic) = moved.topic {
            to.set_topic(moved.partition.clone(), topic);
        }
        if let Some(taken) = self.positions.get_mut(source) {
            // The old topic no longer counts.
            taken.forget(&[moved.partition]);
            taken.advance(&to);
            self.moved = true;
        }
        self.places.read(source, &to);
    }

    /// Commits what was taken of partitions that somebody else is to read, and lets go of them.
    async fn give_up(&mut self, stages: &mut [StageRunner], source: usize, revoking: Revoking) -> Result<(), Cause> {
        let Revoking { partitions, lost, done } = revoking;
        if !lost {
            self.commit().await?;
        } else if self.uncommitted_records > 0 && matches!(self.committing, Committing::Transaction(_)) {
            // Their records are in the transaction, and their positions cannot be: the other reader has them.
            return Err(Cause::Lost { name: self.source_name(source), partitions });
        }
        for stage in self.plan.stages_reached(source) {
            if let (Some(runner), Some(counters)) = (stages.get_mut(stage), self.counters.stages.get(stage)) {
                // The other reader has a new instance: what this one keeps of these partitions is of no use to it.
                runner.guard.lost(runner.instance.batches_seen(), Loss::Rebalance, &runner.sender, counters);
                runner.guard.check().map_err(|source| Cause::Stage { name: runner.name.to_string(), source })?;
            }
        }
        if let Some(positions) = self.positions.get_mut(source) {
            positions.forget(&partitions);
        }
        self.places.forget(source, &partitions);
        drop(done);
        Ok(())
    }

    /// Whether a pause holds up a batch that is under way.
    pub(super) fn may_wait_while_paused(&self) -> bool {
        !self.plan.sources.iter().any(|source| source.kind.kept_by_group())
    }

    /// Waits between two pieces of a batch while the query is paused. Not where a partition may be asked for by another
    /// reader, which would wait as well.
    pub(super) async fn wait_while_paused(&mut self, next_commit: &mut NextCommit) -> Result<(), Cause> {
        if !self.may_wait_while_paused() {
            return Ok(());
        }
        let (mut stop, mut pause) = (self.stop.subscribe(), self.pause.subscribe());
        while *pause.borrow_and_update() && !*stop.borrow_and_update() {
            let due = async {
                match next_commit.due {
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

    pub(super) async fn commit_on_time(&mut self, next: &mut NextCommit) -> Result<(), Cause> {
        if next.is_due() {
            self.commit().await?;
            *next = NextCommit::new(next.every);
        }
        Ok(())
    }

    /// Waits while one of these stages is held back, or until the query is to stop. Commits go on meanwhile: what the
    /// function was held back for is in the dead letters by the time that somebody looks.
    async fn wait_for_held(
        &mut self,
        stages: &mut [StageRunner],
        held: &[usize],
        next_commit: &mut NextCommit,
    ) -> Result<(), Cause> {
        let started = Instant::now();
        let mut holds = Vec::new();
        for &index in held {
            let Some(stage) = stages.get_mut(index) else { continue };
            let Some(hold) = stage.hold.take().filter(|hold| hold.until > started) else { continue };
            stage.warn_of_hold(&hold);
            self.counters.stages.get(index).into_iter().for_each(|counters| counters.held_back.add(1));
            holds.push((index, hold.until));
        }
        let Some(until) = holds.iter().map(|(_, until)| *until).max() else { return Ok(()) };
        while Instant::now() < until && !*self.stop.borrow() {
            let wake = next_commit.due.map_or(until, |due| due.min(until));
            sleep_or_stop(wake, &self.stop).await;
            self.commit_on_time(next_commit).await?;
        }
        for (index, until) in holds {
            if let Some(counters) = self.counters.stages.get(index) {
                counters.held_back_ms.add(millis(started.elapsed().min(until - started)));
            }
        }
        Ok(())
    }

    /// Why the sink at this index failed.
    pub(super) async fn why(&mut self, sink: usize) -> Cause {
        let outcome = match self.sinks.get_mut(sink) {
            Some(sink) => sink.outcome().await,
            None => Ok(()),
        };
        match outcome {
            Err(failure) => failure.into(),
            Ok(()) => Cause::Sink { name: String::new(), source: weir_sinks::SinkError::ended() },
        }
    }

    pub(super) fn source_name(&self, index: usize) -> String {
        self.plan.sources.get(index).map(|source| source.name.to_string()).unwrap_or_default()
    }

    /// Commits everything, with every sink closed.
    async fn finish(&mut self, ending: Ending) -> Result<Ending, Cause> {
        self.commit_last().await?;
        // A reader may have gone at the very end.
        let gone = ending == Ending::EndOfInput && self.sinks.iter().any(SinkTask::reader_gone);
        Ok(if gone { Ending::ReaderGone } else { ending })
    }
}

impl From<SinkFailure> for Cause {
    fn from(failure: SinkFailure) -> Cause {
        Cause::Sink { name: failure.name.to_string(), source: failure.error }
    }
}
