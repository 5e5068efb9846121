//! A batch on its way in: piece by piece through every stage, and settled as a whole.

use std::sync::Arc;

use tokio::time::Instant;
use weir_batch::{Batch, SystemColumns};

use super::budget::{AFTER_STOP_MAX, Budget};
use super::chain::{Chain, NextCommit};
use super::dead_letters::Sender;
use super::error::Cause;
use super::intake::{Cut, Intake, Piece};
use super::record_place::RecordPlace;
use super::stage::{Made, Seen, StageRunner, Workplace};
use super::stage_error::StageError;
use super::state_guard::Loss;
use crate::file::{ErrorPolicy, Node, Origins, SourceKind};
use crate::source::{Partition, SourceBatch};
use crate::trace::{BatchSpan, Drawn, OpenSpan};

/// How a batch was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Whole,
    /// The stop has come; what was not settled is read again.
    Stopped,
}

/// What the stages made of a piece. Nothing of it has an effect before it is settled: dropped, it leaves nothing behind.
struct Turn {
    // One a stage; `None` where nothing came to it.
    made: Vec<Option<Made>>,
}

/// How far a piece came.
enum Ran {
    Through(Turn),
    /// Only its first rows are within the budget of a stage that others come before: they are run anew, alone.
    Again(usize),
    Stopped,
}

/// The source's code for records that did not decode.
const UNDECODABLE: &str = "undecodable";

impl Chain {
    /// Takes one batch through every stage and into every sink's queue. What is too much for one turn is cut into pieces;
    /// commits and pauses are served between them.
    pub(super) async fn take_in(
        &mut self,
        stages: &mut [StageRunner],
        source: usize,
        read: SourceBatch,
        drawn: Option<Drawn>,
        next_commit: &mut NextCommit,
    ) -> Result<Taken, Cause> {
        let cut = match self.plan.sources.get(source).map(|source| &source.kind) {
            Some(SourceKind::Letters(_)) | None => Cut::Never,
            Some(SourceKind::Generator { .. }) => Cut::FromEnd,
            Some(SourceKind::File { .. } | SourceKind::Kafka(_) | SourceKind::Nexmark { .. }) => Cut::Columns,
        };
        let mut intake = Intake::new(source, read, cut);
        if let Some(counters) = self.counters.sources.get(source) {
            counters.records.add(intake.records());
            counters.bytes.add(intake.bytes);
            counters.batches.add(u64::from(intake.records() > 0));
        }
        self.in_hand = Some((source, intake.unsettled()));
        let span = self.begin_span(&mut intake, drawn);
        let rows = intake.batch().rows();
        stages.iter_mut().for_each(|stage| stage.begin(rows));
        loop {
            let fits = self.pieces.get(source).map_or(rows, |pieces| pieces.rows(rows));
            let Some(piece) = intake.piece(fits)? else { break };
            self.counters.waiting.set(0);
            if self.run_piece(stages, &mut intake, piece, span.as_ref(), next_commit).await? == Taken::Stopped {
                return Ok(Taken::Stopped);
            }
            if intake.unsettled() == 0 {
                break;
            }
            self.counters.waiting.set(intake.unsettled());
            self.commit_on_time(next_commit).await?;
            self.wait_while_paused(next_commit).await?;
            if self.stop_cuts(source) {
                return Ok(Taken::Stopped);
            }
        }
        self.counters.waiting.set(0);
        self.in_hand = None;
        // Of the batch as a whole: what was cut into pieces, or by an earlier stage into small parts, is one batch still.
        stages.iter_mut().for_each(StageRunner::judge);
        Ok(Taken::Whole)
    }

    /// When work on what was read ends; `None` before the stop.
    pub(super) fn stop_until(&mut self) -> Option<Instant> {
        let stopped = *self.stop.borrow();
        stopped.then(|| *self.stop_until.get_or_insert_with(|| Instant::now() + AFTER_STOP_MAX))
    }

    /// Whether the stop leaves the pieces of this source that are still to come: at once where they can be read again.
    fn stop_cuts(&mut self, source: usize) -> bool {
        let Some(until) = self.stop_until() else { return false };
        let again = self.plan.sources.get(source).is_some_and(|source| source.kind.can_be_read_again());
        again || Instant::now() >= until
    }

