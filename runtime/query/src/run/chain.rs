//! A query at work: the one task that takes each batch through the stages, and commits.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use weir_batch::format::BadRecord;
use weir_batch::{Batch, CopyOnWrite, SystemColumns};

use super::commit::Committing;
use super::counters::Counters;
use super::dead_letters::{DeadLetters, Sender};
use super::error::Cause;
use super::handle::Places;
use super::metrics::MetricRegistry;
use super::reader::{FromSource, Readers, Steering, read};
use super::sink_task::{SinkFailure, SinkTask};
use super::stage::{StageRunner, Workplace};
use super::state_guard::Loss;
use super::summary::Ending;
use super::waiting::{millis, sleep_or_stop};
use crate::file::{ErrorPolicy, Node, Plan};
use crate::source::{
    Origin, Partition, PositionKeeper, Positions, Revoking, Source, SourceBatch, SourceError, SourceEvent,
};
use crate::trace::{BatchSpan, Drawn, OpenSpan, Spans};

/// Batches that may wait between the sources and the stages, for each source.
const SOURCE_QUEUE_BATCHES: usize = 2;

/// What a chain is made of.
pub(super) struct Parts {
    pub(super) plan: Arc<Plan>,
    pub(super) stages: Vec<StageRunner>,
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
/// next one goes on from the last commit.
pub(super) struct Chain {
    pub(super) plan: Arc<Plan>,
    pub(super) stages: Vec<StageRunner>,
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
    copy_on_write: Arc<CopyOnWrite>,
    stop: watch::Sender<bool>,
    pause: watch::Sender<bool>,
    // What each stage made of the batch at hand; kept to save allocations.
    outputs: Vec<Vec<Arc<Batch>>>,
}

/// When the next commit is due, where the query commits before its end.
struct NextCommit {
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
        Chain {
            outputs: vec![Vec::new(); parts.plan.stages.len()],
            plan: parts.plan,
            stages: parts.stages,
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

    pub(super) async fn run_to_end(&mut self, sources: Vec<Box<dyn Source>>) -> Result<Ending, Cause> {
        let (queue, mut batches) = mpsc::channel::<FromSource>(SOURCE_QUEUE_BATCHES * sources.len().max(1));
        let mut readers = Readers(Vec::new());
        for (index, source) in sources.into_iter().enumerate() {
            readers.0.push(tokio::spawn(read(index, source, queue.clone(), self.steering(index))));
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
            let Some(FromSource { source, read, drawn }) = message else { break };
            let read = read.map_err(|error| Cause::Source { name: self.source_name(source), source: error })?;
            let read = match read {
                SourceEvent::Batch(read) => read,
                SourceEvent::Revoking(revoking) => {
                    self.give_up(source, revoking).await?;
                    continue;
                }
            };
            if !read.batch.is_empty() {
                self.wait_for_held(reached.get(source).map_or(&[], Vec::as_slice), &mut next_commit).await?;
            }
            self.take_in(source, read, drawn).await?;
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

    /// Commits what was taken of partitions that somebody else is to read, and lets go of them.
    async fn give_up(&mut self, source: usize, revoking: Revoking) -> Result<(), Cause> {
        let Revoking { partitions, lost, done } = revoking;
        if !lost {
            self.commit().await?;
        } else if self.uncommitted_records > 0 && matches!(self.committing, Committing::Transaction(_)) {
            // Their records are in the transaction, and their positions cannot be: the other reader has them.
            return Err(Cause::Lost { name: self.source_name(source), partitions });
        }
        for stage in self.plan.stages_reached(source) {
            if let (Some(runner), Some(counters)) = (self.stages.get_mut(stage), self.counters.stages.get(stage)) {
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

    async fn commit_on_time(&mut self, next: &mut NextCommit) -> Result<(), Cause> {
        if next.is_due() {
            self.commit().await?;
            *next = NextCommit::new(next.every);
        }
        Ok(())
    }

    /// Waits while one of these stages is held back, or until the query is to stop. Commits go on meanwhile: what the
    /// function was held back for is in the dead letters by the time that somebody looks.
    async fn wait_for_held(&mut self, stages: &[usize], next_commit: &mut NextCommit) -> Result<(), Cause> {
        let started = Instant::now();
        let mut holds = Vec::new();
        for &index in stages {
            let Some(stage) = self.stages.get_mut(index) else { continue };
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

    /// Takes one batch through every stage and into every sink's queue.
    async fn take_in(&mut self, source: usize, read: SourceBatch, drawn: Option<Drawn>) -> Result<(), Cause> {
        let SourceBatch { batch, bad, bad_system, bytes, origin, positions } = read;
        let records = (batch.rows() + bad.len()) as u64;
        if let Some(counters) = self.counters.sources.get(source) {
            counters.records.add(records);
            counters.bytes.add(bytes);
            counters.batches.add(u64::from(records > 0));
        }
        if let Some(taken) = self.positions.get_mut(source) {
            taken.advance(&positions);
            self.moved |= !positions.is_empty();
        }
        self.places.read(source, &positions);
        self.uncommitted_records += records;
        self.refuse_bad(source, origin.as_ref(), &bad, bad_system.as_deref())?;
        if !batch.is_empty() {
            self.run_stages(source, batch, drawn).await?;
        }
        if let Some(letters) = &mut self.dead_letters {
            letters.write_out().await?;
        }
        Ok(())
    }

    async fn run_stages(&mut self, source: usize, batch: Batch, drawn: Option<Drawn>) -> Result<(), Cause> {
        let mut batch = Arc::new(batch);
        let span = self.spans.as_mut().zip(drawn).and_then(|(spans, drawn)| spans.begin(source, &batch, drawn));
        // Without a span of its own a batch has no context: sinks pass on what each record came with.
        if let Some(span) = &span {
            self.copy_on_write.make_mut(&mut batch).set_trace(Some(span.context()));
        }
        self.write_out(Node::Source(source), &batch, span.as_ref()).await?;
        for stage in 0..self.stages.len() {
            let inputs = self.inputs_of(stage, source, &batch);
            let mut made = Vec::new();
            let (mut rows, mut guilty, mut code) = (0, 0, None);
            let traced = span.as_ref().filter(|_| !inputs.is_empty());
            let mut of_stage = traced.and_then(|span| span.stage(stage, inputs.iter().map(|input| input.rows()).sum()));
            for input in &inputs {
                let (Some(runner), Some(counters)) = (self.stages.get_mut(stage), self.counters.stages.get(stage))
                else {
                    continue;
                };
                let at = Workplace {
                    counters,
                    dead_letters: self.dead_letters.as_mut(),
                    metrics: &mut self.metrics,
                    stop: &self.stop,
                    trace: of_stage.as_ref().map(OpenSpan::context),
                };
                let ran = runner.run(input, at).await;
                // Before anything of it can be committed.
                let ran = ran.and_then(|made| runner.guard.check().map(|()| made));
                if let (Some(span), Err(error)) = (&mut of_stage, &ran) {
                    span.fail(error);
                }
                let ran = ran.map_err(|source| Cause::Stage { name: runner.name.to_string(), source })?;
                made.extend(ran.outputs);
                rows += input.rows();
                guilty += ran.guilty;
                code = ran.code.or(code);
            }
            // Of the turn as a whole: what an earlier stage's trap cut into small parts is one batch still.
            if let Some(runner) = self.stages.get_mut(stage) {
                runner.judge(rows, guilty, code);
            }
            if let Some(mut span) = of_stage {
                span.set("weir.records.out", made.iter().map(|output| output.rows()).sum());
            }
            for output in &made {
                self.write_out(Node::Stage(stage), output, span.as_ref()).await?;
            }
            if let Some(outputs) = self.outputs.get_mut(stage) {
                *outputs = made;
            }
        }
        // Nothing holds a batch between turns: the sinks alone say how long it lives.
        self.outputs.iter_mut().for_each(Vec::clear);
        Ok(())
    }

    /// The batches that a stage takes of this turn: at most one source has spoken.
    fn inputs_of(&self, stage: usize, source: usize, batch: &Arc<Batch>) -> Vec<Arc<Batch>> {
        let mut inputs = Vec::new();
        for node in self.plan.stages.get(stage).map(|stage| stage.inputs.as_slice()).unwrap_or_default() {
            match *node {
                Node::Source(index) if index == source => inputs.push(Arc::clone(batch)),
                Node::Source(_) => {}
                Node::Stage(index) => {
                    inputs.extend(self.outputs.get(index).into_iter().flatten().map(Arc::clone));
                }
            }
        }
        inputs
    }

    /// Queues a batch for every sink attached to this point.
    async fn write_out(&mut self, node: Node, batch: &Arc<Batch>, span: Option<&Arc<BatchSpan>>) -> Result<(), Cause> {
        for (sink, plan) in self.sinks.iter_mut().zip(&self.plan.sinks) {
            if plan.inputs.contains(&node) {
                sink.write(Arc::clone(batch), span.map(Arc::clone)).await?;
            }
        }
        Ok(())
    }

    /// Deals with records that did not decode by the source's policy.
    fn refuse_bad(
        &mut self,
        source: usize,
        origin: Option<&Origin>,
        bad: &[BadRecord],
        system: Option<&SystemColumns>,
    ) -> Result<(), Cause> {
        let (Some(plan), Some(counters)) = (self.plan.sources.get(source), self.counters.sources.get(source)) else {
            return Ok(());
        };
        let path = origin.map(|origin| origin.path.to_string_lossy());
        let path = path.as_deref().or(system.and_then(|system| system.origin.as_deref()));
        let nothing = SystemColumns::default();
        let system = system.unwrap_or(&nothing);
        for (row, record) in bad.iter().enumerate() {
            let of_topic = system.partition.as_ref().and_then(|column| column.values().get(row)).copied();
            let partition = of_topic.or(origin.map(|origin| origin.partition));
            match (plan.on_error, &mut self.dead_letters) {
                (ErrorPolicy::Fail, _) => {
                    return Err(Cause::Undecodable {
                        source_name: plan.name.to_string(),
                        file: origin.map(|origin| origin.path.clone()),
                        partition: system
                            .origin
                            .clone()
                            .zip(of_topic)
                            .map(|(origin, number)| Partition { origin, number }),
                        record: record.offset,
                        line: record.line,
                        message: record.message.clone(),
                    });
                }
                (ErrorPolicy::DeadLetter, Some(letters)) => {
                    let sender = Sender {
                        query: self.plan.name.as_str().into(),
                        tenant: self.plan.tenant.to_string().into(),
                        place: Arc::clone(&plan.name),
                        guest: None,
                    };
                    letters.add_bad(&sender, path, partition, record, (system, row))?;
                    counters.dead.add(1);
                }
                (ErrorPolicy::Skip | ErrorPolicy::DeadLetter, _) => {
                    tracing::warn!(source = &*plan.name, offset = record.offset, "skipped: {}", record.message);
                    counters.failed.add(1);
                }
            }
        }
        Ok(())
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