    fn begin_span(&mut self, intake: &mut Intake, drawn: Option<Drawn>) -> Option<Arc<BatchSpan>> {
        if intake.batch().is_empty() {
            return None;
        }
        let (spans, drawn) = self.spans.as_mut().zip(drawn)?;
        // Without a span of its own a batch has no context: sinks pass on what each record came with.
        let span = spans.begin(intake.source, intake.batch(), drawn)?;
        self.copy_on_write.make_mut(intake.batch_mut()).set_trace(Some(span.context()));
        Some(span)
    }

    async fn run_piece(
        &mut self,
        stages: &mut [StageRunner],
        intake: &mut Intake,
        mut piece: Piece,
        span: Option<&Arc<BatchSpan>>,
        next_commit: &mut NextCommit,
    ) -> Result<Taken, Cause> {
        self.fail_bad(intake, &piece)?;
        let seen: Vec<Seen> = stages.iter().map(|stage| stage.seen).collect();
        let mut limited = intake.cut() != Cut::Never;
        loop {
            match self.run_stages(stages, intake, &mut piece, limited, span, next_commit).await? {
                Ran::Through(turn) => {
                    self.settle(stages, intake, &piece, turn, span).await?;
                    return Ok(Taken::Whole);
                }
                Ran::Stopped => return Ok(Taken::Stopped),
                Ran::Again(rows) => {
                    let all = piece.batch.rows();
                    piece = intake.shorten(&piece, rows, &[all - rows])?;
                    if let Some(pieces) = self.pieces.get_mut(intake.source) {
                        pieces.exceeded(all, rows);
                    }
                    // What is run a second time is as dear as it was, and settled this time.
                    limited = false;
                    for ((stage, seen), counters) in stages.iter_mut().zip(&seen).zip(&self.counters.stages) {
                        if stage.seen.rows > seen.rows {
                            // What it has seen comes to it once more.
                            stage.guard.lost(stage.instance.batches_seen(), Loss::Again, &stage.sender, counters);
                            stage.instance.forget();
                        }
                        stage.seen = *seen;
                        stage.guard.check().map_err(|source| Cause::Stage { name: stage.name.to_string(), source })?;
                    }
                }
            }
        }
    }

    /// Runs a piece through the stages. Where the first stage at work leaves some of it, the piece ends there.
    async fn run_stages(
        &mut self,
        stages: &mut [StageRunner],
        intake: &mut Intake,
        piece: &mut Piece,
        limited: bool,
        span: Option<&Arc<BatchSpan>>,
        next_commit: &mut NextCommit,
    ) -> Result<Ran, Cause> {
        let source = self.plan.sources.get(intake.source).map(|source| Arc::clone(&source.name)).unwrap_or_default();
        let until = self.stop_until();
        let all_counters = Arc::clone(&self.counters);
        let mut turn = Turn { made: Vec::new() };
        for stage in 0..stages.len() {
            let inputs = match piece.batch.is_empty() {
                true => Vec::new(),
                false => self.inputs_of(stage, intake.source, &piece.batch, &turn),
            };
            let traced = span.filter(|_| !inputs.is_empty());
            let mut of_stage = traced.and_then(|span| span.stage(stage, inputs.iter().map(|input| input.rows()).sum()));
            let mut all: Option<Made> = None;
            let steering = (self.stop.clone(), self.may_wait_while_paused().then(|| self.pause.clone()));
            let mut budget = Budget::new(&steering.0, steering.1.as_ref(), until, limited && piece.batch.rows() > 1);
            for (number, input) in inputs.iter().enumerate() {
                let (Some(runner), Some(counters)) = (stages.get_mut(stage), all_counters.stages.get(stage)) else {
                    continue;
                };
                let at = Workplace { source: &source, counters, trace: of_stage.as_ref().map(OpenSpan::context) };
                let ran = self.while_committing(runner.run(input, &mut budget, &at), next_commit).await?;
                // Before anything of it can be committed.
                let ran = ran.and_then(|made| runner.guard.check().map(|()| made));
                if let (Some(span), Err(error)) = (&mut of_stage, &ran) {
                    span.fail(error);
                }
                let mut made = ran.map_err(|source| Cause::Stage { name: runner.name.to_string(), source })?;
                if made.stopped {
                    return Ok(Ran::Stopped);
                }
                let left = std::mem::take(&mut made.left);
                all.get_or_insert_default().add(made);
                if left.is_empty() {
                    continue;
                }
                let first = turn.made.iter().all(Option::is_none);
                if first && inputs.len() == 1 && Arc::ptr_eq(input, &piece.batch) {
                    let rest: Vec<usize> = left.iter().map(|part| part.rows()).collect();
                    let rows = piece.batch.rows().saturating_sub(rest.iter().sum());
                    *piece = intake.shorten(piece, rows, &rest)?;
                } else {
                    let behind = left.iter().chain(inputs.iter().skip(number + 1));
                    return Ok(Ran::Again(rows_before(&piece.batch, behind)));
                }
            }
            if let (Some(span), Some(made)) = (&mut of_stage, &all) {
                span.set("weir.records.out", made.outputs.iter().map(|output| output.rows()).sum());
            }
            turn.made.push(all);
        }
        Ok(Ran::Through(turn))
    }

    /// The batches that a stage takes of this turn: at most one source has spoken.
    fn inputs_of(&self, stage: usize, source: usize, batch: &Arc<Batch>, turn: &Turn) -> Vec<Arc<Batch>> {
        let mut inputs = Vec::new();
        for node in self.plan.stages.get(stage).map(|stage| stage.inputs.as_slice()).unwrap_or_default() {
            match *node {
                Node::Source(index) if index == source => inputs.push(Arc::clone(batch)),
                Node::Source(_) => {}
                Node::Stage(index) => inputs.extend(turn.outputs(index).iter().map(Arc::clone)),
            }
        }
        inputs
    }

    /// Makes a piece count: dead letters, counters and metrics, what goes to the sinks, and the position behind it.
    async fn settle(
        &mut self,
        stages: &mut [StageRunner],
        intake: &mut Intake,
        piece: &Piece,
        mut turn: Turn,
        span: Option<&Arc<BatchSpan>>,
    ) -> Result<(), Cause> {
        self.settle_bad(intake, piece)?;
        let source = self.plan.sources.get(intake.source).map(|source| Arc::clone(&source.name)).unwrap_or_default();
        for (index, made) in turn.made.iter_mut().enumerate() {
            let (Some(made), Some(runner), Some(counters)) =
                (made, stages.get_mut(index), self.counters.stages.get(index))
            else {
                continue;
            };
            counters.count(made.tally);
            made.metrics.drain(..).for_each(|metrics| self.metrics.stage(index, &metrics));
            for failed in made.failed.drain(..) {
                let done = runner.settle_failed(failed, &source, self.dead_letters.as_mut(), counters);
                done.map_err(|source| Cause::Stage { name: runner.name.to_string(), source })?;
            }
        }
        if let Some(pieces) = self.pieces.get_mut(intake.source) {
            pieces.fitted(piece.batch.rows());
        }
        intake.settle(piece);
        self.in_hand = Some((intake.source, intake.unsettled()));
        if let Some(taken) = self.positions.get_mut(intake.source) {
            taken.advance(&piece.positions);
            self.moved |= !piece.positions.is_empty();
        }
        self.places.read(intake.source, &piece.positions);
        self.uncommitted_records += piece.records();
        if !piece.batch.is_empty() {
            self.write_out(Node::Source(intake.source), &piece.batch, span).await?;
        }
        for stage in 0..turn.made.len() {
            for output in turn.outputs(stage) {
                self.write_out(Node::Stage(stage), output, span).await?;
            }
        }
        self.take_refused()?;
        if let Some(letters) = &mut self.dead_letters {
            letters.write_out().await?;
        }
        Ok(())
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

    /// Fails over a record that did not decode, where that is the source's policy.
    fn fail_bad(&self, intake: &Intake, piece: &Piece) -> Result<(), Cause> {
        let Some(plan) = self.plan.sources.get(intake.source) else { return Ok(()) };
        let first = piece.bad.first().and_then(|&row| Some((row, intake.bad.get(row)?)));
        let Some((row, record)) = first.filter(|_| plan.on_error == ErrorPolicy::Fail) else { return Ok(()) };
        let system = intake.bad_system.as_deref();
        let number = system.and_then(|system| system.partition.as_ref()).and_then(|column| column.values().get(row));
        let origin = system.and_then(|system| system.origin.clone());
        Err(Cause::Undecodable {
            source_name: plan.name.to_string(),
            file: intake.origin.as_ref().map(|origin| origin.path.clone()),
            partition: origin.zip(number.copied()).map(|(origin, number)| Partition { origin, number }),
            record: record.offset,
            line: record.line,
            message: record.message.clone(),
        })
    }

    /// Deals with the records of a piece that did not decode by the source's policy.
    fn settle_bad(&mut self, intake: &Intake, piece: &Piece) -> Result<(), Cause> {
        let (Some(plan), Some(counters)) =
            (self.plan.sources.get(intake.source), self.counters.sources.get(intake.source))
        else {
            return Ok(());
        };
        let nothing = SystemColumns::default();
        let system = intake.bad_system.as_deref().unwrap_or(&nothing);
        let path = intake.origin.as_ref().map(|origin| origin.path.to_string_lossy());
        let path = path.as_deref().or(system.origin.as_deref());
        for &row in &piece.bad {
            let Some(record) = intake.bad.get(row) else { continue };
            let of_topic = system.partition.as_ref().and_then(|column| column.values().get(row)).copied();
            let partition = of_topic.or(intake.origin.as_ref().map(|origin| origin.partition));
            let is_kept = match (plan.on_error, &mut self.dead_letters) {
                (ErrorPolicy::DeadLetter, Some(letters)) => {
                    let sender = Sender {
                        query: self.plan.name.as_str().into(),
                        tenant: self.plan.tenant.to_string().into(),
                        place: Arc::clone(&plan.name),
                        guest: None,
                        origins: Origins::default(),
                    };
                    letters.add_bad(&sender, path, partition, record, (system, row))?;
                    true
                }
                _ => false,
            };
            let counter = if is_kept { &counters.dead } else { &counters.failed };
            counter.add(1);
            counters.errors.add(UNDECODABLE);
            if self.voices.get_mut(intake.source).is_some_and(super::failures::Voice::speaks) {
                let (source, origin) = (Arc::clone(&plan.name), path.map(Arc::from));
                let place = RecordPlace { source, origin, partition, offset: Some(record.offset) };
                let what = if is_kept { "dead-lettered" } else { "skipped" };
                let line = record.line.map(|line| format!(" (line {line})")).unwrap_or_default();
                let (name, offset) = (&*plan.name, record.offset);
                tracing::warn!(
                    source = name,
                    code = UNDECODABLE,
                    partition,
                    offset,
                    "{what}: {place}{line}: {}",
                    record.message
                );
            }
        }
        Ok(())
    }
}

impl Turn {
    fn outputs(&self, stage: usize) -> &[Arc<Batch>] {
        self.made.get(stage).and_then(Option::as_ref).map_or(&[], |made| made.outputs.as_slice())
    }
}

/// How many of the piece's rows come before every row of these batches, which were made of it: at least one, and not all.
fn rows_before<'a>(piece: &Arc<Batch>, batches: impl Iterator<Item = &'a Arc<Batch>>) -> usize {
    let place = |batch: &Batch, row: usize| {
        let row = batch.physical_row(row)?;
        let system = batch.system();
        let partition = system.partition.as_ref()?.values().get(row).copied();
        Some((partition, *system.offset.as_ref()?.values().get(row)?))
    };
    let firsts: Vec<_> = batches.filter_map(|batch| place(batch, 0)).collect();
    let all = piece.rows();
    let before = (0..all).find(|&row| place(piece, row).is_some_and(|place| firsts.contains(&place)));
    // The first row alone may be too much for the budget; then half of what there is, down to that row.
    before.filter(|&rows| rows > 0).unwrap_or(all / 2).clamp(1, all.saturating_sub(1).max(1))
}

impl Made {
    fn add(&mut self, more: Made) {
        self.outputs.extend(more.outputs);
        self.failed.extend(more.failed);
        self.metrics.extend(more.metrics);
        self.tally.add(more.tally);
    }
}

impl From<weir_batch::BatchError> for Cause {
    fn from(error: weir_batch::BatchError) -> Cause {
        Cause::Stage { name: String::new(), source: StageError::Batch(error) }
    }
}
